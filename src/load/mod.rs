//! Load: who calls when.
//!
//! An open loop decides its arrivals beforehand and never waits for answers, as independent devices do; a closed loop
//! calls again only after an answer, and so spares a slow server without anybody's doing (M. Brooker: "omission"). Both
//! are here, because the difference is often the whole difference between a survived and a collapsed system.
//!
//! Rule: arrivals are a function of the plan, the seed and the client's number alone. Every strategy meets the same ones.

mod arrivals;
mod intensity;

pub use self::arrivals::{Arrivals, OpenLoop, arrivals};
