//! Traps about one attempt after the other: 1, 4, 5, 6, 14, 15.

use std::time::Duration;

use squall::resilience::{
    Ambient, BackoffConfig, BreakerConfig, BudgetConfig, BudgetKind, Call, Client, Codes, Idempotency, LayerConfig,
    RetryConfig, Trip,
};
use tonic::Code;

use super::peer::{Door, Reply, Server};
use super::rig::{MS, Make, S, Verdict, alike, client, reached, retry, run, run_with};

fn unavailable() -> Reply {
    Reply::Status(Code::Unavailable)
}

/// A second for the call, and ten attempts in it, on DEADLINE_EXCEEDED as well.
pub(crate) fn bounded(server: Server, ambient: &Ambient) -> Client {
    let on = Codes::of(&[Code::Unavailable, Code::DeadlineExceeded]);
    let retry = LayerConfig::Retry(RetryConfig { on, ..retry(10) });
    client(vec![LayerConfig::Deadline(S), retry], server, ambient)
}

pub(crate) fn deadline(make: Make<'_>) -> Verdict {
    let slow = Server::sequence([Reply::After(400 * MS, Box::new(unavailable()))]);
    let ran = run(make, &slow, 1);
    ran.ended_after(S)?;
    ran.ended_with(0, Code::DeadlineExceeded)?;
    reached("attempts start at 0, 0.4 and 0.8 s", &slow, 3)?;
    let silent = Server::sequence([Reply::Silence]);
    run(make, &silent, 1).ended_after(S)?;
    reached("the client's own DEADLINE_EXCEEDED is final", &silent, 1)?;
    // The server's may be retried.
    let server = Server::sequence([Reply::Status(Code::DeadlineExceeded), Reply::Ok]);
    run(make, &server, 1).ended_with(0, Code::Ok)
}

/// Three attempts at once.
pub(crate) fn retried(server: Server, ambient: &Ambient) -> Client {
    client(vec![LayerConfig::Retry(retry(3))], server, ambient)
}

pub(crate) fn headers(make: Make<'_>) -> Verdict {
    let server = Server::sequence([Reply::Late(Code::Unavailable), Reply::Ok]);
    let ran = run(make, &server, 1);
    reached("headers have arrived", &server, 1)?;
    ran.ended_with(0, Code::Unavailable)
}

pub(crate) fn buffer(make: Make<'_>) -> Verdict {
    // gRPC's five bytes of framing belong to the request.
    let full = 256 * 1024 - 5;
    for (bytes, what, expected) in
        [(full, "a full buffer", Code::Ok), (full + 1, "one byte too many", Code::Unavailable)]
    {
        let server = Server::sequence([unavailable(), Reply::Ok]);
        let ran = run_with(make, &server, 1, |_| tonic::Request::new(vec![1; bytes]));
        alike(format_args!("{what}: it ended with"), ran.code(0), expected)?;
    }
    Ok(())
}

/// Two attempts, ten tokens.
pub(crate) fn throttled(server: Server, ambient: &Ambient) -> Client {
    let budget = Some(BudgetConfig::per_client(BudgetKind::Grpc { tokens: 10, ratio: 0.5 }));
    client(vec![LayerConfig::Retry(RetryConfig { budget, ..retry(2) })], server, ambient)
}

/// Two calls take four tokens; the fifth failure leaves five, which is not more than half.
pub(crate) fn throttle(make: Make<'_>) -> Verdict {
    let seen: Vec<usize> = (1..=5)
        .map(|calls| {
            let server = Server::sequence([unavailable()]);
            run(make, &server, calls);
            server.served()
        })
        .collect();
    alike("after each call the server had seen", seen, vec![2, 4, 5, 6, 7])
}

pub(crate) fn pushback(make: Make<'_>) -> Verdict {
    for never in ["-1", "soon", "2147483648"] {
        let server = Server::sequence([Reply::Pushback(Code::Unavailable, never)]);
        run(make, &server, 1).ended_with(0, Code::Unavailable)?;
        reached(never, &server, 1)?;
    }
    let server = Server::sequence([Reply::Pushback(Code::Unavailable, "700"), Reply::Ok]);
    let ran = run(make, &server, 1);
    ran.ended_with(0, Code::Ok)?;
    ran.ended_after(700 * MS)
}

/// Three attempts with two seconds in between: enough for a connection to be tried again.
pub(crate) fn patient(server: Server, ambient: &Ambient) -> Client {
    let backoff = BackoffConfig::Constant { pause: Duration::from_secs(2) };
    client(vec![LayerConfig::Retry(RetryConfig { backoff, ..retry(3) })], server, ambient)
}

/// A call that must not run twice is repeated only if it certainly has not run.
pub(crate) fn idempotency(make: Make<'_>) -> Verdict {
    let marked = |idempotency| {
        move |mut request: tonic::Request<Vec<u8>>| {
            request.extensions_mut().insert(Call::new().idempotency(idempotency));
            request
        }
    };
    let lost = || Server::sequence([Reply::Disconnect]);
    let refused = || Server::sequence([Reply::Ok]).with_door(|n| if n < 2 { Door::Refused } else { Door::Open });
    let never_sent = run_with(make, &refused(), 1, marked(Idempotency::NotIdempotent));
    let server = lost();
    run_with(make, &server, 1, marked(Idempotency::NotIdempotent));
    reached("a lost connection", &server, 1)?;
    alike("a refused connection: it ended with", never_sent.code(0), Code::Ok)?;
    let server = lost();
    run_with(make, &server, 1, marked(Idempotency::Idempotent));
    reached("a lost connection, and the call may run twice", &server, 3)
}

/// The layers of a strategy as the user wrote them; what a library makes of them.
pub(crate) fn order(arrange: &dyn Fn(Vec<LayerConfig>) -> Vec<LayerConfig>) -> Verdict {
    let served = |layers: Vec<LayerConfig>, reply: Reply, calls: usize| {
        let server = Server::sequence([reply]);
        run(&|server, ambient| client(arrange(layers.clone()), server, ambient), &server, calls);
        server
    };
    // k layers of n attempts make n^k executions of one call.
    for (layers, attempts, executions) in [(1, 4, 4), (3, 4, 64), (5, 3, 243)] {
        let nested = vec![LayerConfig::Retry(retry(attempts)); layers];
        reached(format_args!("{layers} layers of {attempts}"), &served(nested, unavailable(), 1), executions)?;
    }
    let (retry, timeout) = (LayerConfig::Retry(retry(3)), LayerConfig::AttemptTimeout(100 * MS));
    let breaker = BreakerConfig { trip: Trip::Consecutive { failures: 3 }, ..BreakerConfig::default() };
    let breaker = LayerConfig::Breaker(breaker);
    let silent = |layers| served(layers, Reply::Silence, 1);
    reached("timeout outside retry", &silent(vec![timeout.clone(), retry.clone()]), 1)?;
    reached("timeout inside retry", &silent(vec![retry.clone(), timeout]), 3)?;
    let failing = |layers| served(layers, unavailable(), 10);
    reached("breaker inside retry counts attempts", &failing(vec![retry.clone(), breaker.clone()]), 3)?;
    reached("breaker outside retry counts calls", &failing(vec![breaker, retry]), 9)
}
