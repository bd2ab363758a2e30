//! What happens to hosts: killed, without power, started, paused; and to connections: reset, forgotten, refused.

use std::future::Future;
use std::sync::Arc;
use std::task::Poll;

use super::connection::Connection;
use super::host::{Host, PortFault, StartHook};
use super::network::Network;
use super::task;
use super::{HostId, ImpairmentId, Pairs, Selected, Side};
use crate::clock;

impl Network {
    /// Kills the process on `host`. Its tasks are dropped and its kernel closes what it had open: FIN, or RST where data
    /// was not read. What arrives later is met by RST.
    pub fn kill(&self, host: HostId) {
        let host = self.host(host);
        if !host.is_running() {
            return;
        }
        host.set_down(clock::now(), true);
        close_ports(&host);
        for (connection, side) in host.connections() {
            connection.kill(side);
        }
        task::kill_all(&host);
    }

    /// Takes the power from `host`: silence. After [`start`](Self::start) its kernel answers old connections with RST.
    pub fn power_off(&self, host: HostId) {
        let host = self.host(host);
        if !host.is_powered() {
            return;
        }
        host.set_down(clock::now(), false);
        for (connection, side) in host.connections() {
            connection.forget(side, true);
        }
        close_ports(&host);
        task::kill_all(&host);
    }

    /// Starts the next life of the process on `host`, after whatever ended the last; calls what
    /// [`on_start`](Self::on_start) was given. Without effect on a host that runs.
    pub fn start(&self, host: HostId) {
        let host = self.host(host);
        if host.is_running() {
            return;
        }
        host.set_up();
        let (hooks, wakers) = {
            let mut state = host.lock();
            (state.hooks.clone(), std::mem::take(&mut state.start_wakers))
        };
        for hook in hooks {
            hook(host.id);
        }
        for waker in wakers {
            waker.wake();
        }
    }

    /// Calls `hook` each time the host is started again, so that a server can be: not now.
    pub fn on_start(&self, host: HostId, hook: impl Fn(HostId) + Send + Sync + 'static) {
        self.host(host).lock().hooks.push(Arc::new(hook) as StartHook);
    }

    /// Waits until the host lives its life number `incarnation` or a later one; its first is 0.
    pub fn started(&self, host: HostId, incarnation: u64) -> impl Future<Output = ()> + Send + use<> {
        let host = self.host(host);
        std::future::poll_fn(move |cx| {
            if host.is_running() && host.incarnation() >= incarnation {
                return Poll::Ready(());
            }
            host.lock().start_wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// Stops the process on `host` (SIGSTOP, a stop-the-world collection). Its kernel goes on: it acknowledges and accepts
    /// until its buffers are full.
    pub fn pause(&self, host: HostId) {
        let host = self.host(host);
        if host.is_running() {
            host.set_paused(true);
        }
    }

    /// Lets a paused process go on.
    pub fn resume(&self, host: HostId) {
        let host = self.host(host);
        if !host.is_paused() {
            return;
        }
        host.set_paused(false);
        task::wake_all(&host);
        let ports: Vec<_> = host.lock().ports.values().cloned().collect();
        for port in ports {
            port.wake();
        }
        for (connection, side) in host.connections() {
            connection.wake(side);
        }
    }

    /// Whether a process runs on `host`, paused or not.
    #[must_use]
    pub fn is_up(&self, host: HostId) -> bool {
        self.host(host).is_running()
    }

    /// Whether the process on `host` stands still.
    #[must_use]
    pub fn is_paused(&self, host: HostId) -> bool {
        self.host(host).is_paused()
    }

    /// Which life of its process `host` lives or lived last: 0 for the first.
    #[must_use]
    pub fn incarnation(&self, host: HostId) -> u64 {
        self.host(host).incarnation()
    }

    /// A middlebox resets every connection between these hosts, whoever connected, both ways at once; or [some of
    /// them](Selected), in the order of the hosts that connected. How many.
    pub fn reset_connections(&self, touched: impl Into<Selected>) -> u64 {
        let selected = touched.into();
        let all = self.connections_between(&selected);
        all.iter().filter(|connection| selected.turnstile().passes() && connection.reset()).count() as u64
    }

    /// `host` forgets its connections with those hosts for which `pairs` contains (host, other): the other ends do not
    /// learn of it until they send. How many.
    pub fn forget(&self, host: HostId, touched: impl Into<Selected>) -> u64 {
        let (host, selected) = (self.host(host), touched.into());
        let mine = host.connections();
        let hit = mine.iter().filter(|(connection, side)| {
            selected.contains(host.id, connection.host(side.other()).id)
                && selected.turnstile().passes()
                && connection.forget(*side, false)
        });
        hit.count() as u64
    }

    /// New connections to `host` (to `port`, or to all its ports) are refused until repaired.
    pub fn refuse(&self, host: HostId, port: Option<u16>) -> ImpairmentId {
        self.refuse_some(host, port, Pairs::All)
    }

    /// The same for some attempts: those from certain hosts, or by their turn.
    pub fn refuse_some(&self, host: HostId, port: Option<u16>, touched: impl Into<Selected>) -> ImpairmentId {
        let (id, counter) = self.lock().new_fault();
        self.host(host).lock().refusals.push(PortFault { id, port, selected: touched.into(), counter });
        id
    }

    /// New connections to `host` meet a full backlog, that is silence, until repaired.
    pub fn fill_backlog(&self, host: HostId, port: Option<u16>) -> ImpairmentId {
        self.fill_backlog_for(host, port, Pairs::All)
    }

    /// The same for some attempts: those from certain hosts, or by their turn.
    pub fn fill_backlog_for(&self, host: HostId, port: Option<u16>, touched: impl Into<Selected>) -> ImpairmentId {
        let (id, counter) = self.lock().new_fault();
        self.host(host).lock().full.push(PortFault { id, port, selected: touched.into(), counter });
        id
    }

    fn connections_between(&self, selected: &Selected) -> Vec<Arc<Connection>> {
        let hosts = self.lock().hosts.clone();
        let all = hosts.iter().flat_map(|host| host.connections());
        all.filter(|(connection, side)| {
            let (client, server) = (connection.host(Side::Client).id, connection.host(Side::Server).id);
            *side == Side::Client && (selected.contains(client, server) || selected.contains(server, client))
        })
        .map(|(connection, _)| connection)
        .collect()
    }
}

fn close_ports(host: &Host) {
    let ports = std::mem::take(&mut host.lock().ports);
    for port in ports.into_values() {
        port.close();
    }
}
