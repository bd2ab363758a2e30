//! Connecting: a future that is done when the handshake is.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::Connection;
use super::{Side, Stream};

/// A connection being made; see [`Network::connect`](super::Network::connect). Dropping it gives the attempt up: no more
/// SYNs, and an answer that comes late is met by RST.
#[must_use = "futures do nothing unless polled"]
pub struct Connect {
    attempt: Result<Option<Arc<Connection>>, io::ErrorKind>,
}

impl Connect {
    pub(super) fn started(connection: Arc<Connection>) -> Self {
        Self { attempt: Ok(Some(connection)) }
    }

    pub(super) fn failed(kind: io::ErrorKind) -> Self {
        Self { attempt: Err(kind) }
    }
}

impl Future for Connect {
    type Output = io::Result<Stream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match &mut self.attempt {
            Err(kind) => Poll::Ready(Err((*kind).into())),
            Ok(attempt) => {
                let Some(connection) = attempt else { return Poll::Pending };
                match connection.poll_connected(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(outcome) => {
                        let connection = attempt.take();
                        Poll::Ready(outcome.and_then(|()| {
                            connection
                                .map(|connection| Stream::new(connection, Side::Client))
                                .ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
                        }))
                    }
                }
            }
        }
    }
}

impl Drop for Connect {
    fn drop(&mut self) {
        if let Ok(Some(connection)) = &self.attempt {
            connection.close(Side::Client);
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}
