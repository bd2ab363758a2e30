//! Which scenarios a command is about.
//!
//! A path is a file or a folder. Without one it is `scenarios/`, and where that does not exist the catalogue that comes with
//! Squall, so that the first run needs no file. A name of the catalogue works as well, unless a file is called so.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::report::log::Text;
use crate::scenario::{Beside, Diagnostics, Embedded, Plan, Resolver, catalogue, discover, load, parse};

/// Where scenarios are looked for.
const FOLDER: &str = "scenarios";

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
        Ok(scenario) if scenarios.iter().any(|known| known.plan.file == scenario.plan.file) => {}
        Ok(scenario) => scenarios.push(scenario),
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
        match discover(std::slice::from_ref(path)) {
            Ok(sources) => sources.iter().map(|source| from_file(&source.path)).for_each(&mut add),
            Err(diagnostics) => add(Err(diagnostics)),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(Failure::Scenarios(mistakes)) }
}

/// Reads the scenarios that a log keeps.
///
/// # Errors
///
/// Mistakes, if another version of Squall wrote it.
pub(super) fn kept(texts: &[Text]) -> Result<Vec<Plan>, Failure> {
    let parse_one = |kept: &Text| parse(&kept.file, &kept.text, &Shared(&kept.shared));
    texts.iter().map(parse_one).collect::<Result<_, _>>().map_err(|mistakes| Failure::Scenarios(vec![mistakes]))
}

fn from_file(path: &Path) -> Result<Scenario, Diagnostics> {
    let plan = load(path)?;
    // It could be read a moment ago; if it is gone by now, the log will not be of use, but the run is.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Ok(scenario(plan, text, &Beside::of(path)))
}

fn built_in(embedded: &'static Embedded) -> Result<Scenario, Diagnostics> {
    Ok(scenario(embedded.load()?, embedded.text.to_owned(), embedded))
}

fn scenario(plan: Plan, text: String, resolver: &dyn Resolver) -> Scenario {
    let text = Text { file: plan.file.clone(), text, shared: resolver.shared().unwrap_or_default() };
    Scenario { plan, text }
}

/// The shared strategies that a log keeps.
struct Shared<'a>(&'a [(String, String)]);

impl Resolver for Shared<'_> {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        Ok(self.0.to_vec())
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

/// Which strategies of a plan have one of `names`, by their places; all without names.
pub(super) fn chosen(plan: &Plan, names: &[String]) -> Vec<usize> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let places = plan.strategies.iter().enumerate();
    places.filter(|(_, strategy)| wanted(&strategy.name)).map(|(place, _)| place).collect()
}
