//! The command line, as a user meets it: what it prints, how it exits, and that neither depends on where or when it runs.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const STORM: &str = "tests/cli/files/storm.yaml";

/// The binary, with nothing of this process's environment.
fn squall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn stdout(arguments: &[&str]) -> Vec<u8> {
    output(&mut squall(arguments)).stdout
}

/// `tests/cli/*.md` hold commands with what they print. To renew them: `TRYCMD=overwrite cargo test --test cli`.
#[test]
fn commands_print_what_the_pages_say() {
    let cases = trycmd::TestCases::new();
    for name in ["NO_COLOR", "RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
        cases.env(name, "");
    }
    cases.case("tests/cli/*.md");
}

/// A black hole from the first moment takes the first SYN: the client connects with the first SYN after it, measured at 11.2 s
/// (`connect-into-black-hole-10s`).
#[test]
fn a_black_hole_from_the_start_takes_the_first_syn() {
    let timeline = String::from_utf8(stdout(&["net", "--black-hole", "0s", "--lasts", "10s"])).unwrap();
    let packets: Vec<&str> = timeline.lines().filter(|line| line.contains(" > ")).collect();
    let heard = packets.iter().position(|line| !line.contains("LOST")).unwrap();
    assert!(heard == 7 && packets[..heard].iter().all(|line| line.contains("[S]")), "{timeline}");
    assert!(packets[heard].trim_start().starts_with("11."), "{timeline}");
}

#[test]
fn exit_codes_are_a_contract() {
    let demanding = "tests/cli/files/demanding.yaml";
    let table: [(&[&str], i32); 19] = [
        (&["run", STORM, "--seeds", "1"], 0),
        (&["run", demanding], 99),
        (&["run", "tests/cli/files/idle.yaml"], 99),
        (&["run", STORM, demanding, "--seeds", "1"], 99),
        (&["run", "no-such-file.yaml"], 2),
        (&["run", "tests/bad_scenarios/empty.yaml"], 2),
        (&["run", "--no-such-option"], 2),
        (&["run", STORM, "--seeds", "0"], 2),
        (&["run", STORM, "--format", "xml"], 2),
        (&["run", STORM, "--strategy", "no-such-strategy"], 4),
        (&[], 2),
        (&["--help"], 0),
        (&["--version"], 0),
        (&["list", "metrics"], 0),
        (&["trace", STORM, "--strategy", "no-such-strategy"], 4),
        (&["trace", STORM, "--format", "gif"], 2),
        (&["watch", "scenarios"], 2),
        // Nothing lasts without a black hole.
        (&["net", "--lasts", "1s"], 2),
        (&["watch", STORM, "--runs", "1", "--seeds", "1"], 0),
    ];
    for (arguments, expected) in table {
        let output = output(&mut squall(arguments));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn data_goes_to_stdout_and_nothing_else_does() {
    let output = output(&mut squall(&["run", STORM, "--format", "json", "-vv"]));
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    let mistakes = self::output(&mut squall(&["run", "tests/bad_scenarios/empty.yaml"]));
    assert!(mistakes.stdout.is_empty() && !mistakes.stderr.is_empty());
}

/// The shape that programs rely on: every name of the contract is there, and has its type.
#[test]
fn json_keeps_its_shape() {
    let json: serde_json::Value = serde_json::from_slice(&stdout(&["run", STORM, "--format", "json"])).unwrap();
    let number = serde_json::json!({ "type": ["number", "null"] });
    let estimate = serde_json::json!({
        "type": "object", "required": ["mean", "low", "high"], "additionalProperties": number,
    });
    let schema = serde_json::json!({
        "type": "object",
        "required": ["schema_version", "squall_version", "scenarios", "verdict"],
        "properties": {
            "schema_version": { "const": 1 },
            "verdict": { "enum": ["pass", "inconclusive", "fail"] },
            "scenarios": { "minItems": 1, "items": {
                "type": "object",
                "required": ["name", "file", "seeds", "faults", "strategies", "comparisons"],
                "properties": {
                    "seeds": { "const": [1, 2, 3] },
                    "faults": { "minItems": 1, "items": { "required": ["id", "kind", "matched", "fired"] } },
                    "strategies": { "minItems": 2, "items": {
                        "required": ["name", "metrics", "errors", "expectations"],
                        "properties": {
                            "metrics": { "type": "object", "required": ["success_rate", "p99", "recovery"],
                                         "additionalProperties": estimate },
                            "errors": { "type": "object", "additionalProperties": { "type": "integer" } },
                            "expectations": { "items": { "required": ["text", "line", "verdict", "observed"] } },
                        },
                    } },
                    "comparisons": { "minItems": 1, "items": {
                        "required": ["metric", "a", "b", "difference", "low", "high"],
                    } },
                },
            } },
        },
    });
    let problems: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn the_same_run_prints_the_same_bytes() {
    let once = stdout(&["run", STORM, "--format", "json"]);
    assert!(once.starts_with(b"{"));
    for again in [&["run", STORM, "--format", "json"][..], &["run", STORM, "--format", "json", "--jobs", "1"]] {
        assert!(stdout(again) == once, "{again:?}");
    }
    assert!(stdout(&["run", STORM, "--format", "json", "--jobs", "7"]) == once, "more threads than trials at a time");
    let hostile = [("LANG", "tr_TR.UTF-8"), ("LC_ALL", "de_DE"), ("TZ", "Pacific/Kiritimati"), ("COLUMNS", "7")];
    assert!(output(squall(&["run", STORM, "--format", "json"]).envs(hostile)).stdout == once, "a hostile environment");
}

/// A folder has a name, and the report repeats the name it was given: so the file is named the same way from both.
#[test]
fn the_folder_does_not_matter() {
    let copies = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let outputs = copies.each_ref().map(|folder| {
        std::fs::copy(STORM, folder.path().join("storm.yaml")).unwrap();
        output(squall(&["run", "storm.yaml", "--format", "json"]).current_dir(folder.path())).stdout
    });
    assert!(!outputs[0].is_empty() && outputs[0] == outputs[1]);
}

/// Outside a checkout the catalogue runs, and the command that reproduces a failure works there too.
#[test]
fn the_catalogue_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in
        [&["list"][..], &["run", "calm", "--seeds", "1"], &["run", "scenarios/network/calm.yaml", "--seeds", "1"]]
    {
        let output = output(squall(arguments).current_dir(folder.path()));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("calm"));
    }
}

#[test]
fn a_scenario_can_be_copied_out_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| output(squall(arguments).current_dir(folder.path())).status.code();
    assert_eq!(run(&["new", "mine.yaml"]), Some(0));
    assert_eq!(run(&["new", "mine.yaml"]), Some(2), "it is not written over");
    assert_eq!(run(&["run", "mine.yaml", "--seeds", "1"]), Some(0));
    assert_eq!(run(&["new", "--from", "partition-heal", "copy/storm.yaml"]), Some(0));
    assert!(matches!(run(&["run", "copy/storm.yaml", "--seeds", "1", "--strategy", "none"]), Some(0 | 99)));
    assert_eq!(run(&["new", "--from", "no-such-scenario", "other.yaml"]), Some(2));
}

#[test]
fn reports_are_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("deep/reports");
    let json = stdout(&["run", STORM, "--format", "json", "--report-dir", reports.to_str().unwrap()]);
    assert!(std::fs::read(reports.join("report.json")).unwrap() == json, "the file and the terminal say the same");
    assert!(whole_files(&reports) >= 2);
}

/// How many files are in a folder; temporary ones are not allowed.
fn whole_files(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.inspect(|name| assert!(!name.to_string_lossy().starts_with('.'), "{name:?}")).count()
}

/// ctrl-c in the middle of a long run: it ends soon, says so, and leaves no file.
#[cfg(unix)]
#[test]
fn interruption_ends_with_130_and_no_torn_file() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let arguments = ["run", STORM, "--seeds", "100000", "-vv", "--report-dir", reports.to_str().unwrap()];
    let mut child = squall(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The first word of the log says that trials are being run.
    let mut first = [0];
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut first).unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    std::io::copy(&mut stderr, &mut std::io::sink()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.is_empty());
    assert!(!reports.exists() || whole_files(&reports) <= 1, "there is nothing but the journal to go on with");
}

/// `-v` tells of the weather at the time of the trial, `-vv` also of calls; without either stderr is silent.
#[test]
fn verbose_runs_tell_what_happens_in_virtual_time() {
    let told = |flags: &[&str]| {
        let arguments = [&["run", "tests/cli/files/storm.yaml", "--seeds", "1", "--jobs", "1"], flags].concat();
        String::from_utf8(output(&mut squall(&arguments)).stderr).unwrap()
    };
    assert_eq!(told(&[]), "");
    let weather = told(&["-v"]);
    let fault = weather.lines().find(|line| line.contains("FaultStarted")).expect("the fault is told");
    assert!(fault.starts_with("1.000000000s"), "{fault}");
    assert!(fault.contains("strategy=\"deadline\"") && fault.contains("seed=1"), "{fault}");
    assert!(!weather.contains("CallStarted") && told(&["-vv"]).contains("CallStarted"));
}

/// Every format, rendered from the log in an empty folder, is what the live run printed.
#[test]
fn a_log_reports_what_the_run_did() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["tests/cli/files/storm.yaml", "tests/cli/files/demanding.yaml", "tests/cli/files/idle.yaml"];
    let log = folder.path().join("run.jsonl");
    std::fs::write(&log, stdout(&[&["run"], &files[..], &["--format", "jsonl"]].concat())).unwrap();
    for format in ["human", "json", "junit", "markdown", "github"] {
        let live = output(&mut squall(&[&["run"], &files[..], &["--format", format]].concat()));
        let again = output(squall(&["report", log.to_str().unwrap(), "--format", format]).current_dir(folder.path()));
        assert!(!live.stdout.is_empty() && live.stdout == again.stdout, "{format}");
        assert_eq!((live.status.code(), again.status.code()), (Some(99), Some(99)), "{format}");
    }
    std::fs::write(&log, "{}").unwrap();
    assert_eq!(output(&mut squall(&["report", log.to_str().unwrap()])).status.code(), Some(2));
}

#[test]
fn annotations_point_at_the_line_of_the_expectation() {
    let files = ["tests/cli/files/demanding.yaml", "tests/cli/files/idle.yaml"];
    let told = String::from_utf8(stdout(&[&["run"], &files[..], &["--format", "github"]].concat())).unwrap();
    for (file, needle) in [(files[0], "deadline: success_rate == 100%"), (files[1], "grpc: {")] {
        let text = std::fs::read_to_string(file).unwrap();
        let line = 1 + text.lines().position(|line| line.contains(needle)).unwrap();
        assert!(told.contains(&format!("::error file={file},line={line},")), "{told}");
    }
}

/// Worse than accepted: 100, and the lines name what is affected. The same again: 0, and no difference.
#[test]
fn a_baseline_tells_what_got_worse() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read_to_string(STORM).unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("storm.yaml"), text).unwrap();
    let run = |action: &str| {
        let output = output(squall(&["baseline", action, "storm.yaml"]).current_dir(folder.path()));
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    write(&good);
    assert_eq!(run("check").0, Some(2), "there is no baseline yet");
    assert_eq!(run("save").0, Some(0));
    assert_eq!(run("save").0, Some(2), "it is not written over");
    let (code, same) = run("check");
    assert_eq!((code, same.lines().count()), (Some(0), 1), "{same}");

    // The strategy loses its retries.
    write(&good.replace("attempts: 5", "attempts: 2"));
    let (code, worse) = run("check");
    assert_eq!(code, Some(100), "{worse}");
    assert!(worse.contains("regressed  storm retry  success_rate from"), "{worse}");
    assert!(!worse.contains("storm deadline"), "the other strategy is untouched: {worse}");

    assert_eq!(run("accept").0, Some(0));
    assert_eq!(run("check").0, Some(0));
    assert!(run("show").1.contains("storm retry: 3 seeds"));
    let ci = output(squall(&["baseline", "accept", "storm.yaml"]).current_dir(folder.path()).env("CI", "true"));
    assert_eq!(ci.status.code(), Some(2), "a build accepts nothing");
}

#[test]
fn strategies_are_compared_both_ways() {
    let told = |a: &str, b: &str| String::from_utf8(stdout(&["compare", a, b, STORM])).unwrap();
    let success = |text: &str| text.lines().find(|line| line.contains("success_rate")).unwrap().to_owned();
    assert!(success(&told("retry", "deadline")).contains("better by"));
    assert!(success(&told("deadline", "retry")).contains("worse by"));
    assert_eq!(output(&mut squall(&["compare", "retry", "no-such", STORM])).status.code(), Some(4));
    assert_eq!(output(&mut squall(&["compare", "retry", "retry", STORM])).status.code(), Some(2));
}

#[test]
fn a_call_has_a_story() {
    let told = |arguments: &[&str]| String::from_utf8(stdout(&[&["explain", STORM], arguments].concat())).unwrap();
    let worst = told(&["--strategy", "retry", "--seed", "2"]);
    assert_eq!(worst.matches("\ncall ").count(), 3, "{worst}");
    assert!(worst.contains("another attempt will follow"), "{worst}");
    let one = told(&["--call", "3/1"]);
    assert!(one.contains("\ncall 3/1\n") && one.contains("the call begins"), "{one}");
    assert!(told(&["--first-failure"]).contains("the call ends: UNAVAILABLE"));
    assert_eq!(output(&mut squall(&["explain", STORM, "--call", "x"])).status.code(), Some(2));
}

/// A file that is saved is run again, and what moved is told; a mistake is shown and waited for.
#[test]
fn a_watched_scenario_is_run_when_it_changes() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("storm.yaml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(STORM)).unwrap();
    std::fs::write(&file, &text).unwrap();
    let mut command = squall(&["watch", file.to_str().unwrap(), "--runs", "3", "--seeds", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut wait = |what: &str| assert!(told.by_ref().any(|line| line.contains(what)), "{what}");
    wait("ctrl-c ends it");
    std::fs::write(&file, text.replace("calls: telemetry", "calls: telemtry")).unwrap();
    wait("nothing was run");
    wait("ctrl-c ends it");
    std::fs::write(&file, text.replace("median: 4ms", "median: 8ms")).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    let (_, moved) = printed.split_once("what moved:").expect("the third run moved something");
    assert!(moved.contains("p90") && moved.contains("worse"), "{moved}");
}

/// Every file of a report folder, from the page to the compressed log, on one thread and on several.
#[test]
fn the_same_run_leaves_the_same_files() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let files = |folder: &Path, jobs: &str| {
        let output = output(&mut squall(&["run", STORM, "--jobs", jobs, "--report-dir", folder.to_str().unwrap()]));
        assert_eq!(output.status.code(), Some(0));
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            names.map(|path| (path.file_name().unwrap().to_owned(), std::fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let (one, other) = (files(folders[0].path(), "1"), files(folders[1].path(), "3"));
    let names: Vec<_> = one.iter().map(|(name, _)| name.to_str().unwrap()).collect();
    let all = ["index.html", "junit.xml", "metrics.prom", "report.json", "report.md", "report.txt", "squall.jsonl.zst"];
    assert_eq!(names, all);
    assert!(one == other);
}
