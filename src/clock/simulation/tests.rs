//! Time moves exactly, in order, and only when every task is idle.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::clock::{now, sleep, sleep_until, timeout};

const MILLISECOND_NS: u64 = 1_000_000;

/// With tokio's timers, and without.
fn both() -> [Simulation; 2] {
    [Simulation::new(), Simulation::without_tokio_timers()]
}

fn micros(value: u64) -> Duration {
    Duration::from_micros(value)
}

#[test]
fn a_link_of_250_us_gives_500_us_round_trips() {
    for simulation in both() {
        let took = simulation.run(async {
            sleep(micros(250)).await;
            sleep(micros(250)).await;
            now()
        });
        assert_eq!(took.map(Instant::as_nanos), Ok(500_000));
    }
}

/// Own timers fire to the nanosecond; tokio's at the whole millisecond at or above their deadline; at equal instants
/// tokio's come first. Neither ever sees the clock beyond its own time.
#[test]
fn own_and_tokio_timers_fire_in_order() {
    let log: Arc<Mutex<Vec<(u64, &str)>>> = Arc::default();
    let run = Simulation::new().run({
        let log = Arc::clone(&log);
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            for (nanos, name) in
                [(999_999, "own"), (1_000_000, "own"), (1_000_001, "own"), (2_500_000, "own"), (7, "own")]
            {
                let log = Arc::clone(&log);
                tasks.spawn(async move {
                    sleep(Duration::from_nanos(nanos)).await;
                    log.lock().unwrap().push((now().as_nanos(), name));
                });
            }
            for (nanos, name) in [(1_000_000, "tokio"), (2_300_000, "tokio"), (1, "tokio")] {
                let log = Arc::clone(&log);
                tasks.spawn(async move {
                    tokio::time::sleep(Duration::from_nanos(nanos)).await;
                    log.lock().unwrap().push((now().as_nanos(), name));
                });
            }
            tasks.join_all().await;
        }
    });
    assert_eq!(run, Ok(()));
    let expected = [
        (7, "own"),
        (999_999, "own"),
        (1_000_000, "tokio"),
        (1_000_000, "tokio"),
        (1_000_000, "own"),
        (1_000_001, "own"),
        (2_500_000, "own"),
        (3_000_000, "tokio"),
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn the_same_instant_keeps_the_order_of_scheduling() {
    struct Note(Mutex<Vec<u64>>);
    impl Event for Note {
        fn fire(self: Arc<Self>, token: u64) -> Woken {
            self.0.lock().unwrap().push(token);
            Woken::Nobody
        }
    }
    for simulation in both() {
        let note = Arc::new(Note(Mutex::default()));
        let run = simulation.run({
            let note = Arc::clone(&note);
            async move {
                let at = now() + micros(10);
                for token in 0..5 {
                    schedule(at, Arc::clone(&note) as Arc<dyn Event>, token);
                }
                let cancelled = schedule(at, Arc::clone(&note) as Arc<dyn Event>, 99);
                cancel(cancelled);
                sleep_until(at).await;
            }
        });
        assert_eq!(run, Ok(()));
        assert_eq!(*note.0.lock().unwrap(), [0, 1, 2, 3, 4]);
    }
}

/// An event that wakes nobody, and one that says it may have but has not, do not stop time.
#[test]
fn events_that_wake_nobody_do_not_stop_time() {
    struct Silent(Woken);
    impl Event for Silent {
        fn fire(self: Arc<Self>, _: u64) -> Woken {
            self.0
        }
    }
    for simulation in both() {
        let end = simulation.run(async {
            for (nanos, woken) in [(10, Woken::Nobody), (20, Woken::Maybe), (2_000_010, Woken::Maybe)] {
                schedule(Instant::from_nanos(nanos), Arc::new(Silent(woken)), 0);
            }
            sleep(micros(5_000)).await;
            now().as_nanos()
        });
        assert_eq!(end, Ok(5_000_000));
    }
}

#[test]
fn a_dropped_sleep_leaves_no_trace_in_time() {
    for simulation in both() {
        let end = simulation.run(async {
            assert!(timeout(micros(3), sleep(Duration::from_secs(60))).await.is_err());
            sleep(micros(1)).await;
            now().as_nanos()
        });
        assert_eq!(end, Ok(4_000));
    }
}

#[test]
fn waiting_for_nothing_is_an_error_not_a_hang() {
    for simulation in both() {
        let outcome = simulation.run(std::future::pending::<()>());
        assert_eq!(outcome, Err(Stalled::Idle));
    }
}

/// Rather than fire late.
#[test]
#[should_panic(expected = "timers are disabled")]
fn where_time_jumps_a_timer_of_tokio_panics() {
    let _ = Simulation::without_tokio_timers().run(async { tokio::time::sleep(micros(1)).await });
}

#[test]
fn tokio_timers_alone_still_run() {
    let end = Simulation::new().run(async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        now().as_nanos()
    });
    assert_eq!(end, Ok(3_000_000_000));
}

proptest::proptest! {
    /// Any mix of own sleeps ends exactly on time, whatever tokio timers stand beside them.
    #[test]
    fn own_sleeps_are_exact(own in proptest::collection::vec(0u64..50_000_000, 1..40), other in proptest::collection::vec(0u64..50_000_000, 0..10)) {
        let with = Simulation::new().run(sleep_side_by_side(own.clone(), other));
        proptest::prop_assert_eq!(with, Ok(()));
        let without = Simulation::without_tokio_timers().run(sleep_side_by_side(own, Vec::new()));
        proptest::prop_assert_eq!(without, Ok(()));
    }
}

async fn sleep_side_by_side(own: Vec<u64>, other: Vec<u64>) {
    let mut tasks = tokio::task::JoinSet::new();
    for nanos in other {
        tasks.spawn(async move {
            tokio::time::sleep(Duration::from_nanos(nanos)).await;
            assert_eq!(now().as_nanos(), nanos.next_multiple_of(MILLISECOND_NS));
        });
    }
    for nanos in own {
        tasks.spawn(async move {
            sleep(Duration::from_nanos(nanos)).await;
            assert_eq!(now().as_nanos(), nanos);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// Whoever is dropped because the run panics may still schedule and cancel: else its panic would bury the first.
#[test]
fn a_run_that_panics_drops_its_tasks_in_virtual_time() {
    struct Dropped(Arc<Mutex<Vec<bool>>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(in_simulation());
        }
    }
    for simulation in both() {
        let in_time: Arc<Mutex<Vec<bool>>> = Arc::default();
        let held = Dropped(Arc::clone(&in_time));
        let run = std::panic::AssertUnwindSafe(|| {
            simulation.run(async {
                tokio::spawn(async move {
                    let _held = held;
                    std::future::pending::<()>().await;
                });
                sleep(micros(1)).await;
                panic!("the test fails");
            })
        });
        assert!(std::panic::catch_unwind(run).is_err());
        assert_eq!(*in_time.lock().unwrap(), [true]);
        assert!(!in_simulation());
    }
}
