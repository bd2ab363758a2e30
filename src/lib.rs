//! Squall: what happens when the network breaks, and is our retry policy right?
//!
//! A chaos and fault-injection testbed for gRPC resilience: real tonic clients and servers in one process, over a simulated
//! network, in deterministic virtual time.
//!
//! # A tour, from the ground up
//!
//! Data flows the other way: a module may use what stands above it in this list, never what stands below.
//!
//! - [`random`]: draws keyed by what they decide.
//! - [`clock`]: virtual time with nanosecond resolution on an unmodified tokio; real time outside a simulation.
//! - `net`: hosts, links and Linux's TCP, under real HTTP/2 and gRPC.
//! - [`record`]: the typed events of a trial: the one contract between running and judging.
//! - `scenario`: a file becomes a checked plan, or a list of mistakes.
//! - `analysis`: events become figures, statistics over seeds and verdicts.
//! - `validate`: published results and closed forms, held against the real stack.
//! - `report`: what people and programs read of a run.
//! - `cli`: the `squall` command.

#[cfg(feature = "sim")]
pub mod analysis;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
#[cfg(feature = "sim")]
pub mod experiment;
#[cfg(feature = "sim")]
pub mod faults;
#[cfg(feature = "sim")]
pub mod load;
#[cfg(feature = "sim")]
pub mod net;
pub mod random;
#[cfg(feature = "sim")]
pub mod record;
#[cfg(feature = "sim")]
pub mod report;
#[cfg(feature = "resilience")]
pub mod resilience;
#[cfg(feature = "sim")]
pub mod scenario;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "sim")]
pub mod telemetry;
#[cfg(feature = "sim")]
pub mod trial;
#[cfg(feature = "sim")]
pub mod validate;
