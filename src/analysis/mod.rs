//! From events to judgement: figures of a trial, statistics over seeds, verdicts on expectations.
//!
//! - [`TrialFold`] turns the event stream of one trial into [`TrialMetrics`], in one pass and bounded memory.
//! - [`recovery_ns`] holds a trial against its control twin.
//! - [`stats`] turns the figures of several seeds into means and differences with intervals.
//!
//! Rule: nothing here asks a trial anything; whatever is judged was written to the record.

mod calls;
mod errors;
mod latency;
mod parts;
mod recovery;
mod series;
pub mod stats;
mod tally;
mod trial;

pub use self::latency::{CURVE, Latency};
pub use self::parts::Parts;
pub use self::recovery::recovery_ns;
pub use self::series::{STRETCHES, Series, Stretch, TIMELY_STRETCHES};
pub use self::tally::PartMetrics;
pub use self::trial::{FaultCount, FaultWindow, TrialFold, TrialMetrics};
