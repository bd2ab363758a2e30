//! The subchannels of a channel, and which of them takes a call.
//!
//! Everything here is state behind one lock, without futures: the runners (one task a subchannel) change it, calls read it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::uri::Authority;
use tonic::Code;

use super::endpoint::Endpoint;
use super::load::Load;
use super::outlier::Host;
use super::{Balance, ConnectionState};
use crate::clock::Instant;
use crate::random::Key;
use crate::resilience::breaker::Breaker;
use crate::resilience::{Failure, Origin};

/// A connection that takes calls.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) send: SendRequest<Bytes>,
    pub(super) endpoint: Endpoint,
    pub(super) authority: Authority,
    pub(super) traffic: Arc<Traffic>,
}

/// What goes over a connection.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    under_way: AtomicUsize,
    begun: AtomicBool,
}

impl Traffic {
    /// A call takes the connection, and gives it back by [`end`](Self::end).
    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether calls are under way: what keepalive asks.
    pub(super) fn is_used(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Whether there ever was a call. From then on the peer's compression table knows the names of its headers.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

/// One subchannel: for pick_first all addresses in one, otherwise one for each.
pub(super) struct Subchannel {
    pub(super) addresses: Vec<Endpoint>,
    pub(super) state: ConnectionState,
    /// It has failed since it was last ready: until it is ready again it counts as failing, even while connecting.
    pub(super) failing: bool,
    /// Whether a task looks after it.
    pub(super) running: bool,
    /// No longer among the resolved addresses: its task ends at the next opportunity.
    pub(super) gone: bool,
    pub(super) link: Option<Link>,
    pub(super) reason: Arc<str>,
    pub(super) load: Arc<Load>,
    pub(super) host: Host,
    pub(super) healthy: bool,
    pub(super) breaker: Option<Breaker>,
    /// How often a server has said `too_many_pings`.
    pub(super) pinged_too_often: u32,
}

impl Subchannel {
    pub(super) fn new(addresses: Vec<Endpoint>, decay: Duration, breaker: Option<Breaker>) -> Self {
        Self {
            addresses,
            state: ConnectionState::Idle,
            failing: false,
            running: false,
            gone: false,
            link: None,
            reason: "not connected yet".into(),
            load: Arc::new(Load::new(decay)),
            host: Host::default(),
            healthy: true,
            breaker,
            pinged_too_often: 0,
        }
    }

    fn takes_calls(&self, now: Instant) -> bool {
        self.is_well() && self.breaker.as_ref().is_none_or(|breaker| breaker.would_admit(now))
    }

    /// Whether nothing but its breaker may keep calls away.
    fn is_well(&self) -> bool {
        self.link.is_some() && self.healthy && !self.host.is_ejected()
    }

    /// Whether a call may hope for it: it is connecting for the first time, or about to.
    fn is_hopeful(&self) -> bool {
        matches!(self.state, ConnectionState::Idle | ConnectionState::Connecting) && !self.failing
    }
}

/// The subchannels, and who waits for one.
pub(super) struct Pool {
    /// Subchannels keep their place for ever: tasks know them by it.
    pub(super) subchannels: Vec<Subchannel>,
    pub(super) waiting: Vec<Waker>,
    pub(super) closed: bool,
    /// Whether the first call has come.
    pub(super) used: bool,
    turn: usize,
    picks: u64,
}

/// A connection for one call.
pub(super) struct Lane {
    pub(super) index: usize,
    pub(super) link: Link,
    pub(super) load: Arc<Load>,
    pub(super) breaker: Option<Breaker>,
}

/// What a call finds.
pub(super) enum Pick {
    Ready(Lane),
    Wait,
    Fail(Failure),
}

impl Pool {
    pub(super) fn new(key: Key) -> Self {
        // A random start, or all clients would begin with the same endpoint.
        let turn = (key.named("turn").bits() >> 32) as usize;
        Self { subchannels: Vec::new(), waiting: Vec::new(), closed: false, used: false, turn, picks: 0 }
    }

    /// Chooses a subchannel for a call.
    pub(super) fn pick(&mut self, balance: Balance, wait_for_ready: bool, now: Instant, key: Key) -> Pick {
        let index = match balance {
            Balance::PickFirst => (0..self.subchannels.len()).find(|at| self.subchannels[*at].takes_calls(now)),
            Balance::RoundRobin => self.next_in_turn(now),
            Balance::LeastOutstanding => self.better_of_two(now, key, |load| load.outstanding() as f64),
            Balance::PeakEwma { .. } => self.better_of_two(now, key, |load| load.peak_cost(now)),
        };
        if let Some(index) = index {
            let chosen = &self.subchannels[index];
            if let Some(link) = &chosen.link {
                let (link, load, breaker) = (link.clone(), Arc::clone(&chosen.load), chosen.breaker.clone());
                return Pick::Ready(Lane { index, link, load, breaker });
            }
        }
        let mut present = self.subchannels.iter().filter(|subchannel| !subchannel.gone);
        // To wait for ready is to wait for a connection, and that is there: what a breaker bars fails, as in gRFC A32.
        let barred = present.clone().any(Subchannel::is_well);
        if present.clone().any(Subchannel::is_hopeful) || (wait_for_ready && !barred) {
            return Pick::Wait;
        }
        let (reason, origin) = match present.next_back() {
            _ if barred => ("the breakers of all endpoints are open", Origin::Breaker),
            None => ("the target has no endpoints", Origin::Network),
            Some(one) if one.link.is_some() && !one.healthy => ("no endpoint is healthy", Origin::Network),
            Some(one) if one.link.is_some() => ("outlier detection has ejected all endpoints", Origin::Network),
            Some(one) => (&*one.reason, Origin::Network),
        };
        Pick::Fail(Failure::new(Code::Unavailable, origin, format!("no connection: {reason}")).unprocessed())
    }

    fn next_in_turn(&mut self, now: Instant) -> Option<usize> {
        let len = self.subchannels.len();
        let found = (0..len)
            .map(|step| (self.turn.wrapping_add(step)) % len)
            .find(|at| self.subchannels[*at].takes_calls(now))?;
        self.turn = found + 1;
        Some(found)
    }

    fn better_of_two(&mut self, now: Instant, key: Key, cost: impl Fn(&Load) -> f64) -> Option<usize> {
        let ready = self.subchannels.iter().filter(|subchannel| subchannel.takes_calls(now)).count();
        if ready == 0 {
            return None;
        }
        self.picks += 1;
        let key = key.named("pick").with(self.picks);
        let first = key.with(0).draw().index(ready);
        // The second is one of the others, so that two are compared whenever there are two.
        let second = if ready == 1 { first } else { (first + 1 + key.with(1).draw().index(ready - 1)) % ready };
        let nth = |nth: usize| {
            let mut ready = self.subchannels.iter().enumerate().filter(|(_, subchannel)| subchannel.takes_calls(now));
            ready.nth(nth).map(|(at, subchannel)| (at, cost(&subchannel.load)))
        };
        let (first, second) = (nth(first)?, nth(second)?);
        Some(if second.1 < first.1 { second.0 } else { first.0 })
    }
}

impl Link {
    /// Whether the connection has ended, or the server has said that it will.
    pub(super) fn is_leaving(&mut self) -> bool {
        self.leaving().is_some()
    }

    /// The same, with what the server has said.
    pub(super) fn leaving(&mut self) -> Option<h2::Error> {
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match self.send.poll_ready(&mut cx) {
            std::task::Poll::Ready(Err(error)) => Some(error),
            _ => None,
        }
    }
}
