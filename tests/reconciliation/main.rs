//! What clients were told against what the logs hold, under random storms: whatever is lost, doubled or kept in silence is counted
//! exactly, and with `durability: sync` on an honest disk nothing that was acknowledged is ever lost.
//!
//! `PROPTEST_CASES` asks for more storms than usual. Draws are always the same ones, so that a failure is one for everybody; what
//! fails is shrunk, and printed as a scenario file.
#![cfg(feature = "sim")]

mod ledger;
mod storm;

use std::cell::RefCell;
use std::sync::Arc;

use ledger::{Figures, Ledger};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use squall::analysis::{Scopes, TrialFold};
use squall::record::{Event, Kind, Sink};
use squall::scenario::{self, Alone, Plan};
use squall::trial::{self, TrialSpec};
use storm::{Disk, Storm, storms};

/// Storms a test, unless the environment asks for more.
const STORMS: u32 = 300;

/// Three crashes of a log in memory, and a client that asks again.
const SIMPLE: &str = "
name: simple
about: A log in memory, and three crashes.
duration: 8s
servers: { telemetry: { replicas: 2, durability: memory, service_time: { lognormal: { median: 8ms, p99: 30ms } } } }
clients: { devices: { count: 4, calls: telemetry, load: { poisson: 8/s } } }
faults: [{ at: 2s, for: 1s, every: 2s, crash: { server: telemetry, some: 1 } }]
strategies: [{ name: one, layers: [{ deadline: 1s }, { retry: { attempts: 3 } }], channel: { balance: round_robin } }]
";

/// What all storms of a test came to, to show that they were storms.
#[derive(Debug, Default)]
struct Season {
    figures: Figures,
    /// Storms that cost somebody something.
    deaths: u64,
    acknowledged: u64,
}

impl Season {
    fn add(&mut self, figures: Figures, deaths: u64, acknowledged: u64) {
        self.figures.lost += figures.lost;
        self.figures.duplicates += figures.duplicates;
        self.figures.unacknowledged += figures.unacknowledged;
        self.deaths += deaths;
        self.acknowledged += acknowledged;
    }
}

/// Runs one storm: the figures of the ledger, which those of the analysis must equal.
fn weather(plan: &Plan, seed: u64, season: &RefCell<Season>) -> Result<Figures, String> {
    let spec = TrialSpec { strategy: 0, seed, control: false };
    let events: Vec<Event> = trial::run(plan, spec, Vec::new()).map_err(|error| error.to_string())?;
    let mut fold = TrialFold::new(&trial::header(plan, spec), Arc::new(Scopes::of(plan).parts().clone()));
    let mut ledger = Ledger::new(plan);
    for event in &events {
        fold.event(event);
        ledger.event(event)?;
    }
    let (figures, metrics) = (ledger.figures()?, fold.finish());
    let whole = metrics.whole();
    let counted = Figures {
        lost: whole.lost_acknowledged,
        duplicates: whole.duplicates,
        unacknowledged: whole.unacknowledged_recorded,
    };
    season.borrow_mut().add(figures, ledger.deaths, whole.ok);
    if counted == figures {
        Ok(figures)
    } else {
        Err(format!("the analysis counts {counted:?}, the ledger {figures:?}"))
    }
}

/// Runs storms, and gives what they came to. `holds` is what must be so of each.
fn season(disk: Disk, lies: bool, holds: fn(Figures) -> Result<(), String>) -> Season {
    let config = Config { failure_persistence: None, ..Config::default() };
    let cases = std::env::var_os("PROPTEST_CASES").map_or(STORMS, |_| config.cases);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config { cases, ..config }, rng);
    let season = RefCell::new(Season::default());
    let check = |storm: &Storm| {
        let (plan, _) = storm.plan();
        weather(&plan, storm.seed, &season).and_then(holds)
    };
    match runner.run(&storms(disk, lies), |storm| check(&storm).map_err(TestCaseError::fail)) {
        Ok(()) => season.into_inner(),
        Err(TestError::Fail(why, storm)) => panic!("{why}\nseed {} of\n{}", storm.seed, storm.plan().1),
        Err(aborted) => panic!("{aborted}"),
    }
}

/// A ledger that believes everything proves nothing: each of these tampers with one event of a true story.
#[test]
fn the_ledger_is_not_fooled() {
    let plan = scenario::parse("simple.yaml", SIMPLE, &Alone).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let story: Vec<Event> = trial::run(&plan, TrialSpec { strategy: 0, seed: 1, control: false }, Vec::new()).unwrap();
    let read = |events: &[Event]| {
        let mut ledger = Ledger::new(&plan);
        events.iter().try_for_each(|event| ledger.event(event))?;
        ledger.figures()
    };
    let truth = read(&story).unwrap();
    assert!(truth.lost > 10, "{truth:?}");
    let place = |which: fn(&Kind) -> bool| story.iter().position(|event| which(&event.kind)).unwrap();
    let (lost, written) =
        (place(|kind| matches!(kind, Kind::RecordLost { .. })), place(|kind| matches!(kind, Kind::Recorded { .. })));
    let without = |place: usize| [&story[..place], &story[place + 1..]].concat();
    let twice = |place: usize| [&story[..=place], &story[place..]].concat();
    let stories = [
        ("a loss that nobody tells", without(lost)),
        ("a loss told twice", twice(lost)),
        ("losses in the wrong order", {
            let mut story = story.clone();
            story.swap(lost, lost + 1);
            story
        }),
        ("an acknowledgement of what nobody wrote", without(written)),
        ("an alert written twice, lost once", twice(written)),
        ("a loss long before any death", {
            let mut story = story.clone();
            let early = story.remove(lost);
            story.insert(written + 1, Event { at: story[written].at, ..early });
            story
        }),
    ];
    for (what, story) in stories {
        assert!(read(&story) != Ok(truth), "the ledger takes {what}");
    }
}

fn whatever(_: Figures) -> Result<(), String> {
    Ok(())
}

/// The promise of `sync`: acknowledged means kept, whoever dies and however the client behaves.
#[test]
fn sync_never_loses_what_it_acknowledged() {
    let season = season(Disk::Sync, false, |figures| match figures.lost {
        0 => Ok(()),
        lost => Err(format!("{lost} acknowledged alerts are lost")),
    });
    // Writes that were cut in the middle are lost without anybody having been told that they were kept.
    assert!(season.acknowledged > 5_000 && season.deaths > 10, "{season:?}");
    assert!(season.figures.duplicates > 100 && season.figures.unacknowledged > 100, "{season:?}");
}

/// A disk that lies, or is gone, breaks that promise: counted, one by one.
#[test]
fn a_disk_that_lies_is_found_out() {
    let season = season(Disk::Sync, true, whatever);
    assert!(season.figures.lost > 100, "{season:?}");
}

#[test]
fn memory_loses_everything_and_every_loss_is_counted() {
    let season = season(Disk::Memory, false, whatever);
    assert!(season.figures.lost > 1_000 && season.deaths > 50, "{season:?}");
    assert!(season.figures.duplicates > 100 && season.figures.unacknowledged > 100, "{season:?}");
}

/// Between the two: what was written within the lag before a death is lost, with and without lies on top.
#[test]
fn write_behind_loses_its_lag() {
    let season = season(Disk::Behind, false, whatever);
    assert!(season.figures.lost > 100 && season.deaths > 50, "{season:?}");
    let lied_to = self::season(Disk::Behind, true, whatever);
    assert!(lied_to.figures.lost > season.figures.lost, "{lied_to:?} after {season:?}");
}
