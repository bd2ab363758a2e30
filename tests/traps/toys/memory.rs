//! Toys that remember the wrong things from one call to the next.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use squall::clock::{self, Instant};
use squall::resilience::{Ambient, BudgetKind, Client, Codes, LayerConfig, TowerConfig, TpsBudgetConfig};

use super::super::memory::Share;
use super::super::peer::Server;
use super::super::rig::{S, client};
use super::{failed, toy, turned_away};

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
