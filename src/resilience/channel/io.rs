//! A byte stream that remembers when it was last read, and whether the server's SETTINGS have come.
//!
//! A connection is ready when SETTINGS arrive, not when TCP connects: a server that accepts and hangs up would otherwise
//! reset the backoff every time. HTTP/2 makes SETTINGS the first frame a server may send, so four bytes tell.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::{self, Instant};

/// The length of a frame's header, the place of its type therein, and the type of SETTINGS (RFC 9113, 4.1 and 6.5).
const HEADER_LEN: usize = 9;
const TYPE_AT: usize = 3;
const SETTINGS: u8 = 4;

/// What was seen on a connection.
#[derive(Debug)]
pub(super) struct Activity {
    last_read_ns: AtomicU64,
    settings: AtomicBool,
}

impl Activity {
    pub(super) fn last_read(&self) -> Instant {
        Instant::from_nanos(self.last_read_ns.load(Ordering::Relaxed))
    }

    pub(super) fn has_settings(&self) -> bool {
        self.settings.load(Ordering::Relaxed)
    }
}

/// The stream.
pub(super) struct Watched<Io> {
    io: Io,
    activity: Arc<Activity>,
    /// Bytes read before SETTINGS were recognised, and the type of the first frame.
    read: usize,
    frame_type: u8,
}

impl<Io> Watched<Io> {
    pub(super) fn new(io: Io) -> (Self, Arc<Activity>) {
        let activity = Arc::new(Activity {
            last_read_ns: AtomicU64::new(clock::now().as_nanos()),
            settings: AtomicBool::new(false),
        });
        (Self { io, activity: Arc::clone(&activity), read: 0, frame_type: 0 }, activity)
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.activity.last_read_ns.store(clock::now().as_nanos(), Ordering::Relaxed);
        if self.read >= HEADER_LEN {
            return;
        }
        if let Some(byte) = TYPE_AT.checked_sub(self.read).and_then(|at| bytes.get(at)) {
            self.frame_type = *byte;
        }
        self.read += bytes.len();
        if self.read >= HEADER_LEN && self.frame_type == SETTINGS {
            self.activity.settings.store(true, Ordering::Relaxed);
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.saw(&buf.filled()[before..]);
        }
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_recognised_however_they_are_cut() {
        let frame = [0, 0, 0, 4, 0, 0, 0, 0, 0, 99];
        for cut in 0..frame.len() {
            let (mut watched, activity) = Watched::new(());
            watched.saw(&frame[..cut]);
            watched.saw(&frame[cut..]);
            assert!(activity.has_settings(), "cut at {cut}");
        }
        let (mut watched, activity) = Watched::new(());
        watched.saw(b"HTTP/1.1 400 Bad Request");
        assert!(!activity.has_settings());
    }
}
