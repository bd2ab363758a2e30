//! `squall new`: a scenario file to begin with.

use std::path::Path;

use super::exit::{Exit, Failure, meant};
use super::streams::Streams;
use super::{args, files, plans};
use crate::scenario::{Beside, Embedded, catalogue, catalogue_strategies, made_of, parse};

/// A small scenario with a word on everything in it. `SCENARIO` stands for its name.
const TEMPLATE: &str = include_str!("template.yaml");
const SHARED: &str = "strategies.yaml";

pub(super) fn new(typed: &args::New, streams: &Streams) -> Result<Exit, Failure> {
    let path = &typed.file;
    if path.exists() {
        return Err(Failure::Usage(format!("{} exists already", path.display())));
    }
    let text = match &typed.from {
        Some(name) => original(name)?.text.to_owned(),
        None => TEMPLATE.replace("SCENARIO", &scenario_name(path)),
    };
    files::write(path, |out| out.write_all(text.as_bytes()))?;
    streams.say(&format!("wrote {}", path.display()));
    share_strategies(path, &text, streams)?;
    streams.say(&format!("run it: squall run {}", path.display()));
    Ok(Exit::Good)
}

fn original(name: &str) -> Result<&'static Embedded, Failure> {
    plans::embedded(Path::new(name)).ok_or_else(|| {
        let meant = meant(name, catalogue().map(|embedded| embedded.name));
        Failure::Usage(format!("no scenario of the catalogue is named `{name}`; {meant}"))
    })
}

/// The file's name, as far as a scenario may be called so.
fn scenario_name(path: &Path) -> String {
    made_of(&path.file_stem().unwrap_or_default().to_string_lossy(), "my-storm")
}

/// A scenario that names shared strategies needs them where it lies now.
fn share_strategies(path: &Path, text: &str, streams: &Streams) -> Result<(), Failure> {
    let shared = path.with_file_name(SHARED);
    if parse("copy", text, &Beside::of(path)).is_ok() || shared.exists() {
        return Ok(());
    }
    files::write(&shared, |out| out.write_all(catalogue_strategies().as_bytes()))?;
    streams.say(&format!("wrote {}, the strategies that it names", shared.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Alone;

    #[test]
    fn the_template_is_a_good_scenario() {
        let text = TEMPLATE.replace("SCENARIO", "my-storm");
        let plan = parse("template.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(plan.name, "my-storm");
        assert!(!plan.expectations.is_empty() && !plan.faults.is_empty());
    }

    #[test]
    fn file_names_become_scenario_names() {
        for (file, expected) in [("a/storm-1.yaml", "storm-1"), ("my storm.yaml", "my-storm"), ("__.yaml", "my-storm")]
        {
            assert_eq!(scenario_name(Path::new(file)), expected);
        }
    }
}
