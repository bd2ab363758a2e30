//! What became of each call, and whether the server's log agrees with what its client was told.
//!
//! An acknowledgement is a promise. At the end every call is held against the log: promised and not there is *lost*, there
//! twice is a *duplicate*, there without a promise is a surprise (the client may send it again, and should be able to).
//! The promise is kept by any tier's log; surplus entries are counted in the tier that clients call, since what the tiers
//! behind hold of a call is their own affair: one that fans out holds it many times by design.
//!
//! One 16-byte entry a call, found by two array accesses: calls are numbered without gaps, so no map is needed.

use crate::record::{CallId, Code, Origin};

/// All calls of a trial.
#[derive(Debug, Default)]
pub(super) struct Calls {
    clients: Vec<Vec<Call>>,
}

/// One call, as far as later events need to know of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Call {
    pub(super) due_ns: u64,
    pub(super) class: u16,
    /// How many entries the logs that clients call hold for it now.
    pub(super) logged: u16,
    /// How many the logs of the tiers behind hold, as far as a byte counts.
    behind: u8,
    /// How many attempts it made.
    pub(super) attempts: u16,
    pub(super) state: State,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// Not begun.
    #[default]
    Unknown,
    /// Under way.
    Open,
    /// The server acknowledged it.
    Acknowledged,
    /// It came back OK, though not from the server.
    Answered,
    /// It failed, or was abandoned.
    Failed,
}

/// What holding calls against the log shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reconciliation {
    pub(super) lost_acknowledged: u64,
    pub(super) duplicates: u64,
    pub(super) unacknowledged_recorded: u64,
}

impl Calls {
    pub(super) fn with_clients(count: usize) -> Self {
        Self { clients: vec![Vec::new(); count] }
    }

    /// The entry of a call, made if need be.
    pub(super) fn entry(&mut self, call: CallId) -> &mut Call {
        let (client, number) = (call.client() as usize, call.number() as usize);
        if client >= self.clients.len() {
            self.clients.resize_with(client + 1, Vec::new);
        }
        let calls = &mut self.clients[client];
        if number >= calls.len() {
            calls.resize(number + 1, Call::default());
        }
        &mut calls[number]
    }

    /// The calls of each client that began, client by client.
    pub(super) fn by_client(&self) -> impl Iterator<Item = impl Iterator<Item = &Call>> {
        self.clients.iter().map(|calls| calls.iter().filter(|call| call.state != State::Unknown))
    }

    /// The calls that began.
    pub(super) fn iter(&self) -> impl Iterator<Item = (CallId, &Call)> {
        let ids = |client: usize| (0..).map(move |number| CallId::new(client as u32, number));
        let clients = self.clients.iter().enumerate();
        clients.flat_map(move |(client, calls)| ids(client).zip(calls)).filter(|(_, call)| call.state != State::Unknown)
    }
}

impl Call {
    /// Whether it was acknowledged, and no log holds it.
    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Acknowledged && !self.is_held()
    }

    const fn is_held(&self) -> bool {
        self.logged > 0 || self.behind > 0
    }

    pub(super) const fn record(&mut self, in_front: bool) {
        if in_front {
            self.logged = self.logged.saturating_add(1);
        } else {
            self.behind = self.behind.saturating_add(1);
        }
    }

    pub(super) const fn lose(&mut self, in_front: bool) {
        if in_front {
            self.logged = self.logged.saturating_sub(1);
        } else {
            self.behind = self.behind.saturating_sub(1);
        }
    }
}

impl State {
    /// The state after a call ended so.
    pub(super) const fn ended(code: Code, origin: Origin) -> Self {
        match (code, origin) {
            (Code::Ok, Origin::Server) => Self::Acknowledged,
            // A fallback's answer satisfies the caller, but nobody promised to keep the alert.
            (Code::Ok, _) => Self::Answered,
            _ => Self::Failed,
        }
    }
}

impl Reconciliation {
    pub(super) fn add(&mut self, call: &Call) {
        self.duplicates += u64::from(call.logged).saturating_sub(1);
        match (call.state, call.is_held()) {
            (State::Acknowledged, false) => self.lost_acknowledged += 1,
            (State::Acknowledged, true) | (_, false) => {}
            _ => self.unacknowledged_recorded += 1,
        }
    }

    pub(super) const fn merge(&mut self, other: &Self) {
        self.lost_acknowledged += other.lost_acknowledged;
        self.duplicates += other.duplicates;
        self.unacknowledged_recorded += other.unacknowledged_recorded;
    }
}
