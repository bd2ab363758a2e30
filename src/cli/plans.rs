//! Which scenarios a command is about.
//!
//! A path is a file or a folder. Without one it is `scenarios/`, and where that does not exist the catalogue that comes with
//! Squall, so that the first run needs no file. A name of the catalogue works as well, unless a file is called so.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::scenario::{Diagnostics, Embedded, Plan, catalogue, discover};

/// Where scenarios are looked for.
const FOLDER: &str = "scenarios";

/// Reads all scenarios that `paths` mean, each file once.
///
/// # Errors
///
/// Every mistake in any of them.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Plan>, Failure> {
    let mut plans: Vec<Plan> = Vec::new();
    let mut mistakes = Vec::new();
    let mut add = |plan: Result<Plan, Diagnostics>| match plan {
        Ok(plan) if plans.iter().any(|known| known.file == plan.file) => {}
        Ok(plan) => plans.push(plan),
        Err(diagnostics) => mistakes.push(diagnostics),
    };
    if paths.is_empty() && !Path::new(FOLDER).is_dir() {
        catalogue().map(Embedded::load).for_each(&mut add);
    }
    let usual = [PathBuf::from(FOLDER)];
    let paths = if paths.is_empty() && Path::new(FOLDER).is_dir() { &usual } else { paths };
    for path in paths {
        if let Some(embedded) = embedded(path).filter(|_| !path.exists()) {
            add(embedded.load());
            continue;
        }
        match discover(std::slice::from_ref(path)) {
            Ok(sources) => sources.iter().map(crate::scenario::ScenarioSource::load).for_each(&mut add),
            Err(diagnostics) => add(Err(diagnostics)),
        }
    }
    if mistakes.is_empty() { Ok(plans) } else { Err(Failure::Scenarios(mistakes)) }
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
