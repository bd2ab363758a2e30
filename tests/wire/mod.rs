//! Two hosts with a kernel alike, and the link between them: what tests of single connections begin with.

use std::io;
use std::time::Duration;

use squall::net::TcpSettings;
use squall::net::{
    Address, HostConfig, HostId, Impairment, ImpairmentId, LinkConfig, Listener, Network, Pairs, Stream,
};
use squall::random::Key;

pub(crate) const PORT: u16 = 80;

#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) net: Network,
    pub(crate) client: HostId,
    pub(crate) server: HostId,
}

impl Wire {
    pub(crate) fn new(rtt: Duration, tcp: TcpSettings, seed: u64) -> Self {
        let net = Network::new(Key::from_seed(seed));
        let client = net.add_host(HostConfig { name: "client".into(), tcp: tcp.clone() });
        let server = net.add_host(HostConfig { name: "server".into(), tcp });
        net.set_default_link(LinkConfig::with_latency(rtt / 2));
        Self { net, client, server }
    }

    pub(crate) fn listen(&self) -> Listener {
        self.net.listen(self.server, PORT, 16).expect("the port is free")
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        self.net.connect(self.client, Address::new(self.server, PORT)).await
    }

    pub(crate) async fn connected(&self) -> (Stream, Stream) {
        let listener = self.listen();
        let (client, server) = tokio::join!(self.connect(), listener.accept());
        (client.expect("connects"), server.expect("accepts").0)
    }

    pub(crate) fn black_hole(&self) -> ImpairmentId {
        self.net.impair(Pairs::All, Impairment::drop_all())
    }
}
