//! The measured cases, as they stand in the files.

use serde_json::Value;

use crate::fidelity::single::{Bulk, Timers};

pub(crate) struct GroundTruth {
    pub(crate) loss: Vec<Loss>,
    pub(crate) black_holes: Vec<BlackHole>,
    pub(crate) connects: Vec<Connect>,
    pub(crate) timers: Timers,
    pub(crate) bulk: Bulk,
    /// Cases that were measured again, for longer, by what they are called.
    longer: Value,
    longer_overhead_ms: f64,
}

pub(crate) struct Loss {
    pub(crate) id: String,
    pub(crate) rtt_ms: f64,
    pub(crate) loss_each_way: f64,
    pub(crate) payload_bytes: usize,
    pub(crate) host_overhead_ms: f64,
    mean_ms: f64,
    mean_tolerance_ms: Option<f64>,
    latency_ms: Value,
    tolerance_ms: Value,
}

/// Something measured of a distribution of latencies, in ms: a quantile such as `p99`, or the `mean`.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) linux: f64,
    pub(crate) tolerance: f64,
    /// What a longer sample of the same case has, where there is one.
    pub(crate) longer: Option<f64>,
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
        let (longer, longer_overhead_ms) = (more["longer_samples"].clone(), overhead_ms(&more));
        let (timers, bulk) = (Timers::read(&first["timers"]), Bulk::read(&first["bulk_reno"]));
        let mut truth =
            Self { loss: vec![], black_holes: vec![], connects: vec![], timers, bulk, longer, longer_overhead_ms };
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

    /// The figures of a case that are judged.
    pub(crate) fn figures(&self, case: &Loss) -> Vec<Figure> {
        let longer = &self.longer[&case.id];
        let of_this_machine = |figure: &Value| Some(figure.as_f64()? - self.longer_overhead_ms + case.host_overhead_ms);
        let quantiles =
            case.latency_ms.as_object().expect("an object of quantiles").iter().filter_map(|(name, linux)| {
                let (linux, tolerance) = (linux.as_f64().expect("a number"), case.tolerance_ms[name].as_f64()?);
                Some(Figure { name: name.clone(), linux, tolerance, longer: of_this_machine(&longer[name]) })
            });
        let mean_tolerance = longer["mean_tolerance_ms"].as_f64().or(case.mean_tolerance_ms);
        let mean = mean_tolerance.map(|tolerance| Figure {
            name: "mean".into(),
            linux: case.mean_ms,
            tolerance,
            longer: of_this_machine(&longer["mean_ms"]),
        });
        quantiles.chain(mean).collect()
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
        Self {
            id: id(case),
            rtt_ms: number(case, "rtt_ms"),
            loss_each_way: number(case, "loss_each_way"),
            payload_bytes: number(case, "payload_bytes") as usize,
            host_overhead_ms,
            mean_ms: number(case, "mean_ms"),
            // The tolerance of a mean needs the spread between runs, which the first file has of quantiles alone.
            mean_tolerance_ms: case["mean_tolerance_ms"].as_f64(),
            latency_ms: case["latency_ms"].clone(),
            tolerance_ms: case["tolerance_ms"].clone(),
        }
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
