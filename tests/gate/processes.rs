//! Whole processes: seeds until it is enough, the doctor, files, settings, memory.

use super::*;

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
