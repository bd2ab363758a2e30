//! Prometheus' text format: the figures of a finished run, for a Pushgateway or a textfile collector.
//!
//! Source: Prometheus documentation, "Exposition formats", text format 0.0.4. Base units, as its naming asks: seconds and
//! shares.

use std::io;

use super::Run;
use crate::analysis::{Policy, ScenarioOutcome, StrategyOutcome};
use crate::scenario::Metric;
use crate::scenario::metric::Unit;

/// One family: its name, what it says, its type, and its samples (labels, value).
struct Family {
    name: String,
    help: String,
    kind: &'static str,
    samples: Vec<(String, f64)>,
}

/// Writes a run.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(run: &Run, out: &mut dyn io::Write) -> io::Result<()> {
    let metrics = Metric::ALL.into_iter().map(|metric| figures(run, metric));
    let others = [errors(run), faults(run), expectations(run), verdicts(run)];
    for family in metrics.chain(others).filter(|family| !family.samples.is_empty()) {
        writeln!(out, "# HELP {} {}", family.name, family.help)?;
        writeln!(out, "# TYPE {} {}", family.name, family.kind)?;
        for (labels, value) in &family.samples {
            writeln!(out, "{}{{{labels}}} {}", family.name, number(*value))?;
        }
    }
    Ok(())
}

fn strategies(run: &Run) -> impl Iterator<Item = (&ScenarioOutcome, &StrategyOutcome)> {
    run.scenarios.iter().flat_map(|scenario| scenario.strategies.iter().map(move |strategy| (scenario, strategy)))
}

fn figures(run: &Run, metric: Metric) -> Family {
    let (suffix, scale) = match metric.unit() {
        Unit::Milliseconds => ("_seconds", 1e-3),
        Unit::Share | Unit::Ratio => ("_ratio", 1.0),
        Unit::PerSecond => ("_per_second", 1.0),
        Unit::Count => ("", 1.0),
    };
    let mut samples = Vec::new();
    for (scenario, strategy) in strategies(run) {
        let Some(figure) = strategy.metrics.get(&metric) else { continue };
        let estimate = figure.estimate;
        for (bound, value) in [("mean", estimate.mean), ("low", estimate.low), ("high", estimate.high)] {
            samples.push((format!("{},bound=\"{bound}\"", names(scenario, strategy)), value * scale));
        }
    }
    let name = format!("squall_{}{suffix}", metric.name().replace('.', "_"));
    Family { name, help: format!("{} Mean over seeds and its 95% interval.", metric.about()), kind: "gauge", samples }
}

fn errors(run: &Run) -> Family {
    let mut samples = Vec::new();
    for (scenario, strategy) in strategies(run) {
        for (kind, count) in &strategy.errors {
            let (code, origin) = kind.split_once('/').unwrap_or((kind, ""));
            let labels = format!("{},code=\"{code}\",origin=\"{origin}\"", names(scenario, strategy));
            samples.push((labels, *count as f64));
        }
    }
    family("squall_failed_calls", "Failed calls of all seeds, by status and by who produced it.", samples)
}

fn faults(run: &Run) -> Family {
    let mut samples = Vec::new();
    for scenario in &run.scenarios {
        for fault in &scenario.faults {
            let labels =
                format!("{},fault=\"{}\",kind=\"{}\"", scenario_label(scenario), escape(&fault.id), fault.kind);
            samples.push((labels, fault.fired as f64));
        }
    }
    family("squall_fault_fired", "How often a fault changed something, over all strategies and seeds.", samples)
}

fn expectations(run: &Run) -> Family {
    let mut samples = Vec::new();
    for (scenario, strategy) in strategies(run) {
        for judgement in &strategy.expectations {
            let labels = format!("{},expectation=\"{}\"", names(scenario, strategy), escape(&judgement.text));
            samples.push((labels, f64::from(u8::from(!judgement.fails(run.policy)))));
        }
    }
    family("squall_expectation_held", "1 if the expectation held, else 0.", samples)
}

fn verdicts(run: &Run) -> Family {
    let good = |scenario: &ScenarioOutcome, policy: Policy| scenario.verdict(policy) != crate::analysis::Verdict::Fail;
    let sample =
        |scenario: &ScenarioOutcome| (scenario_label(scenario), f64::from(u8::from(good(scenario, run.policy))));
    family(
        "squall_scenario_passed",
        "1 if nothing failed in the scenario, else 0.",
        run.scenarios.iter().map(sample).collect(),
    )
}

fn family(name: &str, help: &str, samples: Vec<(String, f64)>) -> Family {
    Family { name: name.to_owned(), help: help.to_owned(), kind: "gauge", samples }
}

fn names(scenario: &ScenarioOutcome, strategy: &StrategyOutcome) -> String {
    format!("{},strategy=\"{}\"", scenario_label(scenario), escape(&strategy.name))
}

fn scenario_label(scenario: &ScenarioOutcome) -> String {
    format!("scenario=\"{}\"", escape(&scenario.name))
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// Nine significant digits; infinity as the format writes it.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let tidy: f64 = format!("{value:.8e}").parse().unwrap_or(value);
    // There is no need for two zeros.
    format!("{}", tidy + 0.0)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn text() -> String {
        let run = Run { scenarios: vec![samples::failing(), samples::never_fired()], policy: Policy::ByFigure };
        let mut out = Vec::new();
        write(&run, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn figures_have_base_units_and_labels() {
        let text = text();
        for line in [
            r#"squall_success_rate_ratio{scenario="crash-restart",strategy="naive",bound="mean"} 0.712"#,
            r#"squall_p99_seconds{scenario="crash-restart",strategy="full-jitter",bound="mean"} 0.812"#,
            r#"squall_recovery_seconds{scenario="crash-restart",strategy="naive",bound="mean"} +Inf"#,
            r#"squall_fault_fired{scenario="crash-restart",fault="crash-1",kind="crash"} 10"#,
            r#"squall_scenario_passed{scenario="crash-restart"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    /// Each family is announced once, before its samples, and every line is well formed.
    #[test]
    fn the_text_is_the_format_s() {
        let text = text();
        let mut announced = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(announced.insert(rest.split(' ').next().unwrap().to_owned()), "{line}");
            } else if !line.starts_with('#') {
                let (name, rest) = line.split_once('{').unwrap();
                assert!(announced.contains(name), "{line}");
                assert!(name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_'), "{line}");
                let value = rest.rsplit_once("} ").unwrap().1;
                assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{line}");
            }
        }
        assert_eq!(escape("a\"b\\c\n"), r#"a\"b\\c\n"#);
    }
}
