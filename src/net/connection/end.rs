//! One end of a connection, as its kernel and its program see it.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use crate::clock::{Instant, TimerId};
use crate::net::path::Lane;
use crate::net::tcp::{Close, Output, Segment, Socket, TIMERS};

pub(super) struct End {
    /// `None`: the server has not seen a SYN.
    pub(super) socket: Option<Socket>,
    /// The power cycle of its host that its socket belongs to.
    pub(super) boot: u64,
    /// The program is dead, or was told of the end.
    pub(super) gone: bool,
    pub(super) error_told: bool,
    /// What its program wrote and the other has not read.
    pub(super) pipe: VecDeque<u8>,
    pub(super) lane: Lane,
    /// Acknowledgements on their way that nobody waits for.
    pub(super) deferred: VecDeque<(Instant, Segment)>,
    /// When an event will look at them, if one will.
    pub(super) look_at: Option<Instant>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) armed: [Option<(Instant, TimerId)>; TIMERS],
    pub(super) out: Output,
    pub(super) registered: bool,
}

impl End {
    pub(super) fn new(boot: u64, lane: Lane) -> Self {
        Self {
            socket: None,
            boot,
            gone: false,
            error_told: false,
            pipe: VecDeque::new(),
            lane,
            deferred: VecDeque::new(),
            look_at: None,
            reader: None,
            writer: None,
            armed: [None; TIMERS],
            out: Output::default(),
            registered: false,
        }
    }

    pub(super) fn closed(&self) -> Option<Close> {
        self.socket.as_ref().and_then(Socket::closed)
    }

    /// Whether a segment asks for an answer although it carries nothing.
    pub(super) fn is_probed_by(&self, segment: &Segment) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.is_probed_by(segment))
    }

    /// Whether the peer's stream has ended and arrived whole.
    pub(super) fn peer_finished(&self) -> bool {
        self.socket.as_ref().is_some_and(Socket::peer_finished)
    }

    /// Whether acknowledgements up to `ack` need no event of their own.
    pub(super) fn can_wait_for(&self, ack: u64) -> bool {
        self.writer.is_none() && self.socket.as_ref().is_some_and(|socket| socket.can_wait_for(ack))
    }

    pub(super) fn error(&mut self) -> Option<io::Error> {
        if self.gone {
            return Some(io::Error::new(io::ErrorKind::ConnectionAborted, "the process is dead"));
        }
        let (kind, why) = match self.closed()? {
            Close::Done => return None,
            // The peer had ended its stream: that it is gone is no news (`tcp_reset` in CLOSE_WAIT).
            Close::Reset if self.peer_finished() => (io::ErrorKind::BrokenPipe, "broken pipe"),
            Close::Refused => (io::ErrorKind::ConnectionRefused, "connection refused"),
            Close::Reset => (io::ErrorKind::ConnectionReset, "connection reset by peer"),
            Close::TimedOut => (io::ErrorKind::TimedOut, "connection timed out"),
            Close::Aborted => (io::ErrorKind::ConnectionAborted, "connection aborted"),
        };
        if std::mem::replace(&mut self.error_told, true) { None } else { Some(io::Error::new(kind, why)) }
    }
}
