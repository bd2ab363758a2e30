//! The testbed for services that are not ours: any tonic server and client inside a `#[test]`.
//!
//! ```
//! use squall::sim::Sim;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let told = Sim::new(7).run(|sim| async move {
//!     // The closure starts the process: now, and again after every crash.
//!     sim.server("greeter", |host| async move {
//!         let listener = host.listen(80)?;
//!         loop {
//!             let (mut stream, _) = listener.accept().await?;
//!             stream.write_all(b"hello").await?;
//!         }
//!     });
//!     let client = sim.host("client");
//!     sim.crash("greeter");
//!     assert!(client.connect("greeter:80").await.is_err(), "nobody listens: refused");
//!     sim.restart("greeter");
//!     let mut told = String::new();
//!     client.connect("greeter:80").await?.read_to_string(&mut told).await?;
//!     Ok(told)
//! });
//! assert_eq!(told.unwrap(), "hello");
//! ```
//!
//! For tonic: [`Host::listen`] gives what `Server::serve_with_incoming` takes, [`Host::connector`] what
//! `Endpoint::connect_with_connector` takes. Links and faults are those of [`Sim::net`]. `examples/own_service.rs` shows
//! both, with packet loss and a crash.
//!
//! What tonic spawns by itself runs outside the process in our sense: it ends with its connections when the process dies,
//! not at once. Code that matters for that is spawned by [`Host::spawn`].

mod connector;
mod host;
mod storm;

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::connector::Connector;
pub use self::host::Host;
pub use self::storm::Storm;

use crate::clock::{self, Simulation};
use crate::net::{HostConfig, HostId, LinkConfig, LossModel, Network};
use crate::random::{Key, Probability};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whatever went wrong in a test.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A simulation with a network, to run services of one's own in. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Sim {
    net: Network,
    seed: u64,
    limit: Duration,
    /// Hosts that [`server`](Self::server) was called for.
    servers: Arc<Mutex<BTreeSet<HostId>>>,
}

impl Sim {
    /// A simulation in which everything random follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { net: Network::new(Key::from_seed(seed)), seed, limit: DAY, servers: Arc::default() }
    }

    /// The same, given up as [`Stalled`](clock::Stalled) if the test is not over after `limit` of virtual time, instead of a day: with a
    /// heartbeat beside it, a test that waits for what never comes would go on for ever.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Runs `test` in virtual time.
    ///
    /// # Errors
    ///
    /// What `test` returns, or [`Stalled`](clock::Stalled) if it waits for something that can never happen, or for longer than a day
    /// ([`within`](Self::within)).
    pub fn run<T, F: Future<Output = Result<T, Error>>>(self, test: impl FnOnce(Self) -> F) -> Result<T, Error> {
        match Simulation::new().within(self.limit).run(test(self)) {
            Ok(outcome) => outcome,
            Err(stalled) => Err(Box::new(stalled)),
        }
    }

    /// The network: links, faults, names, observers.
    #[must_use]
    pub fn net(&self) -> &Network {
        &self.net
    }

    /// The key of the simulation, to draw from.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::from_seed(self.seed).named("sim")
    }

    /// The host of this name, added if there is none. One with a kernel of its own (keepalive, `TCP_USER_TIMEOUT`) is added
    /// by [`Network::add_host`] before.
    ///
    /// ```
    /// use squall::net::{HostConfig, TcpSettings};
    /// use squall::sim::Sim;
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new(1);
    /// let tcp = TcpSettings { user_timeout: Some(Duration::from_secs(20)), ..TcpSettings::default() };
    /// let id = sim.net().add_host(HostConfig { name: "client".into(), tcp });
    /// assert_eq!(sim.host("client").id(), id);
    /// ```
    #[must_use]
    pub fn host(&self, name: &str) -> Host {
        let id = self.net.lookup(name).unwrap_or_else(|| self.net.add_host(HostConfig::named(name)));
        Host::new(self.net.clone(), id)
    }

    /// A host whose process is what `start` returns: begun now, and again by every [`restart`](Self::restart). A process
    /// that ends leaves its host without one; if in error, it says so on stderr, as a program does. A panic of what `start`
    /// returns ends the process, too; one in a task that it spawned ends that task, as in tokio.
    pub fn server<F>(&self, name: &str, start: impl Fn(Host) -> F + Send + Sync + 'static) -> Host
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let host = self.host(name);
        self.servers().insert(host.id());
        let (start, net) = (Arc::new(start), self.net.clone());
        let begin = move |id| {
            let (process, net) = (start(Host::new(net.clone(), id)), net.clone());
            let ended = net.clone();
            net.spawn_on(id, async move {
                live(&ended, id, process).await;
                ended.kill(id);
            });
        };
        begin(host.id());
        self.net.on_start(host.id(), begin);
        host
    }

    /// Kills the process on a host: its kernel closes connections and refuses new ones.
    ///
    /// # Panics
    ///
    /// When there is no host of this name; so do those that follow.
    pub fn crash(&self, name: &str) {
        self.net.kill(self.known(name));
    }

    /// Kills the process on a host after a while.
    pub async fn crash_after(&self, delay: Duration, name: &str) {
        self.sleep(delay).await;
        self.crash(name);
    }

    /// Takes the power from a host: silence.
    pub fn power_off(&self, name: &str) {
        self.net.power_off(self.known(name));
    }

    /// Starts a host again after [`crash`](Self::crash) or [`power_off`](Self::power_off).
    pub fn restart(&self, name: &str) {
        self.net.start(self.known(name));
    }

    /// Has the `faults` of a scenario happen to the hosts that there are now, at times that count from now. `text` is the file, or
    /// no more of it than its faults and perhaps its `duration`, which is an hour unless given.
    ///
    /// A host that [`server`](Self::server) was called for is a server, any other a client; `echo/0` and `echo/1` are the
    /// group `echo`. What strikes processes, links and connections can be said (`docs/faults.md`); `grpc`, disks and
    /// the like happen inside the service of scenarios only, and so does `graceful`.
    ///
    /// ```
    /// use squall::sim::Sim;
    /// use std::time::Duration;
    ///
    /// let run = Sim::new(1).run(|sim| async move {
    ///     sim.server("echo", |host| async move {
    ///         let listener = host.listen(80)?;
    ///         loop {
    ///             listener.accept().await?;
    ///         }
    ///     });
    ///     let client = sim.host("client");
    ///     let storm = sim.faults(
    ///         "faults:
    ///            - { at: 1s, for: 2s, partition: { from: client, to: echo } }
    ///            - { at: 5s, for: 1s, crash: { server: echo, how: power_loss } }",
    ///     )?;
    ///     sim.sleep(Duration::from_secs(2)).await;
    ///     client.connect("echo:80").await?; // its SYN is sent again until the partition is over
    ///     assert_eq!(storm.counts("partition-1").map(|counts| counts.fired), Some(1));
    ///     assert_eq!(storm.unfired(), ["crash-1"], "not yet");
    ///     Ok(())
    /// });
    /// run.unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Diagnostics`](crate::scenario::Diagnostics) with every mistake in `text`; and when hosts of a group are not numbered
    /// from 0.
    pub fn faults(&self, text: &str) -> Result<Storm, Error> {
        let servers = self.servers().clone();
        Storm::start(&self.net, |host| servers.contains(&host), text, self.key().named("faults"))
    }

    fn servers(&self) -> MutexGuard<'_, BTreeSet<HostId>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that was added under this name: a slip of the pen must not make a new one.
    fn known(&self, name: &str) -> HostId {
        let all = || self.net.hosts().into_iter().map(|host| self.net.host_name(host)).collect::<Vec<_>>().join(", ");
        self.net.lookup(name).unwrap_or_else(|| panic!("no host is called `{name}`; there are: {}", all()))
    }

    /// Gives the links between all hosts this one-way delay, and nothing else: no loss, no limit. What was said by
    /// [`Network::set_link`] for certain hosts counts more; a link of every kind is a [`LinkConfig`].
    pub fn set_latency(&self, one_way: Duration) {
        self.net.set_default_link(LinkConfig::with_latency(one_way));
    }

    /// The same, with links that lose this share of packets.
    ///
    /// # Errors
    ///
    /// When `loss` is not between 0 and 1.
    pub fn set_loss(&self, one_way: Duration, loss: f64) -> Result<(), Error> {
        let loss = LossModel::independent(Probability::new(loss)?);
        self.net.set_default_link(LinkConfig { loss, ..LinkConfig::with_latency(one_way) });
        Ok(())
    }

    /// Waits, in virtual time.
    pub async fn sleep(&self, duration: Duration) {
        clock::sleep(duration).await;
    }
}

/// Runs a process to its end, and says how that was if it was a bad one.
#[expect(
    clippy::print_stderr,
    reason = "as a program whose `main` returns an error: a test shows it beside what failed"
)]
async fn live(net: &Network, host: HostId, process: impl Future<Output = Result<(), Error>>) {
    let mut process = pin!(process);
    // What a panic leaves behind is dropped with the process.
    let outcome = std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| process.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(panic)),
    });
    let how = match outcome.await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("ended in error: {error}"),
        Err(_) => "panicked".to_owned(),
    };
    eprintln!("{}: the process on {} {how}", clock::now(), net.host_name(host));
}
