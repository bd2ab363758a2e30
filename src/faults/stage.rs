//! The stage on which faults play: who is there, and what can be done to them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use crate::clock;
use crate::net::{HostId, Network, Pairs, Selected, Turnstile};
use crate::random::Key;
use crate::record::{HostChange, Kind, Recorder};
use crate::scenario::{CrashHow, Group, Lose, Members, Selector};
use crate::telemetry::{Replica, Running, WallClock, Whom, serve};

/// Everything a fault can reach. Clones are the same stage.
#[derive(Clone, Debug)]
pub struct Stage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    net: Network,
    servers: Vec<Vec<ServerHost>>,
    clients: Vec<Vec<ClientHost>>,
    recorder: Recorder,
    key: Key,
}

/// A client's host, and what time it believes it is.
#[derive(Debug)]
struct ClientHost {
    host: HostId,
    clock: Arc<WallClock>,
}

/// A server on its host.
#[derive(Debug)]
pub struct ServerHost {
    host: HostId,
    program: Program,
}

#[derive(Debug)]
enum Program {
    /// The telemetry service, with the process that runs it.
    Replica(Arc<Replica>, Mutex<Option<Running>>),
    /// A service of somebody else's. It is started again by what [`Network::on_start`] was given.
    Foreign,
}

impl ServerHost {
    /// A replica whose process has not started yet.
    #[must_use]
    pub fn new(host: HostId, replica: Arc<Replica>) -> Self {
        Self { host, program: Program::Replica(replica, Mutex::new(None)) }
    }

    /// A host on which something else runs: only what strikes processes, links and connections can befall it.
    #[must_use]
    pub fn foreign(host: HostId) -> Self {
        Self { host, program: Program::Foreign }
    }

    /// Where it runs.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.host
    }

    /// What runs there, unless it is somebody else's.
    #[must_use]
    pub fn replica(&self) -> Option<&Arc<Replica>> {
        match &self.program {
            Program::Replica(replica, _) => Some(replica),
            Program::Foreign => None,
        }
    }
}

impl Stage {
    /// A stage with these hosts, by group and number inside the group; `key` names the draws of faults.
    #[must_use]
    pub fn new(
        net: Network,
        servers: Vec<Vec<ServerHost>>,
        clients: Vec<Vec<HostId>>,
        recorder: Recorder,
        key: Key,
    ) -> Self {
        let client = |host| ClientHost { host, clock: Arc::default() };
        let clients = clients.into_iter().map(|group| group.into_iter().map(client).collect()).collect();
        Self { inner: Arc::new(Inner { net, servers, clients, recorder, key }) }
    }

    /// Starts every server process, warm.
    pub fn open(&self) {
        for server in self.inner.servers.iter().flatten() {
            if let Program::Replica(replica, process) = &server.program {
                *lock(process) = Some(serve(&self.inner.net, server.host, replica, false));
            }
        }
    }

    /// The network.
    #[must_use]
    pub fn net(&self) -> &Network {
        &self.inner.net
    }

    pub(super) fn key(&self) -> Key {
        self.inner.key
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.inner.recorder
    }

    /// The hosts of some members of a group.
    #[must_use]
    pub fn hosts(&self, members: &Members) -> Vec<HostId> {
        let range = members.range.start as usize..members.range.end as usize;
        match members.group {
            Group::Servers(group) => self.inner.servers[group][range].iter().map(ServerHost::host).collect(),
            Group::Clients(group) => self.inner.clients[group][range].iter().map(|client| client.host).collect(),
        }
    }

    /// The clock of a client, by its group and number inside the group.
    #[must_use]
    pub fn client_clock(&self, group: usize, number: u32) -> Arc<WallClock> {
        Arc::clone(&self.inner.clients[group][number as usize].clock)
    }

    /// The clocks of some members of a group.
    pub(super) fn clocks(&self, members: &Members) -> impl Iterator<Item = &WallClock> {
        let range = members.range.start as usize..members.range.end as usize;
        let clients: &[ClientHost] = match members.group {
            Group::Servers(_) => &[],
            Group::Clients(group) => &self.inner.clients[group][range],
        };
        let servers = self.replicas(members).map(|replica| replica.wall());
        servers.chain(clients.iter().map(|client| &*client.clock))
    }

    /// The servers among some members; none if they are clients.
    pub(super) fn servers(&self, members: &Members) -> &[ServerHost] {
        match members.group {
            Group::Servers(group) => {
                &self.inner.servers[group][members.range.start as usize..members.range.end as usize]
            }
            Group::Clients(_) => &[],
        }
    }

    /// What runs on them, where it is ours.
    pub(super) fn replicas(&self, members: &Members) -> impl Iterator<Item = &Arc<Replica>> {
        self.servers(members).iter().filter_map(ServerHost::replica)
    }

    /// Whose calls and connections a selector means; its turns begin with the first.
    pub(super) fn whom(&self, selector: &Selector) -> Whom {
        let numbers = selector.clients.iter().map(|members| self.client_numbers(members)).collect();
        let hosts = selector.clients.iter().flat_map(|members| self.hosts(members)).collect();
        Whom::new(numbers, hosts, Turnstile::new(selector.every, selector.first))
    }

    /// Of what passes between pairs, what a selector means; its turns begin with the first.
    pub(super) fn selected(&self, pairs: Pairs, selector: &Selector) -> Selected {
        let hosts: Vec<HostId> = selector.clients.iter().flat_map(|members| self.hosts(members)).collect();
        let pairs = if hosts.is_empty() { pairs } else { pairs.and_touching(&hosts) };
        Selected::new(pairs, Turnstile::new(selector.every, selector.first))
    }

    /// The numbers of some clients over all groups, from and to; an empty range if they are servers.
    fn client_numbers(&self, members: &Members) -> (u32, u32) {
        let Group::Clients(group) = members.group else { return (0, 0) };
        let before = self.inner.clients[..group].iter().map(Vec::len).sum::<usize>() as u32;
        (before + members.range.start, before + members.range.end)
    }

    /// The process is gone, in one manner or another. Says whether one was running.
    pub(super) fn crash(&self, server: &ServerHost, how: CrashHow, lose: Lose) -> bool {
        match &server.program {
            Program::Replica(replica, process) => {
                if lock(process).take().is_none() {
                    return false;
                }
                replica.crash(lose);
            }
            Program::Foreign if !self.inner.net.is_up(server.host) => return false,
            Program::Foreign => {}
        }
        match how {
            CrashHow::Kill | CrashHow::Graceful(_) => self.inner.net.kill(server.host),
            CrashHow::PowerLoss => self.inner.net.power_off(server.host),
        }
        self.record(server, HostChange::Down);
        true
    }

    /// Asks the process to finish what it has and to take nothing new. Says whether one was running.
    pub(super) fn drain(&self, server: &ServerHost) -> bool {
        let Program::Replica(_, process) = &server.program else { return false };
        let running = match lock(process).as_ref() {
            Some(process) => {
                process.drain();
                true
            }
            None => false,
        };
        if running {
            self.record(server, HostChange::Draining);
        }
        running
    }

    /// The same for a process that was asked to drain: once it has nothing left, or `grace` is over. Its successor is spared.
    pub(super) async fn crash_drained(&self, server: &ServerHost, grace: Duration, lose: Lose) -> bool {
        let Program::Replica(replica, _) = &server.program else { return false };
        let life = replica.incarnation();
        // Either way it goes now.
        let _ = clock::timeout(grace, replica.emptied()).await;
        replica.incarnation() == life && self.crash(server, CrashHow::Graceful(grace), lose)
    }

    /// A new process starts, on a new incarnation of the host, unless one is running.
    pub(super) fn restart(&self, server: &ServerHost) {
        let Program::Replica(replica, process) = &server.program else { return self.inner.net.start(server.host) };
        let mut process = lock(process);
        if process.is_none() {
            self.inner.net.start(server.host);
            *process = Some(serve(&self.inner.net, server.host, replica, true));
        }
    }

    pub(super) fn record(&self, server: &ServerHost, change: HostChange) {
        if let Some(replica) = server.replica() {
            self.inner.recorder.record(Kind::Host { server: replica.number(), change });
        }
    }
}
