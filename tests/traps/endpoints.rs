//! Traps about many callers and many endpoints: 12, 13 and 16.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use squall::clock;
use squall::random::Key;
use squall::resilience::{
    Ambient, BackoffConfig, Balance, ChannelConfig, Client, FailurePercentage, LayerConfig, Limit, LimitAlgorithm,
    LimitConfig, OutlierConfig, RetryConfig, Strategy,
};
use tonic::Code;
use tonic::body::Body;
use tower::{Layer, Service};

use super::peer::{Pair, Reply, Server, call};
use super::rig::{MS, Make, S, Verdict, ambient, client, ensure, over, retry, simulate};

/// One pause anywhere in the first 100 ms.
pub(crate) fn jittered(server: Server, ambient: &Ambient) -> Client {
    let backoff = BackoffConfig::FullJitter { base: 100 * MS, cap: 10 * S };
    client(vec![LayerConfig::Retry(RetryConfig { backoff, ..retry(2) })], server, ambient)
}

/// A hundred clients of one group fail together, and each pauses for a time of its own.
pub(crate) fn jitter(make: Make<'_>) -> Verdict {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    let server = Server::new(move |_| {
        seen.lock().expect("nobody panics").push(clock::now());
        Reply::Status(Code::Unavailable)
    });
    simulate(|| async {
        let group = ambient();
        for n in 0..100 {
            let _ = call(make(server.clone(), &group.child(Key::from_seed(7).with(n)))).await;
        }
    });
    let times = times.lock().expect("nobody panics");
    let mut pauses: Vec<Duration> = times.chunks(2).map(|pair| pair[1] - pair[0]).collect();
    pauses.sort_unstable();
    pauses.dedup();
    ensure(pauses.len() == 100, format_args!("100 clients paused for {} different times", pauses.len()))
}

/// Ready, but only the second time, as after an exhausted budget of tokio's.
#[derive(Clone)]
pub(crate) struct Coy<S>(S, bool);

impl<S: Service<R>, R> Service<R> for Coy<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

/// One call at a time.
pub(crate) fn limited(service: Coy<Client>, ambient: &Ambient) -> Client {
    let limit = Limit::new(LimitConfig::new(LimitAlgorithm::Fixed { max: 1 })).expect("it makes sense");
    boxed(limit.layer(ambient).layer(service), ambient)
}

/// Any service as a client.
pub(crate) fn boxed<S, B>(service: S, ambient: &Ambient) -> Client
where
    S: Service<Request<Body>, Response = http::Response<B>, Error: Into<tower::BoxError>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    Client::around(&Strategy::default(), service, ambient).expect("it makes sense")
}

/// A service that is idle is never overloaded, however often it says that it is not ready yet.
pub(crate) fn pending(shed: &dyn Fn(Coy<Client>, &Ambient) -> Client) -> Verdict {
    let through = simulate(|| async {
        let ambient = ambient();
        let channel = client(vec![], Server::sequence([Reply::Ok]), &ambient);
        let client = shed(Coy(channel, false), &ambient);
        let mut through = 0;
        for _ in 0..1000 {
            through += usize::from(call(client.clone()).await.is_ok());
        }
        through
    });
    ensure(through == 1000, format_args!("{through} of 1000 calls got through"))
}

/// Makes a client of three endpoints.
pub(crate) type Balanced<'m> = &'m dyn Fn(Pair, &Ambient) -> Client;

/// A sweep every ten seconds; who fails more than 85% of five calls and more is out for thirty.
pub(crate) fn outliers(pair: Pair, ambient: &Ambient) -> Client {
    let rule = FailurePercentage { threshold: 85, enforcement_percentage: 100, minimum_hosts: 3, request_volume: 5 };
    let outlier = OutlierConfig {
        interval: 10 * S,
        base_ejection: 30 * S,
        success_rate: None,
        failure_percentage: Some(rule),
        ..OutlierConfig::default()
    };
    let channel = ChannelConfig { balance: Balance::RoundRobin, outlier: Some(outlier), ..ChannelConfig::default() };
    over(channel, vec![], pair, ambient, 3)
}

/// Calls that the failing one of three endpoints got: before the first sweep, while it is out, after it is back.
fn weather(make: Balanced<'_>) -> ([usize; 3], Server) {
    let bad = Server::sequence([Reply::Status(Code::Unavailable)]);
    let got = simulate(|| async {
        let client = make(Pair { first: bad.clone(), others: Server::sequence([Reply::Ok]) }, &ambient());
        let spend = async |calls: usize| {
            let earlier = bad.served();
            for _ in 0..calls {
                let _ = call(client.clone()).await;
                clock::sleep(100 * MS).await;
            }
            bad.served() - earlier
        };
        // 9 s: the sweep has not come yet. 11 s to 31 s: ejected at 10 s. 45 s: back since the sweep at 40 s.
        let before = spend(90).await;
        clock::sleep(2 * S).await;
        let during = spend(200).await;
        clock::sleep(14 * S).await;
        [before, during, spend(30).await]
    });
    (got, bad)
}

pub(crate) fn sweeps(make: Balanced<'_>) -> Verdict {
    let ([before, during, after], _) = weather(make);
    ensure(
        (29..=31).contains(&before),
        format_args!("before the first sweep it got {before} calls, not a third of 90"),
    )?;
    ensure(during == 0, format_args!("while it was out it got {during} calls"))?;
    ensure(after > 0, "it never came back")
}

pub(crate) fn connection(make: Balanced<'_>) -> Verdict {
    let (_, bad) = weather(make);
    let made = bad.connections();
    ensure(made == 1, format_args!("{made} connections were made, not 1"))
}
