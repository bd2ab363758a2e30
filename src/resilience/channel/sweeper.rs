//! The task that runs outlier detection: one sweep an interval, as long as the channel is open.

use std::sync::Arc;

use super::outlier::sweep;
use super::{Connector, Shared};
use crate::clock;
use crate::resilience::EventKind;

pub(super) async fn run<C: Connector>(shared: Arc<Shared<C>>) {
    let Some(config) = shared.config.outlier.clone() else { return };
    let mut at = clock::now();
    for round in 0.. {
        at += config.interval;
        let mut pause = std::pin::pin!(clock::sleep_until(at));
        let mut closing = std::pin::pin!(shared.closing.notified());
        closing.as_mut().enable();
        if shared.pool().closed {
            return;
        }
        let open = std::future::poll_fn(|cx| {
            if closing.as_mut().poll(cx).is_ready() {
                return std::task::Poll::Ready(false);
            }
            pause.as_mut().poll(cx).map(|()| true)
        });
        if !open.await {
            return;
        }
        sweep_once(&shared, &config, round);
    }
}

fn sweep_once<C: Connector>(shared: &Arc<Shared<C>>, config: &super::OutlierConfig, round: u64) {
    let key = shared.ambient.key().named("outlier").with(round);
    let mut changes = Vec::new();
    let waiting = {
        let mut pool = shared.pool();
        let present: Vec<usize> = (0..pool.subchannels.len()).filter(|at| !pool.subchannels[*at].gone).collect();
        let tallies: Vec<_> = present.iter().map(|at| pool.subchannels[*at].load.take_tally()).collect();
        let before: Vec<_> = present.iter().map(|at| pool.subchannels[*at].host).collect();
        let mut after = before.clone();
        sweep(config, clock::now(), &mut after, &tallies, key);
        for ((at, before), after) in present.into_iter().zip(before).zip(after) {
            let subchannel = &mut pool.subchannels[at];
            subchannel.host = after;
            if before.is_ejected() != after.is_ejected() {
                changes.push((subchannel.addresses[0].clone(), after.is_ejected()));
            }
        }
        std::mem::take(&mut pool.waiting)
    };
    for (endpoint, ejected) in changes {
        shared.ambient.emit(None, 0, || {
            if ejected { EventKind::Ejected { endpoint } } else { EventKind::Unejected { endpoint } }
        });
    }
    for waker in waiting {
        waker.wake();
    }
}
