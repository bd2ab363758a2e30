//! What programs do with a connection, and what befalls it with them: reading, writing, closing, dying.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

use super::Connection;
use crate::clock::Instant;
use crate::net::Side;
use crate::net::observer::ConnectionEvent;
use crate::net::tcp::{Close, Output, Socket};

/// A pipe that is empty keeps at most this much memory, so that idle connections cost next to nothing.
const IDLE_PIPE_BYTES: usize = 1024;

impl Connection {
    pub(in crate::net) fn poll_connected(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        let end = &mut state.ends[0];
        if let Some(error) = end.error() {
            return Poll::Ready(Err(error));
        }
        if end.socket.as_ref().is_some_and(|socket| !socket.is_connecting()) && !self.hosts[0].is_paused() {
            return Poll::Ready(Ok(()));
        }
        remember(&mut end.writer, cx);
        Poll::Pending
    }

    pub(in crate::net) fn poll_read(
        self: &Arc<Self>,
        side: Side,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.lock();
        let end = &mut state.ends[side.index()];
        if self.hosts[side.index()].is_paused() {
            remember(&mut end.reader, cx);
            return Poll::Pending;
        }
        let readable = if end.gone { 0 } else { end.socket.as_ref().map_or(0, Socket::readable) };
        if readable == 0 {
            // An end that was read stays one, whatever comes after it (`SOCK_DONE`).
            if end.peer_finished() && !end.gone {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = end.error() {
                return Poll::Ready(Err(error));
            }
            if end.closed().is_some() {
                return Poll::Ready(Ok(()));
            }
            remember(&mut end.reader, cx);
            return Poll::Pending;
        }
        drop(state);
        self.step(|_, state, now, _| {
            let pipe = &mut state.ends[side.other().index()].pipe;
            let taken = readable.min(buf.remaining());
            copy_out(pipe, buf, taken);
            let end = &mut state.ends[side.index()];
            if let Some(socket) = &mut end.socket {
                socket.on_read(now, taken, &mut end.out);
            }
        });
        Poll::Ready(Ok(()))
    }

    pub(in crate::net) fn poll_write(
        self: &Arc<Self>,
        side: Side,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.step(|this, state, now, _| {
            let end = &mut state.ends[side.index()];
            if this.hosts[side.index()].is_paused() {
                remember(&mut end.writer, cx);
                return Poll::Pending;
            }
            if let Some(error) = end.error() {
                return Poll::Ready(Err(error));
            }
            let Some(socket) = end.socket.as_mut().filter(|socket| socket.is_established() && !socket.is_finishing())
            else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            let room = socket.write_room();
            if room == 0 {
                remember(&mut end.writer, cx);
                return Poll::Pending;
            }
            let written = copy_in(&mut end.pipe, bufs, room);
            if written > 0 {
                socket.on_write(now, written, &mut end.out);
                this.watchers.wrote(written as u64);
                if this.watchers.want_packets() {
                    this.watchers.payload(this.id, side, bufs, written);
                }
            }
            Poll::Ready(Ok(written))
        })
    }

    fn with_socket(self: &Arc<Self>, side: Side, f: impl FnOnce(&mut Socket, Instant, &mut Output)) {
        self.step(|_, state, now, _| {
            let end = &mut state.ends[side.index()];
            if let Some(socket) = &mut end.socket {
                f(socket, now, &mut end.out);
            }
        });
    }

    /// The program wrote its last byte.
    pub(in crate::net) fn finish(self: &Arc<Self>, side: Side) {
        self.with_socket(side, Socket::finish);
    }

    /// The program closed it.
    pub(in crate::net) fn close(self: &Arc<Self>, side: Side) {
        self.with_socket(side, Socket::close);
    }

    /// The program died: its kernel closes what it had open.
    pub(in crate::net) fn kill(self: &Arc<Self>, side: Side) {
        self.step(|_, state, now, _| {
            let end = &mut state.ends[side.index()];
            end.gone = true;
            if let Some(socket) = &mut end.socket {
                socket.close(now, &mut end.out);
            }
        });
    }

    /// One end resets it.
    pub(in crate::net) fn abort(self: &Arc<Self>, side: Side) {
        self.with_socket(side, |socket, _, out| socket.abort(Close::Aborted, out));
    }

    /// One end knows nothing of it any more, and tells nobody. Whether it had known.
    pub(in crate::net) fn forget(self: &Arc<Self>, side: Side, gone: bool) -> bool {
        self.step(|_, state, _, _| {
            let end = &mut state.ends[side.index()];
            end.gone |= gone;
            end.deferred.clear();
            end.socket.as_mut().is_some_and(|socket| {
                let known = socket.closed().is_none();
                socket.vanish(Close::Aborted);
                known
            })
        })
    }

    /// Something between the ends sends RST to both. Whether there was a connection.
    pub(in crate::net) fn reset(self: &Arc<Self>) -> bool {
        self.step(|_, state, _, after| {
            let mut hit = false;
            for side in Side::BOTH {
                let end = &mut state.ends[side.index()];
                end.deferred.clear();
                if let Some(socket) = end.socket.as_mut().filter(|socket| socket.closed().is_none()) {
                    // Before the handshake is done a RST says that nobody listens (`tcp_reset`).
                    socket.vanish(if socket.is_connecting() { Close::Refused } else { Close::Reset });
                    after.events.push(ConnectionEvent::Reset { side });
                    hit = true;
                }
            }
            hit
        })
    }

    /// Lets a program that was paused see what has come.
    pub(in crate::net) fn wake(&self, side: Side) {
        let (reader, writer) = {
            let mut state = self.lock();
            let end = &mut state.ends[side.index()];
            (end.reader.take(), end.writer.take())
        };
        for waker in [reader, writer].into_iter().flatten() {
            waker.wake();
        }
    }
}

fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *place = Some(cx.waker().clone()),
    }
}

fn copy_in(pipe: &mut VecDeque<u8>, bufs: &[IoSlice<'_>], room: usize) -> usize {
    let mut left = room;
    for buf in bufs {
        let part = &buf[..buf.len().min(left)];
        pipe.extend(part);
        left -= part.len();
        if left == 0 {
            break;
        }
    }
    room - left
}

fn copy_out(pipe: &mut VecDeque<u8>, buf: &mut ReadBuf<'_>, count: usize) {
    let (front, back) = pipe.as_slices();
    let first = count.min(front.len());
    buf.put_slice(&front[..first]);
    buf.put_slice(&back[..count - first]);
    pipe.drain(..count);
    if pipe.is_empty() && pipe.capacity() > IDLE_PIPE_BYTES {
        *pipe = VecDeque::new();
    }
}
