//! Faults from the list of a scenario, for services that no scenario knows.

use std::collections::BTreeMap;

use super::Error;
use crate::faults::{ServerHost, Stage, Timeline};
use crate::net::{Counts, HostId, Network};
use crate::random::Key;
use crate::record::{Event, Recorder};
use crate::scenario::{FaultPlan, parse_faults};

/// Faults under way; see [`Sim::faults`](super::Sim::faults). They go on when this is dropped.
pub struct Storm {
    timeline: Timeline,
    plans: Vec<FaultPlan>,
}

impl Storm {
    /// Sets in motion what `text` says, for the hosts that there are now.
    pub(super) fn start(
        net: &Network,
        is_server: impl Fn(HostId) -> bool,
        text: &str,
        key: Key,
    ) -> Result<Self, Error> {
        let (servers, clients): (Vec<_>, Vec<_>) =
            groups(net)?.into_iter().partition(|(_, hosts)| hosts.iter().all(|host| is_server(*host)));
        let sizes = |groups: &[(String, Vec<HostId>)]| -> Vec<(String, u32)> {
            groups.iter().map(|(name, hosts)| (name.clone(), hosts.len() as u32)).collect()
        };
        let plans = parse_faults("faults", text, &sizes(&servers), &sizes(&clients))?;
        let foreign = |(_, hosts): (String, Vec<HostId>)| hosts.into_iter().map(ServerHost::foreign).collect();
        let servers = servers.into_iter().map(foreign).collect();
        let clients = clients.into_iter().map(|(_, hosts)| hosts).collect();
        let nobody = Recorder::new(None::<Vec<Event>>);
        let stage = Stage::new(net.clone(), servers, clients, nobody, key);
        Ok(Self { timeline: Timeline::start(&stage, &plans), plans })
    }

    /// What a fault met and what it changed so far, by its `name` (or its kind and a number, as in `crash-1`).
    #[must_use]
    pub fn counts(&self, name: &str) -> Option<Counts> {
        let place = self.plans.iter().position(|plan| plan.id == name)?;
        self.timeline.counts().get(place).copied()
    }

    /// The faults that have changed nothing so far, though they do not say `may_not_fire`: a storm that did not blow tests
    /// nothing.
    #[must_use]
    pub fn unfired(&self) -> Vec<&str> {
        let counted = self.plans.iter().zip(self.timeline.counts());
        counted.filter(|(plan, counts)| counts.fired == 0 && !plan.may_not_fire).map(|(plan, _)| &*plan.id).collect()
    }
}

impl std::fmt::Debug for Storm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storm").field("plans", &self.plans).finish_non_exhaustive()
    }
}

/// All hosts by what scenarios call them: `echo/0` and `echo/1` are the group `echo`, and so is a host that is called `echo`.
fn groups(net: &Network) -> Result<Vec<(String, Vec<HostId>)>, Error> {
    let mut groups: BTreeMap<String, BTreeMap<u32, HostId>> = BTreeMap::new();
    for host in net.hosts() {
        let name = net.host_name(host);
        let (group, number) = match name.split_once('/') {
            Some((group, number)) => (group, number.parse().map_err(|_| misnumbered(group))?),
            None => (&*name, 0),
        };
        groups.entry(group.to_owned()).or_default().entry(number).or_insert(host);
    }
    let counted = |(name, hosts): (String, BTreeMap<u32, HostId>)| match hosts.keys().copied().eq(0..hosts.len() as u32)
    {
        true => Ok((name, hosts.into_values().collect())),
        false => Err(misnumbered(&name)),
    };
    groups.into_iter().map(counted).collect()
}

fn misnumbered(group: &str) -> Error {
    format!("the hosts of `{group}` are not numbered from `{group}/0` on, as those of a scenario are").into()
}
