//! A server process on a simulated host: listens, accepts, serves, drains.
//!
//! Connections and streams are tasks of the host: when it goes down they are dropped in the middle of whatever they did.

use std::future::Future;
use std::io;
use std::sync::Arc;

use super::drain::Drain;
use super::frames::{Filtered, Watcher};
use super::link::Order;
use super::service::Service;
use super::{Handler, Replica};
use crate::clock::{self, HyperTimer};
use crate::net::{HostId, Listener, Network, Stream};
use crate::record::{HostChange, Kind};
use hyper::server::conn::http2;
use hyper_util::rt::TokioIo;

/// The port of the telemetry service on every host.
pub const PORT: u16 = 50051;

/// A process that was started; dropping the handle leaves it running.
#[derive(Debug)]
pub struct Running {
    drain: Drain,
    replica: Arc<Replica>,
}

impl Running {
    /// Says GOAWAY on every connection, accepts no more, and lets the calls that are open finish.
    pub fn drain(&self) {
        self.drain.begin();
        self.replica.begin_draining();
    }
}

/// Starts a process of `replica` on `host`, which must be up. A `cold` one takes its start-up time first, and then warms up.
pub fn serve(net: &Network, host: HostId, replica: &Arc<Replica>, cold: bool) -> Running {
    let drain = Drain::default();
    let process = Process { net: net.clone(), host, replica: Arc::clone(replica), drain: drain.clone() };
    net.spawn_on(host, process.run(cold));
    Running { drain, replica: Arc::clone(replica) }
}

struct Process {
    net: Network,
    host: HostId,
    replica: Arc<Replica>,
    drain: Drain,
}

impl Process {
    async fn run(self, cold: bool) {
        if cold {
            clock::sleep(self.replica.group().startup).await;
        }
        let backlog = self.replica.group().backlog as usize;
        // The port is free: a host runs one process, and the one before it died with its sockets.
        let Ok(mut listener) = self.net.listen(self.host, PORT, backlog) else { return };
        let gate = self.replica.begin_process(cold);
        let service = Service::new(
            Arc::clone(&self.replica),
            Handler::new(Arc::clone(&self.replica), gate).on(&self.net, self.host),
        );
        self.record(HostChange::Up);
        while let Some(stream) = self.next_connection(&mut listener).await {
            let delay = self.replica.accept_delay(stream.info().peer.host);
            if !delay.is_zero() {
                clock::sleep(delay).await;
            }
            self.net.spawn_on(self.host, self.connection(stream, service.clone()));
        }
    }

    async fn next_connection(&self, listener: &mut Listener) -> Option<Stream> {
        let accepted: io::Result<_> = tokio::select! {
            biased;
            () = self.drain.begun() => return None,
            accepted = listener.accept() => accepted,
        };
        accepted.ok().map(|(stream, _)| stream)
    }

    fn connection(&self, stream: Stream, service: Service) -> impl Future<Output = ()> + Send + use<> {
        let executor = OnHost { net: self.net.clone(), host: self.host };
        let link = self.replica.accepted(&stream);
        let max_streams = self.replica.max_streams(link.info().peer.host);
        let watcher = self.replica.watches_frames().then(|| Watcher::new(&self.replica, &link));
        let stream = Filtered::new(stream, watcher);
        // Without hyper's wall-clock `date` header, whose compressed length would vary from run to run.
        let connection = http2::Builder::new(executor)
            .timer(HyperTimer::new())
            .auto_date_header(false)
            .max_local_error_reset_streams(None)
            .max_concurrent_streams(max_streams)
            .serve_connection(TokioIo::new(stream), service);
        async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                biased;
                // Connections end as their peers please; every call that is hurt by it says so itself.
                _ = connection.as_mut() => return,
                () = link.told(Order::Leave) => {}
            }
            // One that is thrown out is told so by its stream, and ends.
            if link.expelled().is_none() {
                connection.as_mut().graceful_shutdown();
            }
            tokio::select! {
                biased;
                () = link.told(Order::Close) => {}
                _ = connection => {}
            }
        }
    }

    fn record(&self, change: HostChange) {
        self.replica.recorder().record(Kind::Host { server: self.replica.number(), change });
    }
}

/// Runs hyper's streams as tasks of a host.
#[derive(Clone, Debug)]
struct OnHost {
    net: Network,
    host: HostId,
}

impl<F> hyper::rt::Executor<F> for OnHost
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.net.spawn_on(self.host, stream);
    }
}
