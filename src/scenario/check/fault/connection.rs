//! Faults of connections: how they are accepted, what their frames may say, how they end.

use super::Around;
use super::grpc::stream_reset;
use crate::scenario::check::Checker;
use crate::scenario::check::link::Way;
use crate::scenario::check::names::Allowed;
use crate::scenario::diagnostics::Mistake;
use crate::scenario::plan::{FaultKind, StreamReset, Withheld};
use crate::scenario::raw::{self, Field};

impl Checker<'_> {
    pub(super) fn reset(&mut self, field: &Field<raw::Both>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let Way { a, b, .. } = self.both(&it.between, at)?;
        Some(FaultKind::Reset { a, b })
    }

    pub(super) fn half_open(&mut self, field: &Field<raw::HalfOpen>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let server = self.servers_of(&it.server, "server", at);
        self.required(&it.clients, "clients", at);
        let clients =
            it.clients.with_span().and_then(|(written, place)| self.members(written, place, Allowed::Clients));
        Some(FaultKind::HalfOpen { clients: clients?, server: server? })
    }

    pub(super) fn slow_accept(&mut self, field: &Field<raw::SlowAccept>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.delay, "delay", at);
        self.above_zero(&it.delay, "delay");
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::SlowAccept { server, delay: it.delay.get()?.0 })
    }

    pub(super) fn idle_kill(&mut self, field: &Field<raw::IdleKill>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.idle, "idle", at);
        self.above_zero(&it.idle, "idle");
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::IdleKill { server, idle: it.idle.get()?.0 })
    }

    /// NO_ERROR is the code of a farewell: a connection is thrown out for a reason.
    pub(super) fn goaway(&mut self, field: &Field<raw::Goaway>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let server = self.servers_of(&it.server, "server", at)?;
        let code = it.code.get().copied().map(stream_reset);
        Some(FaultKind::Goaway { server, code: code.filter(|code| *code != StreamReset::NoError) })
    }

    pub(super) fn max_streams(&mut self, field: &Field<raw::MaxStreams>, around: &Around<'_>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.streams, "streams", at);
        self.at_least_one(&it.streams, "streams");
        let server = self.servers_of(&it.server, "server", at)?;
        let (streams, place) = it.streams.with_span()?;
        if let Some(group) = around.group(&server).filter(|group| *streams >= group.max_streams) {
            let message = format!("`{}` allows {} streams anyway: this is no drop", group.name, group.max_streams);
            self.push(Mistake::at(place, message));
        }
        Some(FaultKind::MaxStreams { server, streams: *streams })
    }

    pub(super) fn withhold(&mut self, field: &Field<raw::Withhold>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        self.required(&it.frames, "frames", at);
        let server = self.servers_of(&it.server, "server", at)?;
        let frames = match it.frames.get()? {
            raw::Frames::WindowUpdate => Withheld::WindowUpdate,
            raw::Frames::PingAck => Withheld::PingAck,
            raw::Frames::Settings => Withheld::Settings,
        };
        Some(FaultKind::Withhold { server, frames })
    }
}
