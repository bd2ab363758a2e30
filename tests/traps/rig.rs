//! What the checks share: a maker of clients, a run against a scripted server, and comparisons that speak.

use std::fmt::{Debug, Display};
use std::time::Duration;

use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, ChannelConfig, Client, Connector, LayerConfig, Origin, RetryConfig, Strategy, build, origin_of,
};
use tonic::{Code, Status};

use super::peer::{Server, call, target};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const S: Duration = Duration::from_secs(1);

/// What a check says: all well, or what was wrong.
pub(crate) type Verdict = Result<(), String>;

/// Makes a client of a server: our layers, or a toy.
pub(crate) type Make<'m> = &'m dyn Fn(Server, &Ambient) -> Client;

/// Ours must pass, and the toy must not, for the reason given.
pub(crate) fn judge(ours: Verdict, toy: Verdict, why: &str) {
    assert_eq!(ours, Ok(()));
    match toy {
        Ok(()) => panic!("the toy passes: the check has no teeth"),
        Err(said) => assert!(said.contains(why), "the toy fails for another reason: {said}"),
    }
}

pub(crate) fn alike<T: PartialEq + Debug>(what: impl Display, found: T, expected: T) -> Verdict {
    if found == expected { Ok(()) } else { Err(format!("{what} {found:?}, not {expected:?}")) }
}

pub(crate) fn ensure(good: bool, otherwise: impl Display) -> Verdict {
    if good { Ok(()) } else { Err(otherwise.to_string()) }
}

/// How often the server was asked.
pub(crate) fn reached(what: impl Display, server: &Server, expected: usize) -> Verdict {
    let found = server.served();
    ensure(found == expected, format_args!("{what}: {found} requests reached the server, not {expected}"))
}

/// What became of some calls.
pub(crate) struct Ran {
    pub(crate) results: Vec<Result<(), Status>>,
    /// How long each took.
    pub(crate) took: Vec<Duration>,
}

impl Ran {
    pub(crate) fn code(&self, at: usize) -> Code {
        self.results[at].as_ref().map_or_else(Status::code, |()| Code::Ok)
    }

    pub(crate) fn origin(&self, at: usize) -> Origin {
        self.results[at].as_ref().map_or_else(origin_of, |()| Origin::Server)
    }

    pub(crate) fn ended_with(&self, at: usize, expected: Code) -> Verdict {
        alike("it ended with", self.code(at), expected)
    }

    /// The first call took this long, within ten milliseconds.
    pub(crate) fn ended_after(&self, expected: Duration) -> Verdict {
        let found = self.took[0];
        let good = found.abs_diff(expected) <= 10 * MS;
        ensure(good, format_args!("the call ended after {found:.0?}, not {expected:?}"))
    }
}

/// Runs `calls` in sequence.
pub(crate) fn run(make: Make<'_>, server: &Server, calls: usize) -> Ran {
    run_with(make, server, calls, |request| request)
}

/// The same, each request made ready by `prepare`.
pub(crate) fn run_with(
    make: Make<'_>,
    server: &Server,
    calls: usize,
    prepare: impl Fn(tonic::Request<Vec<u8>>) -> tonic::Request<Vec<u8>>,
) -> Ran {
    let (results, took) = simulate(|| async {
        let client = make(server.clone(), &ambient());
        let (mut results, mut took) = (Vec::new(), Vec::new());
        for _ in 0..calls {
            let start = clock::now();
            let request = prepare(tonic::Request::new(b"alert".to_vec()));
            results.push(super::peer::request(client.clone(), request).await.map(drop));
            took.push(clock::now() - start);
        }
        (results, took)
    });
    Ran { results, took }
}

pub(crate) fn simulate<F: Future>(work: impl FnOnce() -> F) -> F::Output {
    Simulation::new().run(async { work().await }).expect("something happens")
}

pub(crate) fn ambient() -> Ambient {
    Ambient::new(Key::from_seed(7))
}

/// Calls once, giving up after `patience`; whether there was an answer.
pub(crate) async fn answered(client: &Client, patience: Duration) -> Option<Result<(), Status>> {
    clock::timeout(patience, call(client.clone())).await.ok().map(|result| result.map(drop))
}

pub(crate) fn retry(attempts: u32) -> RetryConfig {
    RetryConfig { attempts, ..RetryConfig::default() }
}

/// Our client with these layers.
pub(crate) fn client(layers: Vec<LayerConfig>, server: impl Connector, ambient: &Ambient) -> Client {
    over(ChannelConfig::default(), layers, server, ambient, 1)
}

/// The same over a channel of its own.
pub(crate) fn over(
    channel: ChannelConfig,
    layers: Vec<LayerConfig>,
    server: impl Connector,
    ambient: &Ambient,
    endpoints: usize,
) -> Client {
    let strategy = Strategy { name: "test".to_owned(), layers, channel };
    build(&strategy, target(endpoints), server, ambient).expect("it makes sense")
}
