//! `squall validate`: published results and closed forms on the real stack.

use std::num::NonZeroUsize;

use super::args;
use super::exit::{Exit, Failure};
use super::signals::Interruption;
use super::streams::Streams;
use crate::experiment::ExperimentError;
use crate::validate::render::{self, Section};
use crate::validate::{Lab, LabError, Params, SUITES, Suite, suite};

pub(super) fn validate(typed: &args::Validate, streams: &Streams) -> Result<Exit, Failure> {
    let chosen = chosen(&typed.suites)?;
    let params = typed.parameters.clone().with(&typed.set)?.of(&chosen, typed.full)?;
    if typed.scenario {
        return scenarios(&chosen, &params, streams);
    }
    let interruption = Interruption::listen()?;
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let lab = Lab::new(typed.jobs.map_or_else(cores, usize::from), interruption.flag());
    let suites: Vec<(&'static Suite, Params)> = chosen.into_iter().zip(params).collect();
    let mut sections = Vec::new();
    lab.suites(&suites, |suite, findings| {
        let section = Section { suite, findings };
        if !typed.markdown {
            streams.data(|out| render::human(&section, out))?;
        }
        sections.push(section);
        Ok::<(), Failure>(())
    })?;
    if typed.markdown {
        streams.data(|out| render::markdown(&sections, typed.full, out))?;
    } else {
        streams.data(|out| render::summary(&sections, out))?;
    }
    let (_, failed, _) = render::tally(&sections);
    Ok(if failed == 0 { Exit::Good } else { Exit::Failed })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Suite>, Failure> {
    if names.is_empty() {
        return Ok(SUITES.to_vec());
    }
    let known = || SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ");
    names
        .iter()
        .map(|name| {
            suite(name).ok_or_else(|| Failure::Usage(format!("no suite is named `{name}`; there are {}", known())))
        })
        .collect()
}

/// The scenarios of the suites that are one, to be kept and run with `squall run`.
fn scenarios(chosen: &[&'static Suite], params: &[Params], streams: &Streams) -> Result<Exit, Failure> {
    let texts: Vec<String> =
        chosen.iter().zip(params).filter_map(|(suite, params)| Some((suite.scenario?)(params))).collect();
    if texts.is_empty() {
        return Err(Failure::Nothing("this suite is a program, not a scenario".to_owned()));
    }
    streams.data(|out| out.write_all(texts.join("---\n").as_bytes()))?;
    Ok(Exit::Good)
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Experiment(ExperimentError::Interrupted) => Self::Interrupted { resumable: false },
            LabError::Scenario(diagnostics) => Self::Scenarios(vec![diagnostics]),
            error => Self::Internal("a suite could not be run".to_owned(), error.into()),
        }
    }
}
