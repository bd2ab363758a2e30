//! What strangers do wrong, and what they are told: what it is, where, and a way out. Never a panic, and never a green run
//! for what was not run.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const STORM: &str = "tests/cli/files/storm.yaml";

/// The binary, with nothing of this process's environment.
fn squall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdin(Stdio::null());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Each ends with its code and says all of the words.
fn check(command: &mut Command, code: i32, words: &[&str]) {
    let (ended, told) = said(&command.output().unwrap());
    assert_eq!(ended, code, "{command:?}: {told}");
    assert!(words.iter().all(|word| told.contains(word)), "{command:?} says {told}, not {words:?}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_slip_of_the_pen_is_understood() {
    let table: [(&[&str], i32, &str); 12] = [
        (&["run", "clam"], 2, "did you mean `calm`?"),
        (&["run", "nothing-like-it"], 2, "`squall list` shows the scenarios"),
        (&["run", STORM, "--strategy", "retri"], 4, "storm has no strategy named `retri`; did you mean `retry`?"),
        (&["run", STORM, "calm", "--strategy", "x"], 4, "none of 2 scenarios has a strategy named `x`; there are "),
        (&["explain", STORM, "--strategy", "dedline"], 4, "did you mean `deadline`?"),
        (&["new", "--from", "retry-strom", "never.yaml"], 2, "did you mean `retry-storm`?"),
        (&["export", "gprc-default"], 2, "did you mean `grpc-default`?"),
        (&["watch", "calm"], 2, "`squall new --from calm calm.yaml`"),
        (&["explain", STORM, "--call", "99/0"], 4, "no call 99/0 in this trial; clients are numbered to 9"),
        (&["explain", STORM, "--call", "3/999"], 4, "no call 3/999 in this trial; client 3 made 3/0 to 3/"),
        (&["net", "--bytes", "0"], 2, "'--bytes <N>'"),
        (&["net", "--bytes", "99999999999"], 2, "'--bytes <N>'"),
    ];
    for (arguments, code, word) in table {
        check(&mut squall(arguments), code, &[word]);
    }
}

/// One of two names is right: the run without the other would pass, and nobody would know.
#[test]
fn no_strategy_is_left_out_in_silence() {
    let run = ["run", STORM, "--seeds", "1", "--strategy", "retry", "--strategy", "deadlin"];
    check(&mut squall(&run), 4, &["`deadlin`; did you mean `deadline`?"]);
}

/// A baseline that knew two scenarios by one name would keep one of them.
#[test]
fn a_name_belongs_to_one_scenario_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.yaml");
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(STORM), &copy).unwrap();
    check(&mut squall(&["run", STORM, text(&copy)]), 2, &[STORM, "is named `storm`, too", text(&copy)]);
    let listed = |paths: &[&str]| squall(&[&["list", "scenarios"], paths].concat()).output().unwrap().stdout;
    let dotted = format!("./{STORM}");
    assert_eq!(listed(&[STORM, &dotted]), listed(&[STORM]), "one file by two paths is one scenario");
}

/// A strategy is called what its service config's file is called, as far as a name allows.
#[test]
fn a_service_config_has_a_name_that_needs_no_quotes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my config.v2.json"), "{}").unwrap();
    let scenario = "name: s\nabout: A test.\nduration: 1s\nseeds: 1\nservers: { a: {} }\n\
        clients: { c: { count: 1, calls: a, load: { poisson: 5/s } } }\n\
        strategies: [{ service_config: my config.v2.json }]\nexpect: [{ my-config-v2: success_rate >= 1% }]\n";
    let path = folder.path().join("s.yaml");
    std::fs::write(&path, scenario).unwrap();
    check(&mut squall(&["run", text(&path)]), 0, &[]);
}

#[test]
fn logs_that_make_no_whole_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let shard = |index: u32, seeds: &str| {
        let path = folder.path().join(format!("{index}-{seeds}.jsonl"));
        let slice = format!("slice:{index}/2");
        let run = ["run", STORM, "--seeds", seeds, "--format", "jsonl", "--shard", &slice];
        std::fs::write(&path, squall(&run).output().unwrap().stdout).unwrap();
        path
    };
    let [one, two, foreign] = [shard(1, "1"), shard(2, "1"), shard(2, "2")];
    let copy = folder.path().join("copy.jsonl");
    std::fs::copy(&one, &copy).unwrap();
    let table: [(&[&Path], &[&str]); 3] = [
        (&[&one], &["shard 2 of 2 is missing", "`squall run --shard slice:2/2`"]),
        (&[&one, &two, &copy], &["shard 1 is there twice", text(&one), text(&copy)]),
        (&[&one, &foreign], &[text(&foreign), "is not of the same run as", text(&one), "other strategies or seeds"]),
    ];
    for (logs, words) in table {
        let logs: Vec<&str> = logs.iter().map(|log| text(log)).collect();
        check(&mut squall(&[&["merge"], &logs[..]].concat()), 2, words);
    }

    let reports = folder.path().join("reports");
    squall(&["run", STORM, "--seeds", "1", "--report-dir", text(&reports)]).output().unwrap();
    let log = reports.join("squall.jsonl.zst");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, &whole[..whole.len() / 2]).unwrap();
    check(&mut squall(&["report", text(&log)]), 2, &[text(&log), "it is cut off", "again"]);
}

#[test]
fn a_torn_baseline_has_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("baseline.json");
    for (torn, word) in [("{", "version control"), ("", "version control"), ("[]", "version control")] {
        std::fs::write(&file, torn).unwrap();
        for action in ["check", "accept", "show"] {
            check(&mut squall(&["baseline", action, STORM, "--file", text(&file)]), 2, &[text(&file), word]);
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), torn, "nobody writes over it");
    }
    let future = r#"{"baseline_version":9,"squall_version":"9","scenarios":{}}"#;
    std::fs::write(&file, future).unwrap();
    check(&mut squall(&["baseline", "show", "--file", text(&file)]), 2, &["version 9", "`squall baseline save`"]);
}

/// One bad file among good ones: those are formatted and told of, and so are its mistakes.
#[test]
fn one_bad_file_does_not_stop_the_formatter() {
    let folder = tempfile::tempdir().unwrap();
    let storm = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(STORM)).unwrap();
    for (name, file) in
        [("a.yaml", "name: no\n"), ("b.yaml", "x: [\n"), ("c.yaml", &storm.replace("{ at: 1s", "{at: 1s"))]
    {
        std::fs::write(folder.path().join(name), file).unwrap();
    }
    let output = squall(&["fmt", text(folder.path())]).output().unwrap();
    let (code, told) = said(&output);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("a.yaml") && told.contains("b.yaml"), "{told}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("formatted") && told.contains("2 files"), "{told}");
    assert_eq!(std::fs::read_to_string(folder.path().join("c.yaml")).unwrap(), storm);
}

/// In the environment nobody sees what is set, so whoever is refused hears of it.
#[test]
fn the_environment_is_named_where_it_is_to_blame() {
    let run = ["run", STORM, "--seeds", "1"];
    check(squall(&run).env("SQUALL_QUIET", "1"), 0, &[]);
    check(squall(&run).env("SQUALL_QUIET", "maybe"), 2, &["SQUALL_QUIET=maybe"]);
    check(squall(&run[..2]).env("SQUALL_SEEDS", "many"), 2, &["SQUALL_SEEDS=many is set in the environment"]);
    let (_, told) = said(&squall(&["run", STORM, "--seeds", "many"]).env("SQUALL_SEEDS", "many").output().unwrap());
    assert!(!told.contains("environment"), "it was typed: {told}");
}

/// A pipe has no width of its own.
#[test]
fn columns_say_how_wide_the_output_is() {
    let widest = |columns: &str| {
        let told = squall(&["run", STORM, "--seeds", "2"]).env("COLUMNS", columns).output().unwrap().stdout;
        String::from_utf8(told).unwrap().lines().map(|line| line.chars().count()).max().unwrap()
    };
    assert!(widest("80") <= 80 && widest("100") > 80 && widest("7") <= 80);
    assert_eq!(widest("wide"), widest("100"), "what is no number says nothing");
}
