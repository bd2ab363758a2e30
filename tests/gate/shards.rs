//! Shards and logs: parts of a run that come to the same as the whole.

use super::*;

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
