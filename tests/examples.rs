//! The examples do what they say, as separate processes, over real loopback TCP where there is a wire.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Examples are built beside the test's own `deps` folder.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    Command::new(path.join("examples").join(name))
}

struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut process = example("telemetry_server")
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example is built");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has no other way to end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn send(uri: &str) -> (bool, String) {
    let output = example("send_alert").arg(uri).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_alert_is_acknowledged_with_a_tracking_id() {
    let server = Server::start();
    let (ok, text) = send(&format!("http://{}", server.address));
    assert!(ok, "{text}");
    assert_eq!(text, "acknowledged: true, tracking id: device-1-1\n");
}

#[test]
fn without_a_server_it_says_why() {
    let address = Server::start().address.clone();
    let (ok, text) = send(&format!("http://{address}"));
    assert!(!ok);
    assert!(text.starts_with("failed: Unavailable: ") && text.contains("refused"), "{text}");
}

/// Every call's first attempt meets the example's own gate closed, and is tried again.
#[test]
fn a_layer_of_ones_own_takes_part() {
    let output = example("own_layer").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected: Vec<String> = (0..3)
        .flat_map(|call| [format!("call {call} attempt 1: turned away"), "let through: Ok from the server".to_owned()])
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

/// What `tests/kernel/measure.py` reads: when each call started, in seconds, and what it took, in ms.
#[test]
fn the_load_for_a_real_kernel_prints_a_line_a_call() {
    let server = Server::start();
    let output = example("kernel_load").args(["call", &server.address, "100", "3"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let calls: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(' ').map(|figure| figure.parse().unwrap()).collect()).collect();
    assert_eq!(calls.len(), 20 * 3, "{text}");
    assert!(calls.iter().all(|call| call.len() == 2 && call[0] >= 0.0 && call[1] > 0.0), "{text}");
    // The third call of a client starts two periods after its first.
    assert!(calls.iter().any(|call| call[0] >= 0.2), "{text}");
}
