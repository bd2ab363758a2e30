//! A connection: two sockets, the bytes between them, and the packets on their way.
//!
//! Segments carry positions, not bytes: what one end writes waits in a pipe that the other end reads from, once its socket
//! says that it has arrived. So a retransmission copies nothing, and nothing can arrive altered.
//!
//! On a calm link a write costs one event, the arrival of its segments as one burst. Acknowledgements that nobody waits for
//! cost none: they are kept with the time at which they arrive, and looked at when their end next does anything. Since
//! they are handed to the link when they are sent, this changes nothing but the cost.

mod end;
mod program;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use self::end::End;
use super::host::Host;
use super::observer::{ConnectionEvent, Packet};
use super::path::{Lane, Path};
use super::tcp::{Segment, Socket, Timer};
use super::watchers::Watchers;
use super::{Address, ConnectionId, Side, SocketInfo};
use crate::clock::{self, Event, Instant, Woken};
use crate::random::Key;

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
    flights: Vec<Option<Flight>>,
    free: Vec<u32>,
    /// The packet that was sent last to each end, and when it arrives.
    latest: [Option<(u32, Instant)>; 2],
    last_packet: Instant,
    /// The NAT has forgotten it.
    forgotten: bool,
}

/// A packet on its way.
struct Flight {
    segment: Segment,
    /// Another arrives at the same instant.
    followed: bool,
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
    /// More arrives at this instant: whoever reads has not been scheduled yet.
    hold_reader: [bool; 2],
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
            latest: [None; 2],
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
            let held = after.hold_reader[side.index()] && !closed && !end.gone;
            if !held && (socket.readable() > 0 || socket.peer_finished() || closed || end.gone) {
                after.wakers[side.index()] = end.reader.take();
            }
            if closed || end.gone || (socket.is_established() && socket.is_writable_again()) {
                after.wakers[2 + side.index()] = end.writer.take();
            }
        }
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
