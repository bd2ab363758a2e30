//! Toys with many callers, many layers or many endpoints.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use squall::clock::{self, Instant};
use squall::random::Key;
use squall::resilience::{Ambient, ChannelConfig, Client, LayerConfig};
use tonic::body::Body;
use tower::ServiceExt;

use super::super::endpoints::{Coy, boxed};
use super::super::peer::{Pair, Server};
use super::super::rig::{MS, S, over};
use super::{failed, toy};

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
            let draw = Key::from_seed(42).with(draws.fetch_add(1, Ordering::Relaxed)).draw();
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
            over(ChannelConfig::default(), vec![], server.clone(), &ambient, 1)
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
