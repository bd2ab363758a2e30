//! HTTP/2 frames that a server withholds: a filter on what its process writes.
//!
//! A frame is nine bytes of header and what they announce (RFC 9113, section 4.1). The filter reads the headers as they pass and
//! leaves out whole frames, so that what remains is well-formed; the peer merely waits for something that never comes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Replica;
use crate::net::Stream;
use crate::scenario::Withheld;

const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;

/// The kind of trouble that withholds a frame, by the frame's type and flags.
const fn kind(frame: u8, flags: u8) -> Option<Withheld> {
    match frame {
        SETTINGS => Some(Withheld::Settings),
        PING if flags & ACK != 0 => Some(Withheld::PingAck),
        WINDOW_UPDATE => Some(Withheld::WindowUpdate),
        _ => None,
    }
}

/// A server's end of a connection, without the frames that faults withhold.
pub(super) struct Filtered {
    stream: Stream,
    /// Who says what is withheld; nobody, if no fault of the run ever does.
    replica: Option<Arc<Replica>>,
    /// The header of the frame that is being read, as far as it has come.
    header: BytesMut,
    /// How much of its payload is still to come, and whether it passes.
    payload: usize,
    passes: bool,
    /// What has passed and is not yet written.
    out: BytesMut,
}

impl Filtered {
    pub(super) fn new(stream: Stream, replica: Option<Arc<Replica>>) -> Self {
        Self { stream, replica, header: BytesMut::new(), payload: 0, passes: true, out: BytesMut::new() }
    }

    fn take(&mut self, replica: &Replica, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload == 0 {
                let some = bytes.len().min(HEADER - self.header.len());
                self.header.extend_from_slice(&bytes[..some]);
                bytes.advance(some);
                if self.header.len() < HEADER {
                    return;
                }
                let header = self.header.split();
                self.payload = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
                self.passes = kind(header[3], header[4]).is_none_or(|kind| !replica.withholds(kind));
                if self.passes {
                    self.out.extend_from_slice(&header);
                }
            }
            let some = bytes.len().min(self.payload);
            if self.passes {
                self.out.extend_from_slice(&bytes[..some]);
            }
            bytes.advance(some);
            self.payload -= some;
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))?;
            self.out.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Filtered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(replica) = self.replica.clone() else { return Pin::new(&mut self.stream).poll_write(cx, buf) };
        // What passed before leaves first, so that a slow peer is felt.
        ready!(self.poll_drain(cx))?;
        self.take(&replica, buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.replica.is_none() {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
