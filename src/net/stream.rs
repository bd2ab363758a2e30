//! One end of a connection, as programs see it.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::connection::Connection;
use super::{ConnectionId, Side, SocketInfo};
use crate::clock::Instant;

/// A byte stream over the simulated network. Dropping it closes it, as the kernel does: in order (FIN) if everything that
/// arrived was read, by RST if not.
pub struct Stream {
    connection: Arc<Connection>,
    side: Side,
}

impl Stream {
    pub(super) fn new(connection: Arc<Connection>, side: Side) -> Self {
        Self { connection, side }
    }

    /// Which connection it is, and between whom.
    #[must_use]
    pub fn info(&self) -> SocketInfo {
        self.connection.info(self.side)
    }

    /// The connection it is an end of.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// Which end it is.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Looks at the connection without holding it open.
    #[must_use]
    pub fn probe(&self) -> Probe {
        Probe { connection: Arc::downgrade(&self.connection) }
    }

    /// The kernel's smoothed round trip and congestion window (in segments), as `ss -i` shows them.
    #[must_use]
    pub fn tcp_info(&self) -> (Option<Duration>, u64) {
        self.connection.tcp_info(self.side)
    }
}

/// Looks at a connection without holding it open.
#[derive(Clone)]
pub struct Probe {
    connection: Weak<Connection>,
}

impl Probe {
    /// When the last packet was sent on the connection, either way; never again, once it is gone.
    #[must_use]
    pub fn silent_since(&self) -> Instant {
        self.connection.upgrade().map_or(Instant::NEVER, |connection| connection.last_packet())
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Probe").field(&self.silent_since()).finish()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_read(self.side, cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.connection.poll_write(self.side, cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.poll_write(self.side, cx, bufs)
    }

    /// As for a TCP socket, which sends everything at once.
    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The kernel needs no flushing.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.finish(self.side);
        Poll::Ready(Ok(()))
    }
}

impl Connected for Stream {
    type ConnectInfo = SocketInfo;

    fn connect_info(&self) -> SocketInfo {
        self.info()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.close(self.side);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("info", &self.info()).finish_non_exhaustive()
    }
}
