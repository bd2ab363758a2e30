//! Listening sockets: a port with a queue of connections that wait to be accepted.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::connection::Connection;
use super::host::Host;
use super::{Address, Side, SocketInfo, Stream};

/// A port that someone listens on.
pub(super) struct Port {
    backlog: usize,
    state: Mutex<PortState>,
}

#[derive(Default)]
struct PortState {
    waiting: VecDeque<Arc<Connection>>,
    waker: Option<Waker>,
    closed: bool,
}

impl Port {
    pub(super) fn new(backlog: usize) -> Self {
        Self { backlog, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, PortState> {
        self.state.lock().expect("a port is never locked across a panic")
    }

    /// Linux takes one more than the backlog says (`sk_acceptq_is_full` compares with `>`).
    pub(super) fn is_full(&self) -> bool {
        self.lock().waiting.len() > self.backlog
    }

    /// Queues an established connection. Whether someone is there to accept it.
    pub(super) fn queue(&self, connection: Arc<Connection>) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.waiting.push_back(connection);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Nobody will accept any more: those who wait are reset, as Linux does.
    pub(super) fn close(&self) {
        let (waiting, waker) = {
            let mut state = self.lock();
            state.closed = true;
            (std::mem::take(&mut state.waiting), state.waker.take())
        };
        for connection in waiting {
            connection.abort(Side::Server);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn wake(&self) {
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Accepts connections; made by [`Network::listen`](super::Network::listen). Also a stream of connections, as
/// `tonic::transport::Server::serve_with_incoming` wants it. Dropped, it gives its port up and resets who waits.
pub struct Listener {
    host: Arc<Host>,
    address: Address,
    port: Arc<Port>,
}

impl Listener {
    pub(super) fn new(host: Arc<Host>, address: Address, port: Arc<Port>) -> Self {
        Self { host, address, port }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` once the process that listens is dead.
    pub async fn accept(&self) -> io::Result<(Stream, SocketInfo)> {
        let stream = std::future::poll_fn(|cx| self.poll_accept(cx)).await?;
        let info = stream.info();
        Ok((stream, info))
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let mut state = self.port.lock();
        if state.closed {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the listening process is dead")));
        }
        if self.host.is_paused() || state.waiting.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let connection = state.waiting.pop_front();
        drop(state);
        match connection {
            Some(connection) => Poll::Ready(Ok(Stream::new(connection, Side::Server))),
            None => Poll::Pending,
        }
    }
}

impl futures_core::Stream for Listener {
    type Item = io::Result<Stream>;

    /// Ends when the process that listens is dead.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(cx).map(|accepted| accepted.ok().map(Ok))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let removed = {
            let mut state = self.host.lock();
            // Another process may listen on the port by now.
            match state.ports.get(&self.address.port) {
                Some(port) if Arc::ptr_eq(port, &self.port) => state.ports.remove(&self.address.port),
                _ => None,
            }
        };
        drop(removed);
        self.port.close();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}
