//! A host: a kernel that is powered or not, and one process on it that runs, stands still or is dead.
//!
//! The kernel and the process are two lives. A killed process leaves a kernel that says so (FIN, RST); a host that lost
//! power says nothing, and its next boot knows nothing of the connections of the one before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::Waker;

use super::connection::Connection;
use super::impairment::Counter;
use super::listener::Port;
use super::task::Tasks;
use super::tcp::{TcpSettings, Ticks};
use super::{ConnectionId, HostId, ImpairmentId, Selected, Side};
use crate::clock::Instant;

/// What a new host is like.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// By which others find it.
    pub name: String,
    /// The settings of its kernel.
    pub tcp: TcpSettings,
}

impl HostConfig {
    /// A host with Linux's default settings.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), tcp: TcpSettings::default() }
    }
}

pub(super) type StartHook = Arc<dyn Fn(HostId) + Send + Sync>;

pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) name: String,
    pub(super) settings: Arc<TcpSettings>,
    pub(super) ticks: Ticks,
    powered: AtomicBool,
    running: AtomicBool,
    paused: AtomicBool,
    /// Counts power cycles: connections belong to one.
    boot: AtomicU64,
    /// Counts lives of the process.
    incarnation: AtomicU64,
    state: Mutex<HostState>,
}

#[derive(Default)]
pub(super) struct HostState {
    pub(super) ports: BTreeMap<u16, Arc<Port>>,
    pub(super) connections: BTreeMap<(ConnectionId, Side), Weak<Connection>>,
    pub(super) tasks: Tasks,
    pub(super) refusals: Vec<PortFault>,
    pub(super) full: Vec<PortFault>,
    pub(super) hooks: Vec<StartHook>,
    pub(super) start_wakers: Vec<Waker>,
    pub(super) down_since: Option<Instant>,
}

/// A fault that concerns connects to a port, or to all.
pub(super) struct PortFault {
    pub(super) id: ImpairmentId,
    pub(super) port: Option<u16>,
    pub(super) selected: Selected,
    pub(super) counter: Arc<Counter>,
}

impl PortFault {
    /// Attempts take their turn with their SYN: the end of a handshake that was let in is not asked again.
    fn strikes(&self, from: HostId, to: HostId, port: u16, syn: bool) -> bool {
        let turnstile = self.selected.turnstile();
        self.port.is_none_or(|own| own == port)
            && self.selected.contains(from, to)
            && if syn { turnstile.passes() } else { turnstile.is_open() }
    }
}

impl Host {
    pub(super) fn new(id: HostId, name: String, settings: Arc<TcpSettings>, ticks: Ticks) -> Self {
        Self {
            id,
            name,
            settings,
            ticks,
            powered: AtomicBool::new(true),
            running: AtomicBool::new(true),
            paused: AtomicBool::new(false),
            boot: AtomicU64::new(0),
            incarnation: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HostState> {
        self.state.lock().expect("a host is never locked across a panic")
    }

    pub(super) fn is_powered(&self) -> bool {
        self.powered.load(Ordering::Relaxed)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(super) fn boot(&self) -> u64 {
        self.boot.load(Ordering::Relaxed)
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Relaxed)
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    pub(super) fn set_down(&self, now: Instant, powered: bool) {
        self.running.store(false, Ordering::Relaxed);
        self.paused.store(false, Ordering::Relaxed);
        self.powered.store(powered, Ordering::Relaxed);
        self.lock().down_since = Some(now);
    }

    /// Begins the next life of the process, and, after a loss of power, of the kernel.
    pub(super) fn set_up(&self) {
        if !self.powered.swap(true, Ordering::Relaxed) {
            self.boot.fetch_add(1, Ordering::Relaxed);
        }
        self.running.store(true, Ordering::Relaxed);
        self.incarnation.fetch_add(1, Ordering::Relaxed);
        self.lock().down_since = None;
    }

    pub(super) fn add_connection(&self, connection: &Arc<Connection>, side: Side) {
        self.lock().connections.insert((connection.id(), side), Arc::downgrade(connection));
    }

    pub(super) fn remove_connection(&self, id: ConnectionId, side: Side) {
        self.lock().connections.remove(&(id, side));
    }

    /// The connections that its kernel knows, in order.
    pub(super) fn connections(&self) -> Vec<(Arc<Connection>, Side)> {
        let state = self.lock();
        state.connections.iter().filter_map(|((_, side), weak)| Some((weak.upgrade()?, *side))).collect()
    }

    /// What its kernel does with a SYN, or with the acknowledgement that ends a handshake.
    pub(super) fn on_connect(&self, from: HostId, port: u16, syn: bool) -> SynVerdict {
        let state = self.lock();
        let fault = |faults: &[PortFault]| {
            let mut hit = false;
            for fault in faults.iter().filter(|fault| fault.strikes(from, self.id, port, syn)) {
                fault.counter.matched();
                fault.counter.fired();
                hit = true;
            }
            hit
        };
        if fault(&state.refusals) {
            return SynVerdict::Refuse;
        }
        if fault(&state.full) {
            return SynVerdict::Ignore;
        }
        match state.ports.get(&port) {
            None => SynVerdict::Refuse,
            Some(listening) if listening.is_full() => SynVerdict::Ignore,
            Some(_) => SynVerdict::Answer,
        }
    }

    pub(super) fn port(&self, port: u16) -> Option<Arc<Port>> {
        self.lock().ports.get(&port).cloned()
    }
}

/// What a kernel does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SynVerdict {
    Answer,
    /// RST: nobody listens.
    Refuse,
    /// Silence: the backlog is full.
    Ignore,
}
