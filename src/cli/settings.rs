//! `squall.toml`: what options are when neither the command line nor the environment says otherwise.
//!
//! A key is an option's long name. At the top it stands for every command that has the option, in a table named like a
//! command for that one, and in `[profile.NAME]` for runs with `--profile NAME`, which begin with everything else.
//!
//! Rule: argument before environment (`SQUALL_SEEDS=20`) before file before built-in default, for every option and without
//! a list of them: settings become the defaults of the parser, which also says whether a value is a good one.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::exit::Failure;
use crate::scenario::{Diagnostics, Mistake, Source, Span};

/// What the file is called, in this folder or one above it.
const FILE: &str = "squall.toml";
/// Options that say where settings come from cannot come from there.
const ABOUT_SETTINGS: [&str; 2] = ["config", "profile"];

/// One setting: of which commands, which option, what, and where it stands.
struct Setting {
    commands: Vec<String>,
    option: String,
    values: Vec<String>,
    span: Range<usize>,
}

/// The command line's parser, with the environment and the settings as its defaults.
///
/// # Errors
///
/// Every mistake in the settings' file.
pub(super) fn applied(command: Command, typed: &[OsString]) -> Result<Command, Failure> {
    let command = with_environment(command);
    let config = asked(typed, "config");
    let Some(path) = config.clone().map(PathBuf::from).or_else(found) else {
        let profile = asked(typed, "profile").map(|name| name.to_string_lossy().into_owned());
        return profile.map_or(Ok(command), |name| {
            Err(Failure::Usage(format!("there is no {FILE} in this folder or above, so no profile `{name}`")))
        });
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::Usage(format!("{}: cannot be read: {error}", path.display())))?;
    let profile = asked(typed, "profile").map(|name| name.to_string_lossy().into_owned());
    with_settings(command, &path.display().to_string(), &text, profile.as_deref())
        .map_err(|mistakes| Failure::Scenarios(vec![mistakes]))
}

/// What the command line says of an option that must be known before it is parsed, or the environment.
fn asked(typed: &[OsString], option: &str) -> Option<OsString> {
    let long = format!("--{option}");
    let mut words = typed.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if *word == *long {
            return words.next().cloned();
        }
        if let Some(value) = word.to_str().and_then(|word| word.strip_prefix(&long)?.strip_prefix('=')) {
            return Some(value.into());
        }
    }
    std::env::var_os(variable(option)).filter(|value| !value.is_empty())
}

fn found() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()).map(|path| plain(&path, &here))
}

/// In this folder the file needs no path.
fn plain(path: &Path, here: &Path) -> PathBuf {
    path.strip_prefix(here).map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// `SQUALL_REPORT_DIR` for `--report-dir`.
fn variable(option: &str) -> String {
    format!("SQUALL_{}", option.to_uppercase().replace('-', "_"))
}

/// Where a value comes from that the parser refuses, unless it was typed: nobody looks for it there.
pub(super) fn origin(refused: &clap::Error, typed: &[OsString]) -> Option<String> {
    let said = |kind| match refused.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = said(ContextKind::InvalidArg)?.strip_prefix("--")?.split(' ').next()?;
    let long = format!("--{option}");
    if typed.iter().any(|word| word.to_string_lossy().split('=').next() == Some(&*long)) {
        return None;
    }
    let (name, value) = (variable(option), said(ContextKind::InvalidValue)?);
    let is_set = std::env::var_os(&name).is_some_and(|set| set == *value);
    is_set.then(|| format!("{name}={value} is set in the environment; {long} on the command line wins over it"))
}

fn with_environment(command: Command) -> Command {
    let named = |arg: Arg| match arg.get_long().map(variable) {
        // In the environment a flag is set with 1 as often as with true.
        Some(name) if matches!(arg.get_action(), ArgAction::SetTrue) => {
            arg.value_parser(BoolishValueParser::new()).env(name).hide_env(true)
        }
        Some(name) if !arg.is_positional() => arg.env(name).hide_env(true),
        _ => arg,
    };
    command.mut_args(named).mut_subcommands(move |sub| sub.mut_args(named))
}

fn with_settings(mut command: Command, name: &str, text: &str, profile: Option<&str>) -> Result<Command, Diagnostics> {
    let mut reader = Reader { base: command.clone(), mistakes: Vec::new(), settings: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.read(table.get_ref(), profile),
        Err(error) => reader.wrong(error.span().unwrap_or_default(), error.message()),
    }
    if !reader.mistakes.is_empty() {
        return Err(Diagnostics::new(vec![Source { name: name.to_owned(), text: text.into() }], reader.mistakes));
    }
    // The later ones are the more particular.
    for Setting { commands, option, values, .. } in reader.settings {
        let set = |arg: Arg| if arg.get_long() == Some(&*option) { arg.default_values(values.clone()) } else { arg };
        command = command.mut_args(set);
        for of in commands {
            command = command.mut_subcommand(of, |sub| sub.mut_args(set));
        }
    }
    Ok(command)
}

struct Reader {
    base: Command,
    mistakes: Vec<Mistake>,
    settings: Vec<Setting>,
}

impl Reader {
    fn read(&mut self, table: &DeTable<'_>, profile: Option<&str>) {
        self.section(table, None);
        let profiles = table.iter().find(|(key, _)| *key.get_ref() == "profile");
        let mut known = Vec::new();
        if let Some((key, value)) = profiles {
            let DeValue::Table(all) = value.get_ref() else {
                return self.wrong(key.span(), "profiles are tables: write `[profile.NAME]`");
            };
            for (name, settings) in all {
                known.push(name.get_ref().to_string());
                let DeValue::Table(settings) = settings.get_ref() else {
                    self.wrong(name.span(), "a profile is a table: write `[profile.NAME]`");
                    continue;
                };
                // Mistakes in profiles that are not asked for are mistakes as well.
                let before = self.settings.len();
                self.section(settings, None);
                if Some(&**name.get_ref()) != profile {
                    self.settings.truncate(before);
                }
            }
        }
        if let Some(wanted) = profile.filter(|wanted| known.iter().all(|name| name != wanted)) {
            let mistake = Mistake::whole(format!("there is no profile `{wanted}`"));
            self.mistakes.push(mistake.suggest(wanted, "profiles", known.iter().map(String::as_str)));
        }
    }

    /// Settings of one command, or of all that have the option.
    fn section(&mut self, table: &DeTable<'_>, of: Option<&str>) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let command = self.base.find_subcommand(name).is_some();
            let option =
                || self.base.get_subcommands().flat_map(Command::get_arguments).any(|arg| arg.get_long() == Some(name));
            match value.get_ref() {
                DeValue::Table(_) if name == "profile" && of.is_none() => {}
                DeValue::Table(settings) if command && of.is_none() => self.section(settings, Some(name)),
                DeValue::Table(_) if of.is_none() && !option() => {
                    let mistake = Mistake::at(at(key.span()), format!("no command is named `{name}`"));
                    let commands: Vec<&str> = self.base.get_subcommands().map(Command::get_name).collect();
                    self.mistakes.push(mistake.suggest(name, "commands", commands));
                }
                _ => self.setting(key, value, of),
            }
        }
    }

    fn setting(&mut self, key: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>, of: Option<&str>) {
        let option = key.get_ref().as_ref().to_owned();
        let has = |command: &Command| command.get_arguments().any(|arg| arg.get_long() == Some(&*option));
        let subs = self.base.get_subcommands().filter(|sub| of.is_none_or(|of| sub.get_name() == of));
        let commands: Vec<String> = subs.filter(|sub| has(sub)).map(|sub| sub.get_name().to_owned()).collect();
        if ABOUT_SETTINGS.contains(&&*option) {
            return self.wrong(key.span(), format!("`{option}` cannot be set here"));
        }
        if commands.is_empty() && !(of.is_none() && has(&self.base)) {
            let base = self.base.clone();
            let every = std::iter::once(&base)
                .chain(base.get_subcommands().filter(|sub| of.is_none_or(|of| sub.get_name() == of)));
            let mut known: Vec<&str> = every.flat_map(Command::get_arguments).filter_map(Arg::get_long).collect();
            known.sort_unstable();
            known.dedup();
            let message = of.map_or_else(
                || format!("no command has an option `--{option}`"),
                |of| format!("`squall {of}` has no option `--{option}`"),
            );
            self.mistakes.push(Mistake::at(at(key.span()), message).suggest(&option, "options", known));
            return;
        }
        let Some(values) = values(value.get_ref()) else {
            return self.wrong(value.span(), "a setting is a text, a number, true or false, or a list of them");
        };
        let setting = Setting { commands, option, values, span: value.span() };
        if self.is_good(&setting) {
            self.settings.push(setting);
        }
    }

    /// Whether the parser of every command concerned takes the setting.
    fn is_good(&mut self, setting: &Setting) -> bool {
        let Setting { commands, option, values, span } = setting;
        let flag = |command: &Command| {
            command.get_arguments().any(|arg| arg.get_long() == Some(&**option) && !arg.get_action().takes_values())
        };
        for of in commands {
            let sub = self.base.find_subcommand(of).expect("it was found there");
            if flag(sub) {
                if values[..] != ["true"] && values[..] != ["false"] {
                    self.wrong(span.clone(), format!("`{option}` is true or false"));
                    return false;
                }
                continue;
            }
            let words = values.iter().map(|value| format!("--{option}={value}"));
            let words = ["squall".to_owned(), of.clone()].into_iter().chain(words);
            let tried = self.base.clone().try_get_matches_from(words);
            let refused = tried.err().filter(|error| error.kind() != ErrorKind::MissingRequiredArgument);
            if let Some(error) = refused {
                let told = error.to_string();
                let line = told.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let mistake = Mistake::at(at(span.clone()), line);
                self.mistakes
                    .push(mistake.help(format!("of `squall {of}`; settings of one command stand under `[{of}]`")));
                return false;
            }
        }
        true
    }

    fn wrong(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(at(span), message));
    }
}

fn at(span: Range<usize>) -> Span {
    Span { source: 0, start: span.start as u32, end: span.end as u32 }
}

fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    Some(match value {
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Integer(number) => vec![number.to_string()],
        DeValue::Float(number) => vec![number.to_string()],
        DeValue::Boolean(truth) => vec![truth.to_string()],
        DeValue::Array(all) => all.iter().map(|one| values(one.get_ref())).collect::<Option<Vec<_>>>()?.concat(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::cli::args::{self, Args};

    const TEXT: &str = "
jobs = 3
[run]
format = \"markdown\"
strategy = [\"a\", \"b\"]
[profile.ci]
seeds = 20
[profile.ci.run]
format = \"junit\"
quiet = true
";

    fn run(text: &str, profile: Option<&str>, typed: &[&str]) -> args::Run {
        let command =
            with_settings(Args::command(), "squall.toml", text, profile).unwrap_or_else(|told| panic!("{told}"));
        let typed = ["squall", "run"].iter().chain(typed);
        let args = Args::from_arg_matches(&command.try_get_matches_from(typed).unwrap()).unwrap();
        let args::Command::Run(run) = args.command else { panic!("it is a run") };
        run
    }

    #[test]
    fn what_is_more_particular_wins() {
        let plain = run(TEXT, None, &[]);
        assert_eq!(
            (plain.output.format, plain.selection.jobs, plain.selection.seeds),
            (args::Format::Markdown, Some(3), None)
        );
        assert_eq!((plain.selection.strategies, plain.selection.quiet), (vec!["a".to_owned(), "b".to_owned()], false));
        let ci = run(TEXT, Some("ci"), &[]);
        assert_eq!((ci.output.format, ci.selection.jobs, ci.selection.seeds), (args::Format::Junit, Some(3), Some(20)));
        assert!(ci.selection.quiet);
        let typed = run(TEXT, Some("ci"), &["--format", "json", "--strategy", "c", "--seeds", "2"]);
        assert_eq!((typed.output.format, typed.selection.seeds), (args::Format::Json, Some(2)));
        assert_eq!(typed.selection.strategies, ["c"]);
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let table = [
            ("sedes = 5", "no command has an option `--sedes`"),
            ("[run]\nseeds = 0", "invalid value '0'"),
            ("[list]\nseeds = 5", "`squall list` has no option `--seeds`"),
            ("format = \"junit\"", "of `squall baseline`"),
            ("quiet = 3", "`quiet` is true or false"),
            ("[rum]\nseeds = 5", "no command is named `rum`"),
            ("profile = 3", "profiles are tables"),
            ("[profile.other]\nsedes = 5", "no command has an option `--sedes`"),
            ("profile.ci.profile = 5", "cannot be set here"),
            ("seeds = { first = 1 }", "a setting is a text"),
            ("seeds 5", "="),
        ];
        for (text, expected) in table {
            let told = with_settings(Args::command(), "squall.toml", text, None).map(|_| ()).unwrap_err().to_string();
            assert!(told.contains(expected) && told.contains("squall.toml:"), "{text}: {told}");
        }
        let told = with_settings(Args::command(), "squall.toml", TEXT, Some("cx")).unwrap_err().to_string();
        assert!(told.contains("there is no profile `cx`"), "{told}");
    }
}
