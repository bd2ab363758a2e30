//! One direction between two hosts: what happens to a packet on its way.
//!
//! Rule: every draw is keyed by the connection, the direction and the number of the packet, never taken from a shared
//! stream. What is shared is what real links share: the queue in front of a limited bandwidth.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::impairment::Overlay;
use super::loss::LossState;
use super::{ByteRate, ImpairmentId, LinkConfig, QueueLimit, Reorder};
use crate::clock::{self, Instant};
use crate::random::{Key, Probability};

/// The link from one host to another, with the faults laid over it.
#[derive(Debug)]
pub(super) struct Path {
    /// Neither loses nor shapes anything: a burst may travel as one. Kept beside the state to be read without the lock.
    plain: AtomicBool,
    state: Mutex<PathState>,
}

#[derive(Debug)]
struct PathState {
    link: Arc<LinkConfig>,
    overlays: Vec<Arc<Overlay>>,
    /// When the last packet queued so far will have left.
    busy_until: Instant,
    queued: QueuedPackets,
}

/// When each packet that waits will have left: only kept for queues that are limited in packets.
#[derive(Debug, Default)]
struct QueuedPackets(std::collections::VecDeque<Instant>);

/// What one direction of one connection remembers of its packets.
#[derive(Debug)]
pub(super) struct Lane {
    key: Key,
    packets: u64,
    last_arrival: Instant,
    jitter: Option<f64>,
    loss: LossState,
    /// By fault, in the order in which they were met.
    overlay_loss: Vec<(ImpairmentId, LossState)>,
}

/// When a packet arrives, if it does; and its copy, if it was doubled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transit {
    pub(super) arrival: Option<Instant>,
    pub(super) copy: Option<Instant>,
}

impl Lane {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            packets: 0,
            last_arrival: Instant::ORIGIN,
            jitter: None,
            loss: LossState::default(),
            overlay_loss: Vec::new(),
        }
    }

    fn overlay_loss(&mut self, id: ImpairmentId) -> &mut LossState {
        let at = self.overlay_loss.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            self.overlay_loss.push((id, LossState::default()));
            self.overlay_loss.len() - 1
        });
        &mut self.overlay_loss[at].1
    }

    /// The latency of this packet: correlated with the packet before by a Gaussian copula, so that the marginal
    /// distribution stays what was asked for.
    fn latency(&mut self, link: &LinkConfig, packet: Key) -> Duration {
        if let Some(constant) = link.latency.as_constant() {
            return constant;
        }
        let draw = packet.named("latency").draw();
        if link.jitter_correlation == 0.0 {
            return link.latency.sample(draw);
        }
        let rho = link.jitter_correlation;
        let fresh = draw.normal();
        let z = self.jitter.map_or(fresh, |last| rho * last + libm::sqrt(1.0 - rho * rho) * fresh);
        self.jitter = Some(z);
        link.latency.sample(crate::random::Draw::new(0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)))
    }
}

impl Path {
    pub(super) fn new(link: Arc<LinkConfig>, overlays: Vec<Arc<Overlay>>) -> Self {
        let state = PathState { link, overlays, busy_until: Instant::ORIGIN, queued: QueuedPackets::default() };
        Self { plain: AtomicBool::new(state.is_plain()), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, PathState> {
        self.state.lock().expect("a path is never locked across a panic")
    }

    fn change(&self, change: impl FnOnce(&mut PathState)) {
        let now = clock::now();
        let mut state = self.lock();
        let before = state.slowest(now);
        change(&mut state);
        state.drain_at_new_rate(now, before);
        self.plain.store(state.is_plain(), Ordering::Relaxed);
    }

    pub(super) fn set_link(&self, link: Arc<LinkConfig>) {
        self.change(|state| state.link = link);
    }

    pub(super) fn add(&self, overlay: Arc<Overlay>) {
        self.change(|state| state.overlays.push(overlay));
    }

    pub(super) fn remove(&self, id: ImpairmentId) {
        self.change(|state| state.overlays.retain(|overlay| overlay.id != id));
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    /// Whether a middlebox has forgotten a connection after this silence.
    pub(super) fn forgets_after(&self, silence: Duration) -> bool {
        let state = self.lock();
        let own = state.link.nat_idle.is_some_and(|idle| silence > idle);
        state.overlays.iter().fold(own, |forgets, overlay| overlay.forgets_after(silence) || forgets)
    }

    /// Sends a packet of `size` bytes, headers included.
    pub(super) fn transmit(&self, now: Instant, size: u64, lane: &mut Lane) -> Transit {
        let packet = lane.key.with(lane.packets);
        lane.packets += 1;
        let mut state = self.lock();
        // Every fault is asked, so that its counts do not depend on the order in which faults were added.
        let met: Vec<_> = state.overlays.iter().filter(|overlay| overlay.meets_packet()).cloned().collect();
        if !state.survives(now, lane, packet, &met) {
            return Transit::default();
        }
        let Some(departure) = state.depart(now, size, &met) else { return Transit::default() };
        let (delay, held) = state.delay(now, lane, packet, &met);
        let doubled = state.is_doubled(now, packet, &met);
        drop(state);

        let mut arrival = departure + delay;
        match held {
            // Held back alone: those behind it pass.
            Some(hold) => arrival += hold,
            None => {
                arrival = arrival.max(lane.last_arrival);
                lane.last_arrival = arrival;
            }
        }
        Transit { arrival: Some(arrival), copy: doubled.then_some(arrival) }
    }
}

impl PathState {
    fn is_plain(&self) -> bool {
        let link = &self.link;
        self.overlays.is_empty()
            && link.loss.mean() == 0.0
            && link.bandwidth.is_none()
            && link.duplicate == Probability::NEVER
            && link.reorder.is_none()
    }

    /// Whether neither the link nor a fault loses the packet.
    fn survives(&self, now: Instant, lane: &mut Lane, packet: Key, met: &[Arc<Overlay>]) -> bool {
        let draw = |name: &'static str| move || packet.named(name).draw();
        let mut lost = lane.loss.next(&self.link.loss, draw("state"), draw("loss"));
        for overlay in met {
            let key = packet.with(overlay.id.0 as u64);
            let hit = overlay.what.drop_all
                || lane.overlay_loss(overlay.id).next(
                    &overlay.what.loss,
                    || key.named("state").draw(),
                    || key.named("loss").draw(),
                ) && overlay.holds(now, key);
            if hit {
                overlay.counter.fired();
            }
            lost |= hit;
        }
        !lost
    }

    /// When the packet has left the queue, or `None` when the queue is full.
    fn depart(&mut self, now: Instant, size: u64, met: &[Arc<Overlay>]) -> Option<Instant> {
        let own = self.link.bandwidth.map(|rate| (rate, self.link.queue, None));
        let limits = met.iter().filter_map(|o| o.bandwidth(now).map(|rate| (rate, o.what.queue, Some(o))));
        let slowest = own.into_iter().chain(limits).min_by(|a, b| a.0.value().total_cmp(&b.0.value()));
        let Some((rate, limit, overlay)) = slowest else { return Some(now) };
        let room = match limit {
            QueueLimit::Bytes(most) => backlog_bytes(rate, self.busy_until.saturating_since(now)) + size <= most,
            QueueLimit::Packets(most) => self.queued.waiting(now) < most,
        };
        // A fault fires when it slows a packet down or loses it, not by being there.
        if let Some(overlay) = overlay {
            overlay.counter.fired();
        }
        if !room {
            return None;
        }
        self.busy_until = self.busy_until.max(now) + rate.time_for(size);
        if let QueueLimit::Packets(_) = limit {
            self.queued.0.push_back(self.busy_until);
        }
        Some(self.busy_until)
    }

    /// The lowest bandwidth that a packet may meet.
    fn slowest(&self, now: Instant) -> Option<ByteRate> {
        let laid = self.overlays.iter().filter_map(|overlay| overlay.bandwidth(now));
        self.link.bandwidth.into_iter().chain(laid).min_by(|a, b| a.value().total_cmp(&b.value()))
    }

    /// What waits leaves at the rate that holds from now on: a queue is bytes, not the time that they took `before`. Else a
    /// link that became faster would have no room until that time is up.
    fn drain_at_new_rate(&mut self, now: Instant, before: Option<ByteRate>) {
        let (Some(before), after) = (before, self.slowest(now)) else { return };
        let share = after.map_or(0.0, |after| before.value() / after.value());
        let moved = |leaves: Instant| match leaves.saturating_since(now) {
            // It has left; a network that is built before its simulation begins has a later clock than that.
            Duration::ZERO => leaves,
            waits => now + Duration::from_nanos((waits.as_nanos() as f64 * share) as u64),
        };
        if share != 1.0 {
            self.busy_until = moved(self.busy_until);
            self.queued.0.iter_mut().for_each(|leaves| *leaves = moved(*leaves));
        }
    }

    /// How long the packet travels, and for how long it is held back beyond that.
    fn delay(&self, now: Instant, lane: &mut Lane, packet: Key, met: &[Arc<Overlay>]) -> (Duration, Option<Duration>) {
        let mut delay = lane.latency(&self.link, packet);
        let mut held = self.link.reorder.as_ref().and_then(|reorder| held_back(reorder, packet));
        for overlay in met {
            let key = packet.with(overlay.id.0 as u64);
            if let Some(add) = &overlay.what.add_latency {
                let mut add = add.sample(key.named("latency").draw());
                if !overlay.ramp.is_flat() {
                    add = add.mul_f64(overlay.ramp.at(now));
                }
                delay += add;
                if !add.is_zero() {
                    overlay.counter.fired();
                }
            }
            let held_by = overlay.what.reorder.as_ref().and_then(|reorder| held_back(reorder, key));
            if let Some(hold) = held_by.filter(|_| overlay.holds(now, key)) {
                overlay.counter.fired();
                held = Some(held.unwrap_or_default() + hold);
            }
        }
        (delay, held)
    }

    fn is_doubled(&self, now: Instant, packet: Key, met: &[Arc<Overlay>]) -> bool {
        let mut doubled = self.link.duplicate.hits(packet.named("duplicate").draw());
        for overlay in met {
            let key = packet.with(overlay.id.0 as u64);
            if overlay.what.duplicate.hits(key.named("duplicate").draw()) && overlay.holds(now, key) {
                overlay.counter.fired();
                doubled = true;
            }
        }
        doubled
    }
}

impl QueuedPackets {
    fn waiting(&mut self, now: Instant) -> u64 {
        while self.0.front().is_some_and(|leaves| *leaves <= now) {
            self.0.pop_front();
        }
        self.0.len() as u64
    }
}

fn held_back(reorder: &Reorder, packet: Key) -> Option<Duration> {
    reorder.rate.hits(packet.named("reorder").draw()).then(|| reorder.hold.sample(packet.named("hold").draw()))
}

fn backlog_bytes(rate: ByteRate, backlog: Duration) -> u64 {
    (backlog.as_secs_f64() * rate.value()) as u64
}
