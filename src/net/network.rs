//! The network: hosts, the links between them, and the faults laid over both.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::balancer::{Balancer, BalancerConfig};
use super::connect::Connect;
use super::connection::Connection;
use super::host::{Host, HostConfig};
use super::impairment::{Counter, Overlay};
use super::listener::{Listener, Port};
use super::observer::Observer;
use super::path::Path;
use super::task;
use super::tcp::Ticks;
use super::watchers::Watchers;
use super::{Address, ConnectionId, Counts, HostId, Impairment, ImpairmentId, LinkConfig, Pairs, Selected};
use crate::clock::{self, Ramp};
use crate::random::Key;

/// A simulated network. Cloning gives another handle to the same one. Works inside a [`clock::Simulation`] only.
///
/// ```
/// use squall::clock::Simulation;
/// use squall::net::{Address, HostConfig, Network};
/// use squall::random::Key;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// let echo = Simulation::new().run(async {
///     let net = Network::new(Key::from_seed(1));
///     let (client, server) = (net.add_host(HostConfig::named("client")), net.add_host(HostConfig::named("server")));
///     let listener = net.listen(server, 80, 128)?;
///     net.spawn_on(server, async move {
///         let Ok((mut stream, _)) = listener.accept().await else { return };
///         let mut bytes = [0; 4];
///         if stream.read_exact(&mut bytes).await.is_ok() {
///             stream.write_all(&bytes).await.ok();
///         }
///     });
///     let mut stream = net.connect(client, Address::new(server, 80)).await?;
///     stream.write_all(b"ping").await?;
///     let mut answer = String::new();
///     stream.read_to_string(&mut answer).await?;
///     std::io::Result::Ok(answer)
/// });
/// assert_eq!(echo.unwrap().unwrap(), "ping");
/// ```
#[derive(Clone)]
pub struct Network {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    key: Key,
    watchers: Arc<Watchers>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) hosts: Vec<Arc<Host>>,
    by_name: BTreeMap<String, HostId>,
    names: BTreeMap<String, Vec<Address>>,
    balancers: BTreeMap<HostId, Balancer>,
    paths: BTreeMap<(HostId, HostId), Lazy>,
    default_link: Arc<LinkConfig>,
    /// In the order in which they were set: the last that matches counts.
    rules: Vec<(Pairs, Arc<LinkConfig>)>,
    overlays: BTreeMap<ImpairmentId, Arc<Overlay>>,
    counters: Vec<Arc<Counter>>,
    connections: u64,
}

/// A path, made when the first connection needs it: ten thousand clients do not need a hundred million.
struct Lazy {
    path: Arc<Path>,
    /// Connections made along it so far: what their draws are keyed by.
    connections: u64,
}

impl Network {
    /// An empty network whose draws are keyed by `key`.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let inner = Inner { key: key.named("net"), watchers: Arc::default(), state: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("a network is never locked across a panic")
    }

    pub(super) fn host(&self, host: HostId) -> Arc<Host> {
        Arc::clone(&self.lock().hosts[host.index()])
    }

    /// Adds a host. It is up, and its name leads to it.
    ///
    /// # Panics
    ///
    /// When another host has that name: nobody would ever reach this one.
    pub fn add_host(&self, config: HostConfig) -> HostId {
        let mut state = self.lock();
        let id = HostId(u32::try_from(state.hosts.len()).expect("fewer than 2^32 hosts"));
        if state.by_name.contains_key(&config.name) {
            drop(state);
            panic!("another host is called `{}`", config.name);
        }
        state.by_name.insert(config.name.clone(), id);
        // Kernels do not count their ticks from the same moment.
        let phase = self.inner.key.named("tick").with(u64::from(id.0)).draw();
        let ticks = Ticks::new(config.tcp.tick, Duration::from_secs(3600).mul_f64(phase.value()));
        let host = Host::new(id, config.name, Arc::new(config.tcp), ticks);
        state.hosts.push(Arc::new(host));
        id
    }

    /// How many bytes programs have written to their streams so far, over all connections.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.inner.watchers.bytes_written()
    }

    /// The name of a host.
    ///
    /// # Panics
    ///
    /// When `host` is of another network; so do all methods that take a host.
    #[must_use]
    pub fn host_name(&self, host: HostId) -> String {
        self.host(host).name.clone()
    }

    /// The host of this name.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<HostId> {
        self.lock().by_name.get(name).copied()
    }

    /// All hosts, in the order in which they were added.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostId> {
        self.lock().hosts.iter().map(|host| host.id).collect()
    }

    /// What connects hosts for which nothing else was said. Links set before count more, whenever this is called.
    pub fn set_default_link(&self, link: LinkConfig) {
        let mut state = self.lock();
        state.default_link = Arc::new(link);
        state.refresh(&Pairs::All);
    }

    /// What lies between two hosts in one direction, now: packets already on their way are not touched.
    pub fn set_link(&self, from: HostId, to: HostId, link: LinkConfig) {
        self.set_links(Pairs::List(vec![(from, to)]), link);
    }

    /// What lies between two hosts, in both directions.
    pub fn set_link_both(&self, a: HostId, b: HostId, link: LinkConfig) {
        self.set_links(Pairs::List(vec![(a, b), (b, a)]), link);
    }

    /// What lies between each of `from` and each of `to`, in that direction. Each pair is a link of its own.
    pub fn set_group_link(&self, from: &[HostId], to: &[HostId], link: LinkConfig) {
        self.set_links(Pairs::from_to(from, to), link);
    }

    /// What lies between all of these pairs.
    pub fn set_links(&self, pairs: impl Into<Pairs>, link: LinkConfig) {
        let pairs = pairs.into();
        let mut state = self.lock();
        state.rules.push((pairs.clone(), Arc::new(link)));
        state.refresh(&pairs);
    }

    /// Listens on a port. At most `backlog` connections wait to be accepted; then SYNs are met by silence.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when someone listens there; `NetworkDown` when no process runs on the host.
    pub fn listen(&self, host: HostId, port: u16, backlog: usize) -> io::Result<Listener> {
        let host = self.host(host);
        if !host.is_running() {
            return Err(io::ErrorKind::NetworkDown.into());
        }
        let backlog = backlog.min(host.settings.somaxconn as usize);
        let listening = Arc::new(Port::new(backlog));
        {
            let mut state = host.lock();
            if state.ports.contains_key(&port) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            state.ports.insert(port, Arc::clone(&listening));
        }
        let address = Address::new(host.id, port);
        Ok(Listener::new(host, address, listening))
    }

    /// Connects to a port of a host, or of a virtual address ([`add_balancer`](Self::add_balancer)). The SYN leaves at once;
    /// the future is done when the handshake is: refused after a round trip, timed out after 135 s of silence.
    pub fn connect(&self, from: HostId, to: Address) -> Connect {
        let mut state = self.lock();
        let host = Arc::clone(&state.hosts[from.index()]);
        if !host.is_running() {
            return Connect::failed(io::ErrorKind::NetworkDown);
        }
        let to = state.real_address(from, to);
        let peer = Arc::clone(&state.hosts[to.host.index()]);
        let id = ConnectionId(state.connections);
        state.connections += 1;
        let (there, number) = state.path(from, to.host);
        let (back, _) = state.path(to.host, from);
        if let Some(lazy) = state.paths.get_mut(&(from, to.host)) {
            lazy.connections += 1;
        }
        drop(state);
        let key = self.inner.key.named("packet").with(u64::from(from.0)).with(u64::from(to.host.0)).with(number);
        let port = 32_768 + u16::try_from(id.0 % 28_232).expect("fits");
        let addresses = [Address::new(from, port), to];
        let watchers = Arc::clone(&self.inner.watchers);
        Connect::started(Connection::connect(id, addresses, [host, peer], [there, back], key, watchers))
    }

    /// Runs `future` as part of the process on `host`: it is dropped when the process dies, and stands still while it is
    /// paused. Nothing runs if no process does.
    pub fn spawn_on(&self, host: HostId, future: impl Future<Output = ()> + Send + 'static) {
        task::spawn(&self.host(host), future);
    }

    /// Tells `observer` what happens from now on.
    pub fn observe(&self, observer: Arc<dyn Observer>) {
        self.inner.watchers.add(observer);
    }

    /// Has `name` resolve to these addresses, in this order, ports included; an empty list takes the name away. A name goes
    /// before a host of the same name.
    pub fn set_name(&self, name: impl Into<String>, addresses: Vec<Address>) {
        self.lock().names.insert(name.into(), addresses);
    }

    /// The addresses of a name. Changed names are seen at once: there is no cache to go stale.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Vec<Address> {
        self.lock().names.get(name).cloned().unwrap_or_default()
    }

    /// Adds a virtual address that spreads connections over backends. It is a host of its own, on which nothing runs; the link
    /// of a connection, and the faults laid over it, are those between the client and the backend. Without a backend to
    /// pick it refuses, after a round trip to itself.
    ///
    /// ```
    /// use squall::net::{Address, BalancePolicy, BalancerConfig};
    /// use squall::sim::Sim;
    ///
    /// let ports = Sim::new(1).run(|sim| async move {
    ///     let backends: Vec<_> = ["echo-0", "echo-1"].map(|name| Address::new(sim.host(name).id(), 80)).into();
    ///     let _open = [sim.host("echo-0").listen(80)?, sim.host("echo-1").listen(80)?];
    ///     sim.net().add_balancer("echo", BalancerConfig { backends, policy: BalancePolicy::RoundRobin, health_check: None });
    ///     let client = sim.host("client");
    ///     let (first, second) = (client.connect("echo:80").await?, client.connect("echo:80").await?);
    ///     Ok([first, second].map(|stream| sim.net().host_name(stream.info().peer.host)))
    /// });
    /// assert_eq!(ports.unwrap(), ["echo-0", "echo-1"]);
    /// ```
    pub fn add_balancer(&self, name: impl Into<String>, config: BalancerConfig) -> HostId {
        let id = self.add_host(HostConfig::named(name));
        self.lock().balancers.insert(id, Balancer::new(config));
        id
    }

    /// Lays a fault over links: over all packets between some pairs, or over [some of them](Selected).
    pub fn impair(&self, touched: impl Into<Selected>, what: Impairment) -> ImpairmentId {
        let selected = touched.into();
        let mut state = self.lock();
        let (id, counter) = state.new_fault();
        let ramp = Ramp::rising(clock::now(), what.ramp);
        let overlay = Arc::new(Overlay { id, what, selected, counter, ramp });
        for ((from, to), lazy) in &state.paths {
            if overlay.selected.contains(*from, *to) {
                lazy.path.add(Arc::clone(&overlay));
            }
        }
        state.overlays.insert(id, overlay);
        id
    }

    /// Takes a fault away. What it did stays done; its counts stay known.
    pub fn repair(&self, id: ImpairmentId) {
        let hosts = {
            let mut state = self.lock();
            if state.overlays.remove(&id).is_some() {
                for lazy in state.paths.values() {
                    lazy.path.remove(id);
                }
                return;
            }
            state.hosts.clone()
        };
        for host in hosts {
            let mut state = host.lock();
            state.refusals.retain(|fault| fault.id != id);
            state.full.retain(|fault| fault.id != id);
        }
    }

    /// What a fault met and what it changed, so far.
    #[must_use]
    pub fn counts(&self, id: ImpairmentId) -> Counts {
        self.lock().counters.get(id.0).map(|counter| counter.get()).unwrap_or_default()
    }
}

impl State {
    pub(super) fn new_fault(&mut self) -> (ImpairmentId, Arc<Counter>) {
        let counter = Arc::<Counter>::default();
        self.counters.push(Arc::clone(&counter));
        (ImpairmentId(self.counters.len() - 1), counter)
    }

    fn link(&self, from: HostId, to: HostId) -> Arc<LinkConfig> {
        let rule = self.rules.iter().rev().find(|(pairs, _)| pairs.contains(from, to));
        match rule {
            Some((_, link)) => Arc::clone(link),
            None if from == to => Arc::new(LinkConfig::loopback()),
            None => Arc::clone(&self.default_link),
        }
    }

    fn refresh(&mut self, pairs: &Pairs) {
        for (&(from, to), lazy) in &self.paths {
            if pairs.contains(from, to) {
                lazy.path.set_link(self.link(from, to));
            }
        }
    }

    fn path(&mut self, from: HostId, to: HostId) -> (Arc<Path>, u64) {
        if let Some(lazy) = self.paths.get(&(from, to)) {
            return (Arc::clone(&lazy.path), lazy.connections);
        }
        let overlays = self.overlays.values().filter(|overlay| overlay.selected.contains(from, to)).cloned().collect();
        let path = Arc::new(Path::new(self.link(from, to), overlays));
        self.paths.insert((from, to), Lazy { path: Arc::clone(&path), connections: 0 });
        (path, 0)
    }

    /// Where a connection really goes. A balancer without a backend that it could pick is left to refuse it: nobody listens
    /// there.
    fn real_address(&mut self, from: HostId, to: Address) -> Address {
        let hosts = &self.hosts;
        let Some(balancer) = self.balancers.get_mut(&to.host) else { return to };
        let check = balancer.config.health_check;
        let now = clock::now();
        let healthy = |backend: &Address| {
            let down_since = hosts[backend.host.index()].lock().down_since;
            down_since.is_none_or(|since| check.is_none_or(|check| now - since < check))
        };
        let hash = Key::from_seed(u64::from(from.0)).with(self.connections).bits();
        balancer.pick(hash, healthy).unwrap_or(to)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("hosts", &self.lock().hosts.len()).finish_non_exhaustive()
    }
}
