//! The scenarios that come with Squall, embedded in the binary: it runs them where there is no checkout.

use super::load::{Resolver, SHARED, parse};
use super::{Diagnostics, Plan};

/// A file below `scenarios/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// What the scenario is called: its file name without the ending.
    pub name: &'static str,
    /// Where it lies, from `scenarios/` on, with forward slashes.
    pub path: &'static str,
    /// What it says.
    pub text: &'static str,
}

// `FILES`, made by `build.rs` from everything below `scenarios/`, in the order of paths.
include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// All scenarios, in the order of their paths.
pub fn catalogue() -> impl Iterator<Item = &'static Embedded> {
    FILES.iter().filter(|file| file.name != "strategies")
}

/// The strategies that the catalogue shares: `scenarios/strategies.yaml`.
#[must_use]
pub fn catalogue_strategies() -> &'static str {
    shared_at("").map_or("", |file| file.text)
}

impl Embedded {
    /// Reads and checks it.
    ///
    /// # Errors
    ///
    /// Never, as far as the tests can tell; the signature is that of every other scenario.
    pub fn load(&self) -> Result<Plan, Diagnostics> {
        parse(&format!("scenarios/{}", self.path), self.text, self)
    }
}

/// An embedded scenario sees the embedded `strategies.yaml` of its folder and of those above.
impl Resolver for Embedded {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        let mut folders: Vec<&str> = self.path.match_indices('/').map(|(at, _)| &self.path[..=at]).collect();
        folders.reverse();
        folders.push("");
        let files = folders.into_iter().filter_map(shared_at);
        Ok(files.map(|file| (format!("scenarios/{}", file.path), file.text.to_owned())).collect())
    }
}

fn shared_at(folder: &str) -> Option<&'static Embedded> {
    FILES.iter().find(|file| file.path.strip_prefix(folder) == Some(SHARED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_that_comes_with_squall_is_good_and_named_like_its_file() {
        for file in catalogue() {
            let plan = file.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert_eq!(plan.name, file.name, "{}", file.path);
        }
    }
}
