//! tower's own layers behave in a strategy as tower has them: with what they get right, and what they do not.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Heard, Reply, Server, call, target};
use squall::clock::{self, Simulation};
use squall::random::Key;
use squall::resilience::{
    Ambient, Client, Codes, LayerConfig, Origin, Strategy, TowerConfig, TpsBudgetConfig, build, origin_of,
};
use tonic::{Code, Status};

const MS: Duration = Duration::from_millis(1);

fn client(config: TowerConfig, server: Server) -> Client {
    let layers = vec![LayerConfig::Tower(config)];
    let strategy = Strategy { name: "tower".to_owned(), layers, ..Strategy::default() };
    let ambient = Ambient::new(Key::from_seed(1)).observed_by(Arc::new(Heard::default()));
    build(&strategy, target(1), server, &ambient).unwrap()
}

/// So many calls, one after the other: how each ended.
fn run(config: TowerConfig, server: &Server, calls: usize) -> Vec<Result<(), Status>> {
    let server = server.clone();
    let run = Simulation::new().run(async move {
        let client = client(config, server);
        let mut results = Vec::new();
        for _ in 0..calls {
            results.push(call(client.clone()).await.map(drop));
        }
        results
    });
    run.unwrap()
}

fn retry(attempts: u32, budget: Option<TpsBudgetConfig>) -> TowerConfig {
    TowerConfig::Retry { attempts, on: Codes::UNAVAILABLE, budget }
}

#[test]
fn its_retry_repeats_what_it_is_told_to_and_no_more() {
    let failing = Server::sequence([Reply::Status(Code::Unavailable)]);
    assert_eq!(run(retry(3, None), &failing, 1)[0].as_ref().unwrap_err().code(), Code::Unavailable);
    assert_eq!(failing.served(), 3);
    let wrong = Server::sequence([Reply::Status(Code::InvalidArgument)]);
    run(retry(3, None), &wrong, 1);
    assert_eq!(wrong.served(), 1);
    let late = Server::sequence([Reply::Late(Code::Unavailable)]);
    run(retry(3, None), &late, 1);
    assert_eq!(late.served(), 1, "it looks at headers, and the application has them already");
}

/// As shipped it gives its whole reserve at once, and then nothing until that expires.
#[test]
fn its_budget_is_a_burst() {
    let failing = Server::sequence([Reply::Status(Code::Unavailable)]);
    let budget = TpsBudgetConfig { ttl: Duration::from_secs(10), min_per_s: 10, percent: 0.2 };
    run(retry(2, Some(budget)), &failing, 200);
    let retries = failing.served() - 200;
    assert!((95..=105).contains(&retries), "{retries} retries: 10 a second for 10 s, all in the first moment");
}

/// Its error has no code: the application sees UNKNOWN.
#[test]
fn its_timeout_has_no_code() {
    let silent = Server::sequence([Reply::Silence]);
    let status = run(TowerConfig::Timeout(100 * MS), &silent, 1).remove(0).unwrap_err();
    assert_eq!((status.code(), origin_of(&status)), (Code::Unknown, Origin::Network));
}

/// Who finds it full waits.
#[test]
fn its_limit_makes_calls_wait() {
    let slow = Server::sequence([Reply::After(100 * MS, Box::new(Reply::Ok))]);
    let run = Simulation::new().run(async move {
        let client = client(TowerConfig::ConcurrencyLimit { max: 1 }, slow);
        let start = clock::now();
        let (first, second) = (call(client.clone()), call(client));
        let (first, second) = futures_util::future::join(first, second).await;
        assert!(first.is_ok() && second.is_ok());
        clock::now() - start
    });
    assert!(run.unwrap() >= 200 * MS);
}

#[test]
fn its_hedge_asks_again_once_it_has_seen_enough() {
    // Twenty quick answers, and then one that never comes.
    let server = Server::new(|n| if n == 20 { Reply::Silence } else { Reply::Ok });
    let hedge = TowerConfig::Hedge { min_data_points: 10, percentile: 0.9, period: Duration::from_secs(10) };
    let peer = server.clone();
    let run = Simulation::new().run(async move {
        let client = client(hedge, peer);
        // It goes by what it saw in the period before this one.
        for _ in 0..21 {
            call(client.clone()).await.unwrap();
            clock::sleep(Duration::from_secs(1)).await;
        }
    });
    run.unwrap();
    // Ten calls to learn from; then the percentile is what every call takes, and each of the other eleven is hedged.
    assert_eq!(server.served(), 21 + 11);
}
