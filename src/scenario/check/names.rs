//! The names of groups, and what `telemetry`, `telemetry/1` and `telemetry/0-2` mean.

use super::Checker;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{Group, Members};
use crate::scenario::raw::{self, Field};

/// A group as far as names go.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) group: Group,
    /// How many members; `None` if that is itself a mistake.
    pub(super) size: Option<u32>,
}

/// All groups of a scenario.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Known>);

/// Which groups may stand in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Servers,
    Clients,
    Both,
}

impl Allowed {
    fn holds(self, group: Group) -> bool {
        match (self, group) {
            (Self::Both, _) => true,
            (Self::Servers, group) => matches!(group, Group::Servers(_)),
            (Self::Clients, group) => matches!(group, Group::Clients(_)),
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Servers => ("server", "servers in this scenario"),
            Self::Clients => ("group of clients", "clients in this scenario"),
            Self::Both => ("server or group of clients", "groups in this scenario"),
        }
    }
}

impl Names {
    pub(super) fn of(scenario: &raw::Scenario) -> Self {
        let mut all = Vec::new();
        for (place, (named, server)) in scenario.servers.get().into_iter().flat_map(|all| &all.0).enumerate() {
            let size = size(server.get().map(|server| &server.replicas));
            all.push(Known { name: named.name.clone(), span: named.span, group: Group::Servers(place), size });
        }
        for (place, (named, client)) in scenario.clients.get().into_iter().flat_map(|all| &all.0).enumerate() {
            let size = size(client.get().map(|client| &client.count));
            all.push(Known { name: named.name.clone(), span: named.span, group: Group::Clients(place), size });
        }
        Self(all)
    }

    /// Groups of so many hosts each that no file defines.
    pub(super) fn foreign(servers: &[(String, u32)], clients: &[(String, u32)]) -> Self {
        let span = Span { source: 0, start: 0, end: 0 };
        let known =
            |group: Group, (name, size): &(String, u32)| Known { name: name.clone(), span, group, size: Some(*size) };
        let servers = servers.iter().enumerate().map(|(place, group)| known(Group::Servers(place), group));
        let clients = clients.iter().enumerate().map(|(place, group)| known(Group::Clients(place), group));
        Self(servers.chain(clients).collect())
    }

    pub(super) fn all(&self) -> &[Known] {
        &self.0
    }

    /// Names that both servers and clients have.
    pub(super) fn clashes(&self) -> Vec<(Known, Known)> {
        let (servers, clients): (Vec<_>, Vec<_>) =
            self.0.iter().cloned().partition(|known| matches!(known.group, Group::Servers(_)));
        let pairs = clients.into_iter().filter_map(|client| {
            servers.iter().find(|server| server.name == client.name).map(|server| (server.clone(), client.clone()))
        });
        pairs.collect()
    }
}

/// What a count says: 1 when absent, nothing when wrong.
fn size(field: Option<&Field<u32>>) -> Option<u32> {
    match field {
        Some(Field::Absent) => Some(1),
        Some(Field::Given(count, _)) => Some(*count).filter(|count| *count > 0),
        Some(Field::Wrong(_)) | None => None,
    }
}

impl Checker<'_> {
    /// Some members of a group.
    pub(super) fn members(&mut self, written: &str, span: Span, allowed: Allowed) -> Option<Members> {
        let (name, which) = written.split_once('/').map_or((written, None), |(name, which)| (name, Some(which)));
        let known = self.group(name.trim(), span, allowed)?;
        let Some(which) = which else {
            return Some(Members { group: known.group, range: 0..known.size? });
        };
        let Some((first, last)) = range(which) else {
            let message = format!("`{which}` says not which members of `{name}`");
            let help = format!("write `{name}/0` for the first, `{name}/0-2` for the first three, `{name}` for all");
            self.push(Mistake::at(span, message).help(help));
            return None;
        };
        let size = known.size?;
        if last >= size {
            let numbers =
                if size == 1 { "0 is the only one".to_owned() } else { format!("they count from 0 to {}", size - 1) };
            let has = format!("`{name}` has {size} {}", if size == 1 { "member" } else { "members" });
            self.push(Mistake::at(span, format!("there is no `{name}/{last}`")).label(format!("{has}: {numbers}")));
            return None;
        }
        Some(Members { group: known.group, range: first..last + 1 })
    }

    /// The servers that a field names.
    pub(super) fn servers_of(&mut self, field: &Field<String>, name: &str, parent: Span) -> Option<Members> {
        self.required(field, name, parent)?;
        let (written, span) = field.with_span()?;
        self.members(written, span, Allowed::Servers)
    }

    /// The server group that a field names, all of it.
    pub(super) fn server_group(&mut self, field: &Field<String>, name: &str, parent: Span) -> Option<usize> {
        self.required(field, name, parent)?;
        let (written, span) = field.with_span()?;
        match self.group(written, span, Allowed::Servers)?.group {
            Group::Servers(place) => Some(place),
            Group::Clients(_) => None,
        }
    }

    fn group(&mut self, name: &str, span: Span, allowed: Allowed) -> Option<Known> {
        let (what, listing) = allowed.words();
        let found = self.names.0.iter().find(|known| known.name == name && allowed.holds(known.group)).cloned();
        if found.is_some() {
            return found;
        }
        let elsewhere = self.names.0.iter().any(|known| known.name == name);
        let message = if elsewhere {
            format!("`{name}` is no {what}")
        } else {
            format!("no {what} is named `{}`", crate::scenario::yaml::shorten(name))
        };
        let known: Vec<String> =
            self.names.0.iter().filter(|known| allowed.holds(known.group)).map(|known| known.name.clone()).collect();
        // Where there is no group at all, that is the mistake, and it is told already.
        if !known.is_empty() {
            self.push(Mistake::at(span, message).suggest(name, listing, known.iter().map(String::as_str)));
        }
        None
    }
}

/// `2` or `0-2`, both ends included.
fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last && last < u32::MAX).then_some((first, last))
}
