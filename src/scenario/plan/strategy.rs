//! Strategies: how a client defends itself.

use crate::resilience::Strategy;

/// A strategy to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct StrategyPlan {
    /// What reports and expectations call it. Unique.
    pub name: String,
    /// What it does, in a sentence. May be empty.
    pub about: String,
    /// Its line in the file that lists it, for messages.
    pub line: usize,
    /// Its layers and channel.
    pub strategy: Strategy,
}
