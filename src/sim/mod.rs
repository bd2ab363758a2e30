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

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

pub use self::connector::Connector;
pub use self::host::Host;

use crate::clock::{self, Simulation, Stalled};
use crate::net::{HostConfig, LinkConfig, LossModel, Network};
use crate::random::{Key, Probability};

/// Whatever went wrong in a test.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A simulation with a network, to run services of one's own in. Cloning gives another handle to the same one.
#[derive(Clone, Debug)]
pub struct Sim {
    net: Network,
    seed: u64,
}

impl Sim {
    /// A simulation in which everything random follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { net: Network::new(Key::from_seed(seed)), seed }
    }

    /// Runs `test` in virtual time.
    ///
    /// # Errors
    ///
    /// What `test` returns, or [`Stalled`] if it waits for something that can never happen.
    pub fn run<T, F: Future<Output = Result<T, Error>>>(self, test: impl FnOnce(Self) -> F) -> Result<T, Error> {
        match Simulation::new().run(test(self)) {
            Ok(outcome) => outcome,
            Err(stalled @ Stalled { .. }) => Err(Box::new(stalled)),
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

    /// The host of this name, added if there is none.
    #[must_use]
    pub fn host(&self, name: &str) -> Host {
        let id = self.net.lookup(name).unwrap_or_else(|| self.net.add_host(HostConfig::named(name)));
        Host::new(self.net.clone(), id)
    }

    /// A host whose process is what `start` returns: begun now, and again by every [`restart`](Self::restart). A process
    /// that ends, in error or not, leaves its host without one.
    pub fn server<F>(&self, name: &str, start: impl Fn(Host) -> F + Send + Sync + 'static) -> Host
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let host = self.host(name);
        let (start, net) = (Arc::new(start), self.net.clone());
        let begin = move |id| {
            let (process, net) = (start(Host::new(net.clone(), id)), net.clone());
            let ended = net.clone();
            net.spawn_on(id, async move {
                if let Err(error) = process.await {
                    tracing::warn!(%error, "a process ended");
                }
                ended.kill(id);
            });
        };
        begin(host.id());
        self.net.on_start(host.id(), begin);
        host
    }

    /// Kills the process on a host: its kernel closes connections and refuses new ones.
    pub fn crash(&self, name: &str) {
        self.net.kill(self.host(name).id());
    }

    /// Kills the process on a host after a while.
    pub async fn crash_after(&self, delay: Duration, name: &str) {
        self.sleep(delay).await;
        self.crash(name);
    }

    /// Takes the power from a host: silence.
    pub fn power_off(&self, name: &str) {
        self.net.power_off(self.host(name).id());
    }

    /// Starts a host again after [`crash`](Self::crash) or [`power_off`](Self::power_off).
    pub fn restart(&self, name: &str) {
        self.net.start(self.host(name).id());
    }

    /// Gives the links between all hosts this one-way delay.
    pub fn set_latency(&self, one_way: Duration) {
        self.net.set_default_link(LinkConfig::with_latency(one_way));
    }

    /// Has the links between all hosts lose this share of packets, on top of the delay.
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
