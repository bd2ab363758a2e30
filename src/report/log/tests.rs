//! Logs are read back as they were written, and what is none is told from what is.

use super::*;
use crate::analysis::Series;

fn line(trial: usize) -> Line {
    let metrics = TrialMetrics {
        parts: Vec::new(),
        series: Series::default(),
        faults: Vec::new(),
        fault_windows: Vec::new(),
        wire_bytes: u64::MAX,
        fingerprint: 7,
    };
    Line { trial, scenario: 0, strategy: "retry".to_owned(), seed: 1, control: false, metrics, events: None }
}

fn shard(index: u32, count: u32) -> Log {
    let scenarios =
        vec![Text { file: "a.yaml".to_owned(), text: "name: a".to_owned(), shared: Vec::new(), files: Vec::new() }];
    let shard = Shard { index, count };
    let head = Head { squall_log: VERSION, squall_version: "0.1.0".to_owned(), shard, trials: 10, scenarios };
    Log { head, lines: (0..10).filter(|trial| shard.holds(*trial)).map(line).collect() }
}

#[test]
fn a_log_reads_back() {
    let mut written = Vec::new();
    shard(2, 3).write(&mut written).unwrap();
    assert_eq!(Log::read(&*written).unwrap(), shard(2, 3));
}

/// Most shares have no short decimal form, and a reader that rounds them otherwise than the writer takes an honest log for a false one.
#[test]
fn figures_read_back_to_the_last_bit() {
    for fairness in [0.999_987_499_727_196_7, 1.0 / 3.0, 5e-324] {
        let mut log = shard(1, 1);
        let part = crate::analysis::PartMetrics { fairness: Some(fairness), ..Default::default() };
        log.lines[0].metrics.parts.push(part);
        let mut written = Vec::new();
        log.write(&mut written).unwrap();
        assert_eq!(Log::read(&*written).unwrap(), log, "{fairness}");
    }
}

#[test]
fn shards_in_any_order_make_the_whole() {
    for count in 1..=7 {
        let mut shards: Vec<Log> = (1..=count).map(|index| shard(index, count)).collect();
        shards.rotate_left(count as usize / 2);
        assert_eq!(Log::merge(shards).unwrap(), shard(1, 1), "{count}");
    }
}

#[test]
fn what_does_not_make_a_whole_is_said() {
    let message = |logs: Vec<Log>| Log::merge(logs).unwrap_err().to_string();
    assert_eq!(message(Vec::new()), "it is empty");
    assert_eq!(message(vec![shard(1, 2)]), "shard 2 of 2 is missing");
    assert_eq!(message(vec![shard(1, 2), shard(1, 2)]), "shard 1 is there twice");
    let count = "the logs are of different runs: it was cut into another number of shards";
    assert_eq!(message(vec![shard(1, 2), shard(2, 3)]), count);
    let mut foreign = shard(2, 2);
    foreign.head.scenarios[0].text.push('b');
    let scenarios = "the logs are of different runs: its scenarios are others, or say something else";
    assert_eq!(message(vec![shard(1, 2), foreign]), scenarios);
    let mut cut_off = shard(1, 1);
    cut_off.lines.pop();
    assert_eq!(message(vec![cut_off]), "9 of 10 trials are there: a log was cut off");
}

#[test]
fn what_is_no_log_is_said() {
    let message = |text: &str| Log::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(message(""), "it is empty");
    assert_eq!(message("{}"), "line 1 is not part of a log");
}
