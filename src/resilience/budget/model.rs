//! Every budget against a plain model: the whole history, folded anew for every question.

use std::time::Duration;

use proptest::prelude::*;

use super::{Account, Budget, BudgetConfig, BudgetKind, Charge};
use crate::clock::Instant;
use crate::resilience::Ambient;

/// Something that happened to a budget, at a time in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Happened {
    Begun,
    Failed,
    Charged(f64),
    /// A retry that had been charged ended.
    Released,
    /// A retry that had been charged never started.
    Refunded(f64),
    /// A call succeeded, with the retry that was charged so, or without one.
    Succeeded(Option<f64>),
    Ended,
}

/// What one retry costs now, or `None` if it may not start.
fn allowed(kind: BudgetKind, history: &[(u64, Happened)], now: u64, why: Charge) -> Option<f64> {
    use Happened::{Begun, Charged, Ended, Failed, Refunded, Released, Succeeded};
    let count = |pick: &dyn Fn(Happened) -> bool| history.iter().filter(|(_, one)| pick(*one)).count() as f64;
    let fold =
        |start: f64, step: &dyn Fn(f64, Happened) -> f64| history.iter().fold(start, |sum, (_, one)| step(sum, *one));
    let within = |length: Duration| {
        // Ten slots: the present one, and the nine before it.
        let slot = |at: u64| at / (length.as_nanos() as u64).div_ceil(10);
        let recent = history.iter().filter(move |(at, _)| slot(*at) + 9 >= slot(now));
        recent.fold((0.0, 0.0), |(calls, retries), (_, one)| match one {
            Begun => (calls + 1.0, retries),
            Charged(_) => (calls, retries + 1.0),
            Refunded(_) => (calls, retries - 1.0),
            _ => (calls, retries),
        })
    };
    let good = match kind {
        BudgetKind::Grpc { tokens, ratio } => {
            let max = f64::from(tokens);
            let left = fold(max, &|left, one| match one {
                Failed => (left - 1.0).max(0.0),
                Succeeded(_) => (left + ratio).min(max),
                _ => left,
            });
            return (left > max / 2.0 + 1e-9).then_some(0.0);
        }
        BudgetKind::Finagle { ttl, min_per_s, percent } => {
            let (calls, retries) = within(ttl);
            retries + 1.0 <= min_per_s * ttl.as_secs_f64() + percent * calls + 1e-9
        }
        BudgetKind::Sre { percent, window } => {
            let (calls, retries) = within(window);
            retries + 1.0 <= percent * calls + 1e-9
        }
        BudgetKind::AwsSdk { capacity, cost, timeout_cost } => {
            let capacity = f64::from(capacity);
            let left = fold(capacity, &|left, one| match one {
                Charged(cost) => left - cost,
                Refunded(cost) => (left + cost).min(capacity),
                Succeeded(paid) => (left + paid.unwrap_or(1.0)).min(capacity),
                _ => left,
            });
            let cost = f64::from(if why == Charge::Transient { timeout_cost } else { cost });
            return (left >= cost).then_some(cost);
        }
        BudgetKind::Envoy { percent, min } => {
            let calls = count(&|one| one == Begun) - count(&|one| one == Ended);
            let gone = |one| one == Released || matches!(one, Refunded(_));
            let retries = count(&|one| matches!(one, Charged(_))) - count(&gone);
            retries < (percent * calls + 1e-9).floor().max(f64::from(min))
        }
        BudgetKind::TokenBucket { per_call, size } => {
            let left = fold(size, &|left, one| match one {
                Begun => (left + per_call).min(size),
                Charged(_) => left - 1.0,
                Refunded(_) => (left + 1.0).min(size),
                _ => left,
            });
            left > 1.0
        }
        BudgetKind::CumulativeBreaker { failure_rate } => {
            let bad = count(&|one| one == Failed);
            return (bad <= failure_rate * count(&|one| one == Begun)).then_some(0.0);
        }
    };
    good.then_some(1.0)
}

fn kinds() -> impl Strategy<Value = BudgetKind> {
    let ttl = Duration::from_nanos(100);
    prop_oneof![
        (1_u32..12, 1_u32..8)
            .prop_map(|(tokens, eighths)| BudgetKind::Grpc { tokens, ratio: f64::from(eighths) / 8.0 }),
        (0_u32..3).prop_map(move |min| BudgetKind::Finagle { ttl, min_per_s: f64::from(min) * 1e7, percent: 0.25 }),
        Just(BudgetKind::Sre { percent: 0.5, window: ttl }),
        (10_u32..30, 1_u32..6, 5_u32..12).prop_map(|(capacity, cost, timeout_cost)| BudgetKind::AwsSdk {
            capacity,
            cost,
            timeout_cost
        }),
        (0_u32..3).prop_map(|min| BudgetKind::Envoy { percent: 0.25, min }),
        Just(BudgetKind::TokenBucket { per_call: 0.25, size: 3.0 }),
        Just(BudgetKind::CumulativeBreaker { failure_rate: 0.5 }),
    ]
}

/// A call under way: its account, and what the model knows of it.
struct Open {
    account: Account<dyn Budget>,
    paid: Option<f64>,
    started: bool,
}

impl Open {
    /// What became of the retry that was paid for.
    fn release(&mut self, now: u64, history: &mut Vec<(u64, Happened)>) {
        if let Some(cost) = self.paid.take() {
            history.push((now, if self.started { Happened::Released } else { Happened::Refunded(cost) }));
        }
    }
}

proptest! {
    /// Calls begin, fail, are retried or stopped in the last moment, succeed or are given up, in any order.
    #[test]
    fn budgets_agree_with_their_models(
        kind in kinds(),
        steps in proptest::collection::vec((0_u64..12, 0_u32..6, 0_usize..8), 1..150),
    ) {
        let budget = BudgetConfig::per_client(kind).build(&Ambient::default(), "test").unwrap();
        let (mut open, mut history, mut now) = (Vec::<Open>::new(), Vec::new(), 0);
        for (step, action, which) in steps {
            now += step;
            let at = Instant::from_nanos(now);
            if action == 0 || open.is_empty() {
                history.push((now, Happened::Begun));
                open.push(Open { account: Account::open(budget.clone(), at), paid: None, started: false });
                continue;
            }
            let index = which % open.len();
            let call = &mut open[index];
            match action {
                1 | 2 => {
                    let why = if action == 1 { Charge::Failure } else { Charge::Transient };
                    call.account.failed(at);
                    call.release(now, &mut history);
                    history.push((now, Happened::Failed));
                    let expected = allowed(kind, &history, now, why);
                    prop_assert_eq!(call.account.charge(at, why), expected.is_some(), "{:?}", history);
                    (call.paid, call.started) = (expected, false);
                    history.extend(expected.map(|cost| (now, Happened::Charged(cost))));
                }
                3 => {
                    call.account.begin();
                    call.started = true;
                }
                _ => {
                    let mut call = open.swap_remove(index);
                    call.account.settle(at, action == 4);
                    if action == 4 {
                        history.push((now, Happened::Succeeded(call.paid)));
                    }
                    call.release(now, &mut history);
                    history.push((now, Happened::Ended));
                }
            }
        }
    }
}
