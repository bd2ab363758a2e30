//! What was measured of single connections, as it stands in the file.

use std::time::Duration;

use serde_json::Value;

/// Timers and their ladders.
pub(crate) struct Timers {
    pub(crate) rto: Vec<Rto>,
    pub(crate) segment: Segment,
    pub(crate) syns: Vec<Syns>,
    pub(crate) gives_up_after_s: f64,
    pub(crate) nagle: Nagle,
}

pub(crate) struct Rto {
    pub(crate) rtt: Duration,
    pub(crate) rto_ms: f64,
}

/// A segment into a black hole: when it was sent, and sent again.
pub(crate) struct Segment {
    pub(crate) rtt: Duration,
    pub(crate) at_s: Vec<f64>,
}

/// SYNs into a black hole with so many linear timeouts (`tcp_syn_linear_timeouts`); at the end ETIMEDOUT.
pub(crate) struct Syns {
    pub(crate) linear: u32,
    pub(crate) at_s: Vec<f64>,
}

/// What a request in two writes took.
pub(crate) struct Nagle {
    pub(crate) rtt: Duration,
    pub(crate) median_ms: f64,
}

/// Throughput of Reno over MSS / (RTT sqrt(loss)).
pub(crate) struct Bulk {
    pub(crate) rtt: Duration,
    /// Loss, and what came of it.
    pub(crate) ratios: Vec<(f64, f64)>,
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn rtt(case: &Value) -> Duration {
    ms(number(&case["rtt_ms"]))
}

fn ms(value: f64) -> Duration {
    Duration::from_secs_f64(value / 1e3)
}

/// The number in words behind `word`.
fn after(text: &str, word: &str) -> f64 {
    let rest = text.split(word).nth(1).expect("the word stands in the text");
    rest.split_whitespace().next().and_then(|figure| figure.parse().ok()).expect("a number behind the word")
}

impl Timers {
    pub(crate) fn read(timers: &Value) -> Self {
        let rto = timers["retransmission_timeout_ms"].as_array().expect("a list").iter();
        let segment = &timers["segment_into_black_hole_sent_at_s"];
        let nagle = timers["nagle_with_delayed_ack"].as_str().expect("a sentence");
        Self {
            rto: rto.map(|case| Rto { rtt: rtt(case), rto_ms: number(&case["rto_ms"]) }).collect(),
            segment: Segment { rtt: rtt(segment), at_s: numbers(&segment["at"]) },
            syns: Syns::read(&timers["syn_sent_at_s"]),
            gives_up_after_s: number(&timers["retries2_15_gives_up_after_s"]),
            nagle: Nagle { rtt: ms(after(nagle, "RTT ")), median_ms: after(nagle, "median ") },
        }
    }
}

impl Syns {
    /// `linear_4` and `linear_4_etimedout_s`.
    fn read(ladders: &Value) -> Vec<Self> {
        let ladders = ladders.as_object().expect("ladders by name");
        let read = |(name, times): (&String, &Value)| {
            let linear = name.strip_prefix("linear_")?.parse().ok()?;
            let gives_up = number(&ladders[&format!("{name}_etimedout_s")]);
            Some(Self { linear, at_s: numbers(times).into_iter().chain([gives_up]).collect() })
        };
        ladders.iter().filter_map(read).collect()
    }
}

impl Bulk {
    pub(crate) fn read(bulk: &Value) -> Self {
        let ratios = bulk["throughput_over_mss_by_rtt_by_sqrt_p"].as_object().expect("ratios by loss");
        let ratio = |(loss, ratio): (&String, &Value)| (loss.parse().expect("a share"), number(ratio));
        Self { rtt: rtt(bulk), ratios: ratios.iter().map(ratio).collect() }
    }
}
