//! The telemetry service: the contract, the server that implements it, and its durable log.
//!
//! The server is an ordinary tonic service behind an ordinary hyper connection; what is not ordinary is that its capacity
//! is finite and its work takes virtual time. Overload, retry storms and metastable failures are not scripted: they
//! emerge from workers, a queue and callers who do not give up.
//!
//! Rule: what a host keeps across a crash (the log) belongs to the [`Replica`]; what dies with the process (queue,
//! workers, connections) is made anew by every [`serve`].

mod caller;
mod codel;
mod drain;
mod frames;
mod gate;
mod handler;
mod health;
mod interference;
mod link;
mod log;
mod replica;
mod server;
mod service;
mod spoil;
mod trouble;
mod wall;
mod whom;
mod work;

/// The generated messages, client and server of `proto/telemetry.proto`.
#[expect(missing_docs, reason = "generated; the contract is documented in the proto file")]
#[expect(
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
pub mod proto {
    tonic::include_proto!("telemetry");
}

pub use self::caller::{Caller, Way};
pub use self::gate::{Admitted, Enter, Gate, Refused};
pub use self::handler::Handler;
pub use self::interference::{End, Interference, Interruption, Moment};
pub use self::link::Link;
pub use self::log::{AlertKey, AlertLog, Appended};
pub use self::replica::{Replica, Upcall};
pub use self::server::{PORT, Running, serve};
pub use self::trouble::{Knob, Tally, Trouble};
pub use self::wall::WallClock;
pub use self::whom::Whom;
