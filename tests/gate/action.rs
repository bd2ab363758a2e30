//! What the GitHub action does once it has the program.

use super::*;

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
