//! Strategies: how a client defends itself.

use crate::resilience::Strategy;

/// A strategy to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyPlan {
    /// What reports and expectations call it. Unique. One of a sweep is called `name[base=10ms,cap=1s]`.
    pub name: String,
    /// What it does, in a sentence. May be empty.
    pub about: String,
    /// Its line in the file that lists it, for messages.
    pub line: usize,
    /// Its layers and channel.
    pub strategy: Strategy,
}

impl StrategyPlan {
    /// Whether it is called so, or is one of the sweep that is.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.split_once('[').is_some_and(|(sweep, _)| sweep == name)
    }
}
