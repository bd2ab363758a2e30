//! The world of a trial: hosts, links and replicas, as the plan has them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::{TrialSpec, tier};
use crate::faults::{ServerHost, Stage, byte_rate, loss_model};
use crate::net::{Address, HostConfig, HostId, LinkConfig, Network, QueueLimit, Stream, TcpSettings};
use crate::random::Key;
use crate::record::Recorder;
use crate::resilience::{Connector, Endpoint, InvalidConfig, Target};
use crate::scenario::{Bandwidth, Direction, Group, LinkPlan, Members, Plan, ServerGroup};
use crate::telemetry::{PORT, Replica};

/// Everything a trial is made of, before anything moves.
pub(super) struct World<'p> {
    pub(super) plan: &'p Plan,
    pub(super) spec: TrialSpec,
    pub(super) key: Key,
    pub(super) recorder: Recorder,
    pub(super) stage: Stage,
    pub(super) net: Network,
    pub(super) hosts: Hosts,
    pub(super) directory: Arc<Directory>,
}

/// The hosts of every group.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    pub(super) servers: Vec<Vec<HostId>>,
    pub(super) clients: Vec<Vec<HostId>>,
}

impl<'p> World<'p> {
    pub(super) fn build(plan: &'p Plan, spec: TrialSpec, recorder: &Recorder) -> Result<Self, InvalidConfig> {
        let key = Key::from_seed(spec.seed);
        let net = Network::new(key.named("net"));
        let hosts = Hosts {
            servers: plan
                .servers
                .iter()
                .map(|group| add_hosts(&net, &group.name, group.replicas, &group.tcp))
                .collect(),
            clients: plan.clients.iter().map(|group| add_hosts(&net, &group.name, group.count, &group.tcp)).collect(),
        };
        for link in &plan.links {
            connect(&net, &hosts, link);
        }
        let directory = Arc::new(Directory::of(plan, &hosts));
        let mut number = 0;
        let mut servers = Vec::with_capacity(plan.servers.len());
        for (index, group) in plan.servers.iter().enumerate() {
            let draws = key.named("server").named(&group.name);
            let mut replicas = Vec::with_capacity(group.replicas as usize);
            for host in &hosts.servers[index] {
                let upcalls = tier::upcalls(plan, spec, (group, *host, number), &net, &directory, (key, recorder))?;
                let replica = Replica::new(group.clone(), number, draws, recorder.clone(), upcalls);
                replicas.push(ServerHost::new(*host, Arc::new(replica)));
                number += 1;
            }
            servers.push(replicas);
        }
        let stage = Stage::new(net.clone(), servers, hosts.clients.clone(), recorder.clone(), key.named("faults"));
        Ok(Self { plan, spec, key, recorder: recorder.clone(), stage, net, hosts, directory })
    }
}

/// Who listens where: the names that clients resolve.
#[derive(Debug)]
pub(super) struct Directory {
    endpoints: BTreeMap<String, (Address, u32)>,
}

impl Directory {
    fn of(plan: &Plan, hosts: &Hosts) -> Self {
        let named = plan.servers.iter().zip(&hosts.servers).flat_map(|(group, members)| {
            members
                .iter()
                .enumerate()
                .map(|(replica, host)| (authority(&group.name, replica), Address::new(*host, PORT)))
        });
        let endpoints = named.zip(0..).map(|((name, address), number)| (name, (address, number))).collect();
        Self { endpoints }
    }

    /// What a client of `group` connects to.
    pub(super) fn target(&self, group: &ServerGroup) -> Target {
        let authorities: Vec<_> = (0..group.replicas as usize).map(|replica| authority(&group.name, replica)).collect();
        Target::fixed(&group.name, authorities.iter().map(String::as_str))
    }

    /// The number of the server behind an endpoint, over all groups.
    pub(super) fn number(&self, endpoint: &Endpoint) -> Option<u32> {
        self.endpoints.get(endpoint.as_str()).map(|(_, number)| *number)
    }

    fn address(&self, endpoint: &Endpoint) -> io::Result<Address> {
        let found = self.endpoints.get(endpoint.as_str());
        found.map(|(address, _)| *address).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

fn authority(group: &str, replica: usize) -> String {
    format!("{group}-{replica}:{PORT}")
}

/// Connects from one host of the simulated network.
#[derive(Clone, Debug)]
pub(super) struct FromHost {
    net: Network,
    host: HostId,
    directory: Arc<Directory>,
}

impl FromHost {
    pub(super) fn new(net: &Network, host: HostId, directory: &Arc<Directory>) -> Self {
        Self { net: net.clone(), host, directory: Arc::clone(directory) }
    }
}

impl Connector for FromHost {
    type Io = Stream;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<Stream> {
        let address = self.directory.address(endpoint)?;
        self.net.connect(self.host, address).await
    }
}

fn add_hosts(net: &Network, group: &str, count: u32, tcp: &TcpSettings) -> Vec<HostId> {
    let host = |number| HostConfig { name: format!("{group}/{number}"), tcp: tcp.clone() };
    (0..count).map(|number| net.add_host(host(number))).collect()
}

fn connect(net: &Network, hosts: &Hosts, link: &LinkPlan) {
    let of = |members: &Members| {
        let group = match members.group {
            Group::Servers(group) => &hosts.servers[group],
            Group::Clients(group) => &hosts.clients[group],
        };
        group[members.range.start as usize..members.range.end as usize].to_vec()
    };
    let (a, b) = (of(&link.a), of(&link.b));
    let config = LinkConfig {
        latency: link.latency.clone(),
        jitter_correlation: link.correlation,
        loss: loss_model(link.loss),
        bandwidth: match link.bandwidth {
            Bandwidth::Unlimited => None,
            Bandwidth::Limited(rate) => Some(byte_rate(rate)),
        },
        queue: QueueLimit::Bytes(link.queue_bytes),
        ..LinkConfig::default()
    };
    net.set_group_link(&a, &b, config.clone());
    if link.direction == Direction::Both {
        net.set_group_link(&b, &a, config);
    }
}
