//! The toys: what one writes first, or finds ready made. Each is wrong in one way, and its check says which.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response, request};
use http_body_util::{BodyExt, Full};
use squall::clock::{self, Instant};
use squall::resilience::{Ambient, BudgetKind, Client, Codes, LayerConfig, Origin, TowerConfig, TpsBudgetConfig};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{BoxError, ServiceExt};

use super::endpoints::{Coy, boxed};
use super::memory::Share;
use super::peer::{Pair, Server};
use super::rig::{MS, S, client, over};

type Answer = Result<Response<Body>, BoxError>;

/// A request kept whole, whatever its size.
#[derive(Clone)]
struct Kept {
    parts: request::Parts,
    body: Bytes,
}

impl Kept {
    async fn of(request: Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        Self { parts, body }
    }

    async fn send(&self, service: &Client) -> Answer {
        let request = Request::from_parts(self.parts.clone(), Body::new(Full::new(self.body.clone())));
        service.clone().oneshot(request).await
    }
}

/// A client that does this with every call.
fn toy<F, W>(server: Server, ambient: &Ambient, work: W) -> Client
where
    W: Fn(Client, Kept) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let channel = client(vec![], server, ambient);
    let service = tower::service_fn(move |request| {
        let (channel, work) = (channel.clone(), work.clone());
        async move { work(channel, Kept::of(request).await).await }
    });
    boxed(service, ambient)
}

/// Whether it failed, as far as headers tell.
fn failed(answer: &Answer) -> bool {
    let status = |response: &Response<Body>| response.headers().get("grpc-status").is_some_and(|status| status != "0");
    answer.as_ref().map_or(true, status)
}

fn turned_away() -> Answer {
    Err(Status::unavailable("no").into())
}

/// A second for each try, and ten tries, whoever said DEADLINE_EXCEEDED.
pub(crate) fn impatient(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..10 {
            if let Ok(answer) = clock::timeout(S, kept.send(&channel)).await
                && !failed(&answer)
            {
                return answer;
            }
        }
        Err(Status::deadline_exceeded("ten tries").into())
    })
}

/// UNAVAILABLE is the network, DEADLINE_EXCEEDED the client's timer: is it?
pub(crate) fn origin_by_code(status: &Status) -> Origin {
    match status.code() {
        Code::Unavailable => Origin::Network,
        Code::DeadlineExceeded => Origin::ClientDeadline,
        Code::Cancelled => Origin::Cancelled,
        _ => Origin::Server,
    }
}

pub(crate) fn timed_by_tower(server: Server, ambient: &Ambient) -> Client {
    boxed(tower::timeout::Timeout::new(client(vec![], server, ambient), S), ambient)
}

pub(crate) fn retries_errors(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        let mut answer = kept.send(&channel).await;
        for _ in 0..2 {
            if answer.is_err() {
                answer = kept.send(&channel).await;
            }
        }
        answer
    })
}

pub(crate) fn breaks_on_errors(server: Server, ambient: &Ambient) -> Client {
    let in_a_row = Arc::new(AtomicU32::new(0));
    toy(server, ambient, move |channel, kept| {
        let in_a_row = in_a_row.clone();
        async move {
            if in_a_row.load(Ordering::Relaxed) >= 2 {
                return turned_away();
            }
            let answer = kept.send(&channel).await;
            match answer {
                Ok(_) => in_a_row.store(0, Ordering::Relaxed),
                Err(_) => _ = in_a_row.fetch_add(1, Ordering::Relaxed),
            }
            answer
        }
    })
}

/// Reads each answer to its end before it decides.
pub(crate) fn retries_anything(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..2 {
            let answer = kept.send(&channel).await;
            let good = !failed(&answer);
            let (parts, body) = answer?.into_parts();
            let whole = body.collect().await?;
            let trailers = whole.trailers().cloned().unwrap_or_default();
            if good && trailers.get("grpc-status").is_some_and(|status| status == "0") {
                let body = Full::new(whole.to_bytes()).with_trailers(std::future::ready(Some(Ok(trailers))));
                return Ok(Response::from_parts(parts, Body::new(body)));
            }
        }
        turned_away()
    })
}

/// A throttle of ten tokens around two attempts, that charges and asks as `may_retry` does.
fn throttle(server: Server, ambient: &Ambient, may_retry: fn(&mut f64, u32) -> bool) -> Client {
    let tokens = Arc::new(Mutex::new(10.0));
    toy(server, ambient, move |channel, kept| {
        let tokens = tokens.clone();
        async move {
            for attempt in 1.. {
                let answer = kept.send(&channel).await;
                if !failed(&answer) || !may_retry(&mut tokens.lock().expect("nobody panics"), attempt) {
                    return answer;
                }
            }
            unreachable!("the attempts end")
        }
    })
}

pub(crate) fn charges_retries(server: Server, ambient: &Ambient) -> Client {
    throttle(server, ambient, |tokens, attempt| {
        let may = attempt < 2 && *tokens > 5.0;
        *tokens -= f64::from(u8::from(may));
        may
    })
}

pub(crate) fn needs_half(server: Server, ambient: &Ambient) -> Client {
    throttle(server, ambient, |tokens, attempt| {
        *tokens -= 1.0;
        *tokens >= 5.0 && attempt < 2
    })
}

/// Three attempts on UNAVAILABLE; what it cannot read as a pause is none.
pub(crate) fn retries_at_once(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        for _ in 0..2 {
            let answer = kept.send(&channel).await;
            if !failed(&answer) {
                return answer;
            }
            let asked = answer.ok().and_then(|response| response.headers().get("grpc-retry-pushback-ms").cloned());
            let pause = asked.and_then(|text| text.to_str().ok()?.parse().ok()).unwrap_or(0);
            clock::sleep(Duration::from_millis(pause).min(S)).await;
        }
        kept.send(&channel).await
    })
}

/// Three attempts, two seconds apart, if it was the server that failed.
pub(crate) fn retries_answers(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        let mut answer = kept.send(&channel).await;
        for _ in 0..2 {
            if answer.is_ok() && failed(&answer) {
                clock::sleep(2 * S).await;
                answer = kept.send(&channel).await;
            }
        }
        answer
    })
}

/// So many attempts, one every `delay`; the first that `counts` is the answer.
async fn race(channel: Client, kept: Kept, attempts: u32, delay: Duration, counts: fn(&Answer) -> bool) -> Answer {
    let attempt = |n: u32| {
        let (channel, kept) = (channel.clone(), kept.clone());
        async move {
            clock::sleep(delay * n).await;
            kept.send(&channel).await
        }
    };
    let mut running: FuturesUnordered<_> = (0..attempts).map(attempt).collect();
    let mut last = turned_away();
    while let Some(answer) = running.next().await {
        if counts(&answer) {
            return answer;
        }
        last = answer;
    }
    last
}

pub(crate) fn first_answer_wins(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| race(channel, kept, 4, 10 * MS, |_| true))
}

pub(crate) fn waits_out_the_delay(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| race(channel, kept, 2, 10 * S, |answer| !failed(answer)))
}

pub(crate) fn forgets_losers(server: Server, ambient: &Ambient) -> Client {
    toy(server, ambient, |channel, kept| async move {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..2 {
            let (channel, kept, tell) = (channel.clone(), kept.clone(), tell.clone());
            tokio::spawn(async move {
                clock::sleep(10 * MS * n).await;
                let _ = tell.send(kept.send(&channel).await);
            });
        }
        told.recv().await.unwrap_or_else(turned_away)
    })
}

/// The 90th percentile of how long the winning attempt took.
pub(crate) fn learns_from_winners(server: Server, ambient: &Ambient) -> Client {
    let seen = Arc::new(Mutex::new(vec![50 * MS]));
    toy(server, ambient, move |channel, kept| {
        let seen = seen.clone();
        async move {
            let delay = {
                let mut recent: Vec<Duration> =
                    seen.lock().expect("nobody panics").iter().rev().take(500).copied().collect();
                recent.sort_unstable();
                recent[recent.len() * 9 / 10]
            };
            let attempt = |n: u32| {
                let (channel, kept) = (channel.clone(), kept.clone());
                async move {
                    clock::sleep(delay * n).await;
                    let began = clock::now();
                    (kept.send(&channel).await, began)
                }
            };
            let mut running: FuturesUnordered<_> = (0..2).map(attempt).collect();
            let (answer, began) = running.next().await.expect("there are two");
            seen.lock().expect("nobody panics").push(clock::now() - began);
            answer
        }
    })
}

/// What a breaker knows that is written in an hour: how it stands.
#[derive(Default)]
struct Switch {
    open_until: Option<Instant>,
    probing: bool,
}

/// One failure opens it for a second; a success closes it, whenever its call began; a probe ends with its result.
pub(crate) fn forgetful_breaker(server: Server, ambient: &Ambient) -> Client {
    let switch = Arc::new(Mutex::new(Switch::default()));
    toy(server, ambient, move |channel, kept| {
        let switch = switch.clone();
        async move {
            {
                let mut switch = switch.lock().expect("nobody panics");
                if let Some(until) = switch.open_until {
                    if clock::now() < until || switch.probing {
                        return turned_away();
                    }
                    switch.probing = true;
                }
            }
            let answer = kept.send(&channel).await;
            let open_until = failed(&answer).then(|| clock::now() + S);
            *switch.lock().expect("nobody panics") = Switch { open_until, probing: false };
            answer
        }
    })
}

/// Half of all calls since the beginning, once there were five.
pub(crate) fn cumulative_breaker(server: Server, ambient: &Ambient) -> Client {
    let counts = Arc::new(Mutex::new((0_u32, 0_u32)));
    toy(server, ambient, move |channel, kept| {
        let counts = counts.clone();
        async move {
            let (calls, failures) = *counts.lock().expect("nobody panics");
            if calls >= 5 && failures * 2 >= calls {
                return turned_away();
            }
            let answer = kept.send(&channel).await;
            let mut counts = counts.lock().expect("nobody panics");
            *counts = (counts.0 + 1, counts.1 + u32::from(failed(&answer)));
            drop(counts);
            answer
        }
    })
}

/// Retries are a tenth of the calls so far, whatever kind was asked for.
pub(crate) fn one_budget_for_all(_: BudgetKind, server: Server, ambient: &Ambient) -> Client {
    let counts = Arc::new(Mutex::new((0_u32, 0_u32)));
    toy(server, ambient, move |channel, kept| {
        let counts = counts.clone();
        async move {
            counts.lock().expect("nobody panics").0 += 1;
            let answer = kept.send(&channel).await;
            let may = {
                let mut counts = counts.lock().expect("nobody panics");
                let may = failed(&answer) && (counts.1 + 1) * 10 <= counts.0;
                counts.1 += u32::from(may);
                may
            };
            if may { kept.send(&channel).await } else { answer }
        }
    })
}

/// Of the calls that succeed.
pub(crate) const TOWER_BUDGET: Share = Share { make: tower_budget, deposits: 100 };

fn tower_budget(server: Server, ambient: &Ambient) -> Client {
    let budget = Some(TpsBudgetConfig { ttl: 10 * S, min_per_s: 0, percent: 0.6 });
    let retry = TowerConfig::Retry { attempts: 2, on: Codes::UNAVAILABLE, budget };
    client(vec![LayerConfig::Tower(retry)], server, ambient)
}

/// The SRE book's formula with K = 2, over what was sent.
pub(crate) fn counts_what_it_sent(server: Server, ambient: &Ambient) -> Client {
    let counts = Arc::new(Mutex::new((0.0, 0.0)));
    let (key, calls) = (ambient.key(), Arc::new(AtomicU64::new(0)));
    toy(server, ambient, move |channel, kept| {
        let (counts, draw) = (counts.clone(), key.with(calls.fetch_add(1, Ordering::Relaxed)).draw());
        async move {
            let (sent, accepted): (f64, f64) = *counts.lock().expect("nobody panics");
            if draw.value() < (sent - 2.0 * accepted) / (sent + 1.0) {
                return turned_away();
            }
            let answer = kept.send(&channel).await;
            let mut counts = counts.lock().expect("nobody panics");
            *counts = (counts.0 + 1.0, counts.1 + f64::from(u8::from(!failed(&answer))));
            drop(counts);
            answer
        }
    })
}

/// The generator is part of what every client is made from.
pub(crate) fn one_seed(server: Server, ambient: &Ambient) -> Client {
    let draws = Arc::new(AtomicU64::new(0));
    toy(server, ambient, move |channel, kept| {
        let draws = draws.clone();
        async move {
            let answer = kept.send(&channel).await;
            if !failed(&answer) {
                return answer;
            }
            let draw = squall::random::Key::from_seed(42).with(draws.fetch_add(1, Ordering::Relaxed)).draw();
            clock::sleep((100 * MS).mul_f64(draw.value())).await;
            kept.send(&channel).await
        }
    })
}

pub(crate) fn sheds_on_pending(service: Coy<Client>, ambient: &Ambient) -> Client {
    boxed(tower::load_shed::LoadShed::new(service), ambient)
}

/// Retry, then timeout, then breaker, in whatever order they came.
pub(crate) fn right_order(mut layers: Vec<LayerConfig>) -> Vec<LayerConfig> {
    layers.sort_by_key(|layer| match layer {
        LayerConfig::Retry(_) => 0,
        LayerConfig::AttemptTimeout(_) => 1,
        _ => 2,
    });
    layers
}

/// One endpoint as a toy balancer sees it.
struct Seat {
    client: Option<Client>,
    in_a_row: u32,
    out_until: Instant,
}

/// Five failures in a row, and it is out for thirty seconds, connection and all.
pub(crate) fn ejects_at_once(pair: Pair, ambient: &Ambient) -> Client {
    let connect = {
        let ambient = ambient.clone();
        move |at: usize| {
            let server = if at == 0 { &pair.first } else { &pair.others };
            over(squall::resilience::ChannelConfig::default(), vec![], server.clone(), &ambient, 1)
        }
    };
    let seat = |_| Seat { client: None, in_a_row: 0, out_until: Instant::ORIGIN };
    let seats = Arc::new(Mutex::new((0, [0, 1, 2].map(seat))));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (at, client) = {
            let (turn, seats) = &mut *seats.lock().expect("nobody panics");
            loop {
                *turn = (*turn + 1) % seats.len();
                if clock::now() >= seats[*turn].out_until {
                    break;
                }
            }
            (*turn, seats[*turn].client.get_or_insert_with(|| connect(*turn)).clone())
        };
        let seats = seats.clone();
        async move {
            let answer = client.oneshot(request).await;
            let seat = &mut seats.lock().expect("nobody panics").1[at];
            seat.in_a_row = if failed(&answer) { seat.in_a_row + 1 } else { 0 };
            if seat.in_a_row >= 5 {
                *seat = Seat { client: None, in_a_row: 0, out_until: clock::now() + 30 * S };
            }
            answer
        }
    });
    boxed(service, ambient)
}
