//! Which scenarios a command is about.
//!
//! A path is a file or a folder. Without one it is `scenarios/`, and where that does not exist the catalogue that comes with
//! Squall, so that the first run needs no file. A name of the catalogue works as well, unless a file is called so.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::report::log::Text;
use crate::scenario::{
    Beside, Diagnostics, Embedded, Mistake, Plan, Resolver, StrategyPlan, catalogue, closest, did_you_mean, discover,
    load, parse,
};

/// Where scenarios are looked for.
pub(super) const FOLDER: &str = "scenarios";

/// A scenario that was read, and what it was read from.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) plan: Plan,
    pub(super) text: Text,
}

/// Reads all scenarios that `paths` mean, each file once.
///
/// # Errors
///
/// Every mistake in any of them.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Scenario>, Failure> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut mistakes = Vec::new();
    let mut add = |scenario: Result<Scenario, Diagnostics>| match scenario {
        Ok(scenario) => match scenarios.iter().find(|known| known.plan.name == scenario.plan.name) {
            Some(known) if is_same_file(&known.plan.file, &scenario.plan.file) => {}
            Some(known) => mistakes.push(same_name(&known.plan, &scenario.plan)),
            None => scenarios.push(scenario),
        },
        Err(diagnostics) => mistakes.push(diagnostics),
    };
    if paths.is_empty() && !Path::new(FOLDER).is_dir() {
        catalogue().map(built_in).for_each(&mut add);
    }
    let usual = [PathBuf::from(FOLDER)];
    let paths = if paths.is_empty() && Path::new(FOLDER).is_dir() { &usual } else { paths };
    for path in paths {
        if let Some(embedded) = embedded(path).filter(|_| !path.exists()) {
            add(built_in(embedded));
            continue;
        }
        if !path.exists() {
            add(Err(missing(path)));
            continue;
        }
        match discover(std::slice::from_ref(path)) {
            Ok(sources) => sources.iter().map(|source| from_file(&source.path)).for_each(&mut add),
            Err(diagnostics) => add(Err(diagnostics)),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(Failure::Scenarios(mistakes)) }
}

/// Whether two paths lead to one file, however they are written.
fn is_same_file(one: &str, other: &str) -> bool {
    let real = |path: &str| std::fs::canonicalize(path).ok();
    one == other || real(one).is_some_and(|path| Some(path) == real(other))
}

/// Baselines, reports and time series know a scenario by its name.
fn same_name(known: &Plan, again: &Plan) -> Diagnostics {
    let mistake = Mistake::whole(format!("the scenario of {} is named `{}`, too", known.file, again.name));
    let help = "give one of them another name: reports and baselines would take them for one";
    Diagnostics::unreadable(&again.file, mistake.help(help))
}

fn missing(path: &Path) -> Diagnostics {
    let written = path.display().to_string();
    let mistake = Mistake::whole("no such file or folder, and no scenario of the catalogue");
    let help = match closest(&written, &catalogue().map(|embedded| embedded.name).collect::<Vec<_>>()) {
        Some(close) => did_you_mean(close),
        None => "`squall list` shows the scenarios that come with Squall".to_owned(),
    };
    Diagnostics::unreadable(&written, mistake.help(help))
}

/// Reads the scenarios that a log keeps.
///
/// # Errors
///
/// Mistakes, if another version of Squall wrote it.
pub(super) fn kept(texts: &[Text]) -> Result<Vec<Plan>, Failure> {
    texts.iter().map(Text::plan).collect::<Result<_, _>>().map_err(|mistakes| Failure::Scenarios(vec![mistakes]))
}

fn from_file(path: &Path) -> Result<Scenario, Diagnostics> {
    // What cannot be read as text has its own diagnostics.
    let Ok(text) = std::fs::read_to_string(path) else {
        return load(path).map(|plan| Scenario { plan, text: Text::default() });
    };
    remembered(&path.display().to_string(), text, &Beside::of(path))
}

fn built_in(embedded: &'static Embedded) -> Result<Scenario, Diagnostics> {
    remembered(&format!("{FOLDER}/{}", embedded.path), embedded.text.to_owned(), embedded)
}

/// Reads a scenario, and remembers everything that it was read from.
fn remembered(name: &str, text: String, resolver: &dyn Resolver) -> Result<Scenario, Diagnostics> {
    let memory = Memory { resolver, read: RefCell::default() };
    let plan = parse(name, &text, &memory)?;
    let text = Text {
        file: plan.file.clone(),
        text,
        shared: resolver.shared().unwrap_or_default(),
        files: memory.read.into_inner(),
    };
    Ok(Scenario { plan, text })
}

/// Remembers which files a scenario names, and what they say.
struct Memory<'r> {
    resolver: &'r dyn Resolver,
    read: RefCell<Vec<(String, String)>>,
}

impl Resolver for Memory<'_> {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        self.resolver.shared()
    }

    fn read(&self, file: &str) -> Result<String, String> {
        let text = self.resolver.read(file)?;
        let mut read = self.read.borrow_mut();
        if read.iter().all(|(known, _)| known != file) {
            read.push((file.to_owned(), text.clone()));
        }
        Ok(text)
    }
}

/// The scenario of the catalogue that is called so, or would lie there in a checkout.
pub(super) fn embedded(path: &Path) -> Option<&'static Embedded> {
    let text = path.to_str()?;
    let name = path.file_stem()?.to_str()?;
    catalogue().find(|embedded| {
        embedded.name == text || (embedded.name == name && Path::new(FOLDER).join(embedded.path) == path)
    })
}

/// Which strategies of a plan have one of `names`, or are of a sweep that has, by their places; all without names.
pub(super) fn chosen(plan: &Plan, names: &[String]) -> Vec<usize> {
    let wanted = |strategy: &StrategyPlan| names.is_empty() || names.iter().any(|name| strategy.is_called(name));
    let places = plan.strategies.iter().enumerate();
    places.filter(|(_, strategy)| wanted(strategy)).map(|(place, _)| place).collect()
}
