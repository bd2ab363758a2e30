//! An independent ledger: what clients were told, and what each log must hold, worked out from first principles.
//!
//! It hears of alerts that were written, of handlers that ended and of processes that died. What a death takes it works out by
//! itself, from the server's durability and the lies its disk told; the `RecordLost` events, and with them the figures of
//! `analysis`, are held against that.

use std::collections::{BTreeMap, BTreeSet};

use squall::clock::Instant;
use squall::record::{CallId, Code, Event, HandlerOutcome, HostChange, Kind, Origin};
use squall::scenario::{Durability, FaultKind, Group, Lose, Members, Plan};

/// What is wrong, in words.
pub(crate) type Wrong = String;

/// The books of one trial.
pub(crate) struct Ledger<'p> {
    plan: &'p Plan,
    logs: Vec<Log>,
    /// Whether each call that began was acknowledged.
    told: BTreeMap<CallId, bool>,
    /// Every call that a server ever wrote down.
    written: BTreeSet<CallId>,
    /// Which faults hold now.
    holds: BTreeSet<usize>,
    /// How many deaths took something.
    pub(crate) deaths: u64,
}

/// The log of one replica.
struct Log {
    group: usize,
    replica: u32,
    durability: Durability,
    entries: Vec<Entry>,
    /// The least and the most entries that are safe. They differ only while it cannot be told which of two attempts of one call
    /// an answer belongs to.
    safe: (usize, usize),
    /// When what was written becomes safe, if it lags behind.
    flush_at: Option<Instant>,
    /// What the server says that it lost since it last died, and when.
    taken: Vec<(Instant, CallId)>,
}

#[derive(Clone, Copy)]
struct Entry {
    call: CallId,
    /// Its handler has ended.
    settled: bool,
}

/// The three figures of a reconciliation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) unacknowledged: u64,
}

impl<'p> Ledger<'p> {
    pub(crate) fn new(plan: &'p Plan) -> Self {
        let log = |group: usize, replica: u32| Log {
            group,
            replica,
            durability: plan.servers[group].durability,
            entries: Vec::new(),
            safe: (0, 0),
            flush_at: None,
            taken: Vec::new(),
        };
        let logs = plan.servers.iter().enumerate().flat_map(|(group, servers)| {
            (0..servers.replicas).map(move |replica| (group, replica)).map(|(group, replica)| log(group, replica))
        });
        Self {
            plan,
            logs: logs.collect(),
            told: BTreeMap::new(),
            written: BTreeSet::new(),
            holds: BTreeSet::new(),
            deaths: 0,
        }
    }

    /// Whether a fault of some kind holds for a replica now.
    fn held(&self, log: usize, which: impl Fn(&FaultKind) -> Option<Members>) -> Option<&FaultKind> {
        let Log { group, replica, .. } = self.logs[log];
        let strikes = |kind: &&FaultKind| {
            which(kind).is_some_and(|who| who.group == Group::Servers(group) && who.range.contains(&replica))
        };
        self.holds.iter().map(|fault| &self.plan.faults[*fault].kind).find(strikes)
    }

    fn disk_lies(&self, log: usize) -> bool {
        let lies = |kind: &FaultKind| match kind {
            FaultKind::LyingDisk { server } => Some(server.clone()),
            _ => None,
        };
        self.held(log, lies).is_some()
    }

    /// Hears of the next event.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), Wrong> {
        self.flush(event.at);
        match event.kind {
            Kind::FaultStarted { fault } => drop(self.holds.insert(fault as usize)),
            Kind::FaultEnded { fault } => drop(self.holds.remove(&(fault as usize))),
            Kind::CallStarted { call, .. } => drop(self.told.insert(call, false)),
            Kind::CallEnded { call, code: Code::Ok, origin } => self.acknowledged(call, origin)?,
            Kind::Recorded { server, call } => self.recorded(server as usize, call)?,
            Kind::RecordLost { server, call } => self.logs[server as usize].taken.push((event.at, call)),
            Kind::HandlerEnded { server, call, outcome, .. } => {
                let done = outcome == HandlerOutcome::Acknowledged;
                let lies = self.disk_lies(server as usize);
                self.logs[server as usize].handler_ended(event.at, call, done, lies);
            }
            Kind::Host { server, change: HostChange::Down } => self.died(event.at, server as usize)?,
            _ => {}
        }
        Ok(())
    }

    /// What lagged behind has reached the disk by now, if the disk tells the truth.
    fn flush(&mut self, now: Instant) {
        for log in 0..self.logs.len() {
            if self.logs[log].flush_at.is_some_and(|at| at <= now) {
                let lies = self.disk_lies(log);
                let log = &mut self.logs[log];
                // The flush took what was there then: everything since was written now at the earliest.
                log.flush_at = None;
                if !lies {
                    log.safe = (log.entries.len(), log.entries.len());
                }
            }
        }
    }

    /// Nobody is told that an alert is kept that no server has written down.
    fn acknowledged(&mut self, call: CallId, origin: Origin) -> Result<(), Wrong> {
        if origin != Origin::Server {
            return Err(format!("{call} is OK, says {origin:?}: no strategy here has a fallback"));
        }
        match (self.told.insert(call, true), self.written.contains(&call)) {
            (Some(false), true) => Ok(()),
            (Some(false), false) => Err(format!("{call} is acknowledged, and nobody wrote it down")),
            (before, _) => Err(format!("{call} ends well, and was {before:?} before")),
        }
    }

    fn recorded(&mut self, server: usize, call: CallId) -> Result<(), Wrong> {
        let log = &mut self.logs[server];
        let dedup = self.plan.servers[log.group].dedup;
        if dedup && log.entries.iter().any(|entry| entry.call == call) {
            return Err(format!("server {server} writes {call} down twice, and is to tell alerts apart"));
        }
        log.entries.push(Entry { call, settled: false });
        self.written.insert(call);
        Ok(())
    }

    /// A process is gone: what was not safe is gone with it, and nothing else.
    fn died(&mut self, at: Instant, server: usize) -> Result<(), Wrong> {
        let lose = match self.held(server, down) {
            Some(FaultKind::Crash { lose, .. }) => *lose,
            Some(FaultKind::Autoscale { .. }) => Lose::Nothing,
            Some(_) => Lose::Unsynced,
            None => return Err(format!("server {server} dies at {at}, and no fault kills it")),
        };
        let log = &mut self.logs[server];
        let all = log.entries.len();
        let (least, most) = match lose {
            Lose::Nothing => (all, all),
            Lose::Unsynced => log.safe,
            Lose::All => (0, 0),
        };
        let taken = std::mem::take(&mut log.taken);
        let kept = all.saturating_sub(taken.len());
        let gone: Vec<(Instant, CallId)> = log.entries[kept..].iter().map(|entry| (at, entry.call)).collect();
        if !(least..=most).contains(&kept) || gone != taken {
            return Err(format!(
                "server {server} dies at {at} with {all} entries, of which {least} to {most} are safe; it loses {taken:?}, not {gone:?}"
            ));
        }
        self.deaths += u64::from(!taken.is_empty());
        log.entries.truncate(kept);
        log.entries.iter_mut().for_each(|entry| entry.settled = true);
        log.safe = (kept, kept);
        log.flush_at = None;
        Ok(())
    }

    /// What clients were told against what the logs hold.
    pub(crate) fn figures(&self) -> Result<Figures, Wrong> {
        if let Some(log) = self.logs.iter().find(|log| !log.taken.is_empty()) {
            return Err(format!("replica {} loses {:?} without dying", log.replica, log.taken));
        }
        let front: BTreeSet<usize> = self.plan.clients.iter().map(|clients| clients.calls).collect();
        let mut held: BTreeMap<CallId, (u64, u64)> = BTreeMap::new();
        for log in &self.logs {
            for entry in &log.entries {
                let (before, behind) = held.entry(entry.call).or_default();
                *(if front.contains(&log.group) { before } else { behind }) += 1;
            }
        }
        let mut figures = Figures::default();
        for (call, acknowledged) in &self.told {
            let (before, behind) = held.get(call).copied().unwrap_or_default();
            figures.duplicates += before.saturating_sub(1);
            figures.lost += u64::from(*acknowledged && before + behind == 0);
            figures.unacknowledged += u64::from(!acknowledged && before + behind > 0);
        }
        Ok(figures)
    }
}

impl Log {
    fn handler_ended(&mut self, at: Instant, call: CallId, done: bool, lies: bool) {
        let mine = |entry: &&mut Entry| entry.call == call;
        let open: Vec<usize> = (0..self.entries.len())
            .filter(|place| self.entries[*place].call == call && !self.entries[*place].settled)
            .collect();
        match self.durability {
            // An answer leaves as soon as the alert is written, or is known to be: the lag begins with the first that waits.
            Durability::WriteBehind(lag) if done => self.flush_at = self.flush_at.or(Some(at + lag)),
            Durability::Sync if done && !lies => {
                // Told apart, a repeated alert waits for its first entry.
                let first = self.entries.iter().position(|entry| entry.call == call);
                let (least, most) = (open.first().copied().or(first), open.last().copied().or(first));
                self.safe.0 = self.safe.0.max(least.map_or(0, |place| place + 1));
                self.safe.1 = self.safe.1.max(most.map_or(0, |place| place + 1));
            }
            _ => {}
        }
        if open.len() == 1 && done {
            self.entries.iter_mut().filter(mine).for_each(|entry| entry.settled = true);
        }
    }
}

/// Who goes down, for the kinds that take processes down.
fn down(kind: &FaultKind) -> Option<Members> {
    match kind {
        FaultKind::Crash { server, .. }
        | FaultKind::CrashLoop { server, .. }
        | FaultKind::RollingRestart { server, .. } => Some(server.clone()),
        FaultKind::Autoscale { server, to, .. } => {
            Some(Members { group: server.group, range: server.range.start + to..server.range.end })
        }
        FaultKind::Deploy(deploy) => Some(deploy.server.clone()),
        _ => None,
    }
}
