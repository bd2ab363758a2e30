//! The places of a limit against a plain model: a set of those inside and a list of those waiting.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::{Discipline, Limit, LimitAlgorithm, LimitConfig, LimitPass, LimitQueue};
use crate::clock::Instant;
use crate::resilience::gate::{Admission, Caller, End, Gate, Pass};
use crate::resilience::{Ambient, CallId, Criticality, Outcome};

/// Somebody waiting: their number, and whether a place is held for them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Waiting {
    number: u64,
    called: bool,
}

struct Model {
    max: usize,
    queue: usize,
    lifo: bool,
    inside: usize,
    waiting: Vec<Waiting>,
}

#[derive(Debug, PartialEq)]
enum Found {
    Place,
    Queue,
    Full,
}

impl Model {
    fn arrive(&mut self, number: u64) -> Found {
        let uncalled = self.waiting.iter().filter(|one| !one.called).count();
        if (uncalled == 0 || self.lifo) && self.inside < self.max {
            self.inside += 1;
            return Found::Place;
        }
        if uncalled >= self.queue {
            return Found::Full;
        }
        self.waiting.push(Waiting { number, called: false });
        Found::Queue
    }

    fn leave(&mut self) {
        self.inside -= 1;
        let mut next = self.waiting.iter_mut().filter(|one| !one.called);
        let next = if self.lifo { next.next_back() } else { next.next() };
        if let Some(next) = next {
            next.called = true;
            self.inside += 1;
        }
    }

    /// They stop waiting, or go in.
    fn take(&mut self, number: u64) -> Waiting {
        let at = self.waiting.iter().position(|one| one.number == number).unwrap();
        self.waiting.remove(at)
    }
}

proptest! {
    /// Calls come, go in, leave, and give up waiting, in any order: as many are inside, and the same ones.
    #[test]
    fn places_agree_with_their_model(
        max in 1_u32..4,
        queue in 0_usize..4,
        lifo in any::<bool>(),
        steps in proptest::collection::vec((0_u32..5, 0_usize..6), 1..200),
    ) {
        let discipline = if lifo { Discipline::Lifo { max_wait: None } } else { Discipline::Fifo { max_wait: None } };
        let config = LimitConfig { queue, discipline, ..LimitConfig::new(LimitAlgorithm::Fixed { max }) };
        let limit = Limit::new(config).unwrap();
        let mut model = Model { max: max as usize, queue, lifo, inside: 0, waiting: Vec::new() };
        let ambient = Ambient::default();
        let (mut inside, mut waiting) = (Vec::<LimitPass>::new(), Vec::<(u64, LimitQueue)>::new());
        let mut cx = Context::from_waker(Waker::noop());
        for (number, (action, which)) in (0..).zip(steps) {
            match action {
                0 | 1 => {
                    let criticality = Criticality::default();
                    let (call, now) = (CallId(number), Instant::ORIGIN);
                    let caller = Caller { call, attempt: 1, deadline: None, criticality, now, ambient: &ambient };
                    let found = match limit.admit(&caller) {
                        Admission::Pass(pass) => {
                            inside.push(pass);
                            Found::Place
                        }
                        Admission::Wait(turn) => {
                            waiting.push((number, turn));
                            Found::Queue
                        }
                        Admission::Reject(_) => Found::Full,
                    };
                    prop_assert_eq!(found, model.arrive(number));
                }
                2 if !inside.is_empty() => {
                    drop(inside.swap_remove(which % inside.len()));
                    model.leave();
                }
                3 if !waiting.is_empty() => {
                    let (number, turn) = waiting.swap_remove(which % waiting.len());
                    drop(turn);
                    if model.take(number).called {
                        model.leave();
                    }
                }
                _ => {
                    let mut at = 0;
                    while at < waiting.len() {
                        let (number, turn) = &mut waiting[at];
                        let called = model.waiting.iter().any(|one| one.number == *number && one.called);
                        match Pin::new(turn).poll(&mut cx) {
                            Poll::Ready(Ok(pass)) => {
                                prop_assert!(called, "{number} went in before it was called");
                                model.take(*number);
                                inside.push(pass);
                                drop(waiting.swap_remove(at));
                            }
                            Poll::Ready(Err(failure)) => prop_assert!(false, "{failure}"),
                            Poll::Pending => {
                                prop_assert!(!called, "{number} was called and does not go in");
                                at += 1;
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(limit.usage(), (model.inside as u32, max));
        }
        drop((inside, waiting));
        prop_assert_eq!(limit.usage().0, 0);
    }
}

/// As in Netflix's limiters, a call is judged by how many were under way when it began: one that began alone says nothing about a
/// limit of four, however many came after it.
#[test]
fn a_call_counts_those_under_way_when_it_began() {
    let aimd =
        LimitAlgorithm::Aimd { initial: 4, min: 1, max: 9, backoff: 0.5, timeout: std::time::Duration::from_secs(5) };
    let limit = Limit::new(LimitConfig::new(aimd)).unwrap();
    let ambient = Ambient::default();
    let begin = |number: u64| {
        let (call, criticality, now) = (CallId(number), Criticality::default(), Instant::ORIGIN);
        match limit.admit(&Caller { call, attempt: 1, deadline: None, criticality, now, ambient: &ambient }) {
            Admission::Pass(pass) => pass,
            _ => panic!("there is a place"),
        }
    };
    let [first, second, third] = [begin(1), begin(2), begin(3)];
    let end = |pass: LimitPass| pass.ended(End::here(Outcome::OK, CallId(0)));
    end(first);
    assert_eq!(limit.usage(), (2, 4), "one of four");
    end(second);
    assert_eq!(limit.usage(), (1, 5), "two of four");
    end(third);
    assert_eq!(limit.usage(), (0, 6), "three of five, though nobody else is left");
}
