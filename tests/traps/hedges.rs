//! Traps about attempts beside each other: 6 and 7.

use std::sync::Arc;
use std::time::Duration;

use squall::clock;
use squall::random::Key;
use squall::resilience::{Ambient, Client, EventKind, HedgeConfig, HedgeDelay, LayerConfig, Origin};
use tonic::Code;

use super::peer::{Heard, Reply, Server};
use super::rig::{MS, Make, S, Verdict, ambient, answered, client, ensure, reached, run, simulate};

fn hedged(attempts: u32, delay: HedgeDelay, server: Server, ambient: &Ambient) -> Client {
    let hedge = HedgeConfig { attempts, delay, ..HedgeConfig::default() };
    client(vec![LayerConfig::Hedge(hedge)], server, ambient)
}

pub(crate) fn four(server: Server, ambient: &Ambient) -> Client {
    hedged(4, HedgeDelay::Fixed(10 * MS), server, ambient)
}

/// The second attempt is pushed back: there is no third, and the first goes on.
pub(crate) fn pushback(make: Make<'_>) -> Verdict {
    let server = Server::new(|n| match n {
        0 => Reply::After(100 * MS, Box::new(Reply::Ok)),
        _ => Reply::Pushback(Code::Unavailable, "-1"),
    });
    run(make, &server, 1).ended_with(0, Code::Ok)?;
    reached("after the pushback", &server, 2)
}

pub(crate) fn patient(server: Server, ambient: &Ambient) -> Client {
    hedged(2, HedgeDelay::Fixed(10 * S), server, ambient)
}

pub(crate) fn failure(make: Make<'_>) -> Verdict {
    let ran = run(make, &Server::sequence([Reply::Status(Code::Unavailable), Reply::Ok]), 1);
    ran.ended_with(0, Code::Ok)?;
    ran.ended_after(Duration::ZERO)
}

pub(crate) fn two(server: Server, ambient: &Ambient) -> Client {
    hedged(2, HedgeDelay::Fixed(10 * MS), server, ambient)
}

/// The loser is cancelled when the other wins, and is an attempt all the same.
pub(crate) fn losers(make: Make<'_>) -> Verdict {
    let server = Server::new(|n| if n == 0 { Reply::Silence } else { Reply::Ok });
    let heard = Arc::new(Heard::default());
    let (answer, cancelled) = simulate(|| async {
        let client = make(server.clone(), &ambient().observed_by(heard.clone()));
        let answer = answered(&client, S).await;
        let cancelled = |kind: &EventKind| matches!(kind, EventKind::AttemptEnded { origin: Origin::Cancelled, .. });
        (answer, heard.count(cancelled))
    });
    ensure(matches!(answer, Some(Ok(()))), "the call failed")?;
    reached("two attempts", &server, 2)?;
    ensure(cancelled == 1, format_args!("{cancelled} attempts were cancelled, not 1"))
}

/// Hedges the slowest tenth.
pub(crate) fn learning(server: Server, ambient: &Ambient) -> Client {
    let delay = HedgeDelay::Learned { quantile: 0.9, initial: 50 * MS, min: MS, max: S };
    hedged(2, delay, server, ambient)
}

/// Exponential latencies: whoever learns the 90th percentile hedges a tenth of the calls.
pub(crate) fn learned(make: Make<'_>) -> Verdict {
    const LEARNS: usize = 1000;
    const COUNTS: usize = 4000;
    let key = Key::from_seed(5);
    let server = Server::new(move |n| {
        Reply::After((10 * MS).mul_f64(key.with(n as u64).draw().exponential()), Box::new(Reply::Ok))
    });
    let requests = simulate(|| async {
        let client = make(server.clone(), &ambient());
        let mut before = 0;
        for call in 0..LEARNS + COUNTS {
            if call == LEARNS {
                before = server.served();
            }
            let _ = answered(&client, 10 * S).await;
            clock::sleep(MS).await;
        }
        server.served() - before
    });
    let share = 100.0 * (requests as f64 / COUNTS as f64 - 1.0);
    ensure((7.0..13.0).contains(&share), format_args!("{share:.0}% of calls were hedged, not 10%"))
}
