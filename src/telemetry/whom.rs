//! Whom a trouble is for: everyone, or some clients, and of what they do all or some by its turn.

use super::Caller;
use crate::net::{HostId, Turnstile};

/// Whom a trouble is for. The default: everyone.
#[derive(Debug, Default)]
pub struct Whom {
    numbers: Vec<(u32, u32)>,
    hosts: Vec<HostId>,
    turnstile: Turnstile,
}

impl Whom {
    /// Those clients with `numbers`, from and to, who live on `hosts`: all if there are none. Of what they do, what gets through
    /// the turnstile.
    #[must_use]
    pub const fn new(numbers: Vec<(u32, u32)>, hosts: Vec<HostId>, turnstile: Turnstile) -> Self {
        Self { numbers, hosts, turnstile }
    }

    /// Whether it is for a call that comes now, whichever way it came through the tiers.
    pub fn takes_call(&self, caller: &Caller) -> bool {
        let client = caller.call.client();
        let named = self.numbers.is_empty() || self.numbers.iter().any(|(from, to)| (*from..*to).contains(&client));
        named && self.turnstile.passes()
    }

    /// Whether it is for a connection from `peer`, or for the next that happens on one.
    pub fn takes_connection(&self, peer: HostId) -> bool {
        (self.hosts.is_empty() || self.hosts.contains(&peer)) && self.turnstile.passes()
    }
}
