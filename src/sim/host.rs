//! A host, for those who run programs on it.

use std::future::Future;
use std::io;

use super::Connector;
use crate::net::{Address, HostId, Listener, Network, Stream};

/// As many as Linux takes unless told otherwise.
const BACKLOG: usize = 4096;

/// A handle to a host; see [`Sim::host`](super::Sim::host).
#[derive(Clone, Debug)]
pub struct Host {
    net: Network,
    id: HostId,
}

impl Host {
    /// A handle to a host of a network.
    #[must_use]
    pub fn new(net: Network, id: HostId) -> Self {
        Self { net, id }
    }

    /// The host on its network.
    #[must_use]
    pub const fn id(&self) -> HostId {
        self.id
    }

    /// Listens on a port. The listener is what `tonic::transport::Server::serve_with_incoming` takes.
    ///
    /// # Errors
    ///
    /// When the port is taken, or no process runs here.
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        self.net.listen(self.id, port, BACKLOG)
    }

    /// Connects to `name:port`. A name with several addresses is tried in their order.
    ///
    /// # Errors
    ///
    /// As TCP fails: refused, timed out; and `NotFound` for a name that nobody has.
    pub async fn connect(&self, to: &str) -> io::Result<Stream> {
        let (name, port) = to.rsplit_once(':').ok_or_else(|| unusable(to))?;
        let port = port.parse().map_err(|_| unusable(to))?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("no host is called {name}"));
        for address in self.addresses(name, port) {
            match self.net.connect(self.id, address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn addresses(&self, name: &str, port: u16) -> Vec<Address> {
        let known = self.net.resolve(name);
        if known.is_empty() {
            self.net.lookup(name).map(|host| Address::new(host, port)).into_iter().collect()
        } else {
            known
        }
    }

    /// What `tonic::transport::Endpoint::connect_with_connector` takes to connect from here.
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector::new(self.clone())
    }

    /// Runs `future` as part of the process here: it dies with it.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.net.spawn_on(self.id, future);
    }
}

fn unusable(to: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{to}` is no name and port: write it as `echo:50051`"))
}
