//! Expectations: what a strategy must achieve.

use std::time::Duration;

use super::super::metric::Metric;
use crate::record::{Code, Origin};

/// One line under `expect`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Its line in the file.
    pub line: usize,
    /// As it was written: `full-jitter: success_rate >= 99.9%`.
    pub text: String,
    /// Whose.
    pub strategies: Strategies,
    /// What is measured.
    pub metric: Metric,
    /// Which errors count, where errors are what is measured.
    pub errors: ErrorFilter,
    /// How the figures of several seeds become one.
    pub aggregate: Aggregate,
    /// Over which part of the run.
    pub scope: Scope,
    /// How it compares.
    pub op: Op,
    /// With what.
    pub bound: Bound,
}

impl Expectation {
    /// What is measured, as it was written: `worst p99`, `errors from network`.
    #[must_use]
    pub fn subject(&self) -> &str {
        let asked = self.text.split_once(':').map_or(self.text.as_str(), |(_, asked)| asked);
        let end = asked.find(['<', '>', '=', '!']).unwrap_or(asked.len());
        asked[..end].trim()
    }
}

/// Whose figure must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategies {
    /// Everyone's, each on its own.
    All,
    /// That of `plan.strategies[_]`.
    One(usize),
}

/// How the figures of several seeds become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// The worst of them: the metric says which end that is.
    Worst,
    /// The best of them.
    Best,
    /// The figure that at least this share of the seeds, in (0, 1], does as well as or better. Which way is better is said
    /// by the operator.
    Share(f64),
}

/// Some errors, by their code, by who said so, or by both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorFilter {
    /// With this code; any if none.
    pub code: Option<Code>,
    /// From there; from anywhere if none.
    pub origin: Option<Origin>,
}

impl ErrorFilter {
    /// All of them.
    pub const ANY: Self = Self { code: None, origin: None };

    /// Whether it takes errors with this code from there.
    #[must_use]
    pub fn takes(self, code: Code, origin: Origin) -> bool {
        self.code.is_none_or(|wanted| wanted == code) && self.origin.is_none_or(|wanted| wanted == origin)
    }

    /// Whether it takes errors of this name, such as `UNAVAILABLE/network`.
    #[must_use]
    pub fn takes_name(self, name: &str) -> bool {
        let (code, origin) = name.split_once('/').unwrap_or((name, ""));
        self.code.is_none_or(|wanted| wanted.name() == code) && self.origin.is_none_or(|wanted| wanted.name() == origin)
    }
}

/// Over which part of the run calls count, by when they were due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it after the warm-up.
    Whole,
    /// While a fault holds: `plan.faults[_]`.
    During(usize),
    /// From so long after the last end of a fault, `plan.faults[_]`, to the end.
    After(usize, Duration),
    /// Before the first start of a fault, `plan.faults[_]`.
    Before(usize),
    /// From one moment to another.
    Between(Duration, Duration),
}

/// How a figure compares with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Op {
    /// Whether `figure OP bound` holds. A figure that is not a number satisfies nothing.
    #[must_use]
    pub fn holds(self, figure: f64, bound: f64) -> bool {
        match self {
            Self::AtLeast => figure >= bound,
            Self::Above => figure > bound,
            Self::AtMost => figure <= bound,
            Self::Below => figure < bound,
            Self::Equal => figure == bound,
            Self::NotEqual => !figure.is_nan() && figure != bound,
        }
    }

    /// As it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

/// What a figure is compared with, in the [unit](super::super::metric::Unit) of its metric.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A number.
    Value(f64),
    /// The same metric of another strategy, `plan.strategies[_]`, times a factor.
    Strategy {
        /// Which.
        strategy: usize,
        /// The factor.
        times: f64,
    },
}
