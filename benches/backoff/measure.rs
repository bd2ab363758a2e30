//! What criterion measures here instead of wall time.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// Virtual milliseconds until the last call of a storm is done.
pub(crate) struct VirtualTime;

/// Handlers that the server ran for a storm.
pub(crate) struct ServerWork;

/// Prints values with a fixed unit.
struct Plain(&'static str);

impl ValueFormatter for Plain {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        self.0
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        self.0
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        self.0
    }
}

/// Both measurements are handed their values, so they only add them up.
macro_rules! handed {
    ($name:ident, $unit:literal) => {
        impl Measurement for $name {
            type Intermediate = ();
            type Value = f64;

            fn start(&self) {}

            fn end(&self, (): ()) -> f64 {
                0.0
            }

            fn add(&self, one: &f64, other: &f64) -> f64 {
                one + other
            }

            fn zero(&self) -> f64 {
                0.0
            }

            fn to_f64(&self, value: &f64) -> f64 {
                *value
            }

            fn formatter(&self) -> &dyn ValueFormatter {
                &Plain($unit)
            }
        }
    };
}

handed!(VirtualTime, "ms");
handed!(ServerWork, "handlers");
