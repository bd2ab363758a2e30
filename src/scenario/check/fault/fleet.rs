//! Faults that take processes down: one, some, all, or one after the other.

use std::time::Duration;

use crate::random::Probability;
use crate::scenario::check::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{CrashHow, Deploy, FaultKind, Lose, TimeWindow};
use crate::scenario::raw::{self, Field};
use crate::scenario::units::show_duration;

const GRACE: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);
/// How long Kubernetes waits at most before it starts a container again.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Checker<'_> {
    fn how(field: &Field<raw::How>, default: CrashHow) -> CrashHow {
        field.get().map_or(default, |how| match how {
            raw::How::Kill => CrashHow::Kill,
            raw::How::PowerLoss => CrashHow::PowerLoss,
            raw::How::Graceful(grace) => CrashHow::Graceful(grace.0),
        })
    }

    pub(super) fn crash(&mut self, field: &Field<raw::Crash>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let lose = it.lose.get().map_or(Lose::Unsynced, |lose| match lose {
            raw::Lose::Nothing => Lose::Nothing,
            raw::Lose::Unsynced => Lose::Unsynced,
            raw::Lose::All => Lose::All,
        });
        self.at_least_one(&it.some, "some");
        let server = self.servers_of(&it.server, "server", at)?;
        let all = server.range.len() as u32;
        if let Some((some, place)) = it.some.with_span().filter(|(some, _)| **some > all) {
            self.push(Mistake::at(place, format!("{some} of {all} cannot crash")));
        }
        Some(FaultKind::Crash { server, some: it.some.or(all), how: Self::how(&it.how, CrashHow::Kill), lose })
    }

    pub(super) fn crash_loop(&mut self, field: &Field<raw::CrashLoop>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        for (time, name) in [(&it.up, "up"), (&it.down, "down"), (&it.cap, "cap")] {
            self.above_zero(time, name);
        }
        let (down, cap) = (Self::time(&it.down, SECOND), Self::time(&it.cap, LONGEST_PAUSE));
        if let Some(place) = it.cap.span().or(it.down.span()).filter(|_| cap < down) {
            let message = format!(
                "the longest pause, {}, is shorter than the first, {}",
                show_duration(cap),
                show_duration(down)
            );
            self.push(Mistake::at(place, message));
        }
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::CrashLoop { server, up: Self::time(&it.up, SECOND), down, cap })
    }

    pub(super) fn rolling_restart(
        &mut self,
        field: &Field<raw::RollingRestart>,
        windows: &[TimeWindow],
    ) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.above_zero(&it.down, "down");
        let server = self.servers_of(&it.server, "server", at)?;
        let down = Self::time(&it.down, SECOND);
        let how = Self::how(&it.how, CrashHow::Graceful(GRACE));
        self.turns_fit(windows, (server.range.len() as u32, 1), (how, down), at);
        Some(FaultKind::RollingRestart { server, down, how })
    }

    pub(super) fn deploy(&mut self, field: &Field<raw::Deploy>, windows: &[TimeWindow]) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.above_zero(&it.down, "down");
        self.at_least_one(&it.batch, "batch");
        self.slowdown_factor(&it.factor);
        if it.factor.is_absent() && it.errors.is_absent() {
            let mistake = Mistake::at(at, "`deploy` does not say what is worse about the new version");
            self.push(
                mistake.help("add `factor: 3` or `errors: 10%`; a version that is no worse is a `rolling_restart`"),
            );
        }
        let server = self.servers_of(&it.server, "server", at)?;
        let (down, batch) = (Self::time(&it.down, SECOND), it.batch.or(1).max(1));
        let how = Self::how(&it.how, CrashHow::Graceful(GRACE));
        self.turns_fit(windows, (server.range.len() as u32, batch), (how, down), at);
        Some(FaultKind::Deploy(Deploy {
            server,
            batch,
            down,
            how,
            factor: it.factor.or(1.0),
            errors: it.errors.get().map_or(Probability::NEVER, |share| share.0),
        }))
    }

    pub(super) fn autoscale(&mut self, field: &Field<raw::Autoscale>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.to, "to", at);
        self.at_least_one(&it.to, "to");
        let server = self.servers_of(&it.server, "server", at)?;
        let (to, place) = it.to.with_span()?;
        let all = server.range.len() as u32;
        if *to >= all {
            let mistake = Mistake::at(place, format!("there are {all} replicas: scaling to {to} takes none away"));
            self.push(mistake.help("replicas that are to come later are away from `at: 0s` on, `for` as long"));
        }
        Some(FaultKind::Autoscale { server, to: *to, grace: Self::time(&it.grace, GRACE) })
    }

    /// Batches go one after the other, so a window has room for all of them and what they are given to drain.
    fn turns_fit(
        &mut self,
        windows: &[TimeWindow],
        (replicas, batch): (u32, u32),
        (how, down): (CrashHow, Duration),
        at: Span,
    ) {
        let (grace, drains) = match how {
            CrashHow::Graceful(grace) => (grace, format!(", after up to {} to drain,", show_duration(grace))),
            CrashHow::Kill | CrashHow::PowerLoss => (Duration::ZERO, ",".to_owned()),
        };
        let need = (grace + down) * replicas.div_ceil(batch);
        if windows.iter().any(|window| window.end - window.start < need) {
            let message = format!("{replicas} replicas, each down for {}{drains} do not fit", show_duration(down));
            let help = format!("make `for` at least {}: one restarts after the other", show_duration(need));
            self.push(Mistake::at(at, message).help(help));
        }
    }
}
