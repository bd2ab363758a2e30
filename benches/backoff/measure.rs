//! What criterion measures here instead of wall time: values that it is handed, in virtual time or in server work.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};

/// Adds up what `iter_custom` returns, and prints it in one unit.
pub(crate) struct Handed(Plain);

impl Handed {
    pub(crate) fn in_unit(unit: &'static str) -> Self {
        Self(Plain(unit))
    }
}

impl Measurement for Handed {
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
        &self.0
    }
}

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
