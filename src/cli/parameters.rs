//! The parameters of `squall validate`: an option for each, `--clients 10,20`, made from what the suites declare.
//!
//! Rule: a suite that declares a parameter has opened it; nothing is listed here.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::exit::Failure;
use crate::validate::{Params, SUITES, Suite};

/// What was set, by name, in the order of the suites.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, Vec<f64>)>);

/// The values of one parameter.
#[derive(Clone, Debug)]
struct Values(Vec<f64>);

impl Parameters {
    /// These and those that `NAME=NUMBER` sets.
    ///
    /// # Errors
    ///
    /// When a text is no setting.
    pub(super) fn with(mut self, settings: &[String]) -> Result<Self, Failure> {
        for text in settings {
            let parsed = text.split_once('=').and_then(|(name, numbers)| Some((name, values(numbers).ok()?)));
            let Some((name, Values(numbers))) = parsed else {
                let why = format!("`{text}` is no setting: NAME=NUMBER, as in load=0.5 or clients=10,20");
                return Err(Failure::Usage(why));
            };
            self.0.push((name.replace('-', "_"), numbers));
        }
        Ok(self)
    }

    /// The parameters of each of these suites: what was set goes to every suite that has it.
    ///
    /// # Errors
    ///
    /// When no suite has it, or it cannot have that value.
    pub(super) fn of(&self, suites: &[&'static Suite], full: bool) -> Result<Vec<Params>, Failure> {
        let has = |suite: &Suite, name: &str| suite.params.iter().any(|param| param.name == name);
        if let [suite] = suites {
            return Ok(vec![Params::of(suite, full, &self.0).map_err(|why| Failure::Usage(why.to_string()))?]);
        }
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !suites.iter().any(|suite| has(suite, name))) {
            return Err(Failure::Usage(format!("none of these suites has a parameter `{name}`")));
        }
        let own = |suite: &&'static Suite| {
            let set: Vec<_> = self.0.iter().filter(|(name, _)| has(suite, name)).cloned().collect();
            Params::of(suite, full, &set).map_err(|why| Failure::Usage(why.to_string()))
        };
        suites.iter().map(own).collect()
    }
}

/// Every parameter of any suite, once.
fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = SUITES.iter().flat_map(|suite| suite.params.iter().map(|param| param.name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn values(text: &str) -> Result<Values, String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|number| number.trim().parse::<f64>()).collect();
    match numbers {
        Ok(numbers) if numbers.iter().all(|number| number.is_finite()) => Ok(Values(numbers)),
        _ => Err("a number, or several with commas, as in 10,20".to_owned()),
    }
}

/// Suites and their parameters, below the help of the command.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Suites and their parameters. Set one with `--load 0.5` or `--set load=0.5`; where several values are listed, several can be \
         set (`--clients 20,30`). With other parameters than the source's, rows have a published value only where it follows from a \
         closed form.",
    );
    for suite in SUITES {
        text += &format!("\n\n  {} ({})", suite.name, suite.source);
        for param in suite.params {
            let list = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
            let long =
                if param.full == param.short { String::new() } else { format!("; {} in full", list(param.full)) };
            text +=
                &format!("\n    --{:<21}{} [{}{long}]", param.name.replace('_', "-"), param.about, list(param.short));
        }
    }
    text
}

impl Args for Parameters {
    fn augment_args(command: Command) -> Command {
        names().into_iter().fold(command, |command, name| {
            let arg = Arg::new(format!("param {name}")).long(name.replace('_', "-")).value_name("NUMBER");
            // They stand in the help of the suites that have them.
            let arg = arg.value_parser(values).allow_negative_numbers(true).action(ArgAction::Set).hide(true);
            command.arg(arg)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Parameters {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &'static str| {
            let values = matches.try_get_one::<Values>(&format!("param {name}"));
            let values = values.map_err(|why| clap::Error::raw(ErrorKind::InvalidValue, why.to_string()));
            values.map(|values| values.map(|Values(numbers)| (name.to_owned(), numbers.clone()))).transpose()
        };
        names().into_iter().filter_map(given).collect::<Result<_, _>>().map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::suite;

    fn set(suites: &[&str], settings: &[&str]) -> Result<Vec<Params>, String> {
        let suites: Vec<&'static Suite> = suites.iter().map(|name| suite(name).unwrap()).collect();
        let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        let told = |failure| match failure {
            Failure::Usage(why) => why,
            _ => "not about usage".to_owned(),
        };
        Parameters::default().with(&settings).map_err(told)?.of(&suites, false).map_err(told)
    }

    #[test]
    fn a_setting_goes_to_every_suite_that_has_it() {
        let params = set(&["mm1", "mmc", "aws"], &["load=0.5", "clients=20,30"]).unwrap();
        assert_eq!((params[0].get("load"), params[1].get("load")), (0.5, 0.5));
        assert_eq!(params[2].all("clients"), [20.0, 30.0]);
        assert_eq!(set(&["mm1", "aws"], &["leaves=1"]).unwrap_err(), "none of these suites has a parameter `leaves`");
        assert!(set(&["mm1"], &["load"]).unwrap_err().starts_with("`load` is no setting"));
    }

    /// Whatever a suite declares can be typed, is explained, and arrives.
    #[test]
    fn every_parameter_is_an_option() {
        let command = Parameters::augment_args(Command::new("validate").no_binary_name(true));
        for suite in SUITES {
            for param in suite.params {
                let option = format!("--{}={}", param.name.replace('_', "-"), param.short[0]);
                let matches = command.clone().try_get_matches_from([&option]).unwrap();
                let given = Parameters::from_arg_matches(&matches).unwrap();
                assert_eq!(given.0, [(param.name.to_owned(), vec![param.short[0]])], "{option}");
                assert!(help().contains(param.about), "{option}");
            }
        }
    }
}
