//! The measured cases, as they stand in the file.

use serde_json::Value;

pub(crate) struct GroundTruth {
    pub(crate) loss: Vec<Loss>,
    pub(crate) black_holes: Vec<BlackHole>,
    pub(crate) connects: Vec<Connect>,
}

pub(crate) struct Loss {
    pub(crate) id: String,
    pub(crate) rtt_ms: f64,
    pub(crate) loss_each_way: f64,
    pub(crate) payload_bytes: usize,
    pub(crate) calls: f64,
    latency_ms: Value,
    tolerance_ms: Value,
}

pub(crate) struct BlackHole {
    pub(crate) id: String,
    pub(crate) rtt_ms: f64,
    pub(crate) black_hole_both_ways_s: f64,
    pub(crate) stalled_calls_over_50ms: f64,
    pub(crate) median_stalled_call_ends_after_heal_s: f64,
    pub(crate) tolerance_s: f64,
    pub(crate) tolerance_stalled: f64,
}

pub(crate) struct Connect {
    pub(crate) id: String,
    pub(crate) rtt_ms: f64,
    pub(crate) black_hole_until_s: f64,
    pub(crate) connect_ms: ConnectMs,
    pub(crate) tolerance_ms: f64,
}

pub(crate) struct ConnectMs {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl GroundTruth {
    pub(crate) fn load() -> Self {
        let file: Value = serde_json::from_str(include_str!("../data/linux-tcp.json")).expect("valid JSON");
        let list = |key: &str| file[key].as_array().expect("a list of cases").clone();
        Self {
            loss: list("loss").iter().filter(|case| case["judged"] == true).map(Loss::read).collect(),
            black_holes: list("black_holes").iter().map(BlackHole::read).collect(),
            connects: list("connects").iter().map(Connect::read).collect(),
        }
    }
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} is a number in {case}"))
}

fn id(case: &Value) -> String {
    case["id"].as_str().expect("a case has an id").to_owned()
}

impl Loss {
    fn read(case: &Value) -> Self {
        Self {
            id: id(case),
            rtt_ms: number(case, "rtt_ms"),
            loss_each_way: number(case, "loss_each_way"),
            payload_bytes: number(case, "payload_bytes") as usize,
            calls: number(case, "calls"),
            latency_ms: case["latency_ms"].clone(),
            tolerance_ms: case["tolerance_ms"].clone(),
        }
    }

    /// Name, measured latency and tolerance of each quantile.
    pub(crate) fn quantiles(&self) -> Vec<(&str, f64, f64)> {
        let measured = self.latency_ms.as_object().expect("an object of quantiles");
        measured
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_f64().expect("a number"), number(&self.tolerance_ms, name)))
            .collect()
    }
}

impl BlackHole {
    fn read(case: &Value) -> Self {
        Self {
            id: id(case),
            rtt_ms: number(case, "rtt_ms"),
            black_hole_both_ways_s: number(case, "black_hole_both_ways_s"),
            stalled_calls_over_50ms: number(case, "stalled_calls_over_50ms"),
            median_stalled_call_ends_after_heal_s: number(case, "median_stalled_call_ends_after_heal_s"),
            tolerance_s: number(case, "tolerance_s"),
            tolerance_stalled: number(case, "tolerance_stalled"),
        }
    }
}

impl Connect {
    fn read(case: &Value) -> Self {
        let ms = &case["connect_ms"];
        Self {
            id: id(case),
            rtt_ms: number(case, "rtt_ms"),
            black_hole_until_s: number(case, "black_hole_until_s"),
            connect_ms: ConnectMs { min: number(ms, "min"), median: number(ms, "median"), max: number(ms, "max") },
            tolerance_ms: number(case, "tolerance_ms"),
        }
    }
}
