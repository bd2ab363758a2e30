//! Randomness that is keyed, not streamed: a draw is a pure function of the seed and of what it decides.
//!
//! A shared generator couples everything that draws from it: one packet more on one link, and every later service time
//! changes. Here the latency of packet 17 from A to B is the same number whatever else happened, so two strategies meet
//! the same storm, and one more retry disturbs nothing but itself.
//!
//! Rule: one [`Draw`] a decision, turned into a value by inverse transform. A larger draw then always means a larger
//! value, which keeps paired comparisons tight. Logarithms and exponentials come from `libm`, so that a seed means the
//! same on every platform.

mod distribution;
mod key;
mod probability;

pub use self::distribution::{Distribution, InvalidDistribution, QuantilePoint};
pub use self::key::{Draw, Key};
pub use self::probability::{InvalidProbability, Probability};
