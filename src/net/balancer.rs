//! A virtual-IP load balancer of layer 4: it picks a backend when a connection begins, and knows nothing of calls.
//!
//! That is why a restarted backend stays idle behind it: long-lived HTTP/2 connections never move by themselves.

use std::time::Duration;

use super::Address;

/// How a balancer picks a backend for a new connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalancePolicy {
    /// One after another.
    #[default]
    RoundRobin,
    /// By the client's address and port, as ECMP and Maglev do: uneven, but without state.
    Hash,
}

/// What a virtual address leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancerConfig {
    /// Where connections go.
    pub backends: Vec<Address>,
    /// How one is picked.
    pub policy: BalancePolicy,
    /// A backend whose process has been dead for so long is skipped. `None`: nobody checks.
    pub health_check: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) config: BalancerConfig,
    turn: u64,
}

impl Balancer {
    pub(super) fn new(config: BalancerConfig) -> Self {
        Self { config, turn: 0 }
    }

    /// The backend of the next connection, whose identity hashes to `hash`.
    pub(super) fn pick(&mut self, hash: u64, healthy: impl Fn(&Address) -> bool) -> Option<Address> {
        let backends: Vec<Address> = self.config.backends.iter().copied().filter(|backend| healthy(backend)).collect();
        let number = match self.config.policy {
            BalancePolicy::RoundRobin => {
                self.turn += 1;
                self.turn - 1
            }
            BalancePolicy::Hash => hash,
        };
        backends.get((number % backends.len().max(1) as u64) as usize).copied()
    }
}
