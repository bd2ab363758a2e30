//! A connection: two sockets, the bytes between them, and the packets on their way.
//!
//! Segments carry positions, not bytes: what one end writes waits in a pipe that the other end reads from, once its socket
//! says that it has arrived. So a retransmission copies nothing, and nothing can arrive altered.
//!
//! On a calm link a write costs one event, the arrival of its segments as one burst. Acknowledgements that nobody waits for
//! cost none: they are kept with the time at which they arrive, and looked at when their end next does anything. Since
//! they are handed to the link when they are sent, this changes nothing but the cost.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;

use super::host::{Host, SynVerdict};
use super::observer::{ConnectionEvent, Packet};
use super::path::{Lane, Path};
use super::tcp::{Close, Output, Segment, Socket, TIMERS, Timer};
use super::watchers::Watchers;
use super::{Address, ConnectionId, Side, SocketInfo};
use crate::clock::{self, Event, Instant, TimerId, Woken};
use crate::random::Key;

/// A pipe that is empty keeps at most this much memory, so that idle connections cost next to nothing.
const IDLE_PIPE_BYTES: usize = 1024;
/// The same for the list of segments to be sent.
const IDLE_SEGMENTS: usize = 4;

pub(super) struct Connection {
    id: ConnectionId,
    addresses: [Address; 2],
    hosts: [Arc<Host>; 2],
    /// By sender.
    paths: [Arc<Path>; 2],
    watchers: Arc<Watchers>,
    state: Mutex<State>,
}

struct State {
    ends: [End; 2],
    /// Packets on their way that have an event of their own.
    flights: Vec<Option<Segment>>,
    free: Vec<u32>,
    last_packet: Instant,
    /// The NAT has forgotten it.
    forgotten: bool,
}

struct End {
    /// `None`: the server has not seen a SYN.
    socket: Option<Socket>,
    /// The power cycle of its host that its socket belongs to.
    boot: u64,
    /// The program is dead, or was told of the end.
    gone: bool,
    error_told: bool,
    /// What its program wrote and the other has not read.
    pipe: VecDeque<u8>,
    lane: Lane,
    /// Acknowledgements on their way that nobody waits for.
    deferred: VecDeque<(Instant, Segment)>,
    /// When an event will look at them, if one will.
    look_at: Option<Instant>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    armed: [Option<(Instant, TimerId)>; TIMERS],
    out: Output,
    registered: bool,
}

/// What is done once the lock is free.
#[derive(Default)]
struct After {
    wakers: [Option<Waker>; 4],
    events: Vec<ConnectionEvent>,
    packets: Vec<Packet>,
    /// The server answered a SYN: its kernel knows the connection now.
    begun: bool,
    accepted: bool,
    ended: [bool; 2],
}

impl After {
    /// It neither wakes nor calls anyone.
    fn is_quiet(&self) -> bool {
        self.wakers.iter().all(Option::is_none) && !self.accepted && self.events.is_empty() && self.packets.is_empty()
    }
}

const ARRIVE: u64 = 0;
const LOOK: u64 = 1;
const TIMER: u64 = 2;

fn token(kind: u64, side: Side, value: u32) -> u64 {
    kind << 40 | (side.index() as u64) << 32 | u64::from(value)
}

impl End {
    fn new(boot: u64, lane: Lane) -> Self {
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

    fn closed(&self) -> Option<Close> {
        self.socket.as_ref().and_then(Socket::closed)
    }

    /// Whether acknowledgements up to `ack` need no event of their own.
    fn can_wait_for(&self, ack: u64) -> bool {
        self.writer.is_none() && self.socket.as_ref().is_some_and(|socket| socket.can_wait_for(ack))
    }

    fn error(&mut self) -> Option<io::Error> {
        if self.gone {
            return Some(io::Error::new(io::ErrorKind::ConnectionAborted, "the process is dead"));
        }
        let (kind, why) = match self.closed()? {
            Close::Done => return None,
            Close::Refused => (io::ErrorKind::ConnectionRefused, "connection refused"),
            Close::Reset => (io::ErrorKind::ConnectionReset, "connection reset by peer"),
            Close::TimedOut => (io::ErrorKind::TimedOut, "connection timed out"),
            Close::Aborted => (io::ErrorKind::ConnectionAborted, "connection aborted"),
        };
        if std::mem::replace(&mut self.error_told, true) { None } else { Some(io::Error::new(kind, why)) }
    }
}

impl Connection {
    /// Starts a connection: the SYN is on its way when this returns.
    pub(super) fn connect(
        id: ConnectionId,
        addresses: [Address; 2],
        hosts: [Arc<Host>; 2],
        paths: [Arc<Path>; 2],
        key: Key,
        watchers: Arc<Watchers>,
    ) -> Arc<Self> {
        let end = |side: usize| End::new(hosts[side].boot(), Lane::new(key.with(side as u64)));
        let state = State {
            ends: [end(0), end(1)],
            flights: Vec::new(),
            free: Vec::new(),
            last_packet: clock::now(),
            forgotten: false,
        };
        let connection = Arc::new(Self { id, addresses, hosts, paths, watchers, state: Mutex::new(state) });
        connection.hosts[0].add_connection(&connection, Side::Client);
        connection.step(|this, state, now, after| {
            let host = &this.hosts[0];
            let end = &mut state.ends[0];
            end.registered = true;
            after.events.push(ConnectionEvent::Connecting { from: host.id, to: this.addresses[1] });
            end.socket = Some(Socket::connect(Arc::clone(&host.settings), host.ticks, now, &mut end.out));
        });
        connection
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn info(&self, side: Side) -> SocketInfo {
        let (local, peer) = (self.addresses[side.index()], self.addresses[side.other().index()]);
        SocketInfo { connection: self.id, local, peer }
    }

    pub(super) fn host(&self, side: Side) -> &Arc<Host> {
        &self.hosts[side.index()]
    }

    pub(super) fn tcp_info(&self, side: Side) -> (Option<Duration>, u64) {
        let state = self.lock();
        let socket = state.ends[side.index()].socket.as_ref();
        socket.map_or((None, 0), |socket| (socket.smoothed_rtt(), socket.cwnd()))
    }

    /// When the last packet was sent, either way.
    pub(super) fn last_packet(&self) -> Instant {
        self.lock().last_packet
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a connection is never locked across a panic")
    }

    /// Does one thing to the connection: first whatever is due, then `f`, then what follows from it.
    fn step<R>(self: &Arc<Self>, f: impl FnOnce(&Arc<Self>, &mut State, Instant, &mut After) -> R) -> R {
        self.step_telling(f).0
    }

    /// The same, saying whether that may have woken a task.
    fn step_telling<R>(
        self: &Arc<Self>,
        f: impl FnOnce(&Arc<Self>, &mut State, Instant, &mut After) -> R,
    ) -> (R, Woken) {
        let now = clock::now();
        let mut after = After::default();
        let mut state = self.lock();
        self.look_at_deferred(&mut state, now);
        let result = f(self, &mut state, now, &mut after);
        self.settle(&mut state, now, &mut after);
        drop(state);
        let quiet = after.is_quiet();
        self.finish_step(now, after);
        (result, if quiet { Woken::Nobody } else { Woken::Maybe })
    }

    fn finish_step(self: &Arc<Self>, now: Instant, after: After) {
        for waker in after.wakers.into_iter().flatten() {
            waker.wake();
        }
        if after.begun {
            self.hosts[1].add_connection(self, Side::Server);
        }
        if after.accepted {
            let port = self.hosts[1].port(self.addresses[1].port);
            if !port.is_some_and(|port| port.queue(Arc::clone(self))) {
                self.abort(Side::Server);
            }
        }
        for side in Side::BOTH {
            if after.ended[side.index()] {
                self.hosts[side.index()].remove_connection(self.id, side);
            }
        }
        for event in &after.events {
            self.watchers.connection(now, self.id, event);
        }
        for packet in &after.packets {
            self.watchers.packet(packet);
        }
    }

    fn look_at_deferred(&self, state: &mut State, now: Instant) {
        for (end, host) in state.ends.iter_mut().zip(&self.hosts) {
            while end.deferred.front().is_some_and(|(at, _)| *at <= now) {
                let Some((at, segment)) = end.deferred.pop_front() else { break };
                if let Some(socket) = &mut end.socket
                    && end.boot == host.boot()
                {
                    socket.on_segment(at, &segment, &mut end.out);
                }
            }
        }
    }

    /// Sends what is to be sent, sets timers and events, and finds out whom to wake.
    fn settle(self: &Arc<Self>, state: &mut State, now: Instant, after: &mut After) {
        for side in Side::BOTH {
            self.flush(state, side, now, after);
        }
        for side in Side::BOTH {
            let end = &mut state.ends[side.index()];
            after.events.append(&mut end.out.events);
            self.arm_timers(end, side);
            self.arm_look(end, side);
            let Some(socket) = &end.socket else { continue };
            let closed = socket.closed().is_some();
            if closed && std::mem::take(&mut end.registered) {
                after.ended[side.index()] = true;
            }
            if self.hosts[side.index()].is_paused() {
                continue;
            }
            if socket.readable() > 0 || socket.peer_finished() || closed || end.gone {
                after.wakers[side.index()] = end.reader.take();
            }
            if closed || end.gone || (socket.is_established() && socket.is_writable_again()) {
                after.wakers[2 + side.index()] = end.writer.take();
            }
        }
    }

    fn flush(self: &Arc<Self>, state: &mut State, side: Side, now: Instant, after: &mut After) {
        let from = side.index();
        if state.ends[from].out.segments.is_empty() {
            return;
        }
        let mut segments = std::mem::take(&mut state.ends[from].out.segments);
        if self.paths[from].is_plain() && !self.watchers.want_packets() {
            merge_bursts(&mut segments);
        }
        for segment in &segments {
            self.transmit(state, side, segment, now, after);
        }
        segments.clear();
        segments.shrink_to(IDLE_SEGMENTS);
        state.ends[from].out.segments = segments;
    }

    fn transmit(self: &Arc<Self>, state: &mut State, side: Side, segment: &Segment, now: Instant, after: &mut After) {
        let from = side.index();
        let path = &self.paths[from];
        state.forgotten = state.forgotten || path.forgets_after(now - state.last_packet);
        state.last_packet = now;
        let transit = if state.forgotten {
            super::path::Transit::default()
        } else {
            path.transmit(now, segment.wire_size(), &mut state.ends[from].lane)
        };
        if self.watchers.want_packets() {
            let (connection, arrives_at, copy_at) = (self.id, transit.arrival, transit.copy);
            let packet = Packet { connection, sender: side, sent_at: now, arrives_at, copy_at, segment: *segment };
            after.packets.push(packet);
        }
        for at in [transit.arrival, transit.copy].into_iter().flatten() {
            self.send_off(state, side.other(), segment, at);
        }
    }

    /// Has a segment arrive.
    fn send_off(self: &Arc<Self>, state: &mut State, to: Side, segment: &Segment, at: Instant) {
        let end = &mut state.ends[to.index()];
        let in_order = end.deferred.back().is_none_or(|(before, _)| *before <= at);
        if segment.is_pure_ack() && in_order && end.can_wait_for(segment.ack) {
            end.deferred.push_back((at, *segment));
            return;
        }
        let slot = match state.free.pop() {
            Some(slot) => {
                state.flights[slot as usize] = Some(*segment);
                slot
            }
            None => {
                state.flights.push(Some(*segment));
                state.flights.len() as u32 - 1
            }
        };
        clock::schedule(at, Arc::clone(self) as Arc<dyn Event>, token(ARRIVE, to, slot));
    }

    fn arm_timers(self: &Arc<Self>, end: &mut End, side: Side) {
        let Some(socket) = &end.socket else { return };
        if socket.closed().is_some() {
            for armed in &mut end.armed {
                if let Some((_, id)) = armed.take() {
                    clock::cancel(id);
                }
            }
            return;
        }
        for (timer, due) in socket.timers().iter().enumerate() {
            let Some(due) = *due else { continue };
            // A timer that moves back is left alone: when its event fires, it is set anew.
            match end.armed[timer] {
                Some((at, _)) if at <= due => continue,
                Some((_, id)) => clock::cancel(id),
                None => {}
            }
            let id = clock::schedule(due, Arc::clone(self) as Arc<dyn Event>, token(TIMER, side, timer as u32));
            end.armed[timer] = Some((due, id));
        }
    }

    /// Looks at deferred acknowledgements in time if something has come to depend on them.
    fn arm_look(self: &Arc<Self>, end: &mut End, side: Side) {
        let Some(&(at, _)) = end.deferred.front() else { return };
        let last = end.deferred.back().map_or(0, |(_, segment)| segment.ack);
        if !end.can_wait_for(last) && end.look_at.is_none_or(|look| look > at) {
            end.look_at = Some(at);
            clock::schedule(at, Arc::clone(self) as Arc<dyn Event>, token(LOOK, side, 0));
        }
    }

    fn on_look(self: &Arc<Self>, side: Side) -> Woken {
        self.step_telling(|_, state, _, _| state.ends[side.index()].look_at = None).1
    }

    fn on_arrival(self: &Arc<Self>, side: Side, slot: u32) -> Woken {
        self.step_telling(|this, state, now, after| {
            let segment = state.flights[slot as usize].take();
            state.free.push(slot);
            if state.free.len() == state.flights.len() {
                state.free.truncate(0);
                state.flights.truncate(0);
                state.flights.shrink_to(2);
                state.free.shrink_to(2);
            }
            let Some(segment) = segment else { return };
            let host = &this.hosts[side.index()];
            if host.is_powered() {
                this.deliver(&mut state.ends[side.index()], side, &segment, now, after);
            }
        })
        .1
    }

    fn deliver(&self, end: &mut End, side: Side, segment: &Segment, now: Instant, after: &mut After) {
        let host = &self.hosts[side.index()];
        let other_life = end.boot != host.boot();
        if side == Side::Server && segment.flags.syn && (other_life || end.socket.is_none()) {
            end.boot = host.boot();
            self.on_syn(end, segment, now, after);
            return;
        }
        let Some(socket) = end.socket.as_mut().filter(|_| !other_life) else {
            if !segment.flags.rst {
                end.out.segments.push(Socket::reset_in_answer_to(segment));
            }
            return;
        };
        let waits = socket.is_half_accepted();
        if waits && !segment.flags.syn && !segment.flags.rst {
            match host.on_connect(self.hosts[0].id, self.addresses[1].port, false) {
                SynVerdict::Answer => {}
                // The last acknowledgement is ignored too; the client believes that it is connected.
                SynVerdict::Ignore => return,
                SynVerdict::Refuse => {
                    socket.abort(Close::Aborted, &mut end.out);
                    return;
                }
            }
        }
        socket.on_segment(now, segment, &mut end.out);
        after.accepted |= waits && socket.is_established();
    }

    fn on_syn(&self, end: &mut End, syn: &Segment, now: Instant, after: &mut After) {
        let host = &self.hosts[1];
        match host.on_connect(self.hosts[0].id, self.addresses[1].port, true) {
            SynVerdict::Refuse => end.out.segments.push(Socket::reset_in_answer_to(syn)),
            SynVerdict::Ignore => {}
            SynVerdict::Answer => {
                end.registered = true;
                after.begun = true;
                end.socket = Some(Socket::accept(Arc::clone(&host.settings), host.ticks, now, syn, &mut end.out));
            }
        }
    }

    fn on_timer(self: &Arc<Self>, side: Side, timer: Timer) -> Woken {
        self.step_telling(|this, state, now, _| {
            let end = &mut state.ends[side.index()];
            end.armed[timer] = None;
            if !this.hosts[side.index()].is_powered() {
                return;
            }
            if let Some(socket) = &mut end.socket
                && socket.timers()[timer].is_some_and(|due| due <= now)
            {
                socket.on_timer(now, timer, &mut end.out);
            }
        })
        .1
    }

    pub(super) fn poll_connected(self: &Arc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    pub(super) fn poll_read(
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
            if let Some(error) = end.error() {
                return Poll::Ready(Err(error));
            }
            if end.closed().is_some() || end.socket.as_ref().is_some_and(Socket::peer_finished) {
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

    pub(super) fn poll_write(
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
    pub(super) fn finish(self: &Arc<Self>, side: Side) {
        self.with_socket(side, Socket::finish);
    }

    /// The program closed it.
    pub(super) fn close(self: &Arc<Self>, side: Side) {
        self.with_socket(side, Socket::close);
    }

    /// The program died: its kernel closes what it had open.
    pub(super) fn kill(self: &Arc<Self>, side: Side) {
        self.step(|_, state, now, _| {
            let end = &mut state.ends[side.index()];
            end.gone = true;
            if let Some(socket) = &mut end.socket {
                socket.close(now, &mut end.out);
            }
        });
    }

    /// One end resets it.
    pub(super) fn abort(self: &Arc<Self>, side: Side) {
        self.with_socket(side, |socket, _, out| socket.abort(Close::Aborted, out));
    }

    /// One end knows nothing of it any more, and tells nobody. Whether it had known.
    pub(super) fn forget(self: &Arc<Self>, side: Side, gone: bool) -> bool {
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
    pub(super) fn reset(self: &Arc<Self>) -> bool {
        self.step(|_, state, _, after| {
            let mut hit = false;
            for side in Side::BOTH {
                let end = &mut state.ends[side.index()];
                end.deferred.clear();
                if let Some(socket) = end.socket.as_mut().filter(|socket| socket.closed().is_none()) {
                    socket.vanish(Close::Reset);
                    after.events.push(ConnectionEvent::Reset { side });
                    hit = true;
                }
            }
            hit
        })
    }

    /// Lets a program that was paused see what has come.
    pub(super) fn wake(&self, side: Side) {
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

impl Event for Connection {
    fn fire(self: Arc<Self>, token: u64) -> Woken {
        let side = if token >> 32 & 1 == 0 { Side::Client } else { Side::Server };
        let value = token as u32;
        match token >> 40 {
            ARRIVE => self.on_arrival(side, value),
            LOOK => self.on_look(side),
            _ => self.on_timer(side, value as Timer),
        }
    }
}

fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *place = Some(cx.waker().clone()),
    }
}

/// Neighbouring segments of one burst travel as one, as through a network card that segments by itself.
fn merge_bursts(segments: &mut Vec<Segment>) {
    segments.dedup_by(|next, previous| {
        let follows = next.seq == previous.end && !next.is_empty() && !previous.is_empty() && !previous.flags.fin;
        let plain = !next.retransmission && !previous.retransmission && next.sacks.is_empty();
        if follows && plain {
            let seq = previous.seq;
            *previous = *next;
            previous.seq = seq;
        }
        follows && plain
    });
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
