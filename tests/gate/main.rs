//! The gate that a build goes through: shards, journals, logs and baselines, as a build meets them.
//!
//! Whatever is printed as `figure NAME = VALUE UNIT` is measured here. `SQUALL_FULL=1` measures with as many runs as the
//! published figures have; by default there are as many as fit a coffee sip.

#![expect(clippy::disallowed_methods, reason = "processes are started, killed and timed in real time")]

mod action;
mod kills;
mod processes;
mod regressions;
mod shards;

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

/// The names of the files in a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A measured figure, in the shape that anything can compare runs by.
#[expect(clippy::print_stdout, reason = "figures are for whoever runs the tests with --nocapture")]
fn figure(name: &str, value: f64, unit: &str) {
    println!("figure {name} = {value} {unit}");
}
