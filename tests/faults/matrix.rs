//! Every kind of fault with every option that all faults share: each either works, and shows that it does, or is refused with the
//! reason. None is taken and ignored.

use squall::record::{Event, Kind};
use squall::scenario::{self, Alone, Applies, FAULTS, Plan, Shape};
use squall::trial::{self, TrialSpec};

use crate::rows;
use crate::world::{Row, counts};

/// A row of each kind that chooses nothing: the usual fault of its kind.
fn plain() -> Vec<Row> {
    let of = |kind| rows().into_iter().find(|row| row.kind == kind && !row.fault.contains("only:"));
    FAULTS.iter().map(|info| of(info.kind).unwrap_or_else(|| panic!("{} has no plain row", info.kind))).collect()
}

fn parse(row: &Row, time: &str) -> Result<Plan, String> {
    scenario::parse("matrix.yaml", &row.text(time), &Alone).map_err(|mistakes| mistakes.to_string())
}

fn run(plan: &Plan, seed: u64) -> Vec<Event> {
    trial::run(plan, TrialSpec { strategy: 0, seed, control: false }, Vec::new()).unwrap()
}

fn begins(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event.kind, Kind::FaultStarted { fault: 0 })).count()
}

/// What is wrong with a cell of the matrix, if anything is.
type Cell = fn(&Row) -> Result<(), String>;

fn check_all(cells: &[(&str, Cell)]) {
    let mut wrong = Vec::new();
    for row in plain() {
        for (option, cell) in cells {
            wrong.extend(cell(&row).err().map(|why| format!("{} with `{option}`: {why}", row.kind)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// It must be refused, and say why.
fn refused(row: &Row, time: &str, reason: &str) -> Result<(), String> {
    match parse(row, time) {
        Ok(_) => Err("is taken".into()),
        Err(mistakes) if mistakes.contains(reason) => Ok(()),
        Err(mistakes) => Err(format!("does not say `{reason}`:\n{mistakes}")),
    }
}

fn lasting(row: &Row) -> Result<(), String> {
    match row.info().shape {
        Shape::Moment => refused(row, "at: 5s, for: 5s", "is a moment and has no duration"),
        Shape::While | Shape::Bounded => parse(row, "at: 5s, for: 5s").map(drop),
    }
}

fn unending(row: &Row) -> Result<(), String> {
    match row.info().shape {
        Shape::Bounded => refused(row, "at: 5s", "`for` is missing"),
        Shape::While | Shape::Moment => parse(row, "at: 5s").map(drop),
    }
}

fn repeating(row: &Row) -> Result<(), String> {
    let lasts = if row.info().shape == Shape::Moment { "" } else { ", for: 3500ms" };
    let events = run(&parse(row, &format!("at: 5s{lasts}, every: 4s, repeat: 2"))?, 1);
    if begins(&events) == 2 { Ok(()) } else { Err(format!("begins {} times", begins(&events))) }
}

fn growing(row: &Row) -> Result<(), String> {
    let time = format!("{}, ramp: 5s", row.time());
    if !row.info().grows {
        return refused(row, &time, "has no strength that could grow");
    }
    let (plan, full) = (parse(row, &time)?, parse(row, row.time())?);
    let (growing, full) = (run(&plan, 1), run(&full, 1));
    if growing == full { Err("makes no difference".into()) } else { Ok(()) }
}

fn perhaps(row: &Row) -> Result<(), String> {
    let plan = parse(row, &format!("{}, probability: 50%", row.time()))?;
    let happened: Vec<usize> = (1..=12).map(|seed| begins(&run(&plan, seed))).collect();
    let times: usize = happened.iter().sum();
    if (2..=10).contains(&times) { Ok(()) } else { Err(format!("happens {times} times of 12: {happened:?}")) }
}

/// A choice among what the fault applies to, or a kind that has none.
fn choosing(row: &Row, only: &str, holds: impl Fn((u64, u64), (u64, u64)) -> bool) -> Result<(), String> {
    let time = format!("{}, only: {{ {only} }}", row.time());
    if let Applies::Whole(why) = row.info().applies {
        return refused(row, &time, "has nothing that `only` could choose among")
            .and_then(|()| refused(row, &time, why));
    }
    let (some, all) = (run(&parse(row, &time)?, 1), run(&parse(row, row.time())?, 1));
    let (some, all) = (counts(&some, 0), counts(&all, 0));
    if holds(some, all) { Ok(()) } else { Err(format!("{some:?} instead of {all:?}")) }
}

fn first(row: &Row) -> Result<(), String> {
    // One that is drawn may be spared.
    choosing(row, "first: 1", |(matched, fired), _| matched == 1 && fired <= 1)
}

fn every(row: &Row) -> Result<(), String> {
    // Not always fewer: a connection that loses every third packet goes on sending.
    choosing(row, "every: 3", |some, all| some.0 > 0 && some != all)
}

fn clients(row: &Row) -> Result<(), String> {
    if row.kind == "half_open" {
        return refused(row, &format!("{}, only: {{ clients: [devices/2] }}", row.time()), "names its clients itself");
    }
    choosing(row, "clients: [devices/2]", |(matched, fired), (all, _)| matched > 0 && fired > 0 && matched < all)
}

fn method(row: &Row) -> Result<(), String> {
    match row.info().applies {
        Applies::Calls => choosing(row, "method: ReportAlert", |some, all| some == all),
        Applies::Whole(_) => choosing(row, "method: ReportAlert", |_, _| false),
        other => {
            let time = format!("{}, only: {{ method: ReportAlert }}", row.time());
            refused(row, &time, &format!("{} know no methods", other.plural()))
        }
    }
}

/// Who it strikes must be there, and must be what it strikes.
fn elsewhere(row: &Row) -> Result<(), String> {
    let stranger = Row { fault: row.fault.replace("telemetry", "nobody").leak(), ..row.clone() };
    let why = if stranger.fault == row.fault { return Ok(()) } else { "is named `nobody`" };
    refused(&stranger, row.time(), why)
}

#[test]
fn times_work_or_say_why_not() {
    check_all(&[("for", lasting), ("at alone", unending), ("every", repeating), ("ramp", growing)]);
}

#[test]
fn chance_works_for_all() {
    check_all(&[("probability", perhaps)]);
}

#[test]
fn choices_work_or_say_why_not() {
    check_all(&[("only first", first), ("only every", every), ("only clients", clients), ("only method", method)]);
}

#[test]
fn targets_must_be_there() {
    check_all(&[("nobody", elsewhere)]);
}
