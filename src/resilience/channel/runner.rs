//! The task of a subchannel: connects, keeps the connection, waits out the backoff, and so on.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::connection::{End, Established, establish, keep};
use super::endpoint::{Connector, Endpoint};
use super::pool::Link;
use super::{Balance, ConnectionState, Shared, health, sweeper};
use crate::clock::{self, Instant};
use crate::random::Key;
use crate::resilience::EventKind;

/// Starts the task of every idle subchannel that should connect now.
pub(super) fn wake_idle<C: Connector>(shared: &Arc<Shared<C>>) {
    let started: Vec<usize> = {
        let mut pool = shared.pool();
        if !std::mem::replace(&mut pool.used, true) && shared.config.outlier.is_some() {
            tokio::spawn(sweeper::run(Arc::clone(shared)));
        }
        let idle = pool.subchannels.iter_mut().enumerate().filter(|(_, one)| !one.running && !one.gone);
        idle.map(|(index, one)| {
            one.running = true;
            index
        })
        .collect()
    };
    for index in started {
        tokio::spawn(Runner { shared: Arc::clone(shared), index }.run());
    }
}

struct Runner<C: Connector> {
    shared: Arc<Shared<C>>,
    index: usize,
}

impl<C: Connector> Runner<C> {
    async fn run(self) {
        self.look_after().await;
        // From now on a call that wants this endpoint finds nobody looking after it, and starts another task.
        let waiting: Vec<Waker> = {
            let mut pool = self.shared.pool();
            pool.subchannels[self.index].running = false;
            std::mem::take(&mut pool.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    async fn look_after(&self) {
        let shared = Arc::clone(&self.shared);
        let mut closing = pin!(shared.closing.notified());
        // Registered before the first look at `closed`, so that no notification falls in between.
        closing.as_mut().enable();
        let mut failures = 0_u32;
        let mut attempts = 0_u64;
        while !self.is_over() {
            let started = clock::now();
            let key = self.key().with(attempts);
            attempts += 1;
            let config = self.shared.config.connect_backoff;
            let delay = config.delay(failures, key.named("backoff").draw());
            let deadline = started + delay.max(config.min_connect_timeout);
            let connecting = pin!(self.connect(deadline));
            let Some(result) = or_closed(connecting, closing.as_mut()).await else { return };
            match result {
                Ok(established) => {
                    failures = 0;
                    let stay = self.serve(established, key, closing.as_mut()).await;
                    let resolved = pin!(self.resolve());
                    if or_closed(resolved, closing.as_mut()).await.is_none() || !stay {
                        return;
                    }
                }
                Err((endpoint, reason)) => {
                    failures = failures.saturating_add(1);
                    self.enter(ConnectionState::TransientFailure, &endpoint, reason.into());
                    let pause = pin!(async {
                        self.resolve().await;
                        clock::sleep_until(started + delay).await;
                    });
                    if or_closed(pause, closing.as_mut()).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// One pass over the addresses.
    async fn connect(&self, deadline: Instant) -> Result<Established<C::Io>, (Endpoint, String)> {
        let addresses = self.shared.pool().subchannels[self.index].addresses.clone();
        let mut failed = (Endpoint::new(&self.shared.target.name), "no address to connect to".to_owned());
        for endpoint in addresses {
            self.enter(ConnectionState::Connecting, &endpoint, "connecting".into());
            self.shared.ambient.emit(None, 0, || EventKind::ConnectAttempt { endpoint: endpoint.clone() });
            match establish(&self.shared.connector, &endpoint, self.shared.config.keepalive, deadline).await {
                Ok(established) => return Ok(established),
                Err(reason) => failed = (endpoint, reason),
            }
        }
        Err(failed)
    }

    /// Lets calls use the connection until it ends; says whether to connect again at once.
    async fn serve(&self, established: Established<C::Io>, key: Key, mut closing: Closing<'_, '_>) -> bool {
        let endpoint = established.link.endpoint.clone();
        let link = established.link.clone();
        let retire_at = self
            .shared
            .config
            .max_age
            .map_or(Instant::NEVER, |age| clock::now() + age.mul_f64(key.named("age").draw().between(0.9, 1.1)));
        {
            let mut pool = self.shared.pool();
            if pool.closed {
                return false;
            }
            let subchannel = &mut pool.subchannels[self.index];
            subchannel.healthy = self.shared.config.health.is_none();
            subchannel.link = Some(link.clone());
        }
        let mut health = match &self.shared.config.health {
            None => {
                self.enter(ConnectionState::Ready, &endpoint, "connected".into());
                drop(link);
                None
            }
            Some(service) => Some(Box::pin(self.watch_health(service, link, key))),
        };
        let leaving = || self.shared.pool().subchannels[self.index].link.as_mut().and_then(Link::leaving);
        let too_often = self.shared.pool().subchannels[self.index].pinged_too_often;
        let keepalive = self.shared.config.keepalive.map(|keepalive| keepalive.after_complaints(too_often));
        let mut kept = pin!(keep(established, keepalive, retire_at, leaving));
        let end = std::future::poll_fn(|cx| {
            // The watch holds the connection open, and must let go of it when the channel closes.
            if let Some(watch) = &mut health
                && (closing.as_mut().poll(cx).is_ready() || watch.as_mut().poll(cx).is_ready())
            {
                health = None;
            }
            kept.as_mut().poll(cx)
        })
        .await;
        drop(health);
        let link = self.shared.pool().subchannels[self.index].link.take();
        drop(link);
        let farewell = match end {
            End::Lost(farewell) => farewell,
            End::Leaving(draining, farewell) => {
                tokio::spawn(draining.finish());
                farewell
            }
        };
        if farewell.too_many_pings {
            self.shared.pool().subchannels[self.index].pinged_too_often += 1;
        }
        // pick_first goes idle, and connects again when the next call comes; the others connect again at once.
        let stay = self.shared.config.balance != Balance::PickFirst;
        if !self.shared.pool().closed {
            self.enter(ConnectionState::Idle, &endpoint, farewell.reason.into());
        }
        stay
    }

    /// gRFC A17: the subchannel is connecting until the health service has spoken, and ready while it says SERVING.
    async fn watch_health(&self, service: &str, link: Link, key: Key) {
        let mut failures = 0;
        loop {
            let started = clock::now();
            let told = health::watch(service, link.clone(), |healthy| {
                failures = 0;
                self.set_health(&link.endpoint, healthy);
            });
            let ended = told.await;
            match ended {
                health::Ended::Unimplemented => {
                    self.set_health(&link.endpoint, true);
                    return;
                }
                health::Ended::Lost => self.set_health(&link.endpoint, false),
            }
            let delay =
                self.shared.config.connect_backoff.delay(failures, key.named("health").with(failures.into()).draw());
            failures += 1;
            clock::sleep_until(started + delay).await;
        }
    }

    fn set_health(&self, endpoint: &Endpoint, healthy: bool) {
        self.shared.pool().subchannels[self.index].healthy = healthy;
        if healthy {
            self.enter(ConnectionState::Ready, endpoint, "healthy".into());
        } else {
            self.enter(ConnectionState::TransientFailure, endpoint, "the health service does not say SERVING".into());
        }
    }

    /// Asks the resolver where the service runs now: after every lost connection and every failed attempt, as gRPC does. What
    /// it does not say in time, or cannot say, changes nothing.
    async fn resolve(&self) {
        let Some(resolver) = &self.shared.target.resolver else { return };
        let patience = self.shared.config.connect_backoff.min_connect_timeout;
        if let Ok(Ok(endpoints)) = clock::timeout(patience, resolver.resolve()).await {
            self.shared.update(endpoints);
        }
    }

    fn enter(&self, state: ConnectionState, endpoint: &Endpoint, reason: Arc<str>) {
        let waiting: Vec<Waker> = {
            let mut pool = self.shared.pool();
            let subchannel = &mut pool.subchannels[self.index];
            subchannel.state = state;
            match state {
                ConnectionState::Ready => subchannel.failing = false,
                ConnectionState::TransientFailure => {
                    subchannel.failing = true;
                    subchannel.reason = Arc::clone(&reason);
                }
                ConnectionState::Idle => subchannel.reason = Arc::clone(&reason),
                _ => {}
            }
            std::mem::take(&mut pool.waiting)
        };
        let kind = || EventKind::ConnectionState { endpoint: endpoint.clone(), state, reason };
        self.shared.ambient.emit(None, 0, kind);
        for waker in waiting {
            waker.wake();
        }
    }

    fn is_over(&self) -> bool {
        let pool = self.shared.pool();
        pool.closed || pool.subchannels[self.index].gone
    }

    fn key(&self) -> Key {
        self.shared.ambient.key().named("connect").with(self.index as u64)
    }
}

/// Completes when the channel closes.
type Closing<'p, 'n> = std::pin::Pin<&'p mut tokio::sync::futures::Notified<'n>>;

/// The outcome of `work`, or `None` once the channel is closed.
async fn or_closed<F: Future + Unpin>(mut work: F, mut closing: Closing<'_, '_>) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        if closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        std::pin::Pin::new(&mut work).poll(cx).map(Some)
    })
    .await
}
