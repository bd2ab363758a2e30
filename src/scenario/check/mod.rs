//! From what is written to what is meant: every rule that a scenario must keep, and the defaults of what it leaves out.
//!
//! Rule: a check never stops at a mistake. It notes it, goes on with a harmless value, and the plan is thrown away in the
//! end if anything was noted. A name that is defined wrongly still counts as defined, so that one mistake is not told twice.

mod channel;
mod client;
mod expect;
mod fault;
mod layers;
mod link;
mod more_layers;
mod names;
mod seeds;
mod server;
mod strategy;
mod tcp;
mod times;
mod windows;

use std::time::Duration;

use self::names::Names;
pub(crate) use self::strategy::Shelf;
use super::diagnostics::{Mistake, Source, Span, did_you_mean};
use super::plan::{FaultPlan, Plan};
use super::raw::{self, Field};
use super::units::show_duration;

const DRAIN: Duration = Duration::from_secs(10);
/// More hosts than this are beyond one process; see the room for a message-level tier in the design.
const MOST_HOSTS: u32 = 100_000;

/// Everything a check needs at hand, and what it has found so far.
pub(crate) struct Checker<'a> {
    /// What is wrong.
    pub(crate) mistakes: Vec<Mistake>,
    /// All texts, the scenario's first.
    pub(crate) sources: &'a [Source],
    /// The names of groups and their sizes.
    names: Names,
    /// When load ends.
    duration: Duration,
    /// When everything ends.
    end: Duration,
}

/// Checks a scenario that stands in `sources[0]`, all of it at `root`.
pub(crate) fn check(
    scenario: &raw::Scenario,
    root: Span,
    sources: &[Source],
    shelf: &Shelf<'_>,
    mistakes: Vec<Mistake>,
) -> Result<Plan, Vec<Mistake>> {
    let (duration, drain) = lasts(scenario);
    let names = Names::of(scenario);
    let mut checker = Checker { mistakes, sources, names, duration, end: duration + drain };
    let plan = checker.plan(scenario, root, drain, shelf);
    if checker.mistakes.is_empty() { Ok(plan) } else { Err(checker.mistakes) }
}

/// Checks the faults of a scenario for hosts that are not its own: groups of so many servers, and of so many clients.
pub(crate) fn check_faults(
    scenario: raw::Scenario,
    sources: &[Source],
    [servers, clients]: [&[(String, u32)]; 2],
    mistakes: Vec<Mistake>,
) -> Result<Vec<FaultPlan>, Vec<Mistake>> {
    let (duration, drain) = lasts(&scenario);
    let names = Names::foreign(servers, clients);
    let mut checker = Checker { mistakes, sources, names, duration, end: duration + drain };
    let faults = checker.foreign_faults(scenario);
    if checker.mistakes.is_empty() { Ok(faults) } else { Err(checker.mistakes) }
}

/// How long a scenario lasts, and how long after that open calls may still finish.
fn lasts(scenario: &raw::Scenario) -> (Duration, Duration) {
    (Checker::time(&scenario.duration, Duration::from_secs(3600)), Checker::time(&scenario.drain, DRAIN))
}

impl Checker<'_> {
    fn plan(&mut self, scenario: &raw::Scenario, root: Span, drain: Duration, shelf: &Shelf<'_>) -> Plan {
        let head = root;
        let name = self.required(&scenario.name, "name", head).cloned().unwrap_or_default();
        if let Some((name, span)) = scenario.name.with_span() {
            self.valid_name(name, span, "a scenario");
        }
        let about = self.required(&scenario.about, "about", head).cloned().unwrap_or_default();
        if scenario.about.get().is_some_and(|about| about.trim().is_empty()) {
            self.wrong(scenario.about.span().unwrap_or(head), "`about` says nothing");
        }
        self.required(&scenario.duration, "duration", head);
        self.above_zero(&scenario.duration, "duration");
        let warmup = scenario.warmup.get().map_or(Duration::ZERO, |time| time.0);
        if let Some((_, span)) = scenario.warmup.with_span().filter(|_| warmup >= self.duration) {
            let ends = show_duration(self.duration);
            self.push(Mistake::at(span, "the warm-up takes the whole run").label(format!("the run ends at {ends}")));
        }
        self.groups(scenario, head);
        let servers = self.servers(scenario, shelf);
        let clients = self.clients(scenario);
        let links = scenario.links.items().filter_map(|(link, span)| self.link(link, span)).collect();
        let faults = self.faults(scenario, &servers);
        let strategies = self.strategies(&scenario.strategies, head, shelf);
        let expectations = self.expectations(scenario, &strategies, &faults);
        let (seeds, enough) = self.seeds(&scenario.seeds);
        Plan {
            name,
            about: about.trim().to_owned(),
            file: self.sources[0].name.clone(),
            duration: self.duration,
            drain,
            warmup,
            seeds,
            enough,
            servers,
            clients,
            links,
            faults,
            strategies,
            expectations,
        }
    }

    /// Rules about groups as such: there are some, their names are good, and the house is not too large.
    fn groups(&mut self, scenario: &raw::Scenario, head: Span) {
        for (what, missing, empty, span) in [
            (
                "servers",
                scenario.servers.is_absent(),
                scenario.servers.get().is_some_and(|all| all.0.is_empty()),
                scenario.servers.span(),
            ),
            (
                "clients",
                scenario.clients.is_absent(),
                scenario.clients.get().is_some_and(|all| all.0.is_empty()),
                scenario.clients.span(),
            ),
        ] {
            if missing {
                self.missing(what, head);
            } else if empty {
                self.wrong(span.unwrap_or(head), format!("`{what}` is empty: a scenario needs at least one group"));
            }
        }
        for group in self.names.all().to_vec() {
            self.valid_name(&group.name, group.span, "a group");
        }
        for (first, again) in self.names.clashes() {
            let message = format!("`{}` names both servers and clients", first.name);
            self.push(Mistake::at(again.span, message).help("links and faults could not tell them apart"));
        }
        let hosts = self.names.all().iter().map(|group| u64::from(group.size.unwrap_or(0))).sum::<u64>();
        if hosts > u64::from(MOST_HOSTS) {
            let top = Span { end: head.start, ..head };
            self.push(Mistake::at(top, format!("{hosts} hosts are too many")).help(format!("at most {MOST_HOSTS}")));
        }
    }

    /// Notes a mistake.
    fn push(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Notes a mistake that needs no more words.
    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.push(Mistake::at(span, message));
    }

    /// Notes that a field is missing from the mapping at `parent`, unless it is there and misspelt.
    fn missing(&mut self, name: &str, parent: Span) {
        if self.misspelt(name, parent) {
            return;
        }
        let lines = self.sources[parent.source as usize].text.get(parent.start as usize..parent.end as usize);
        let short = lines.is_some_and(|lines| !lines.contains('\n'));
        let place = if short { parent } else { Span { end: parent.start, ..parent } };
        self.push(Mistake::at(place, format!("`{name}` is missing")).label(format!("add `{name}: ...` here")));
    }

    /// Whether an unknown field inside `parent` was probably meant to be `name`.
    fn misspelt(&self, name: &str, parent: Span) -> bool {
        let meant = did_you_mean(name);
        self.mistakes.iter().any(|mistake| mistake.label == meant && mistake.span.is_some_and(|at| parent.holds(at)))
    }

    /// The value of a field that must be there.
    fn required<'f, T>(&mut self, field: &'f Field<T>, name: &str, parent: Span) -> Option<&'f T> {
        if field.is_absent() {
            self.missing(name, parent);
        }
        field.get()
    }

    /// A duration that is above zero, where one is given.
    fn above_zero(&mut self, field: &Field<raw::Time>, name: &str) {
        if let Some((_, span)) = field.with_span().filter(|(time, _)| time.0.is_zero()) {
            self.wrong(span, format!("`{name}` must be above zero"));
        }
    }

    /// A count that is at least one, where one is given.
    fn at_least_one(&mut self, field: &Field<u32>, name: &str) {
        if let Some((_, span)) = field.with_span().filter(|(count, _)| **count == 0) {
            self.wrong(span, format!("`{name}` must be at least 1"));
        }
    }

    /// A duration, or what stands for it when none is given.
    fn time(field: &Field<raw::Time>, default: Duration) -> Duration {
        field.get().map_or(default, |time| time.0)
    }

    /// Names are words that need no quotes anywhere: in files, on command lines, in reports.
    fn valid_name(&mut self, name: &str, span: Span, what: &str) {
        if !super::name::is_good(name) {
            let shown = super::yaml::shorten(name);
            let help = "names are made of letters, digits, `-` and `_`, begin with a letter or digit, and have at most 64 characters";
            self.push(Mistake::at(span, format!("`{shown}` cannot name {what}")).help(help));
        }
    }

    /// The line a span begins on.
    fn line(&self, span: Span) -> usize {
        self.sources[span.source as usize].line(span.start)
    }
}
