//! Toys that hedge.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use squall::clock;
use squall::resilience::{Ambient, Client};

use super::super::peer::Server;
use super::super::rig::{MS, S};
use super::{Answer, Kept, failed, toy, turned_away};

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
