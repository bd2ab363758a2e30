//! 10% is a tenth of the calls, or of the packets, each drawn on its own: whatever else is drawn, and whatever was drawn before.
//!
//! Counts are held against the binomial distribution itself, tables against chi-square; a draw that leans by a tenth would fall out.
//! Seeds are fixed, so that what passes once passes always.

use std::collections::BTreeMap;

use squall::record::{CallId, Code, Kind};
use squall::scenario::{self, Alone, FAULTS, Plan};

use crate::capture::{Seen, Sent, watch};
use crate::world::{counts, ms};

/// How unlikely a count may be before it is taken for wrong: once in a hundred thousand.
const TOO_UNLIKELY: f64 = 1e-5;
/// What chi-square with one degree of freedom exceeds as seldom.
const CHI_SQUARE: f64 = 19.5;
const LINK_MS: u64 = 2;

/// A world with these faults from 1 s to 11 s, in which every client makes a hundred calls a second.
fn plan(faults: &[&str], layers: &str) -> Plan {
    let faults: String = faults.iter().map(|fault| format!("  - {{ at: 1s, for: 10s, {fault} }}\n")).collect();
    let text = format!(
        "name: rates
about: What is drawn.
duration: 12s
servers: {{ telemetry: {{ replicas: 3 }} }}
clients: {{ devices: {{ count: 6, calls: telemetry, load: {{ poisson: 100/s }} }} }}
links: [{{ between: [devices, telemetry], latency: {LINK_MS}ms }}]
faults:
{faults}strategies: [{{ name: plain, layers: [{layers}] }}]
"
    );
    scenario::parse("rates.yaml", &text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// How likely `hits` of `all` or anything as far out on the same side is, at this share each.
fn tail(hits: u64, all: u64, share: f64) -> f64 {
    let (n, p) = (all as f64, share);
    let choose = |k: f64| libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let density = |k: u64| libm::exp(choose(k as f64) + k as f64 * libm::log(p) + (n - k as f64) * libm::log(1.0 - p));
    if (hits as f64) < n * p { (0..=hits).map(density).sum() } else { (hits..=all).map(density).sum() }
}

#[track_caller]
fn assert_share(what: &str, hits: u64, all: u64, share: f64) {
    let unlikely = tail(hits, all, share);
    assert!(all > 500, "{what}: only {all}");
    assert!(unlikely > TOO_UNLIKELY, "{what}: {hits} of {all} at {share} happens once in {:.0}", 1.0 / unlikely);
}

/// Chi-square of a two by two table: of so many, how many had the one, the other, both.
fn chi_square([all, one, other, both]: [u64; 4]) -> f64 {
    let (n, a, b, ab) = (all as f64, one as f64, other as f64, both as f64);
    let cells = [(ab, a * b), (a - ab, a * (n - b)), (b - ab, (n - a) * b), (n - a - b + ab, (n - a) * (n - b))];
    cells.iter().map(|(seen, product)| (seen - product / n).powi(2) / (product / n)).sum()
}

#[track_caller]
fn assert_independent(what: &str, table: [u64; 4]) {
    let chi_square = chi_square(table);
    assert!(chi_square < CHI_SQUARE, "{what}: {table:?} has a chi-square of {chi_square:.1}");
}

/// What became of a call: its time, and its code.
type Fates = BTreeMap<CallId, (bool, bool)>;

/// Of each call due while the faults held: whether it was late, and whether it failed.
fn fates(seen: &Seen) -> Fates {
    let mut begun = BTreeMap::new();
    let mut fates = BTreeMap::new();
    for event in &seen.events {
        match event.kind {
            Kind::CallStarted { call, scheduled_ns } if (1_010_000_000..10_900_000_000).contains(&scheduled_ns) => {
                begun.insert(call, event.at);
            }
            Kind::CallEnded { call, code, .. } => {
                let Some(at) = begun.get(&call) else { continue };
                fates.insert(call, (event.at - *at > ms(200), code != Code::Ok));
            }
            _ => {}
        }
    }
    fates
}

fn table(pairs: impl Iterator<Item = (bool, bool)>) -> [u64; 4] {
    pairs.fold([0; 4], |[all, one, other, both], (a, b)| {
        [all + 1, one + u64::from(a), other + u64::from(b), both + u64::from(a && b)]
    })
}

/// Faults that draw whether they strike, each at 10%.
const RATES: [&str; 7] = [
    "grpc: { server: telemetry, rate: 10%, status: INTERNAL }",
    "grpc: { server: telemetry, rate: 10%, when: response_lost }",
    "grpc: { server: telemetry, rate: 10%, delay: 5ms }",
    "grpc: { server: telemetry, rate: 10%, answer: corrupt }",
    "loss: { between: [devices, telemetry], rate: 10% }",
    "duplicate: { between: [devices, telemetry], rate: 10% }",
    "reorder: { between: [devices, telemetry], rate: 10%, hold: 1ms }",
];
const WORSE: &str = "deploy: { server: telemetry, batch: 3, down: 1ms, how: kill, errors: 10% }";

/// A kind with an option that is a share draws; each stands above.
#[test]
fn no_rate_is_left_out() {
    let schema = scenario::schema();
    let drawn = |kind: &str| {
        let reference = schema["$defs"]["Fault"]["properties"][kind]["$ref"].as_str().unwrap();
        let options = &schema["$defs"][reference.rsplit('/').next().unwrap()]["properties"];
        options.as_object().unwrap().values().any(|option| option.to_string().contains("/Share\""))
    };
    for info in FAULTS.iter().filter(|info| drawn(info.kind)) {
        let is = |fault: &&str| fault.starts_with(&format!("{}:", info.kind));
        assert!(RATES.iter().chain([&WORSE]).any(is), "the rate of {} is not tested", info.kind);
    }
    assert!(drawn("grpc") && drawn("loss") && drawn("deploy") && !drawn("pause"));
}

/// Every kind of fault that draws whether it strikes, by its own counts: 10% of what it matched, for several seeds together.
#[test]
fn a_rate_of_a_tenth_strikes_a_tenth() {
    for kind in RATES {
        let (mut matched, mut fired) = (0, 0);
        for seed in 1..=2 {
            let seen = watch(&plan(&[kind], "{ deadline: 2s }"), seed, false);
            let (all, hits) = counts(&seen.events, 0);
            (matched, fired) = (matched + all, fired + hits);
        }
        assert_share(kind, fired, matched, 0.1);
    }
}

/// The share of calls that a worse version fails: counted by who was told so, since its books count processes.
#[test]
fn a_worse_version_fails_its_share() {
    let seen = watch(&plan(&[WORSE], "{ deadline: 2s }"), 1, false);
    // The new version is there, and has its connections, after a second and a half.
    let late = seen.events.iter().filter(|event| (3.0..10.9).contains(&event.at.as_secs_f64()));
    let ends = table(late.filter_map(|event| match event.kind {
        Kind::CallEnded { code, .. } => Some((code == Code::Internal, false)),
        _ => None,
    }));
    assert_share(WORSE, ends[1], ends[0], 0.1);
}

/// Whether an occurrence happens at all: drawn for each on its own, whatever the other fault does, whatever the one before did.
#[test]
fn occurrences_do_not_know_of_each_other() {
    let text = "name: perhaps
about: Two faults that may happen, two hundred times each.
duration: 21s
servers: { telemetry: {} }
clients: { devices: { calls: telemetry, load: once } }
faults:
  - { at: 1s, for: 50ms, every: 100ms, repeat: 200, probability: 10%, slow_server: { server: telemetry, factor: 2 } }
  - { at: 1s, for: 50ms, every: 100ms, repeat: 200, probability: 10%, slow_link: { between: [devices, telemetry], add: 1ms } }
strategies: [{ name: plain }]
";
    let plan = scenario::parse("perhaps.yaml", text, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut happened = [Vec::new(), Vec::new()];
    for seed in 1..=10 {
        let seen = watch(&plan, seed, false);
        for (fault, happened) in (0..).zip(&mut happened) {
            let starts = |window: u64| {
                let at = squall::clock::Instant::from_nanos((1_000 + 100 * window) * 1_000_000);
                seen.events.iter().any(|event| event.at == at && event.kind == Kind::FaultStarted { fault })
            };
            happened.extend((0..200).map(starts));
        }
    }
    let [one, other] = &happened;
    let both = table(one.iter().copied().zip(other.iter().copied()));
    assert_share("the one", both[1], both[0], 0.1);
    assert_share("the other", both[2], both[0], 0.1);
    assert_independent("the one and the other", both);
    assert_independent("one after the other", table(one.iter().copied().zip(one.iter().copied().skip(1))));
}

/// Two faults that strike calls: a tenth each, a hundredth both; and no call knows of the one before it.
#[test]
fn faults_in_calls_do_not_know_of_each_other() {
    let late = "grpc: { server: telemetry, rate: 10%, delay: 300ms }";
    let fails = "grpc: { server: telemetry, rate: 10%, when: after_handler, status: INTERNAL }";
    for seed in 1..=3 {
        let seen = watch(&plan(&[late, fails], ""), seed, false);
        let fates = fates(&seen);
        let both = table(fates.values().copied());
        assert_share("late", both[1], both[0], 0.1);
        assert_share("failed", both[2], both[0], 0.1);
        assert_share("both", both[3], both[0], 0.01);
        assert_independent("late and failed", both);
        let next = |call: &CallId| fates.get(&CallId::new(call.client(), call.number() + 1));
        let pairs = fates.iter().filter_map(|(call, (_, failed))| Some((*failed, next(call)?.1)));
        assert_independent("failed after failed", table(pairs));
    }
}

/// A retry draws anew: it fails as often as any first attempt, and no more.
#[test]
fn a_retry_is_drawn_on_its_own() {
    let fails = "grpc: { server: telemetry, rate: 30%, status: UNAVAILABLE }";
    let seen = watch(&plan(&[fails], "{ retry: { attempts: 2 } }"), 1, false);
    let mut attempts: BTreeMap<CallId, Vec<bool>> = BTreeMap::new();
    for event in &seen.events {
        if let Kind::AttemptEnded { call, code, .. } = event.kind
            && (1.1..10.9).contains(&event.at.as_secs_f64())
        {
            attempts.entry(call).or_default().push(code != Code::Ok);
        }
    }
    let first = table(attempts.values().map(|ends| (ends[0], false)));
    let second = table(attempts.values().filter(|ends| ends.len() == 2).map(|ends| (ends[1], false)));
    assert_share("first attempts", first[1], first[0], 0.3);
    assert_share("second attempts", second[1], second[0], 0.3);
}

/// Faults that strike packets: what one does to a packet says nothing of what another does.
#[test]
fn faults_on_packets_do_not_know_of_each_other() {
    let doubled = "duplicate: { between: [devices, telemetry], rate: 10% }";
    let held = "reorder: { between: [devices, telemetry], rate: 10%, hold: 7ms }";
    let seen = watch(&plan(&[doubled, held], "{ deadline: 2s }"), 1, false);
    let during = seen.packets.iter().filter(|sent| (1.0..11.0).contains(&sent.packet.sent_at.as_secs_f64()));
    let both = table(during.map(|sent| (sent.packet.copy_at.is_some(), sent.is_late(ms(LINK_MS)))));
    assert_share("doubled", both[1], both[0], 0.1);
    assert_share("held back", both[2], both[0], 0.1);
    assert_independent("doubled and held back", both);

    // Of two that lose packets each says what it lost, and the wire what was lost to either.
    let loses = "loss: { between: [devices, telemetry], rate: 10% }";
    let seen = watch(&plan(&[loses, loses], "{ deadline: 2s }"), 1, false);
    let ((all, one), (again, other)) = (counts(&seen.events, 0), counts(&seen.events, 1));
    let either = seen.packets(Sent::is_lost) as u64;
    assert_eq!(all, again);
    assert_share("lost to the first", one, all, 0.1);
    assert_share("lost to the second", other, all, 0.1);
    assert_independent("lost to both", [all, one, other, one + other - either]);
}

/// A fault in calls and one on packets.
#[test]
fn calls_and_packets_are_drawn_apart() {
    let fails = "grpc: { server: telemetry, rate: 10%, when: after_handler, status: INTERNAL }";
    let slows = "loss: { from: devices, to: telemetry, rate: 5% }";
    let seen = watch(&plan(&[fails, slows], ""), 2, false);
    // A lost request is sent again after 200 ms or more.
    assert_independent("late and failed", table(fates(&seen).values().copied()));
}
