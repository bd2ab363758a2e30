//! Traps about how an attempt ended, and who said so: 2 and 3.

use squall::clock;
use squall::resilience::{
    Ambient, BreakerConfig, ChannelConfig, Client, Keepalive, LayerConfig, Origin, Transport, Trip,
};
use tonic::{Code, Status};

use super::peer::{Door, Reply, Server};
use super::rig::{MS, Make, S, Verdict, alike, ambient, answered, client, ensure, over, run, simulate};

/// A second for the call.
pub(crate) fn bounded(server: Server, ambient: &Ambient) -> Client {
    client(vec![LayerConfig::Deadline(S)], server, ambient)
}

/// What an application sees of every way to fail: `origin` has to say who it was.
pub(crate) fn origins(origin: &dyn Fn(&Status) -> Origin) -> Verdict {
    let own = |server: Server, ambient: &Ambient| bounded(server, ambient);
    let tonics = |server: Server, ambient: &Ambient| {
        let channel = ChannelConfig { transport: Transport::Tonic, ..ChannelConfig::default() };
        over(channel, vec![LayerConfig::Deadline(S)], server, ambient, 1)
    };
    // The server's own deadline fires a moment before ours hears of it: still the deadline.
    let reset_late = Reply::After(S, Box::new(Reply::Reset(h2::Reason::CANCEL)));
    let cases: [(Make<'_>, Reply, Code, Origin); 8] = [
        (&own, Reply::Status(Code::Unavailable), Code::Unavailable, Origin::Server),
        (&own, Reply::Disconnect, Code::Unavailable, Origin::Network),
        (&own, Reply::Silence, Code::DeadlineExceeded, Origin::ClientDeadline),
        (&own, Reply::LateSilence, Code::DeadlineExceeded, Origin::ClientDeadline),
        (&own, reset_late, Code::DeadlineExceeded, Origin::ClientDeadline),
        (&own, Reply::Status(Code::DeadlineExceeded), Code::DeadlineExceeded, Origin::Server),
        (&own, Reply::Reset(h2::Reason::CANCEL), Code::Cancelled, Origin::Server),
        (&tonics, Reply::Status(Code::Unavailable), Code::Unavailable, Origin::Server),
    ];
    for (make, reply, code, producer) in cases {
        let mut ran = run(make, &Server::sequence([reply.clone()]), 1);
        alike(format_args!("{reply:?} was"), ran.code(0), code)?;
        let Err(status) = ran.results.remove(0) else { return Err(format!("{reply:?} was a success")) };
        alike(format_args!("{reply:?} came from"), origin(&status), producer)?;
    }
    Ok(())
}

/// tonic's own timeout is CANCELLED, tower's is no status at all: who counts codes does not find them.
pub(crate) fn timeout(make: Make<'_>) -> Verdict {
    let ran = run(make, &Server::sequence([Reply::Silence]), 1);
    ran.ended_after(S)?;
    ran.ended_with(0, Code::DeadlineExceeded)?;
    alike("it came from", ran.origin(0), Origin::ClientDeadline)
}

pub(crate) fn plain(server: Server, ambient: &Ambient) -> Client {
    client(vec![], server, ambient)
}

/// A ping after a second of silence, and half a second for the answer.
pub(crate) fn kept_alive(server: Server, ambient: &Ambient) -> Client {
    let keepalive = Some(Keepalive { time: S, timeout: 500 * MS, without_calls: false });
    over(ChannelConfig { keepalive, ..ChannelConfig::default() }, vec![], server, ambient, 1)
}

pub(crate) fn ping(make: Make<'_>) -> Verdict {
    let server = Server::sequence([Reply::Silence]).with_door(|_| Door::GoesSilent);
    let (answer, after) = simulate(|| async {
        let client = make(server, &ambient());
        (answered(&client, 60 * S).await, clock::now())
    });
    let Some(Err(status)) = answer else { return Err("still waiting after a minute".to_owned()) };
    alike("it was", status.code(), Code::Unavailable)?;
    let after = after.as_secs_f64();
    ensure((1.5..1.6).contains(&after), format_args!("it ended after {after} s, not 1.5 s"))
}

/// The status is in the headers of an `Ok` response.
pub(crate) fn trailers_only(make: Make<'_>) -> Verdict {
    let unavailable = || Reply::Status(Code::Unavailable);
    run(make, &Server::sequence([unavailable(), unavailable(), Reply::Ok]), 1).ended_with(0, Code::Ok)
}

/// Two failures in a row open it.
pub(crate) fn broken(server: Server, ambient: &Ambient) -> Client {
    let breaker = BreakerConfig { trip: Trip::Consecutive { failures: 2 }, ..BreakerConfig::default() };
    client(vec![LayerConfig::Breaker(breaker)], server, ambient)
}

/// One status comes in trailers, after a message, and the other in headers: both are failures.
pub(crate) fn trailers(make: Make<'_>) -> Verdict {
    let server = Server::sequence([Reply::Late(Code::Unavailable), Reply::Status(Code::Internal), Reply::Ok]);
    let ran = run(make, &server, 3);
    let served = server.served();
    ensure(served == 2, format_args!("{served} calls reached the server, not 2"))?;
    alike("the third was turned away by", ran.origin(2), Origin::Breaker)
}
