//! What leaves an end for the wire, and what arrives from it.
//!
//! Rule: a program runs after its kernel has dealt with everything that arrived at one instant. A burst is then read, and
//! acknowledged, as one, as on a machine where waking a program takes longer than the next packet.
//!
//! Rule: a packet's fate is decided when it is handed to the link, so looking at an acknowledgement late changes nothing.

use std::sync::Arc;

use super::end::End;
use super::{ARRIVE, After, Connection, Flight, LOOK, State, token};
use crate::clock::{self, Event, Instant, Woken};
use crate::net::Side;
use crate::net::host::SynVerdict;
use crate::net::observer::Packet;
use crate::net::path::Transit;
use crate::net::tcp::{Close, Segment, Socket};

/// A list of segments to be sent that is empty keeps at most this many places, so that idle connections cost next to nothing.
const IDLE_SEGMENTS: usize = 4;

impl Connection {
    pub(super) fn flush(self: &Arc<Self>, state: &mut State, side: Side, now: Instant, after: &mut After) {
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
            Transit::default()
        } else {
            path.transmit(now, segment.wire_size(), &mut state.ends[from].lane)
        };
        if self.watchers.want_packets() {
            let (connection, arrives_at, copy_at) = (self.id, transit.arrival, transit.copy);
            let packet = Packet { connection, sender: side, sent_at: now, arrives_at, copy_at, segment: *segment };
            after.packets.push(packet);
        }
        for at in [transit.arrival, transit.copy].into_iter().flatten() {
            self.send_off(state, side.other(), segment, now, at);
        }
    }

    /// Has a segment arrive.
    fn send_off(self: &Arc<Self>, state: &mut State, to: Side, segment: &Segment, now: Instant, at: Instant) {
        let end = &mut state.ends[to.index()];
        let in_order = end.deferred.back().is_none_or(|(before, _)| *before <= at);
        let waits = in_order && end.can_wait_for(segment.ack) && !end.is_probed_by(segment);
        if segment.is_pure_ack() && waits {
            end.deferred.push_back((at, *segment));
            return;
        }
        let flight = Some(Flight { segment: *segment, followed: false });
        let slot = match state.free.pop() {
            Some(slot) => {
                state.flights[slot as usize] = flight;
                slot
            }
            None => {
                state.flights.push(flight);
                state.flights.len() as u32 - 1
            }
        };
        let before = state.latest[to.index()].replace((slot, at));
        if let Some((before, _)) = before.filter(|(_, then)| *then == at && at > now)
            && let Some(flight) = &mut state.flights[before as usize]
        {
            flight.followed = true;
        }
        clock::schedule(at, Arc::clone(self) as Arc<dyn Event>, token(ARRIVE, to, slot));
    }

    /// Looks at deferred acknowledgements in time if something has come to depend on them.
    pub(super) fn arm_look(self: &Arc<Self>, end: &mut End, side: Side) {
        let Some(&(at, _)) = end.deferred.front() else { return };
        let last = end.deferred.back().map_or(0, |(_, segment)| segment.ack);
        if !end.can_wait_for(last) && end.look_at.is_none_or(|look| look > at) {
            end.look_at = Some(at);
            clock::schedule(at, Arc::clone(self) as Arc<dyn Event>, token(LOOK, side, 0));
        }
    }

    pub(super) fn on_look(self: &Arc<Self>, side: Side) -> Woken {
        self.step_telling(|_, state, _, _| state.ends[side.index()].look_at = None).1
    }

    pub(super) fn on_arrival(self: &Arc<Self>, side: Side, slot: u32) -> Woken {
        self.step_telling(|this, state, now, after| {
            let flight = state.flights[slot as usize].take();
            state.free.push(slot);
            if state.free.len() == state.flights.len() {
                state.free.truncate(0);
                state.flights.truncate(0);
                state.flights.shrink_to(2);
                state.free.shrink_to(2);
            }
            let Some(Flight { segment, followed }) = flight else { return };
            after.hold_reader[side.index()] = followed;
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
        let unknown = other_life || end.socket.as_ref().is_none_or(Socket::never_began);
        if side == Side::Server && segment.flags.syn && unknown {
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
                // Whoever is killed later, the process that listens now is not.
                end.gone = false;
                after.begun = true;
                end.socket = Some(Socket::accept(Arc::clone(&host.settings), host.ticks, now, syn, &mut end.out));
            }
        }
    }

    pub(super) fn look_at_deferred(&self, state: &mut State, now: Instant) {
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
