//! Changes somebody might make to a strategy, and what the gate says of each.

use super::*;

/// Two storms with a strategy each that is about to be changed, and one that is not.
const CALM: &str = "
name: calm
about: Nothing goes wrong.
duration: 3s
seeds: 4
servers: { telemetry: { workers: 8, service_time: { lognormal: { median: 4ms, p99: 30ms } } } }
clients: { devices: { count: 10, calls: telemetry, load: { poisson: 5/s } } }
strategies: [plain, patient, budgeted, breaking]
";
const CRASH: &str = "
name: crash
about: The server is away for a while.
duration: 12s
seeds: 4
servers: { telemetry: { workers: 2, service_time: { lognormal: { median: 20ms, p99: 60ms } }, queue: { limit: 20 } } }
clients: { devices: { count: 20, calls: telemetry, load: { poisson: 2/s } } }
faults: [{ at: 2s, for: 3s, crash: { server: telemetry, how: kill } }]
strategies: [plain, patient, budgeted, breaking]
";
const STRATEGIES: &str = "strategies:
  - name: plain
    layers:
      - deadline: 500ms
  - name: patient
    layers:
      - deadline: 6s
      - retry: { attempts: 6, on: [UNAVAILABLE], backoff: { full_jitter: { base: 400ms, cap: 2s } } }
  - name: budgeted
    layers:
      - deadline: 2s
      - retry:
          attempts: 5
          on: [UNAVAILABLE]
          backoff: { constant: 50ms }
          budget: { tokens: 4, ratio: 0.1 }
  - name: breaking
    layers:
      - deadline: 2s
      - retry: { attempts: 3, on: [UNAVAILABLE], backoff: { constant: 50ms } }
      - breaker: { consecutive: 3, open: 500ms, probes: 1 }
";

struct Gate(tempfile::TempDir);

impl Gate {
    fn new() -> Self {
        let gate = Self(tempfile::tempdir().unwrap());
        let scenarios = gate.0.path().join("scenarios");
        std::fs::create_dir(&scenarios).unwrap();
        std::fs::write(scenarios.join("calm.yaml"), CALM).unwrap();
        std::fs::write(scenarios.join("crash.yaml"), CRASH).unwrap();
        gate.strategies(STRATEGIES);
        assert_eq!(gate.baseline(&["save"]).0, 0);
        gate
    }

    fn strategies(&self, text: &str) {
        std::fs::write(self.0.path().join("scenarios/strategies.yaml"), text).unwrap();
    }

    fn baseline(&self, words: &[&str]) -> (i32, String) {
        let output = squall(&[&["baseline"], words].concat()).current_dir(self.0.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// The differences that a check tells, without the sum in the last line.
    fn check(&self) -> (i32, Vec<String>) {
        let (code, told) = self.baseline(&["check"]);
        let lines: Vec<String> = told.lines().map(str::to_owned).collect();
        (code, lines[..lines.len() - 1].to_vec())
    }
}

/// Each change is found, named, and told of the strategy that was changed alone.
#[test]
fn a_weakened_strategy_is_named_with_what_it_costs() {
    let gate = Gate::new();
    assert_eq!(gate.check(), (0, Vec::new()), "nothing was changed");
    let table = [
        ("patient", "success_rate", "full_jitter: { base: 400ms, cap: 2s }", "constant: 100ms"),
        ("patient", "success_rate", "cap: 2s", "cap: 450ms"),
        ("budgeted", "amplification", "          budget: { tokens: 4, ratio: 0.1 }\n", ""),
        ("breaking", "amplification", "      - breaker: { consecutive: 3, open: 500ms, probes: 1 }\n", ""),
    ];
    for (strategy, metric, from, to) in table {
        assert!(STRATEGIES.contains(from), "{from}");
        gate.strategies(&STRATEGIES.replace(from, to));
        let (code, told) = gate.check();
        assert_eq!(code, 100, "{from}: {told:#?}");
        let regressed = format!("regressed  crash {strategy}  {metric} from ");
        assert!(told.iter().any(|line| line.starts_with(&regressed)), "{from}: {told:#?}");
        let affected = format!(" crash {strategy} ");
        assert!(told.iter().all(|line| line.contains(&affected)), "{from} names others: {told:#?}");
    }
}

/// Other words for the same thing change nothing, to the byte.
#[test]
fn a_pure_refactoring_changes_nothing() {
    let gate = Gate::new();
    gate.strategies(&STRATEGIES.replace("deadline: 6s", "deadline: 6000ms").replace("ratio: 0.1", "ratio: 0.10"));
    assert_eq!(gate.check(), (0, Vec::new()));
}

/// A baseline knows which version made it, and says so where that matters.
#[test]
fn another_version_of_squall_is_told_as_such() {
    let gate = Gate::new();
    let path = gate.0.path().join("squall-baseline.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let version = format!("\"squall_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let other = text.replace(&version, "\"squall_version\": \"0.0.1\"");
    assert_ne!(text, other);
    std::fs::write(&path, other).unwrap();
    let (code, told) = gate.check();
    assert_eq!((code, told.len()), (0, 1), "{told:#?}");
    assert!(told[0].contains("the baseline is of Squall 0.0.1"), "{told:#?}");
}

#[test]
fn tolerances_and_logs_can_be_given() {
    let gate = Gate::new();
    gate.strategies(&STRATEGIES.replace("cap: 2s", "cap: 450ms"));
    let (code, told) = gate.baseline(&["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    let regressed = json["differences"].as_array().unwrap().iter().find(|one| one["fails"] == true);
    assert_eq!((code, &json["verdict"]), (100, &"fail".into()), "{told}");
    let metric = regressed.unwrap()["metric"].as_str().unwrap();
    let wide: Vec<String> =
        ["success_rate=100%", "goodput=100%", "wasted_work=100%", "mean=100%", "p50=100%", "p99=100%"]
            .iter()
            .chain(&["p99.9=100%", "recovery=100s", "amplification=100%", "work_amplification=100%", "duplicates=999"])
            .chain(&["unacknowledged_recorded=999", "lost_acknowledged=999"])
            .map(|one| format!("--tolerance={one}"))
            .collect();
    let words = [&["check"], &wide.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
    assert_eq!(gate.baseline(&words).0, 0, "{metric} may move as it likes");
    assert_eq!(gate.baseline(&["check", "--tolerance", "p99=fast"]).0, 2);

    let reports = gate.0.path().join("reports");
    squall(&["run", "--report-dir", text(&reports)]).current_dir(gate.0.path()).output().unwrap();
    let log = text(&reports.join("squall.jsonl.zst")).to_owned();
    assert_eq!(gate.baseline(&["check", "--log", &log]), gate.baseline(&["check"]), "the log says the same");
    assert_eq!(gate.baseline(&["check", "--seeds", "2"]).0, 2, "other seeds are not compared");
}
