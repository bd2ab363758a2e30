//! The simulated network: hosts, links, and TCP as Linux does it, under real HTTP/2 and gRPC.
//!
//! A [`Network`] has hosts and, between each two, a link a direction. Programs on hosts [`listen`](Network::listen) and
//! [`connect`](Network::connect) and get [`Stream`]s, which are what tokio, hyper and tonic expect of a socket. Below them
//! runs a TCP that meets loss, delay and silence as the kernel's does, because how long a failure lasts for those above is
//! decided there.
//!
//! - [`network`](self): hosts, links, names; [`lifecycle`](self): what can happen to them.
//! - `path`: one direction of a link. [`Impairment`]: faults laid over it; [`Selected`]: what they touch.
//! - `connection`: two sockets and what is between them. [`Listener`], [`Connect`], [`Stream`]: how programs see it.
//! - [`tcp`]: the protocol, without a network.
//! - [`Observer`]: being told. [`timeline`]: one connection, packet by packet.

mod address;
mod balancer;
mod connect;
mod connection;
mod host;
mod impairment;
mod lifecycle;
mod link;
mod listener;
mod loss;
mod network;
mod observer;
mod path;
mod selected;
mod stream;
mod task;
pub mod tcp;
mod timeline;
mod watchers;

pub use self::address::{Address, ConnectionId, HostId, Side, SocketInfo};
pub use self::balancer::{BalancePolicy, BalancerConfig};
pub use self::connect::Connect;
pub use self::host::HostConfig;
pub use self::impairment::{Counts, Impairment, ImpairmentId, Pairs};
pub use self::link::{ByteRate, InvalidByteRate, LinkConfig, QueueLimit, Reorder};
pub use self::listener::Listener;
pub use self::loss::LossModel;
pub use self::network::Network;
pub use self::observer::{ConnectionEvent, Observer, Packet};
pub use self::selected::{Selected, Turnstile};
pub use self::stream::{Probe, Stream};
pub use self::tcp::TcpSettings;
pub use self::timeline::{Exchange, Line, timeline};
