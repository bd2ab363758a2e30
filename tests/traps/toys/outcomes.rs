//! Toys that misread how an attempt ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use squall::resilience::{Ambient, Client, Origin};
use tonic::{Code, Status};

use super::super::endpoints::boxed;
use super::super::peer::Server;
use super::super::rig::{S, client};
use super::{toy, turned_away};

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
