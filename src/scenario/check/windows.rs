//! When faults hold: `at`, `for`, `every` and `repeat` become a list of windows.

use std::time::Duration;

use super::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::TimeWindow;
use crate::scenario::raw;
use crate::scenario::units::show_duration;
use crate::scenario::vocabulary::Shape;

/// More occurrences than this are a mistake in `every`.
const MOST_WINDOWS: usize = 10_000;

impl Checker<'_> {
    pub(super) fn windows(&mut self, fault: &raw::Fault, kind: &str, shape: Shape, span: Span) -> Vec<TimeWindow> {
        self.required(&fault.at, "at", span);
        self.above_zero(&fault.lasts, "for");
        self.above_zero(&fault.every, "every");
        self.at_least_one(&fault.repeat, "repeat");
        let wrong_before = self.mistakes.len();
        let at = Self::time(&fault.at, Duration::ZERO);
        let ends = show_duration(self.duration);
        if let Some(place) = fault.at.span().filter(|_| at >= self.duration) {
            let begins = show_duration(at);
            let mistake = Mistake::at(place, format!("the fault begins at {begins}, when the run is over"));
            self.push(mistake.label(format!("the run ends at {ends}")));
        }
        match (shape, fault.lasts.span()) {
            (Shape::Moment, Some(place)) => {
                self.push(Mistake::at(place, format!("`{kind}` is a moment and has no duration")).help("drop `for`"));
            }
            (Shape::Bounded, None) => self.missing("for", span),
            _ => {}
        }
        if let (Some(place), true) = (fault.repeat.span(), fault.every.is_absent()) {
            self.push(Mistake::at(place, "`repeat` without `every`").help("say how long after: `every: 10s`"));
        }
        if let Some(place) = fault.ramp.span() {
            let ramp = Self::time(&fault.ramp, Duration::ZERO);
            if fault.lasts.get().is_some_and(|lasts| ramp > lasts.0) {
                self.wrong(place, "the ramp takes longer than the fault");
            }
        }
        let lasts = match shape {
            Shape::Moment => Some(Duration::ZERO),
            _ => fault.lasts.get().map(|time| time.0),
        };
        let again = fault.every.with_span().map(|(every, place)| (every.0, place));
        if let Some((every, place)) = again.filter(|(every, _)| lasts.is_none_or(|lasts| lasts > *every)) {
            let lasts = lasts.map_or("to the end".to_owned(), show_duration);
            let message = format!("the fault begins again every {} but lasts {lasts}", show_duration(every));
            self.push(
                Mistake::at(place, message).help("`every` is counted from beginning to beginning: make `for` shorter"),
            );
        }
        if self.mistakes.len() > wrong_before || fault.at.get().is_none() {
            return Vec::new();
        }
        self.occurrences(at, lasts, again, fault.repeat.get().copied())
    }

    fn occurrences(
        &mut self,
        at: Duration,
        lasts: Option<Duration>,
        again: Option<(Duration, Span)>,
        repeat: Option<u32>,
    ) -> Vec<TimeWindow> {
        let window =
            |start: Duration| TimeWindow { start, end: lasts.map_or(self.end, |lasts| (start + lasts).min(self.end)) };
        let Some((every, place)) = again.filter(|(every, _)| !every.is_zero()) else { return vec![window(at)] };
        let most = repeat.map_or(MOST_WINDOWS + 1, |repeat| repeat as usize);
        let starts = (0..most as u32).map(|n| at + every * n).take_while(|start| *start < self.duration);
        let windows: Vec<TimeWindow> = starts.map(window).collect();
        if windows.len() > MOST_WINDOWS {
            self.wrong(place, format!("the fault would happen more than {MOST_WINDOWS} times"));
            return Vec::new();
        }
        if let Some(repeat) = repeat.filter(|repeat| windows.len() < *repeat as usize) {
            let message = format!("the run ends before the fault has happened {repeat} times");
            self.push(Mistake::at(place, message).label(format!("it happens {} times", windows.len())));
        }
        windows
    }
}
