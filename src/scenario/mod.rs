//! Scenario files: what a storm consists of, who must weather it, and how well.
//!
//! A file becomes a [`Plan`] or a list of mistakes, never something in between. It is read in two stages: *raw* types
//! mirror the file and know where everything stands; a *plan* is what it means, and has forgotten the file.

pub mod metric;
mod plan;
pub mod units;

pub use self::metric::Metric;
pub use self::plan::*;
