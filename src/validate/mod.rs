//! Validation: published results and closed forms, run on the real stack and held against what was printed.
//!
//! A testbed that cannot reproduce what is known has nothing to say about what is not. Every suite here states a mechanism
//! as a scenario (or, where the contract needs another server, as a small program on the same network), runs it with real
//! gRPC clients and servers, and compares. Nothing is fitted: parameters are those of the source, and every one of them can
//! be set to another value.
//!
//! Rule: a row that fails is printed as failing; a row without a published value is printed with its figure and no verdict.

mod bins;
mod connect;
mod contention;
mod finding;
mod gate;
mod grpc;
mod hedging;
mod lab;
mod loops;
mod metastability;
mod outage;
mod overload;
mod params;
mod queueing;
pub mod render;
mod retries;
mod rig;
mod run;
mod sojourn;

use self::bins::Bins;
pub use self::finding::{Finding, Outcome, Tolerance};
pub use self::lab::{Lab, LabError};
pub use self::params::{InvalidParam, Param, Params};

/// A group of rows that come from one source and one mechanism.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// What the command line calls it.
    pub name: &'static str,
    /// Where its values were published.
    pub source: &'static str,
    /// Its parameters, and the values they have unless they are set.
    pub params: &'static [Param],
    /// About how many seconds of a core it takes with `--full`: suites that are run together begin with the longest.
    pub cost: u32,
    /// Runs it.
    pub run: fn(&Lab<'_>, &Params) -> Result<Vec<Finding>, LabError>,
    /// The scenario that it runs, where it is one: for `squall run`, and to be changed at will.
    pub scenario: Option<fn(&Params) -> String>,
}

/// Every suite, in the order of reports.
pub const SUITES: [&Suite; 18] = [
    &grpc::THROTTLING,
    &grpc::ENGAGES,
    &grpc::MAX_ATTEMPTS,
    &connect::CONNECT_BACKOFF,
    &retries::AMPLIFICATION,
    &retries::BUDGET,
    &retries::ARITHMETIC,
    &retries::BUCKETS,
    &queueing::MM1,
    &queueing::MD1,
    &queueing::MMC,
    &loops::LOOPS,
    &loops::REPLACEMENT,
    &overload::COLLAPSE,
    &metastability::METASTABILITY,
    &overload::ADAPTIVE,
    &hedging::TAIL,
    &contention::AWS,
];

/// The suite of this name.
#[must_use]
pub fn suite(name: &str) -> Option<&'static Suite> {
    SUITES.into_iter().find(|suite| suite.name == name)
}
