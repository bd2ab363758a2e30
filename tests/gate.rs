//! The gate that a build goes through: shards, journals, logs and baselines, as a build meets them.
//!
//! Whatever is printed as `figure NAME = VALUE UNIT` is measured here. `SQUALL_FULL=1` measures with as many runs as the
//! published figures have; by default there are as many as fit a coffee sip.

#![expect(clippy::disallowed_methods, reason = "processes are started, killed and timed in real time")]

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use squall::random::Key;

const STORM: &str = "tests/cli/files/storm.yaml";

/// The binary, with nothing of this process's environment.
fn squall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    squall(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> Vec<u8> {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A measured figure, in the shape that anything can compare runs by.
#[expect(clippy::print_stdout, reason = "figures are for whoever runs the tests with --nocapture")]
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} = {value} {unit}");
}

/// One to seven shards, merged in the wrong order, are the whole run to the byte; anything less is an error.
#[test]
fn shards_merge_into_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let run = ["run", STORM, "--seeds", "4", "--format"];
    let whole = ["json", "jsonl", "human"].map(|format| stdout(&[&run[..], &[format]].concat()));
    for count in 1..=7 {
        let mut logs: Vec<String> = (1..=count)
            .map(|index| {
                let path = folder.path().join(format!("{index}-{count}.jsonl"));
                let shard = format!("slice:{index}/{count}");
                std::fs::write(&path, stdout(&[&run[..], &["jsonl", "--shard", &shard]].concat())).unwrap();
                text(&path).to_owned()
            })
            .collect();
        logs.rotate_left(count / 2);
        logs.reverse();
        let merge = |logs: &[String], format: &str| {
            let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
            output(&[&["merge"], &logs[..], &["--format", format]].concat())
        };
        for (format, whole) in ["json", "jsonl", "human"].iter().zip(&whole) {
            assert!(merge(&logs, format).stdout == *whole, "{count} shards as {format}");
        }
        if count > 1 {
            assert_eq!(merge(&logs[1..], "json").status.code(), Some(2), "a shard is missing");
            let twice = [&logs[..], &logs[..1]].concat();
            assert_eq!(merge(&twice, "json").status.code(), Some(2), "a shard is there twice");
        }
    }
    assert_eq!(output(&["run", STORM, "--shard", "slice:1/2"]).status.code(), Some(2));
    for wrong in ["slice:0/2", "slice:3/2", "1/2", "slice:1"] {
        assert_eq!(output(&["run", STORM, "--shard", wrong]).status.code(), Some(2), "{wrong}");
    }
}

/// As nodes of a cluster do it: every shard writes its compressed log into one folder that all of them see.
#[test]
fn shards_may_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shared = text(folder.path());
    let children: Vec<Child> = ["slice:1/2", "slice:2/2"]
        .map(|shard| squall(&["run", STORM, "--events", "--report-dir", shared, "--shard", shard]).spawn().unwrap())
        .into();
    assert!(children.into_iter().all(|mut child| child.wait().unwrap().success()));
    let logs = ["squall-2-of-2.jsonl.zst", "squall-1-of-2.jsonl.zst"].map(|name| folder.path().join(name));
    assert_eq!(files(folder.path()).len(), 2, "nothing is left beside them");
    let merged = stdout(&["merge", text(&logs[0]), text(&logs[1]), "--format", "jsonl"]);
    assert!(merged == stdout(&["run", STORM, "--events", "--format", "jsonl"]));
}

/// A log with events says everything: figures follow from them, and whoever changes one is found out.
#[test]
fn a_log_with_events_is_folded_again() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let live = stdout(&["run", STORM, "--events", "--format", "json", "--report-dir", text(&reports)]);
    let log = reports.join("squall.jsonl.zst");
    assert!(stdout(&["report", text(&log), "--format", "json"]) == live);

    let plain = String::from_utf8(stdout(&["report", text(&log), "--format", "jsonl"])).unwrap();
    let events = plain.lines().filter(|line| line.starts_with('[')).count();
    let (large, small) = (plain.len(), std::fs::metadata(&log).unwrap().len());
    assert!(events > 1000 && small * 8 < large as u64, "{events} events, {large} bytes, {small} compressed");

    let changed = folder.path().join("changed.jsonl");
    let needle = r#""code":"UNAVAILABLE","origin":"network"}}]"#;
    assert!(plain.contains(needle));
    std::fs::write(&changed, plain.replacen(needle, r#""code":"UNAVAILABLE","origin":"server"}}]"#, 1)).unwrap();
    let refused = output(&["report", text(&changed)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not follow from its events"));
}

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a file must look like if it is there at all.
fn check_whole(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let text = || String::from_utf8(bytes.clone()).unwrap();
    match path.file_name().unwrap().to_str().unwrap() {
        "report.json" => drop(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()),
        "report.txt" => assert!(text().trim_end().ends_with("passed"), "{}", text()),
        "report.md" => assert!(text().starts_with("# Squall: pass")),
        "index.html" => assert!(text().trim_end().ends_with("</html>")),
        "metrics.prom" => assert!(text().ends_with('\n') && text().starts_with('#')),
        "junit.xml" => assert!(text().trim_end().ends_with("</testsuites>")),
        "squall.jsonl.zst" => assert!(output(&["report", self::text(path)]).status.success()),
        // What is under way: the journal, and what is renamed when it is whole.
        "unfinished.jsonl" => {}
        other => assert!(other.starts_with('.'), "{other}"),
    }
}

/// Killed at random moments, again and again, a run comes to the same end: whatever file is there is whole, and the last
/// run finishes with what an undisturbed one writes.
#[test]
fn a_run_that_is_killed_goes_on() {
    let kills: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let run = |reports: &Path| {
        let mut command = squall(&["run", STORM, "--seeds", "16", "--format", "json", "--report-dir", text(reports)]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    };
    let undisturbed = folder.path().join("undisturbed");
    let began = std::time::Instant::now();
    let expected = run(&undisturbed).output().unwrap().stdout;
    let whole_run = began.elapsed();
    let mut finished = 0;
    let mut resumed = 0;
    for kill in 0..kills {
        let reports = folder.path().join("reports");
        resumed += usize::from(reports.join("unfinished.jsonl").exists());
        let mut child = run(&reports).spawn().unwrap();
        // Drawn from the first two fifths of a run, so that most runs take several tries.
        let moment = whole_run.mul_f64(Key::from_seed(1).with(kill).draw().between(0.0, 0.4));
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        files(&reports).iter().for_each(|name| check_whole(&reports.join(name)));
        if status.success() || kill + 1 == kills {
            finished += 1;
            assert!(run(&reports).output().unwrap().stdout == expected);
            assert_eq!(files(&reports), files(&undisturbed), "nothing is left over");
            for name in files(&reports) {
                let [one, other] = [&reports, &undisturbed].map(|at| std::fs::read(at.join(&name)).unwrap());
                assert!(one == other, "{name}");
            }
            std::fs::remove_dir_all(&reports).unwrap();
        }
    }
    figure("resume.kills", kills as f64, "times");
    figure("resume.went_on", resumed as f64, "times");
    figure("resume.finished", f64::from(finished), "runs");
    assert!(resumed > kills as usize / 2, "{resumed} of {kills} found something to go on with");
}

/// Two runs do not write into one folder at the same time.
#[test]
fn a_report_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", STORM, "--seeds", "5000", "--report-dir", text(folder.path())];
    let mut first = squall(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let journal = folder.path().join("unfinished.jsonl");
    while std::fs::metadata(&journal).map_or(0, |file| file.len()) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = output(&arguments);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another run is writing"));
}

/// A scenario that asks for narrow intervals runs on until they are, and not a seed further than it may.
#[test]
fn seeds_are_added_until_intervals_are_narrow() {
    let folder = tempfile::tempdir().unwrap();
    let storm = std::fs::read_to_string(STORM).unwrap();
    let seeds = |asked: &str, more: &[&str]| {
        let path = folder.path().join("storm.yaml");
        std::fs::write(&path, storm.replace("seeds: 3", &format!("seeds: {asked}"))).unwrap();
        let arguments = [&["run", text(&path), "--format", "json"], more].concat();
        let json: serde_json::Value = serde_json::from_slice(&output(&arguments).stdout).unwrap();
        let scenario = &json["scenarios"][0];
        let reach = scenario["strategies"].as_array().unwrap().iter().map(|strategy| {
            let rate = &strategy["metrics"]["success_rate"];
            let [mean, low, high] = ["mean", "low", "high"].map(|end| rate[end].as_f64().unwrap());
            (mean - low).max(high - mean)
        });
        (scenario["seeds"].as_array().unwrap().len(), reach.fold(0.0, f64::max))
    };
    let (count, reach) = seeds("{ count: 4, until: { success_rate: 4% }, most: 60 }", &[]);
    assert!(count > 4 && count < 60 && reach <= 0.04, "{count} seeds, ±{reach}");
    assert_eq!(seeds("{ count: 4, until: { success_rate: 0.01% }, most: 9 }", &[]).0, 9, "it may go no further");
    assert_eq!(seeds("{ count: 4, until: { success_rate: 0.01% } }", &["--seeds", "2"]).0, 2, "whoever says how many");
    let path = folder.path().join("storm.yaml");
    let shard = output(&["run", text(&path), "--format", "jsonl", "--shard", "slice:1/2"]);
    assert_eq!(shard.status.code(), Some(2), "a shard cannot know what the others found");
}

/// Changes somebody might make to a strategy, and what the gate says of each.
mod regressions {
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
                .chain(&[
                    "p99.9=100%",
                    "recovery=100s",
                    "amplification=100%",
                    "work_amplification=100%",
                    "duplicates=999",
                ])
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
}

/// Two fresh processes agree on everything; the long form of this is `squall doctor --pairs 1000`.
#[test]
fn the_doctor_finds_no_divergence() {
    let told = String::from_utf8(stdout(&["doctor", "--quick", "--pairs", "12", STORM])).unwrap();
    assert!(told.contains("figure doctor.pairs = 12 runs"), "{told}");
    assert!(told.contains("figure doctor.divergences = 0 runs"), "{told}");
}

#[test]
fn files_are_checked_and_formatted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storm.yaml");
    let storm = std::fs::read_to_string(STORM).unwrap();
    let code = |words: &[&str]| output(words).status.code();
    std::fs::write(&path, storm.replace("retry: success_rate > deadline", "retry: success_rate >= 0%")).unwrap();
    let told = String::from_utf8(stdout(&["check", text(&path)])).unwrap();
    assert!(told.contains("cannot fail") && told.contains("1 warning"), "{told}");
    assert_eq!(code(&["check", "--strict", text(&path)]), Some(2));
    assert_eq!(code(&["check", "--strict", STORM]), Some(0));

    std::fs::write(&path, storm.replace("{ at: 1s, for: 1s,", "{at: 1s,for: 1s,")).unwrap();
    assert_eq!(code(&["fmt", "--check", text(&path)]), Some(2));
    assert_eq!(code(&["fmt", text(&path)]), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), storm);
    assert_eq!(code(&["fmt", "--check", text(&path)]), Some(0));
}

/// Argument before environment before file before what is built in.
#[test]
fn settings_have_an_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(STORM, folder.path().join("storm.yaml")).unwrap();
    std::fs::write(folder.path().join("squall.toml"), "seeds = 2\n[run]\nformat = \"json\"\n[profile.ci]\nseeds = 4\n")
        .unwrap();
    let seeds = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = squall(&[&["run", "storm.yaml"], words].concat());
        let output = command.current_dir(folder.path()).envs(variables.iter().copied()).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["scenarios"][0]["seeds"].as_array().unwrap().len()
    };
    assert_eq!(seeds(&[], &[]), 2, "the file");
    assert_eq!(seeds(&["--profile", "ci"], &[]), 4, "its profile");
    assert_eq!(seeds(&[], &[("SQUALL_PROFILE", "ci")]), 4);
    assert_eq!(seeds(&["--profile", "ci"], &[("SQUALL_SEEDS", "1")]), 1, "the environment");
    assert_eq!(seeds(&["--seeds", "3"], &[("SQUALL_SEEDS", "1")]), 3, "the argument");
    let wrong = squall(&["run", "storm.yaml", "--profile", "cj"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

/// What a process of many trials takes at most, in KiB.
#[cfg(target_os = "linux")]
fn peak_kib(words: &[&str]) -> u64 {
    let mut child = squall(words).stdout(Stdio::null()).spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let seen = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(seen.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

/// A thousand trials take little more memory than fifty: what remains of one is its course over time and its figures, some
/// twenty kilobytes while it is reported.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_trials() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.yaml");
    let storm = std::fs::read_to_string(STORM).unwrap();
    std::fs::write(
        &path,
        storm
            .replace("duration: 4s", "duration: 2s")
            .replace("  - { at: 1s, for: 1s, crash", "  - { at: 1s, for: 900ms, crash"),
    )
    .unwrap();
    // Two strategies, each with its control twin.
    let [few, many] = ["12", "250"].map(|seeds| peak_kib(&["run", text(&path), "--seeds", seeds, "--format", "json"]));
    let [few_mib, many_mib] = [few, many].map(|kib| kib as f64 / 1024.0);
    figure("memory.trials_48", few_mib, "MiB");
    figure("memory.trials_1000", many_mib, "MiB");
    let each_kib = many.saturating_sub(few) as f64 / 952.0;
    figure("memory.each_trial", each_kib, "KiB");
    assert!(each_kib < 48.0, "{each_kib} KiB a trial");
}

/// What the GitHub action does once it has the program: annotations on stdout, tables in the summary, the worst exit code.
#[cfg(unix)]
#[test]
fn the_action_annotates_and_summarises() {
    let folder = tempfile::tempdir().unwrap();
    let storm = std::fs::read_to_string(STORM).unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("storm.yaml"), text).unwrap();
    let gate = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/github/gate.sh");
        let mut command = Command::new("bash");
        command.arg(script).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder.path());
        command.envs([("PROGRAM", env!("CARGO_BIN_EXE_squall")), ("PATHS", "storm.yaml"), ("REPORTS", "reports")]);
        command.envs([("BASELINE", "squall-baseline.json"), ("GITHUB_STEP_SUMMARY", "summary.md"), ("CI", "true")]);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let summary = || std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    write(&storm);
    assert_eq!(gate(), (0, String::new()), "there is no baseline to hold it against");
    assert!(summary().contains("| strategy |"));
    let saved = squall(&["baseline", "save", "storm.yaml"]).current_dir(folder.path()).status().unwrap();
    assert!(saved.success());
    assert_eq!(gate().0, 0);
    write(&storm.replace("attempts: 5", "attempts: 2"));
    let (code, told) = gate();
    assert!(code == 100 && told.contains("::error file=storm.yaml,line=1,title=storm retry%3A regressed"), "{told}");
    assert!(summary().contains("❌ regressed"));
    write(&storm.replace("retry: success_rate > deadline", "retry: success_rate == 100%"));
    let (code, told) = gate();
    assert!(
        code == 99 && told.contains("::error file=storm.yaml,line=21,title=retry%3A success_rate == 100%25"),
        "{told}"
    );
    write("name: no\n");
    assert_eq!(gate().0, 2);
}

/// An input of several lines is all of them, and a baseline that was asked for by name is missed: a build that looks at less than
/// it was told to is green for nothing.
#[cfg(unix)]
#[test]
fn the_action_takes_all_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let storm = std::fs::read_to_string(STORM).unwrap();
    std::fs::write(folder.path().join("one.yaml"), &storm).unwrap();
    std::fs::write(folder.path().join("two.yaml"), storm.replace("name: storm", "name: second")).unwrap();
    let gate = |baseline: &str| {
        let mut command = Command::new("bash");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/github/gate.sh"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder.path());
        command.envs([("PROGRAM", env!("CARGO_BIN_EXE_squall")), ("PATHS", "one.yaml\ntwo.yaml\n"), ("SEEDS", "1")]);
        command.envs([("ARGS", "--strategy\nretry\n"), ("BASELINE", baseline), ("REPORTS", "reports")]);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let save = ["baseline", "save", "one.yaml", "two.yaml", "--seeds", "1"];
    assert!(squall(&save).current_dir(folder.path()).status().unwrap().success());
    // The strategy that was not asked for is not gone.
    let (code, told) = gate("squall-baseline.json");
    assert_eq!(code, 0, "{told}");
    let report = std::fs::read_to_string(folder.path().join("reports/report.json")).unwrap();
    assert!(
        report.contains("\"storm\"") && report.contains("\"second\"") && !report.contains("\"name\": \"deadline\"")
    );
    let (missed, word) = gate("baselines/main.json");
    assert!(word.contains("::error title=Squall::there is no baseline at baselines/main.json"), "{word}");
    assert_eq!(missed, 2, "{word}");
}
