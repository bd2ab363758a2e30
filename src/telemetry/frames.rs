//! HTTP/2 frames that a server withholds, and the GOAWAY with which it throws a client out: a filter on what its process writes.
//!
//! A frame is nine bytes of header and what they announce (RFC 9113, section 4.1). The filter reads the headers as they pass and
//! leaves out whole frames, so that what remains is well-formed; the peer merely waits for something that never comes. Since it
//! knows where a frame ends it can also put one in, which the server below has no word for: a GOAWAY with an error code, after which
//! the process hears that the connection is over.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Link, Replica};
use crate::net::Stream;
use crate::scenario::Withheld;

const HEADER: usize = 9;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
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

/// A GOAWAY frame. It does not say which streams were processed, so that none is taken for unprocessed (RFC 9113, section 6.8).
/// With ENHANCE_YOUR_CALM it says what gRPC servers say when they are pinged too often (gRFC A8).
fn goaway(reason: u32) -> Vec<u8> {
    let complaint: &[u8] = if reason == u32::from(h2::Reason::ENHANCE_YOUR_CALM) { b"too_many_pings" } else { b"" };
    let mut frame = vec![0, 0, 8 + complaint.len() as u8, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend(0x7FFF_FFFF_u32.to_be_bytes());
    frame.extend(reason.to_be_bytes());
    frame.extend(complaint);
    frame
}

/// A server's end of a connection, without the frames that faults withhold.
pub(super) struct Filtered {
    stream: Stream,
    /// Who says what happens to frames; nobody, if no fault of the run ever does.
    watcher: Option<Watcher>,
    /// The header of the frame that is being read, as far as it has come.
    header: BytesMut,
    /// How much of its payload is still to come, and whether it passes.
    payload: usize,
    passes: bool,
    /// What has passed and is not yet written.
    out: BytesMut,
    /// The last word has been said.
    over: bool,
}

/// Who says which frames of a connection pass, and when it is over.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    replica: Arc<Replica>,
    link: Arc<Link>,
}

impl Watcher {
    pub(super) fn new(replica: &Arc<Replica>, link: &Arc<Link>) -> Self {
        Self { replica: Arc::clone(replica), link: Arc::clone(link) }
    }

    fn withholds(&self, frames: Withheld) -> bool {
        self.replica.withholds(frames, self.link.info().peer.host)
    }
}

impl Filtered {
    pub(super) fn new(stream: Stream, watcher: Option<Watcher>) -> Self {
        let (header, out) = (BytesMut::new(), BytesMut::new());
        Self { stream, watcher, header, payload: 0, passes: true, out, over: false }
    }

    /// Says GOAWAY between two frames, if the client is to be thrown out. Whether it was.
    fn says_goaway(&mut self) -> bool {
        let reason = self.watcher.as_ref().and_then(|watcher| watcher.link.expelled());
        if let Some(reason) = reason.filter(|_| !self.over && self.payload == 0 && self.header.is_empty()) {
            self.out.extend_from_slice(&goaway(reason));
            self.over = true;
        }
        self.over
    }

    fn take(&mut self, watcher: &Watcher, mut bytes: &[u8]) {
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
                self.passes = kind(header[3], header[4]).is_none_or(|kind| !watcher.withholds(kind));
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
        if self.says_goaway() {
            // Nothing is read any more: the process takes it for the end of the connection.
            return self.poll_drain(cx);
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(watcher) = self.watcher.clone() else { return Pin::new(&mut self.stream).poll_write(cx, buf) };
        // What passed before leaves first, so that a slow peer is felt.
        ready!(self.poll_drain(cx))?;
        if !self.over {
            self.take(&watcher, buf);
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.watcher.is_none() {
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
