//! The measured cases, as they stand in the files.

use serde_json::Value;

pub(crate) struct GroundTruth {
    pub(crate) loss: Vec<Loss>,
    pub(crate) black_holes: Vec<BlackHole>,
    pub(crate) connects: Vec<Connect>,
    /// Cases of the first file that were measured again, with what their sample has around each quantile.
    again: Value,
}

pub(crate) struct Loss {
    pub(crate) id: String,
    pub(crate) rtt_ms: f64,
    pub(crate) loss_each_way: f64,
    pub(crate) payload_bytes: usize,
    pub(crate) host_overhead_ms: f64,
    pub(crate) mean_ms: f64,
    /// `None`: not judged.
    pub(crate) mean_tolerance_ms: Option<f64>,
    latency_ms: Value,
    tolerance_ms: Value,
}

/// A measured quantile, in ms.
pub(crate) struct Quantile {
    pub(crate) name: String,
    pub(crate) linux: f64,
    pub(crate) tolerance: f64,
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
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("valid JSON");
        let first = parse(include_str!("../data/linux-tcp.json"));
        let more = parse(include_str!("../data/linux-tcp-more.json"));
        let mut truth = Self { loss: vec![], black_holes: vec![], connects: vec![], again: more["ranges_ms"].clone() };
        for file in [&first, &more] {
            let list = |key: &str| file[key].as_array().expect("a list of cases").clone();
            let overhead = overhead_ms(file);
            let judged = list("loss").into_iter().filter(|case| case["judged"] == true);
            truth.loss.extend(judged.map(|case| Loss::read(&case, overhead)));
            truth.black_holes.extend(list("black_holes").iter().map(BlackHole::read));
            truth.connects.extend(list("connects").iter().map(Connect::read));
        }
        truth
    }

    /// What the measured sample has around a quantile, as far as the rank of a quantile is uncertain.
    pub(crate) fn range_around(&self, case: &str, quantile: &str) -> Option<(f64, f64)> {
        let range = &self.again[case][quantile];
        Some((range[0].as_f64()?, range[1].as_f64()?))
    }
}

/// "0.45: what it is".
fn overhead_ms(file: &Value) -> f64 {
    let text = file["host_overhead_ms"].as_str().expect("a figure, and what it is");
    text.split(':').next().and_then(|figure| figure.parse().ok()).expect("a figure before the colon")
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} is a number in {case}"))
}

fn id(case: &Value) -> String {
    case["id"].as_str().expect("a case has an id").to_owned()
}

impl Loss {
    fn read(case: &Value, host_overhead_ms: f64) -> Self {
        let mean_ms = number(case, "mean_ms");
        Self {
            id: id(case),
            rtt_ms: number(case, "rtt_ms"),
            loss_each_way: number(case, "loss_each_way"),
            payload_bytes: number(case, "payload_bytes") as usize,
            host_overhead_ms,
            mean_ms,
            // As for quantiles: a tenth, or 0.6 ms, unless the file says otherwise.
            mean_tolerance_ms: match case.get("mean_tolerance_ms") {
                Some(written) => written.as_f64(),
                None => Some((0.1 * mean_ms).max(0.6)),
            },
            latency_ms: case["latency_ms"].clone(),
            tolerance_ms: case["tolerance_ms"].clone(),
        }
    }

    /// The quantiles that are judged.
    pub(crate) fn quantiles(&self) -> Vec<Quantile> {
        let measured = self.latency_ms.as_object().expect("an object of quantiles");
        let judged = measured.iter().filter_map(|(name, value)| {
            let tolerance = self.tolerance_ms[name].as_f64()?;
            Some(Quantile { name: name.clone(), linux: value.as_f64().expect("a number"), tolerance })
        });
        judged.collect()
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
