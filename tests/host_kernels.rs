//! `tcp: {...}` of a server or client group: every option reaches the kernel of its hosts, and changes what callers see.
#![cfg(feature = "sim")]

use std::time::Duration;

use squall::net::TcpSettings;
use squall::net::tcp::{CongestionControl, Keepalive};
use squall::record::{Code, Kind};
use squall::scenario::{self, Alone, Plan};
use squall::trial::{self, TrialSpec};

/// One client that calls each second, and is cut off from 2.5 s to 32.5 s.
fn plan(server: &str, client: &str) -> Plan {
    let text = format!(
        "name: kernels
about: Hosts with kernels of their own.
duration: 6s
drain: 120s
servers:
  telemetry: {{ {server} }}
clients:
  devices: {{ calls: telemetry, load: {{ constant: 1/s }}, {client} }}
faults:
  - {{ at: 2500ms, for: 30s, partition: {{ between: [devices, telemetry] }} }}
strategies:
  - name: plain
"
    );
    scenario::parse("kernels.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// With what calls ended, and when the first of those that met the fault did, in seconds.
fn outcome(client: &str) -> (Vec<Code>, f64) {
    let events = trial::run(&plan("", client), TrialSpec { strategy: 0, seed: 1, control: false }, Vec::new()).unwrap();
    let ended: Vec<(f64, Code)> = events
        .iter()
        .filter_map(|event| match event.kind {
            Kind::CallEnded { code, .. } if event.at.as_secs_f64() > 2.5 => Some((event.at.as_secs_f64(), code)),
            _ => None,
        })
        .collect();
    (ended.iter().map(|(_, code)| *code).collect(), ended.first().expect("a call that met the fault").0)
}

#[test]
fn every_option_reaches_the_host() {
    let linux = TcpSettings::default();
    let usual = plan("", "");
    assert_eq!((&usual.servers[0].tcp, &usual.clients[0].tcp), (&linux, &linux));
    let all = "tcp: { congestion_control: reno, mss: 1000, initial_cwnd: 4, syn_retries: 2, syn_linear_timeouts: 0, \
               synack_retries: 3, retries2: 8, orphan_retries: 1, user_timeout: 20s, rto_min: 5ms, rto_max: 60s, keepalive: { time: 1m, \
               interval: 10s, probes: 3 }, slow_start_after_idle: false, nodelay: false, receive_buffer: 32KiB, send_buffer: 64KiB, \
               somaxconn: 128 }";
    let expected = TcpSettings {
        congestion_control: CongestionControl::Reno,
        mss: 1000,
        initial_cwnd: 4,
        syn_retries: 2,
        syn_linear_timeouts: 0,
        synack_retries: 3,
        retries2: 8,
        orphan_retries: 1,
        user_timeout: Some(Duration::from_secs(20)),
        rto_min: Duration::from_millis(5),
        rto_max: Duration::from_secs(60),
        keepalive: Some(Keepalive { time: Duration::from_secs(60), interval: Duration::from_secs(10), probes: 3 }),
        slow_start_after_idle: false,
        nodelay: false,
        // No more is offered at first than there is room for.
        initial_window: 32 << 10,
        receive_buffer_max: 32 << 10,
        send_buffer_max: 64 << 10,
        somaxconn: 128,
        tick: linux.tick,
    };
    let plan = plan(all, all);
    assert_eq!((&plan.servers[0].tcp, &plan.clients[0].tcp), (&expected, &expected));
}

#[test]
fn a_kernel_with_less_patience_ends_calls_that_others_wait_with() {
    let (codes, first) = outcome("");
    assert!(codes.iter().all(|code| *code == Code::Ok) && first > 32.5, "{codes:?} from {first}");
    let (codes, first) = outcome("tcp: { user_timeout: 5s }");
    assert!(codes.contains(&Code::Unavailable) && (7.5..10.0).contains(&first), "{codes:?} from {first}");
    // Three seconds of sending again, (2^4 - 1) 200 ms, which a timer sees 6.4 s after the call of the third second.
    let (codes, first) = outcome("tcp: { retries2: 3 }");
    assert!(codes.contains(&Code::Unavailable) && (9.0..10.0).contains(&first), "{codes:?} from {first}");
}
