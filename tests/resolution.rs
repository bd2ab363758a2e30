//! Where a service runs changes: what the channel does when the resolver says so, says nothing, or says it too late.

mod peer;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, Balance, BreakerConfig, Channel, ChannelConfig, Connector, Endpoint, EventKind, Resolver, Target,
};
use tokio::io::DuplexStream;
use tonic::Code;

const S: Duration = Duration::from_secs(1);

/// Says each answer once, then repeats the last.
struct Says {
    answers: Vec<io::Result<Vec<&'static str>>>,
    asked: AtomicUsize,
}

impl Says {
    fn new(answers: Vec<io::Result<Vec<&'static str>>>) -> Arc<Self> {
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Says {
    fn resolve(&self) -> Pin<Box<dyn Future<Output = io::Result<Vec<Endpoint>>> + Send>> {
        let n = self.asked.fetch_add(1, Ordering::Relaxed).min(self.answers.len() - 1);
        let answer = match &self.answers[n] {
            Ok(names) => Ok(names.iter().map(|name| Endpoint::new(name)).collect()),
            Err(error) => Err(error.kind().into()),
        };
        Box::pin(async move { answer })
    }
}

/// Never answers.
struct Silent;

impl Resolver for Silent {
    fn resolve(&self) -> Pin<Box<dyn Future<Output = io::Result<Vec<Endpoint>>> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Endpoints by name; whoever is not listed refuses.
#[derive(Clone, Default)]
struct Town(Arc<Mutex<Vec<(&'static str, Server)>>>);

impl Connector for Town {
    type Io = DuplexStream;

    async fn connect(&self, endpoint: &Endpoint) -> io::Result<DuplexStream> {
        let found = self.0.lock().unwrap().iter().find(|(name, _)| *name == endpoint.as_str()).cloned();
        match found {
            Some((_, server)) => server.connect(endpoint).await,
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }
}

fn target(resolver: Arc<dyn Resolver>) -> Target {
    Target { resolver: Some(resolver), ..Target::fixed("town", ["old:1"]) }
}

fn turns() -> ChannelConfig {
    ChannelConfig { balance: Balance::RoundRobin, wait_for_ready: true, ..ChannelConfig::default() }
}

#[test]
fn a_failed_attempt_asks_again_and_finds_the_new_place() {
    for config in [turns(), ChannelConfig { wait_for_ready: true, ..ChannelConfig::default() }] {
        let new = Server::sequence([Reply::Ok]);
        let town = Town(Arc::new(Mutex::new(vec![("new:1", new.clone())])));
        let says = Says::new(vec![Ok(vec!["new:1"])]);
        let run = Simulation::new().run(async move {
            let channel = Channel::new(target(says), town, config, &Ambient::new(Key::from_seed(1))).unwrap();
            call(channel).await.map(drop)
        });
        run.unwrap().unwrap();
        assert_eq!(new.served(), 1);
    }
}

/// gRPC asks again when a connection is lost, not only when connecting fails.
#[test]
fn a_lost_connection_asks_again() {
    let (old, new) = (Server::sequence([Reply::Ok, Reply::Disconnect]), Server::sequence([Reply::Ok]));
    let town = Town(Arc::new(Mutex::new(vec![("old:1", old.clone()), ("new:1", new.clone())])));
    let says = Says::new(vec![Ok(vec!["new:1"])]);
    let run = Simulation::new().run(async move {
        let channel = Channel::new(target(says), town, turns(), &Ambient::new(Key::from_seed(1))).unwrap();
        let mut results = Vec::new();
        for _ in 0..4 {
            results.push(call(channel.clone()).await.map(drop).map_err(|status| status.code()));
            clock::sleep(S).await;
        }
        results
    });
    assert_eq!(run.unwrap(), [Ok(()), Err(Code::Unavailable), Ok(()), Ok(())]);
    assert_eq!((old.served(), new.served()), (2, 2));
}

/// No endpoints, an error, or no answer at all: the endpoints stay, and the backoff goes on.
#[test]
fn an_answer_that_says_nothing_changes_nothing() {
    let resolvers: [Arc<dyn Resolver>; 3] =
        [Says::new(vec![Ok(vec![])]), Says::new(vec![Err(io::ErrorKind::NotFound.into())]), Arc::new(Silent)];
    for resolver in resolvers {
        let old = Server::sequence([Reply::Ok]).with_door(|n| if n < 2 { Door::Refused } else { Door::Open });
        let town = Town(Arc::new(Mutex::new(vec![("old:1", old.clone())])));
        let run = Simulation::new().run(async move {
            let channel = Channel::new(target(resolver), town, turns(), &Ambient::new(Key::from_seed(1))).unwrap();
            call(channel).await.map(drop)
        });
        run.unwrap().unwrap();
        assert_eq!(old.connections(), 3);
    }
}

/// An endpoint that left and comes back is connected to again, and has its breaker.
#[test]
fn an_endpoint_may_leave_and_come_back() {
    let old = Server::sequence([Reply::Ok, Reply::Disconnect, Reply::Ok]);
    let new = Server::sequence([Reply::Disconnect, Reply::Ok]);
    let town = Town(Arc::new(Mutex::new(vec![("old:1", old.clone()), ("new:1", new.clone())])));
    let says = Says::new(vec![Ok(vec!["new:1"]), Ok(vec!["old:1"])]);
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let run = Simulation::new().run(async move {
        let ambient = Ambient::new(Key::from_seed(1)).observed_by(listener);
        let config = ChannelConfig { endpoint_breaker: Some(BreakerConfig::default()), ..turns() };
        let channel = Channel::new(target(says), town, config, &ambient).unwrap();
        let mut good = 0;
        for _ in 0..5 {
            good += usize::from(call(channel.clone()).await.is_ok());
            clock::sleep(5 * S).await;
        }
        good
    });
    assert_eq!(run.unwrap(), 3, "old, old lost, new lost, old, old");
    assert_eq!((old.served(), new.served()), (4, 1));
    assert_eq!(heard.count(|kind| matches!(kind, EventKind::ConnectAttempt { .. })), 3);
}
