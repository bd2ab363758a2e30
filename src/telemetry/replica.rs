//! One replica of a server group: what its host keeps across crashes, and the knobs that faults turn.

mod asked;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::interference::{Interference, Verdict};
use super::proto::AlertRequest;
use super::trouble::Troubles;
use super::{AlertKey, AlertLog, Caller, Gate, Knob, Link, Tally, Trouble, WallClock, Way};
use crate::clock::{self, Event, Instant, Woken};
use crate::random::Key;
use crate::record::{Kind, Recorder};
use crate::scenario::{Capacity, DrawnBy, Durability, Lose, ServerGroup, Slowdown};

/// A call to the next tier, made before the answer.
pub trait Upcall: Send + Sync {
    /// Reports `alert` onward on behalf of `caller`.
    fn call(
        &self,
        alert: AlertRequest,
        caller: Caller,
    ) -> Pin<Box<dyn Future<Output = Result<(), tonic::Status>> + Send>>;
}

/// One replica. It lives as long as the trial; its processes come and go.
pub struct Replica {
    group: ServerGroup,
    number: u32,
    /// Names the draws of the group: a call takes the same time on every replica, so that a comparison of strategies does
    /// not depend on where a call happened to land.
    key: Key,
    recorder: Recorder,
    upcalls: Vec<Box<dyn Upcall>>,
    wall: WallClock,
    /// Whether some fault of this run withholds frames, so that connections are looked at frame by frame.
    watches_frames: AtomicBool,
    health_changed: Notify,
    /// Told whenever a connection is gone.
    left: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    log: AlertLog,
    /// The running process's workers, if one runs.
    gate: Option<Gate>,
    incarnation: u64,
    started: Instant,
    flush_pending: bool,
    interferences: Vec<(Knob, Arc<dyn Interference>)>,
    troubles: Troubles,
    links: Vec<Weak<Link>>,
    draining: bool,
    /// Up to where a disk has lied about what is safe.
    lied_to: usize,
    recent: BTreeMap<u32, (Instant, f64)>,
    next_knob: u64,
}

impl Replica {
    /// The replica numbered `number` over all groups.
    #[must_use]
    pub fn new(group: ServerGroup, number: u32, key: Key, recorder: Recorder, upcalls: Vec<Box<dyn Upcall>>) -> Self {
        let state = State {
            log: AlertLog::new(group.dedup),
            gate: None,
            incarnation: 0,
            started: Instant::ORIGIN,
            flush_pending: false,
            interferences: Vec::new(),
            troubles: Troubles::default(),
            links: Vec::new(),
            draining: false,
            lied_to: 0,
            recent: BTreeMap::new(),
            next_knob: 0,
        };
        Self {
            group,
            number,
            key,
            recorder,
            upcalls,
            wall: WallClock::default(),
            watches_frames: AtomicBool::new(false),
            health_changed: Notify::new(),
            left: Arc::default(),
            state: Mutex::new(state),
        }
    }

    /// What the scenario says about it.
    #[must_use]
    pub fn group(&self) -> &ServerGroup {
        &self.group
    }

    /// Its number over all groups.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub(super) fn upcalls(&self) -> &[Box<dyn Upcall>] {
        &self.upcalls
    }

    /// A process starts: with free workers, an empty queue and what the log kept.
    pub(super) fn begin_process(&self, cold: bool) -> Gate {
        let mut state = self.lock();
        let gate = Gate::new(state.capacity(&self.group), self.group.queue);
        state.gate = Some(gate.clone());
        state.recent.clear();
        state.links.clear();
        state.draining = false;
        // A server that was there before the storm is warm.
        state.started = if cold { clock::now() } else { Instant::NEVER };
        gate
    }

    /// Its process is gone, and with it what `lose` says of the log.
    pub fn crash(&self, lose: Lose) {
        let lost = {
            let mut state = self.lock();
            state.gate = None;
            state.incarnation += 1;
            state.flush_pending = false;
            state.lied_to = 0;
            match lose {
                Lose::Nothing => {
                    state.log.sync();
                    Vec::new()
                }
                Lose::Unsynced => state.log.crash(),
                Lose::All => state.log.wipe(),
            }
        };
        for call in lost {
            self.recorder.record(Kind::RecordLost { server: self.number, call });
        }
    }

    /// How many of its processes have died.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.lock().incarnation
    }

    /// How many alerts its log holds, and how many of them a crash cannot take.
    #[must_use]
    pub fn log_len(&self) -> (usize, usize) {
        let state = self.lock();
        (state.log.len(), state.log.durable())
    }

    /// Lets a fault interfere with requests until it is [removed](Self::undo).
    pub fn interfere(&self, fault: Arc<dyn Interference>) -> Knob {
        let mut state = self.lock();
        let knob = state.knob();
        state.interferences.push((knob, fault));
        knob
    }

    /// Gives it a trouble, until that is [undone](Self::undo); `tally` counts what it changes.
    pub fn trouble(&self, trouble: Trouble, tally: &Tally) -> Knob {
        let mut state = self.lock();
        let knob = state.knob();
        state.troubles.add(knob, trouble, tally.clone());
        drop(state);
        self.resize();
        self.health_changed.notify_waiters();
        knob
    }

    /// Takes back what a fault changed.
    pub fn undo(&self, knob: Knob) {
        let mut state = self.lock();
        state.interferences.retain(|(known, _)| *known != knob);
        state.troubles.remove(knob);
        drop(state);
        self.resize();
        self.health_changed.notify_waiters();
    }

    /// What time its host believes it is.
    #[must_use]
    pub fn wall(&self) -> &WallClock {
        &self.wall
    }

    fn resize(&self) {
        let (gate, capacity) = {
            let state = self.lock();
            (state.gate.clone(), state.capacity(&self.group))
        };
        if let Some(gate) = gate {
            gate.resize(capacity);
        }
    }

    pub(super) fn verdict(&self, caller: &Caller, method: &str) -> Option<Verdict> {
        let faults: Vec<_> = {
            let state = self.lock();
            if state.interferences.is_empty() {
                return None;
            }
            state.interferences.iter().map(|(_, fault)| Arc::clone(fault)).collect()
        };
        Some(Verdict::of(&faults, caller, method))
    }

    /// How long a worker is busy with a call, `others` being in service beside it.
    pub(super) fn service_time(&self, caller: &Caller, others: u32) -> Duration {
        let mut key = self.key.with(caller.call.bits());
        if caller.way.branch != 0 {
            key = key.with(caller.way.branch);
        }
        if self.group.drawn_by == DrawnBy::Attempt {
            key = by_attempt(key.with(u64::from(self.number)), caller);
        }
        let mut time = self.group.service_time.sample(key.named("service").draw());
        time += self.group.concurrency.per_call * others;
        let state = self.lock();
        time = time.mul_f64(self.coldness(state.started));
        let now = clock::now();
        let slow = move |trouble: &Trouble| match trouble {
            Trouble::Slow(slowdown, ramp) => Some((slowdown.clone(), ramp.at(now))),
            _ => None,
        };
        let slow = state.troubles.pick(slow).enumerate().filter(|(_, (_, tally))| tally.whom().takes_call(caller));
        for (number, ((slowdown, strength), tally)) in slow {
            time = slowed(time, &slowdown, strength, key.named("slowdown").with(number as u64), tally);
        }
        time
    }

    /// How long one write to disk takes.
    pub(super) fn disk_time(&self, caller: &Caller) -> Duration {
        let key = by_attempt(self.key.named("disk").with(caller.call.bits()), caller);
        let now = clock::now();
        let slow = move |trouble: &Trouble| match trouble {
            Trouble::SlowDisk(slowdown, ramp) => Some((slowdown.clone(), ramp.at(now))),
            _ => None,
        };
        let state = self.lock();
        let slow = state.troubles.pick(slow).enumerate().filter(|(_, (_, tally))| tally.whom().takes_call(caller));
        slow.fold(self.group.disk.sample(key.draw()), |time, (number, slow)| {
            let ((slowdown, strength), tally) = slow;
            slowed(time, &slowdown, strength, key.named("slowdown").with(number as u64), tally)
        })
    }

    fn coldness(&self, started: Instant) -> f64 {
        let warm_up = self.group.cold_for;
        let age = clock::now() - started;
        if warm_up.is_zero() || started == Instant::NEVER || age >= warm_up {
            return 1.0;
        }
        let left = 1.0 - age.as_secs_f64() / warm_up.as_secs_f64();
        1.0 + (self.group.cold_factor - 1.0) * left
    }

    /// Whether this client has had its share of the second: a token bucket a client, one second deep.
    pub(super) fn exceeds_share(&self, caller: &Caller) -> bool {
        let rate = self.group.fairness.value();
        if rate.is_infinite() {
            return false;
        }
        let now = clock::now();
        let mut state = self.lock();
        let (at, tokens) = state.recent.entry(caller.call.client()).or_insert((now, rate.max(1.0)));
        *tokens = (*tokens + (now - *at).as_secs_f64() * rate).min(rate.max(1.0));
        *at = now;
        if *tokens < 1.0 {
            return true;
        }
        *tokens -= 1.0;
        false
    }

    /// Records an alert, and says where it stands.
    pub(super) fn append(self: &Arc<Self>, key: &AlertKey, caller: &Caller) -> usize {
        let mut state = self.lock();
        let appended = state.log.append(key, caller.call);
        let flush = matches!(self.group.durability, Durability::WriteBehind(_)) && !state.flush_pending;
        state.flush_pending |= flush;
        let incarnation = state.incarnation;
        drop(state);
        if appended.fresh {
            self.recorder.record(Kind::Recorded { server: self.number, call: caller.call });
        }
        if let (true, Durability::WriteBehind(lag)) = (flush, self.group.durability) {
            clock::schedule(clock::now() + lag, Arc::clone(self) as Arc<dyn Event>, incarnation);
        }
        appended.position
    }

    /// Everything up to `position` is on disk, if the disk tells the truth.
    pub(super) fn synced(&self, position: usize) {
        self.lock().sync(position + 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn knob(&mut self) -> Knob {
        self.next_knob += 1;
        Knob(self.next_knob)
    }

    /// The first `count` entries are on disk, or the disk says so.
    fn sync(&mut self, count: usize) {
        let lies = |trouble: &Trouble| matches!(trouble, Trouble::LyingDisk).then_some(());
        let told = count.saturating_sub(self.lied_to.max(self.log.durable())) as u64;
        let liars = self.troubles.pick(lies).map(|((), tally)| tally.hit(told)).count();
        if liars == 0 {
            self.log.sync_first(count);
        } else {
            self.lied_to = self.lied_to.max(count);
        }
    }

    fn capacity(&self, group: &ServerGroup) -> Capacity {
        let workers = |trouble: &Trouble| match trouble {
            Trouble::Workers(workers) => Some(*workers),
            _ => None,
        };
        match (self.troubles.pick(workers).map(|(workers, _)| workers).min(), group.capacity) {
            (None, capacity) => capacity,
            (Some(left), Capacity::Unlimited) => Capacity::Workers(left),
            (Some(left), Capacity::Workers(workers)) => Capacity::Workers(left.min(workers)),
        }
    }
}

/// Draws anew for each attempt, and for each attempt of the tiers before that led to it.
fn by_attempt(key: Key, caller: &Caller) -> Key {
    let key = key.with(u64::from(caller.attempt));
    if caller.way == Way::default() { key } else { key.with(caller.way.branch).with(caller.way.lineage) }
}

/// A time made longer, at a strength in [0, 1]. The fault fires if it is.
fn slowed(time: Duration, slowdown: &Slowdown, strength: f64, key: Key, tally: &Tally) -> Duration {
    let extra = slowdown.add.sample(key.draw());
    let longer = time.mul_f64(1.0 + (slowdown.factor - 1.0) * strength) + extra.mul_f64(strength);
    tally.matched();
    if longer > time {
        tally.fired();
    }
    longer
}

/// A write-behind log reaches the disk, if the process that wrote it still runs.
impl Event for Replica {
    fn fire(self: Arc<Self>, incarnation: u64) -> Woken {
        let mut state = self.lock();
        if state.incarnation == incarnation {
            state.flush_pending = false;
            let all = state.log.len();
            state.sync(all);
        }
        Woken::Nobody
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.group.name, self.number)
    }
}
