//! What a log says once, before its events: which run it is, and the names behind the numbers.

use serde::{Deserialize, Serialize};

/// The version of the log's format; readers refuse others.
pub const LOG_VERSION: u32 = 1;

/// The first line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`LOG_VERSION`] when it was written.
    pub log_version: u32,
    /// The version of Squall that ran it.
    pub squall_version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's file, as the user named it.
    pub file: String,
    /// The strategy's name.
    pub strategy: String,
    /// The seed.
    pub seed: u64,
    /// Whether this is the control twin: the same trial without faults.
    pub control: bool,
    /// How long load is offered.
    pub duration_ns: u64,
    /// The groups of clients, in the order of the scenario.
    pub clients: Vec<ClientNames>,
    /// The groups of servers, in the order of the scenario.
    pub servers: Vec<ServerNames>,
    /// The faults, in the order of the scenario; none in a control twin.
    pub faults: Vec<FaultNames>,
}

/// A group of clients, numbered consecutively after the groups before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientNames {
    /// The group's name.
    pub name: String,
    /// How many there are.
    pub count: u32,
}

/// A group of replicas, numbered consecutively after the groups before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerNames {
    /// The group's name.
    pub name: String,
    /// How many there are.
    pub replicas: u32,
    /// How many workers each has; 0 for as many as it takes.
    pub workers: u32,
    /// Whether clients call them: theirs is the log that clients are promised.
    pub called_by_clients: bool,
}

/// A declared fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultNames {
    /// Its id, such as `crash-1`.
    pub id: String,
    /// What it does, such as `crash`.
    pub kind: String,
    /// The line of the scenario file that declares it.
    pub line: u32,
    /// Whether the run is valid even if it never fires.
    pub may_not_fire: bool,
}
