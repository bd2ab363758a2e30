//! From events to judgement: figures of a trial, statistics over seeds, verdicts on expectations.
//!
//! - [`TrialFold`] turns the event stream of one trial into [`TrialMetrics`], in one pass and bounded memory.
//! - [`recovery_ns`] holds a trial against its control twin.
//! - [`judge`] turns the trials of a scenario into its [`ScenarioOutcome`]: figures, comparisons, verdicts.
//! - [`Baseline`] says whether that got worse since it was last accepted.
//! - [`stats`] turns the figures of several seeds into means and differences with intervals.
//!
//! Rule: nothing here asks a trial anything; whatever is judged was written to the record.

mod baseline;
mod calls;
mod collateral;
mod course;
mod errors;
mod expectation;
mod fairness;
mod figures;
mod latency;
mod outcome;
mod pareto;
mod parts;
mod ranking;
mod recovery;
mod scopes;
mod series;
pub mod stats;
mod tally;
mod tolerance;
mod trial;
mod verdict;
mod witness;
mod worst;

pub use self::baseline::{BASELINE_VERSION, Baseline, Difference, DifferenceKind, Entry, Moved};
pub use self::expectation::Judgement;
pub(crate) use self::latency::Latencies;
pub use self::latency::{CURVE, Latency};
pub use self::outcome::{Comparison, FaultOutcome, Figure, ScenarioOutcome, StrategyOutcome, Trial, judge};
pub use self::pareto::{Dominance, FRONT};
pub use self::parts::Parts;
pub use self::ranking::{Rank, Standing};
pub use self::recovery::recovery_ns;
pub use self::scopes::Scopes;
pub use self::series::{STRETCHES, Series, Stretch, TIMELY_STRETCHES};
pub use self::tally::PartMetrics;
pub use self::tolerance::Tolerances;
pub use self::trial::{FaultCount, FaultWindow, TrialFold, TrialMetrics};
pub use self::verdict::{Policy, Verdict};
pub use self::witness::{Saw, Witness};
pub use self::worst::{Worst, WorstCall};
