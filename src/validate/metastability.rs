//! Retry metastability: an outage that ends, and an overload that does not.
//!
//! A server works in order of arrival and does not know who has gone. While it is away its traffic is kept, and arrives when
//! it comes back. Every call waits longer than its timeout then, and is sent again: the server does twice the work and
//! answers nobody. Below half of its capacity it works the queue off; above, never.
//!
//! Source: after N. Bronson et al., "Metastable Failures in Distributed Systems" (HotOS 2021), idealised. It gives
//! `(20 * load - 300) / (300 - 2 * load)` seconds with a retry, and 112 s without one at 280/s.
//!
//! The source reckons to within one timeout. Its formula has the retries of the outage's last second in the queue when the
//! outage ends, though they are sent after it; so a recovery with retries may differ by what one timeout's load costs at the
//! speed at which the queue drains. Its 112 s without a retry are counted in steps of a second: all calls of a second are
//! sent at its start, they are in time if they are served in their own second or the next, and the first answer is the
//! recovery. They are run here in such steps. In continuous time, which has no second of grace, the same queue takes 125 s.
//! What the mechanism comes to in continuous time stands in rows of its own, which must be met to 3 %.

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::outage::{OUTAGE_S, ended, in_steps, outage};
use super::run::Run;
use super::{Param, Params, Suite};

/// A first-in-first-out server that finishes what nobody waits for any more.
pub(super) const METASTABILITY: Suite = Suite {
    name: "metastability",
    source: "Metastable Failures in Distributed Systems (HotOS 2021), idealised",
    params: &[
        Param::each("load", "calls a second", &[280.0, 140.0, 100.0]).within(1.0, 10_000.0),
        Param::one("capacity", "calls a second that the server can do", &[300.0]).within(1.0, 10_000.0),
        Param::one("outage_s", "length of the outage in s", &[10.0]).whole().within(1.0, 600.0),
        Param::one("timeout_s", "timeout of an attempt in s", &[1.0]).within(0.01, 60.0),
        Param::one("attempts", "most attempts of a call", &[2.0]).whole().within(2.0, 100.0),
        Param::sample("watch_s", "how long a system that does not heal is watched, in s", &[200.0], &[600.0]),
    ],
    cost: 900,
    run: metastability,
    scenario: Some(|params| {
        let queue = Queue { params, load: params.get("load") };
        outage(params, queue.load, &STRATEGIES, queue.duration_s(params.get("attempts")))
    }),
};

/// Every strategy of the suite.
const STRATEGIES: [&str; 3] = ["retry", "none", "budget"];

/// What follows from the parameters at one load.
struct Queue<'p> {
    params: &'p Params,
    load: f64,
}

impl Queue<'_> {
    /// Load that the server could take on, beyond what is sent.
    fn spare(&self, attempts: f64) -> f64 {
        self.params.get("capacity") - attempts * self.load
    }

    /// When a queue that holds so many at the end of the outage has become short enough to answer in time; infinite if never.
    fn heals(&self, attempts: f64, queued: f64) -> f64 {
        let in_time = self.params.get("capacity") * self.params.get("timeout_s");
        let spare = self.spare(attempts);
        if spare > 0.0 { (queued - in_time).max(0.0) / spare } else { f64::INFINITY }
    }

    /// The source's reckoning: every attempt of every call of the outage waits when it ends.
    fn reckoned(&self, attempts: f64) -> f64 {
        self.heals(attempts, attempts * self.params.get("outage_s") * self.load)
    }

    /// In continuous time: those attempts wait that were sent by then.
    fn continuous(&self, attempts: f64) -> f64 {
        let sent = |attempt: u32| self.params.get("outage_s") - f64::from(attempt) * self.params.get("timeout_s");
        let seconds: f64 = (0..attempts as u32).map(|attempt| sent(attempt).max(0.0)).sum();
        self.heals(attempts, seconds * self.load)
    }

    /// How many calls a step of one timeout sends.
    fn step(&self) -> f64 {
        libm::round(self.load * self.params.get("timeout_s")).max(1.0)
    }

    /// In steps of one timeout, without retries: when the first call is served that was sent in the same step or the one
    /// before; infinite if never.
    fn stepwise(&self) -> f64 {
        let (step_s, sent) = (self.params.get("timeout_s"), self.step());
        let (served, lost) = (self.params.get("capacity") * step_s, libm::floor(self.params.get("outage_s") / step_s));
        if served <= sent {
            return f64::INFINITY;
        }
        // The first step by whose end more are served than were sent until two steps before.
        let steps = libm::floor((sent * (lost - 1.0) - served) / (served - sent)) + 1.0;
        step_s * steps.max(0.0)
    }

    /// How long a run lasts: until long after every queue should have healed, or as long as one that does not is watched.
    fn duration_s(&self, attempts: f64) -> f64 {
        let watched = [1.0, attempts].map(|attempts| match self.continuous(attempts) {
            heals if heals.is_finite() => 1.2 * heals + 40.0,
            _ => self.params.get("watch_s"),
        });
        (OUTAGE_S + self.params.get("outage_s") + watched[0].max(watched[1])).ceil()
    }

    /// A recovery that the source gives.
    fn source_row(&self, name: &str, attempts: f64, published: f64, run: &Run) -> Finding {
        let resolution = self.load * self.params.get("timeout_s") / self.spare(attempts);
        // Seconds are counted whole.
        self.row(&format!("{name}.recovery"), published, run, 1.0 + resolution.max(0.0))
    }

    /// A recovery that the source counts in steps.
    fn step_row(&self, published: f64, run: &Run) -> Finding {
        let (row, observed) =
            (format!("metastability.{}.none.recovery", self.load), run.bins.first_answer(ended(self.params)));
        let tolerance = Tolerance::Absolute(self.params.get("timeout_s").max(1.0));
        Finding { row, published: Some(published), observed, error: 0.0, unit: "s", tolerance }
    }

    /// What the mechanism comes to.
    fn own_row(&self, name: &str, attempts: f64, run: &Run) -> Finding {
        let expected = self.continuous(attempts);
        let share = if expected.is_finite() { 0.03 * expected } else { 0.0 };
        self.row(&format!("{name}.continuous"), expected, run, 2.0 + share)
    }

    fn row(&self, name: &str, published: f64, run: &Run, close: f64) -> Finding {
        let row = format!("metastability.{}.{name}", self.load);
        let observed = recovery(self.params, run);
        Finding {
            row,
            published: Some(published),
            observed,
            error: 0.0,
            unit: "s",
            tolerance: Tolerance::Absolute(close),
        }
    }
}

fn recovery(params: &Params, run: &Run) -> f64 {
    run.bins.recovery(ended(params))
}

fn metastability(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let mut parts: Vec<Part> = params.all("load").iter().map(|load| Part::Load(*load)).collect();
    if params.is_usual_but(&["capacity", "attempts", "load", "outage_s", "timeout_s"]) {
        // 3 % below the border it heals, 3 % above it does not.
        parts.extend([0.97, 1.03].map(Part::Border));
    }
    let findings = lab.chains(&parts, |part| match part {
        Part::Load(load) => at_load(lab, &Queue { params, load: *load }),
        Part::Border(share) => border(lab, params, *share),
    })?;
    Ok(findings.into_iter().flatten().collect())
}

/// What can be run side by side.
#[derive(Clone, Copy)]
enum Part {
    /// The rows of one load.
    Load(f64),
    /// A load that is this share of the border.
    Border(f64),
}

fn at_load(lab: &Lab<'_>, queue: &Queue<'_>) -> Result<Vec<Finding>, LabError> {
    let (params, load, attempts) = (queue.params, queue.load, queue.params.get("attempts"));
    let duration_s = queue.duration_s(attempts);
    let scenarios = [
        outage(params, load, &STRATEGIES, duration_s),
        outage(params, load, &["deadline"], duration_s),
        in_steps(params, queue.step(), queue.duration_s(1.0)),
    ];
    let runs = lab.chains(&scenarios, |scenario| lab.scenario(scenario, 1))?;
    let [retry, none, budget] = [0, 1, 2].map(|strategy| &runs[0][strategy][0]);
    let (deadline, steps) = (&runs[1][0][0], &runs[2][0][0]);
    let mut findings = vec![
        queue.source_row("retry", attempts, queue.reckoned(attempts), retry),
        queue.own_row("retry", attempts, retry),
    ];
    if queue.spare(attempts) <= 0.0 {
        findings.extend(overloaded(params, load, retry));
    }
    let printed = load == 280.0 && params.is_usual_but(&["load"]);
    findings.push(queue.step_row(if printed { 112.0 } else { queue.stepwise() }, steps));
    findings.push(queue.own_row("none", 1.0, none));
    if queue.spare(1.0) > 0.0 {
        for (name, run) in [("budget", budget), ("deadline", deadline)] {
            findings.push(heals(format!("metastability.{load}.{name}.heals"), params, run, true));
        }
    }
    Ok(findings)
}

/// What a system that does not heal does: every attempt is sent, and nobody is answered.
fn overloaded(params: &Params, load: f64, run: &Run) -> [Finding; 2] {
    let from = ended(params) + 20;
    let to = from + params.count("watch_s").saturating_sub(20) as usize;
    let row = |name: &str, published: f64, observed: f64, unit, tolerance| {
        let row = format!("metastability.{load}.retry.{name}");
        Finding { row, published: Some(published), observed, error: 0.0, unit, tolerance }
    };
    let sent = params.get("attempts") * load;
    [
        row("sent", sent, run.bins.sent(from, to), "attempts/s", Tolerance::Relative(0.01)),
        row("goodput", 0.0, run.bins.goodput(from, to) * load, "calls/s", Tolerance::Absolute(0.01)),
    ]
}

fn heals(row: String, params: &Params, run: &Run, expected: bool) -> Finding {
    let healed = |healed: bool| f64::from(u8::from(healed));
    Finding::exact(row, Some(healed(expected)), healed(recovery(params, run).is_finite()), "")
}

/// The border lies where all attempts together are what the server can do: below it heals, above it does not.
fn border(lab: &Lab<'_>, params: &Params, share: f64) -> Result<Vec<Finding>, LabError> {
    let (attempts, load) = (params.get("attempts"), params.get("capacity") / params.get("attempts") * share);
    let duration_s = Queue { params, load }.duration_s(attempts);
    let run = &lab.scenario(&outage(params, load, &["retry"], duration_s), 1)?[0][0];
    Ok(vec![heals(format!("metastability.border.{load}.heals"), params, run, share < 1.0)])
}

#[cfg(test)]
mod tests {
    use super::super::suite;
    use super::*;

    /// The source's own figures follow from its reckoning; in continuous time the queue is shorter by one timeout's retries.
    #[test]
    fn the_reckoning_gives_the_published_figures() {
        let params = Params::of(suite("metastability").unwrap(), false, &[]).unwrap();
        let queue = |load| Queue { params: &params, load };
        for (load, attempts, reckoned, continuous) in [
            (100.0, 2.0, 17.0, 16.0),
            (140.0, 2.0, 125.0, 118.0),
            (280.0, 2.0, f64::INFINITY, f64::INFINITY),
            (280.0, 1.0, 125.0, 125.0),
        ] {
            assert_eq!(queue(load).reckoned(attempts), reckoned, "{load}, {attempts}");
            assert_eq!(queue(load).continuous(attempts), continuous, "{load}, {attempts}");
        }
        assert_eq!([280.0, 140.0, 100.0].map(|load| queue(load).stepwise()), [112.0, 7.0, 4.0]);
    }
}
