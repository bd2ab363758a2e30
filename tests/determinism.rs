//! The same seed is the same storm: in fresh processes, for every strategy, to the byte on the wire.

use std::hash::Hasher as _;
use std::io;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use squall::clock::{self, Simulation};
use squall::net::{Address, HostConfig, HostId, LinkConfig, Network, Stream};
use squall::random::{Distribution, Key};
use squall::record::{Event, Fingerprint, Kind, Recorder, Sink as _};
use squall::resilience::{self, Ambient, Connector, Endpoint, Strategy, Target};
use squall::scenario::{self, Alone, Plan};
use squall::telemetry::proto::AlertRequest;
use squall::telemetry::proto::telemetry_service_client::TelemetryServiceClient;
use squall::telemetry::{PORT, Replica, serve};
use squall::trial::{self, TrialSpec};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A storm with everything that could let chance in: crashes, loss, timeouts, retries with jitter, breakers.
const STORM: &str = "
name: storm
about: Everything that could let chance in.
duration: 8s
seeds: 2
servers:
  telemetry: { replicas: 3, workers: 4, service_time: { lognormal: { median: 10ms, p99: 200ms } }, queue: { limit: 32 }, durability: { write_behind: 200ms } }
clients:
  devices: { count: 20, calls: telemetry, load: { poisson: 5/s } }
links:
  - { between: [devices, telemetry], latency: { normal: { mean: 2ms, sd: 300us } }, loss: 1% }
faults:
  - { at: 2s, for: 2s, crash: { server: telemetry/0, how: kill, lose: unsynced } }
  - { at: 4s, for: 2s, slow_link: { between: [devices, telemetry/1], add: 200ms } }
  - { at: 3s, for: 3s, grpc: { server: telemetry, method: ReportAlert, status: UNAVAILABLE, rate: 10%, when: after_handler } }
strategies:
  - name: none
    layers: []
  - name: everything
    layers:
      - deadline: 1s
      - retry: { attempts: 4, on: [UNAVAILABLE, DEADLINE_EXCEEDED], backoff: { full_jitter: { base: 50ms, cap: 1s } } }
      - attempt_timeout: 200ms
      - breaker: { failure_rate: 50%, window: 10s, min_calls: 20, open: 1s, probes: 3 }
    channel: { balance: round_robin }
";

fn plan() -> Plan {
    scenario::parse("storm.yaml", STORM, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn events(plan: &Plan, strategy: usize, seed: u64) -> Vec<Event> {
    trial::run(plan, TrialSpec { strategy, seed, control: false }, Vec::new()).unwrap()
}

fn fingerprint(events: &[Event]) -> String {
    let mut fingerprint = Fingerprint::new();
    events.iter().for_each(|event| fingerprint.event(event));
    fingerprint.to_string()
}

/// Runs one test of this file in a fresh process, in which it prints its result, and gives that back.
fn in_a_fresh_process(test: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("SQUALL_PRINT", "1")
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "tr_TR.UTF-8")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.split_once("result ")).expect("the child prints its result");
    line.1.to_owned()
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn same_in_fresh_processes(test: &str, result: &str) {
    if std::env::var_os("SQUALL_PRINT").is_some() {
        println!("result {result}");
        return;
    }
    for _ in 0..3 {
        assert_eq!(in_a_fresh_process(test), result);
    }
}

#[test]
fn events_are_the_same_in_fresh_processes() {
    let plan = plan();
    let prints: Vec<_> = (0..2).map(|strategy| fingerprint(&events(&plan, strategy, 1))).collect();
    same_in_fresh_processes("events_are_the_same_in_fresh_processes", &prints.join(" "));
}

/// Arrivals and faults are the storm; they may depend on the seed, never on the strategy.
#[test]
fn the_storm_does_not_depend_on_the_strategy() {
    let plan = plan();
    let storm = |strategy| {
        let events = events(&plan, strategy, 1);
        let of = |which: fn(&Event) -> bool| events.iter().copied().filter(which).collect::<Vec<_>>();
        (
            of(|event| matches!(event.kind, Kind::CallStarted { .. })),
            of(|event| matches!(event.kind, Kind::FaultStarted { .. } | Kind::FaultEnded { .. })),
        )
    };
    assert_eq!(storm(0), storm(1));
}

#[test]
fn another_seed_is_another_storm() {
    let plan = plan();
    assert_ne!(fingerprint(&events(&plan, 1, 1)), fingerprint(&events(&plan, 1, 2)));
}

/// HTTP/2 with header compression, cancelled streams and all: the bytes themselves, and when they were written.
#[test]
fn wire_bytes_are_the_same_in_fresh_processes() {
    let (print, bytes) = wire();
    assert!(bytes > 10_000, "only {bytes} bytes were on the wire");
    same_in_fresh_processes("wire_bytes_are_the_same_in_fresh_processes", &format!("{print} {bytes}"));
}

/// A fingerprint of everything that clients write and read, a third of whose calls are given up on the way.
fn wire() -> (String, u64) {
    let tap = Arc::new(Mutex::new((Fingerprint::new(), 0)));
    let heard = Arc::clone(&tap);
    let run = Simulation::new().run(async move {
        let key = Key::from_seed(7);
        let net = Network::new(key.named("net"));
        let latency = Distribution::exponential(Duration::from_millis(1));
        net.set_default_link(LinkConfig { latency, ..LinkConfig::default() });
        let server = net.add_host(HostConfig::named("telemetry"));
        let group = plan().servers.remove(0);
        let replica = Arc::new(Replica::new(group, 0, key, Recorder::new(Vec::new()), Vec::new()));
        let _running = serve(&net, server, &replica, false);
        let mut tasks = Vec::new();
        for client in 0..10_u64 {
            let host = net.add_host(HostConfig::named(format!("device-{client}")));
            let connector = Tapped { net: net.clone(), host, server, tap: Arc::clone(&heard) };
            let target = Target::fixed("telemetry", ["telemetry:50051"]);
            let stack =
                resilience::build(&Strategy::default(), target, connector, &Ambient::new(key.with(client))).unwrap();
            tasks.push(tokio::spawn(chatter(TelemetryServiceClient::new(stack), client)));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(run, Ok(()));
    let (print, bytes) = *tap.lock().unwrap();
    (print.to_string(), bytes)
}

async fn chatter(mut stub: TelemetryServiceClient<resilience::Client>, client: u64) {
    for number in 0..30 {
        let device_id = format!("device-{client}-{}", "x".repeat(number));
        let alert = AlertRequest { device_id, alert_type: "smoke".into(), timestamp: number as i64 };
        let patience = if number % 3 == 0 { Duration::from_millis(5) } else { Duration::from_secs(5) };
        // Whether it is answered or given up is part of what is compared.
        let _ = clock::timeout(patience, stub.report_alert(alert)).await;
    }
}

type Tap = Arc<Mutex<(Fingerprint, u64)>>;

#[derive(Clone)]
struct Tapped {
    net: Network,
    host: HostId,
    server: HostId,
    tap: Tap,
}

impl Connector for Tapped {
    type Io = TappedStream;

    async fn connect(&self, _: &Endpoint) -> io::Result<TappedStream> {
        let stream = self.net.connect(self.host, Address::new(self.server, PORT)).await?;
        Ok(TappedStream { stream, tap: Arc::clone(&self.tap) })
    }
}

struct TappedStream {
    stream: Stream,
    tap: Tap,
}

fn hear(tap: &Tap, bytes: &[u8]) {
    let mut tap = tap.lock().unwrap();
    tap.0.write_u64(clock::now().as_nanos());
    tap.0.write(bytes);
    tap.1 += bytes.len() as u64;
}

impl AsyncRead for TappedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        hear(&self.tap, &buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for TappedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            hear(&self.tap, &bytes[..written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
