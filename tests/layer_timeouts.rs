//! Who hears of a timeout: every gate does, whether the bound that struck stands outside of it or inside.
//!
//! A deadline belongs to the call, and strikes at its stream: as in any gRPC client, all layers in between see
//! DEADLINE_EXCEEDED. A caller that simply leaves, or a hedge that has won, tells them nothing.
#![cfg(feature = "sim")]

mod peer;

use std::time::Duration;

use peer::{Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, AttemptTimeout, Balance, BreakerConfig, ChannelConfig, Codes, HedgeConfig, HedgeDelay, LayerConfig, Limit,
    LimitAlgorithm, LimitConfig, Origin, RetryConfig, Strategy, Trip, build, origin_of,
};
use tonic::Code;
use tower::Layer;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

fn breaker(failures: u32) -> BreakerConfig {
    BreakerConfig { trip: Trip::Consecutive { failures }, ..BreakerConfig::default() }
}

fn strategy(layers: Vec<LayerConfig>) -> Strategy {
    Strategy { name: "timeouts".to_owned(), layers, ..Strategy::default() }
}

/// Five calls, each given up by the caller after `patience`: how many requests a silent server gets before a breaker opens.
fn reached(strategy: &Strategy, reply: Reply, patience: Duration) -> (usize, Option<Origin>) {
    let server = Server::sequence([reply]);
    let last = Simulation::new().run(async {
        let client = build(strategy, target(1), server.clone(), &Ambient::new(Key::from_seed(1))).unwrap();
        let mut last = None;
        for _ in 0..5 {
            last = clock::timeout(patience, call(client.clone())).await.ok();
        }
        last.and_then(Result::err).map(|status| origin_of(&status))
    });
    (server.served(), last.unwrap())
}

#[test]
fn a_breaker_hears_of_timeouts_outside_and_inside_of_it() {
    let (timeout, deadline) = (LayerConfig::AttemptTimeout(100 * MS), LayerConfig::Deadline(100 * MS));
    let two = || LayerConfig::Breaker(breaker(2));
    let retry = || LayerConfig::Retry(RetryConfig::default());
    let open = |layers: Vec<LayerConfig>, reply: Reply, served: usize| {
        let found = reached(&strategy(layers.clone()), reply, 10 * S);
        assert_eq!(found, (served, Some(Origin::Breaker)), "{layers:?}");
    };
    for bound in [timeout.clone(), deadline] {
        open(vec![bound.clone(), two()], Reply::Silence, 2);
        open(vec![two(), bound.clone()], Reply::Silence, 2);
        open(vec![bound.clone(), two()], Reply::LateSilence, 2);
        open(vec![bound.clone(), two(), LayerConfig::Deadline(S)], Reply::Silence, 2);
        // Something in between that is a layer of its own.
        let hedge = HedgeConfig { delay: HedgeDelay::Fixed(S), ..HedgeConfig::default() };
        open(vec![bound, LayerConfig::Hedge(hedge), two()], Reply::Silence, 2);
    }
    // Attempts are what it counts inside a retry.
    open(vec![retry(), timeout.clone(), LayerConfig::Breaker(breaker(4))], Reply::Silence, 4);
    open(vec![LayerConfig::Deadline(10 * S), retry(), timeout, two()], Reply::Silence, 2);
}

#[test]
fn a_breaker_of_an_endpoint_hears_of_them() {
    let channel =
        ChannelConfig { balance: Balance::RoundRobin, endpoint_breaker: Some(breaker(2)), ..ChannelConfig::default() };
    let strategy = Strategy { channel, ..strategy(vec![LayerConfig::AttemptTimeout(100 * MS)]) };
    assert_eq!(reached(&strategy, Reply::Silence, 10 * S), (2, Some(Origin::Breaker)));
}

#[test]
fn what_is_given_up_early_says_nothing() {
    let check = |layers: Vec<LayerConfig>, served: usize| {
        let found = reached(&strategy(layers.clone()), Reply::Silence, 100 * MS);
        assert_eq!(found, (served, None), "{layers:?}");
    };
    // The caller leaves.
    check(vec![LayerConfig::Breaker(breaker(1))], 5);
    check(vec![LayerConfig::Deadline(S), LayerConfig::Breaker(breaker(1))], 5);
    // What the breaker was told not to count.
    let deaf = BreakerConfig { failures: Codes::of(&[Code::Unavailable]), ..breaker(1) };
    let (served, origin) =
        reached(&strategy(vec![LayerConfig::Deadline(100 * MS), LayerConfig::Breaker(deaf)]), Reply::Silence, S);
    assert_eq!((served, origin), (5, Some(Origin::ClientDeadline)));
}

/// A hedge wins while the first attempt is silent: five calls, and the breaker stays closed.
#[test]
fn the_loser_of_a_hedge_says_nothing() {
    let server = Server::new(|n| if n % 2 == 0 { Reply::Silence } else { Reply::Ok });
    let hedge = HedgeConfig { delay: HedgeDelay::Fixed(10 * MS), ..HedgeConfig::default() };
    let layers = vec![LayerConfig::Deadline(S), LayerConfig::Hedge(hedge), LayerConfig::Breaker(breaker(1))];
    let oks = Simulation::new().run(async {
        let ambient = Ambient::new(Key::from_seed(1));
        let client = build(&strategy(layers), target(1), server.clone(), &ambient).unwrap();
        let mut oks = 0;
        for _ in 0..5 {
            oks += usize::from(call(client.clone()).await.is_ok());
        }
        oks
    });
    assert_eq!((oks.unwrap(), server.served()), (5, 10));
}

/// A timeout is a drop: half of the limit is left after one, a quarter after two; who leaves early changes nothing.
#[test]
fn a_limit_hears_of_timeouts_outside_of_it() {
    let aimd = LimitAlgorithm::Aimd { initial: 8, min: 1, max: 20, backoff: 0.5, timeout: 5 * S };
    let limit = Limit::new(LimitConfig::new(aimd)).unwrap();
    Simulation::new()
        .run(async {
            let ambient = Ambient::new(Key::from_seed(1));
            let channel = build(&Strategy::default(), target(1), Server::sequence([Reply::Silence]), &ambient).unwrap();
            let bounded = AttemptTimeout::new(100 * MS).unwrap().layer(limit.layer(&ambient).layer(channel.clone()));
            for left in [4, 2] {
                let _ = call(bounded.clone()).await;
                assert_eq!(limit.usage(), (0, left));
            }
            let unbounded = limit.layer(&ambient).layer(channel);
            let _ = clock::timeout(S, call(unbounded)).await;
            assert_eq!(limit.usage(), (0, 2));
        })
        .unwrap();
}
