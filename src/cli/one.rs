//! One trial of one scenario, for commands that look at it closely.

use std::path::Path;

use super::exit::{Failure, meant};
use super::plans;
use crate::scenario::Plan;
use crate::trial::TrialSpec;

/// The scenario at `path`, and its trial with this strategy (without a name: the first) and this seed (without: its first).
///
/// # Errors
///
/// When there is no such scenario or strategy, or several scenarios.
pub(super) fn trial(path: &Path, strategy: Option<&str>, seed: Option<u64>) -> Result<(Plan, TrialSpec), Failure> {
    let mut scenarios = plans::read(&[path.to_owned()])?;
    let (Some(scenario), true) = (scenarios.pop(), scenarios.is_empty()) else {
        return Err(Failure::Usage("one scenario is looked at at a time: name a file".to_owned()));
    };
    let plan = scenario.plan;
    let strategy = place(&plan, strategy)?;
    let spec = TrialSpec { strategy, seed: seed.unwrap_or(plan.seeds.first), control: false };
    Ok((plan, spec))
}

fn place(plan: &Plan, name: Option<&str>) -> Result<usize, Failure> {
    let Some(name) = name else { return Ok(0) };
    plan.strategies.iter().position(|strategy| strategy.name == name).ok_or_else(|| {
        let meant = meant(name, plan.strategies.iter().map(|strategy| strategy.name.as_str()));
        Failure::Nothing(format!("{} has no strategy named `{name}`; {meant}", plan.name))
    })
}
