//! Which scenarios the paths of a command line mean: files as they are, folders with everything below them.

use std::path::{Path, PathBuf};

use super::diagnostics::{Diagnostics, Mistake};
use super::load::SHARED;
use super::{Plan, load};

/// A scenario to be read: where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScenarioSource {
    /// The file, as it should be shown.
    pub path: PathBuf,
}

impl ScenarioSource {
    /// Reads and checks it.
    ///
    /// # Errors
    ///
    /// Every mistake that the file holds, or why it could not be read.
    pub fn load(&self) -> Result<Plan, Diagnostics> {
        load(&self.path)
    }
}

/// Folders nested deeper than this are a mistake, or a circle of links.
const MOST_DEPTH: usize = 32;

/// All scenarios that `paths` mean: in the order given, a folder's in the order of their names, each once. Files that begin
/// with a dot and `strategies.yaml` are no scenarios.
///
/// # Errors
///
/// When a path does not exist, cannot be read, or is a folder that holds no scenario.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<ScenarioSource>, Diagnostics> {
    let mut found = Vec::new();
    for path in paths {
        let start = found.len();
        let sorry = |mistake| Diagnostics::unreadable(&path.display().to_string(), mistake);
        if path.is_dir() {
            walk(path, 0, &mut found).map_err(sorry)?;
            if found.len() == start {
                let mistake =
                    Mistake::whole("this folder holds no scenario: no file in it or below it ends with `.yaml`");
                return Err(sorry(mistake.help("`squall new` writes a scenario to begin with")));
            }
        } else if path.exists() {
            found.push(ScenarioSource { path: path.clone() });
        } else {
            let mistake = Mistake::whole("no such file or folder");
            return Err(sorry(mistake.help("`squall list` shows the scenarios that come with Squall")));
        }
    }
    let mut unique: Vec<ScenarioSource> = Vec::new();
    for source in found {
        if !unique.contains(&source) {
            unique.push(source);
        }
    }
    Ok(unique)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<ScenarioSource>) -> Result<(), Mistake> {
    if depth > MOST_DEPTH {
        return Err(Mistake::whole(format!("folders are nested more than {MOST_DEPTH} deep")));
    }
    let unreadable = |why: std::io::Error| Mistake::whole(format!("this cannot be read: {why}"));
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if (name.ends_with(".yaml") || name.ends_with(".yml")) && name != SHARED {
            found.push(ScenarioSource { path });
        }
    }
    Ok(())
}
