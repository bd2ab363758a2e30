//! From a path or a text to a plan.

use std::path::{Path, PathBuf};

use super::check::{Shelf, check, check_faults};
use super::diagnostics::{Diagnostics, Mistake, Source, Span};
use super::raw;
use super::sweep;
use super::yaml;
use super::{FaultPlan, Plan};

/// The file of shared strategies, in a scenario's folder or one above it.
pub(super) const SHARED: &str = "strategies.yaml";

/// Where shared strategies come from.
pub trait Resolver {
    /// The files of shared strategies that a scenario sees, nearest first: what to call each, and what it says.
    ///
    /// # Errors
    ///
    /// When a file is there but cannot be read: its name and why.
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)>;

    /// The text of a file that a scenario names, such as a gRPC service config.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, as a clause.
    fn read(&self, file: &str) -> Result<String, String> {
        let _ = file;
        Err("there are no files beside this scenario".to_owned())
    }
}

/// No shared strategies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Resolver for Alone {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        Ok(Vec::new())
    }
}

/// `strategies.yaml` beside a scenario and in every folder above it.
#[derive(Clone, Debug)]
pub struct Beside {
    folder: PathBuf,
}

impl Beside {
    /// What the scenario at `path` sees.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self { folder: path.parent().map_or_else(PathBuf::new, Path::to_path_buf) }
    }
}

impl Resolver for Beside {
    fn shared(&self) -> Result<Vec<(String, String)>, (String, String)> {
        let here = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let folder = std::fs::canonicalize(here).unwrap_or_else(|_| self.folder.clone());
        // Where the path was given plainly, so are the folders above it; else only the full path is right.
        let plain = folder.ends_with(&self.folder);
        let mut found = Vec::new();
        for (up, folder) in folder.ancestors().enumerate() {
            let path = folder.join(SHARED);
            if !path.is_file() {
                continue;
            }
            let given = self.folder.ancestors().nth(up).filter(|_| plain);
            let shown = given.map_or_else(|| path.clone(), |given| given.join(SHARED));
            let name = shown.display().to_string();
            let text = read_text(&path).map_err(|why| (name.clone(), why.message))?;
            found.push((name, text));
        }
        Ok(found)
    }

    fn read(&self, file: &str) -> Result<String, String> {
        read_text(&self.folder.join(file)).map_err(|mistake| mistake.message)
    }
}

/// Reads and checks the scenario at `path`.
///
/// # Errors
///
/// Every mistake that the file holds, or why it could not be read.
pub fn load(path: &Path) -> Result<Plan, Diagnostics> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|mistake| Diagnostics::unreadable(&name, mistake))?;
    parse(&name, &text, &Beside::of(path))
}

/// Checks the scenario `text`, to be called `name` in messages.
///
/// # Errors
///
/// Every mistake that the text holds.
pub fn parse(name: &str, text: &str, resolver: &dyn Resolver) -> Result<Plan, Diagnostics> {
    let (mut mistakes, mut sources) = (Vec::new(), source(name, text)?);
    let Some((scenario, root)) = scenario(text, &mut mistakes) else { return Err(Diagnostics::new(sources, mistakes)) };
    let shelf = shelf(&scenario, resolver, &mut sources, &mut mistakes);
    check(&scenario, root, &sources, &shelf, mistakes).map_err(|mistakes| Diagnostics::new(sources, mistakes))
}

/// Checks the `faults` of `text`, to be called `name` in messages, for hosts that are not a scenario's: groups of so many
/// servers, and of so many clients. The text is a whole scenario, or no more of one than its faults and its `duration` (one
/// hour unless given).
///
/// # Errors
///
/// Every mistake that the text holds; so are faults that only the service of scenarios can have.
pub fn parse_faults(
    name: &str,
    text: &str,
    servers: &[(String, u32)],
    clients: &[(String, u32)],
) -> Result<Vec<FaultPlan>, Diagnostics> {
    let (mut mistakes, sources) = (Vec::new(), source(name, text)?);
    let Some((scenario, _)) = scenario(text, &mut mistakes) else { return Err(Diagnostics::new(sources, mistakes)) };
    check_faults(scenario, &sources, [servers, clients], mistakes)
        .map_err(|mistakes| Diagnostics::new(sources, mistakes))
}

/// The text that mistakes point into, if it can be a scenario at all.
fn source(name: &str, text: &str) -> Result<Vec<Source>, Diagnostics> {
    let too_large = (text.len() > yaml::MAX_BYTES).then(|| size_mistake(text.len() as u64));
    match too_large.or_else(|| binary(text)) {
        Some(mistake) => Err(Diagnostics::unreadable(name, mistake)),
        None => Ok(vec![Source { name: name.to_owned(), text: text.into() }]),
    }
}

/// What is written, and where; nothing without a mistake.
fn scenario(text: &str, mistakes: &mut Vec<Mistake>) -> Option<(raw::Scenario, Span)> {
    let mut node = yaml::parse(text, 0, mistakes);
    if let Some(node) = &mut node {
        sweep::unfold(node, mistakes);
    }
    match &node {
        Some(node) => raw::read::<raw::Scenario>(node, mistakes).map(|scenario| (scenario, node.span)),
        None => {
            if mistakes.is_empty() {
                mistakes.push(Mistake::whole("the file is empty").help("`squall new` writes a scenario to begin with"));
            }
            None
        }
    }
}

/// Reads the shared strategies, if the scenario names any.
fn shelf<'r>(
    scenario: &raw::Scenario,
    resolver: &'r dyn Resolver,
    sources: &mut Vec<Source>,
    mistakes: &mut Vec<Mistake>,
) -> Shelf<'r> {
    let mut shelf = Shelf { shared: Vec::new(), resolver };
    if !names_strategies(scenario) {
        return shelf;
    }
    let files = resolver.shared().unwrap_or_else(|(name, why)| {
        mistakes.push(Mistake::whole(format!("{name}: {why}")));
        Vec::new()
    });
    for (name, text) in files {
        let place = sources.len() as u32;
        let mut node = yaml::parse(&text, place, mistakes);
        if let Some(node) = &mut node {
            sweep::unfold(node, mistakes);
        }
        sources.push(Source { name, text: text.into() });
        shelf.shared.extend(node.and_then(|node| raw::read::<raw::Shared>(&node, mistakes)));
    }
    shelf
}

/// The strategies that a file of shared ones defines, and the line of each; none if it cannot be read.
#[must_use]
pub fn shared_names(text: &str) -> Vec<(String, usize)> {
    let mut mistakes = Vec::new();
    let source = Source { name: String::new(), text: text.into() };
    let node = yaml::parse(text, 0, &mut mistakes);
    let shared = node.and_then(|node| raw::read::<raw::Shared>(&node, &mut mistakes)).unwrap_or_default();
    let named = |strategy: &raw::Strategy| {
        strategy.name.with_span().map(|(name, span)| (name.clone(), source.line(span.start)))
    };
    shared.strategies.items().filter_map(|(strategy, _)| named(strategy)).collect()
}

/// Whether a strategy is given by name anywhere.
fn names_strategies(scenario: &raw::Scenario) -> bool {
    let servers = scenario.servers.get().into_iter().flat_map(|all| &all.0).filter_map(|(_, server)| server.get());
    let downstream = servers.flat_map(|server| server.calls.items()).filter_map(|(call, _)| call.strategy.get());
    let own = scenario.strategies.items().map(|(entry, _)| entry);
    own.chain(downstream).any(|entry| matches!(entry, raw::ScalarOr::Scalar(_)))
}

/// The text of a file, or why there is none.
pub(super) fn read_text(path: &Path) -> Result<String, Mistake> {
    let unreadable = |why: std::io::Error| Mistake::whole(format!("this cannot be read: {why}"));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > yaml::MAX_BYTES as u64 {
        return Err(size_mistake(size));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| Mistake::whole("this is not text: a scenario is YAML in UTF-8"))?;
    binary(&text).map_or(Ok(text), Err)
}

fn size_mistake(size: u64) -> Mistake {
    let mistake = Mistake::whole(format!("this file is {} KiB large: no scenario needs more than 1 MiB", size / 1024));
    mistake.help("is this a scenario?")
}

fn binary(text: &str) -> Option<Mistake> {
    text.contains('\0')
        .then(|| Mistake::whole("this is not text: it holds NUL bytes").help("a scenario is YAML in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::Preset;

    /// Presets are known by their names, and by `preset:` under another name.
    #[test]
    fn every_preset_is_known() {
        for preset in Preset::ALL {
            let name = preset.name;
            let text = format!(
                "name: presets\nabout: One of them.\nduration: 1s\nservers: {{ telemetry: {{}} }}\n\
                 clients: {{ devices: {{ calls: telemetry, load: once }} }}\n\
                 strategies: [{name}, {{ name: mine, preset: {name} }}]\n"
            );
            let plan = parse("presets.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert_eq!((&*plan.strategies[0].name, &*plan.strategies[1].name), (name, "mine"));
            assert_eq!(plan.strategies[0].strategy.layers, plan.strategies[1].strategy.layers);
        }
    }
}
