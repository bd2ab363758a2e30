//! TCP as Linux does it, without a network: a [`Socket`] is told what arrives and what time it is, and says what to send.
//!
//! Rule: nothing here reads a clock, draws a number or knows a host; the connection above feeds both ends. The mechanisms
//! are the kernel's, named after its functions, because what people meet in production is not the RFC but Linux: loss
//! detection by time (RACK), tail loss probes, delayed acknowledgements, undo of what was retransmitted for nothing.
//!
//! - [`settings`]: the kernel's knobs. [`segment`]: what is said. [`ticks`]: when timers really fire.
//! - [`receive`], [`delayed_ack`]: the receiving half.
//! - [`send`], [`scoreboard`], [`rtt`], [`congestion`]: the sending half while all is well.
//! - [`acknowledge`], [`sack`], [`rack`], [`recovery`], [`undo`], [`timeout`]: when it is not.
//! - [`socket`], [`handshake`]: how a connection begins and ends.

mod acknowledge;
mod congestion;
mod delayed_ack;
mod handshake;
mod rack;
mod receive;
mod recovery;
mod rtt;
mod sack;
mod scoreboard;
mod segment;
mod send;
mod settings;
mod socket;
mod ticks;
mod timeout;
mod undo;

pub use self::segment::{Flags, Sacks, Segment};
pub use self::settings::{CongestionControl, Keepalive, TcpSettings};
pub(super) use self::socket::{Close, Output, Socket, TIMERS, Timer};
pub(super) use self::ticks::Ticks;
