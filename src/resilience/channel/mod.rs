//! A gRPC channel: connections with gRPC's states and backoff, and a choice among endpoints.
//!
//! tonic's own channel hides a reconnect without backoff behind a queue, balances at random, and cannot say why a
//! connection failed. This one stands directly on HTTP/2 (the `h2` crate): a call goes to its connection without passing
//! through another task, an error keeps its meaning (a refused stream was never processed, a lost connection may have been),
//! and a connection is ready when the server's SETTINGS arrive.
//!
//! Rule: one task a subchannel; it alone changes the subchannel's state. Calls only pick.
//!
//! Sources: grpc/grpc `doc/connectivity-semantics-and-api.md`, `doc/connection-backoff.md`, `doc/wait-for-ready.md`.

mod body;
mod call;
mod config;
mod connection;
mod endpoint;
mod foreign;
mod health;
mod io;
mod load;
mod outlier;
mod pool;
mod runner;
mod sweeper;
mod tonic_channel;

pub use self::body::ChannelBody;
pub use self::call::ChannelFuture;
#[cfg(feature = "sim")]
pub(crate) use self::call::TRACEPARENT;
pub use self::config::{Balance, ChannelConfig, ConnectBackoff, Keepalive, Transport};
pub use self::endpoint::{Connector, Endpoint, Resolver, Target, Tcp};
pub use self::outlier::{FailurePercentage, OutlierConfig, SuccessRate};
pub use self::tonic_channel::TonicChannel;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use http::Request;
use tokio::sync::Notify;
use tower_service::Service;

use self::pool::{Lane, Pick, Pool, Subchannel};
use super::breaker::{Breaker, BreakerConfig};
use super::{Ambient, BoxError, InvalidConfig};
use crate::clock::Instant;

/// The state of a connection, as gRPC names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionState {
    /// Not connected, and nobody is trying.
    Idle,
    /// Being established.
    Connecting,
    /// Takes calls.
    Ready,
    /// Failed; will be tried again after the backoff.
    TransientFailure,
    /// Closed for good.
    Shutdown,
}

impl ConnectionState {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::TransientFailure => "transient_failure",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A channel to a target. Cloning shares the connections; the last clone closes them once their calls have ended.
pub struct Channel<C: Connector> {
    shared: Arc<Shared<C>>,
    _open: Arc<Open<C>>,
}

struct Shared<C> {
    connector: C,
    target: Target,
    config: ChannelConfig,
    ambient: Ambient,
    pool: Mutex<Pool>,
    /// The first half of the trace ids of its calls.
    trace: u64,
    /// Wakes the tasks when the channel closes.
    closing: Notify,
}

/// Closes the channel when the last clone is dropped; tasks hold only [`Shared`].
struct Open<C>(Arc<Shared<C>>);

impl<C: Connector> Channel<C> {
    /// A channel that connects when it is first used.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense.
    pub fn new(target: Target, connector: C, config: ChannelConfig, ambient: &Ambient) -> Result<Self, InvalidConfig> {
        config.check()?;
        let mut pool = Pool::new(ambient.key());
        let groups: Vec<Vec<Endpoint>> = match config.balance {
            Balance::PickFirst => vec![target.endpoints.clone()],
            _ => target.endpoints.iter().map(|endpoint| vec![endpoint.clone()]).collect(),
        };
        pool.subchannels.extend(groups.into_iter().map(|addresses| subchannel(&config, addresses)));
        let shared = Arc::new(Shared {
            connector,
            target,
            config,
            ambient: ambient.clone(),
            pool: Mutex::new(pool),
            trace: ambient.key().named("trace").bits(),
            closing: Notify::new(),
        });
        Ok(Self { _open: Arc::new(Open(Arc::clone(&shared))), shared })
    }

    /// The best state of all its subchannels.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        let pool = self.shared.pool();
        let present = || pool.subchannels.iter().filter(|subchannel| !subchannel.gone);
        let has = |state| present().any(|subchannel| subchannel.state == state);
        [ConnectionState::Ready, ConnectionState::Connecting, ConnectionState::Idle]
            .into_iter()
            .find(|state| has(*state))
            .unwrap_or(ConnectionState::TransientFailure)
    }
}

impl<C> Shared<C> {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().expect("nothing panics while holding it")
    }

    /// Chooses a connection for a call; when it has to wait, it will be woken at the next change.
    fn pick(&self, now: Instant, wait_for_ready: Option<bool>, cx: &Context<'_>) -> Pick {
        let wait_for_ready = wait_for_ready.unwrap_or(self.config.wait_for_ready);
        let mut pool = self.pool();
        let pick = pool.pick(self.config.balance, wait_for_ready, now, self.ambient.key());
        if matches!(pick, Pick::Wait) {
            pool.waiting.push(cx.waker().clone());
        }
        pick
    }

    /// Stops using a connection that refused to take a call.
    fn retire(&self, lane: &Lane) {
        let link = {
            let mut pool = self.pool();
            let current = &mut pool.subchannels[lane.index].link;
            let same = current.as_ref().is_some_and(|link| Arc::ptr_eq(&link.traffic, &lane.link.traffic));
            if same { current.take() } else { None }
        };
        drop(link);
    }

    /// Follows the resolver: keeps the subchannels of endpoints that stay, adds new ones, lets go of the others. What is
    /// under way on a connection that is let go of may finish.
    ///
    /// No endpoints at all is no answer: who has none left would have nobody to ask again.
    fn update(self: &Arc<Self>, endpoints: Vec<Endpoint>)
    where
        C: Connector,
    {
        if endpoints.is_empty() {
            return;
        }
        let mut dropped = Vec::new();
        {
            let mut pool = self.pool();
            if self.config.balance == Balance::PickFirst {
                let only = &mut pool.subchannels[0];
                if only.link.as_ref().is_some_and(|link| !endpoints.contains(&link.endpoint)) {
                    dropped.push(only.link.take());
                }
                only.addresses = endpoints;
            } else {
                for subchannel in &mut pool.subchannels {
                    subchannel.gone = !endpoints.contains(&subchannel.addresses[0]);
                    if subchannel.gone {
                        dropped.push(subchannel.link.take());
                    }
                }
                for endpoint in endpoints {
                    if pool.subchannels.iter().all(|subchannel| subchannel.addresses[0] != endpoint) {
                        pool.subchannels.push(subchannel(&self.config, vec![endpoint]));
                    }
                }
            }
        }
        drop(dropped);
        if self.config.balance != Balance::PickFirst {
            runner::wake_idle(self);
        }
    }
}

/// One more subchannel, with a breaker of its own if endpoints have one.
fn subchannel(config: &ChannelConfig, addresses: Vec<Endpoint>) -> Subchannel {
    let breaker = config.endpoint_breaker.clone().map(|breaker| {
        let name = addresses.first().map_or_else(String::new, ToString::to_string);
        Breaker::new(BreakerConfig { name, ..breaker }).expect("the configuration was checked")
    });
    Subchannel::new(addresses, config.balance.decay(), breaker)
}

impl<C: Connector> Clone for Channel<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), _open: Arc::clone(&self._open) }
    }
}

impl<C> Drop for Open<C> {
    fn drop(&mut self) {
        // Links are dropped outside the lock: the last handle of a connection wakes its task.
        let links: Vec<_> = {
            let mut pool = self.0.pool();
            pool.closed = true;
            pool.subchannels.iter_mut().map(|subchannel| subchannel.link.take()).collect()
        };
        drop(links);
        self.0.closing.notify_waiters();
    }
}

impl<C: Connector> Service<Request<tonic::body::Body>> for Channel<C> {
    type Response = http::Response<ChannelBody>;
    type Error = BoxError;
    type Future = ChannelFuture<C>;

    /// Always ready: calls wait for a connection in their futures, where their deadlines hold.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> ChannelFuture<C> {
        ChannelFuture::new(self.clone(), request)
    }
}

impl<C: Connector> fmt::Debug for Channel<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("target", &self.shared.target)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
