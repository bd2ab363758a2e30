//! The vocabulary of faults: every kind, how it relates to time, and what its counts count. The check of scenario files and
//! the table in the docs read the same list, so that neither can know a kind that the other does not.

use std::fmt::Write;

use serde_json::Value;

use super::reference::{cell, kind as type_of, text};
use super::schema;

/// How a kind of fault relates to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It holds for a while, or to the end.
    While,
    /// It holds for a while that must be given.
    Bounded,
    /// It is a moment.
    Moment,
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// Packets on links.
    Network,
    /// Connections and their HTTP/2 frames.
    Connection,
    /// A call inside gRPC.
    Grpc,
    /// A process, its machine, its disk, its clock.
    Server,
    /// Several replicas together.
    Fleet,
}

/// What a kind of fault applies to, one by one: what `only` chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// Packets: by turn, or by client.
    Packets,
    /// Connections, or attempts to make one: by turn, or by client.
    Connections,
    /// HTTP/2 frames: by turn, or by client.
    Frames,
    /// Calls: by turn, by client, or by method.
    Calls,
    /// Something whole: there is no choice, for this reason.
    Whole(&'static str),
}

impl Applies {
    /// Many of them.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Connections => "connections",
            Self::Frames => "frames",
            Self::Calls => "calls",
            Self::Whole(_) => "no parts",
        }
    }
}

use Applies::{Calls, Connections, Frames, Packets, Whole};

const PROCESSES: &str = "it strikes processes: name them with `server`, as in `telemetry/0-1`";

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultInfo {
    /// What files call it.
    pub kind: &'static str,
    /// Where it strikes.
    pub realm: Realm,
    /// How it relates to time.
    pub shape: Shape,
    /// Whether it has a strength that `ramp` lets grow.
    pub grows: bool,
    /// What it applies to.
    pub applies: Applies,
    /// What one firing is.
    pub fires: &'static str,
}

const fn fault(
    (kind, realm, shape): (&'static str, Realm, Shape),
    grows: bool,
    applies: Applies,
    fires: &'static str,
) -> FaultInfo {
    FaultInfo { kind, realm, shape, grows, applies, fires }
}

/// Every kind, realm by realm.
pub const FAULTS: [FaultInfo; 34] = [
    fault(("slow_link", Realm::Network, Shape::While), true, Packets, "a packet that took longer"),
    fault(("jitter", Realm::Network, Shape::While), true, Packets, "a packet that took longer"),
    fault(("loss", Realm::Network, Shape::While), true, Packets, "a packet that was lost"),
    fault(("reorder", Realm::Network, Shape::While), true, Packets, "a packet that was held back"),
    fault(("duplicate", Realm::Network, Shape::While), true, Packets, "a packet that arrived twice"),
    fault(
        ("bandwidth", Realm::Network, Shape::While),
        true,
        Packets,
        "a packet that had to wait for its turn, or found no room",
    ),
    fault(("partition", Realm::Network, Shape::While), false, Packets, "a packet that vanished"),
    fault(("flap", Realm::Network, Shape::While), false, Packets, "a packet that vanished"),
    fault(("black_hole", Realm::Network, Shape::While), false, Packets, "a packet that vanished"),
    fault(("nat_expiry", Realm::Network, Shape::While), false, Connections, "a connection that was forgotten"),
    fault(("reset", Realm::Connection, Shape::Moment), false, Connections, "a connection that was reset"),
    fault(("half_open", Realm::Connection, Shape::Moment), false, Connections, "a connection that was forgotten"),
    fault(
        ("refuse", Realm::Connection, Shape::While),
        false,
        Connections,
        "an attempt to connect (a SYN) that was refused",
    ),
    fault(
        ("backlog_full", Realm::Connection, Shape::While),
        false,
        Connections,
        "an attempt to connect that was ignored, each SYN that is sent again included",
    ),
    fault(("slow_accept", Realm::Connection, Shape::While), false, Connections, "a connection that was accepted late"),
    fault(("idle_kill", Realm::Connection, Shape::While), false, Connections, "a connection that was closed"),
    fault(("goaway", Realm::Connection, Shape::Moment), false, Connections, "a connection that was told to go away"),
    fault(
        ("max_streams", Realm::Connection, Shape::While),
        false,
        Connections,
        "a connection that was accepted with fewer streams",
    ),
    fault(("withhold", Realm::Connection, Shape::While), false, Frames, "a frame that was not sent"),
    fault(("grpc", Realm::Grpc, Shape::While), true, Calls, "a call that was interfered with"),
    fault(
        ("crash", Realm::Server, Shape::While),
        false,
        Whole("it strikes processes: name them with `server`, or so many of them with `some`"),
        "a process that ran and then did not",
    ),
    fault(("crash_loop", Realm::Server, Shape::Bounded), false, Whole(PROCESSES), "a crash of a process that ran"),
    fault(("pause", Realm::Server, Shape::Bounded), false, Whole(PROCESSES), "a process that stood still"),
    fault(("slow_server", Realm::Server, Shape::While), true, Calls, "a call that took longer"),
    fault(("cold_cache", Realm::Server, Shape::Bounded), false, Calls, "a call that took longer"),
    fault(("capacity", Realm::Server, Shape::While), false, Whole(PROCESSES), "a replica that lost workers"),
    fault(
        ("clock_skew", Realm::Server, Shape::While),
        false,
        Whole("a clock is wrong for everyone who looks at it: name whose with `hosts`"),
        "a look at a clock that was wrong",
    ),
    fault(("slow_disk", Realm::Server, Shape::While), true, Calls, "a write that took longer"),
    fault(("full_disk", Realm::Server, Shape::While), false, Calls, "a write that failed"),
    fault(
        ("lying_disk", Realm::Server, Shape::While),
        false,
        Whole("a log is safe up to some point: a disk cannot lie about one write and keep the next"),
        "a write that was called safe and was not",
    ),
    fault(
        ("health_lie", Realm::Server, Shape::While),
        false,
        Whole("the health service tells everybody the same: name whose with `server`"),
        "an answer of the health service that was not so",
    ),
    fault(
        ("rolling_restart", Realm::Fleet, Shape::Bounded),
        false,
        Whole(PROCESSES),
        "a process that ran and then did not",
    ),
    fault(
        ("deploy", Realm::Fleet, Shape::Bounded),
        false,
        Whole("it replaces processes: name them with `server`; the share of calls that fails is `errors`"),
        "a process that ran and was replaced",
    ),
    fault(
        ("autoscale", Realm::Fleet, Shape::Bounded),
        false,
        Whole("it takes processes away: say how many are left with `to`"),
        "a replica that went away",
    ),
];

impl Realm {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Network, "Network"),
        (Self::Connection, "Connections"),
        (Self::Grpc, "gRPC"),
        (Self::Server, "Servers"),
        (Self::Fleet, "Fleets"),
    ];
}

/// The page about faults: every kind with its options, made from the list above and the JSON Schema.
#[must_use]
pub fn fault_reference() -> String {
    let schema = schema();
    let mut page = String::from(
        "# Faults\n\nEvery kind of fault, its options, and what its counts count. This page is generated from the types that read the file.\n\n\
         An entry under `faults` holds exactly one kind, beside the fields that all share:\n\n| Field | Type | Meaning |\n|---|---|---|\n",
    );
    let fields = schema["$defs"]["Fault"]["properties"].as_object();
    let is_kind = |name: &str| FAULTS.iter().any(|fault| fault.kind == name);
    for (name, field) in fields.into_iter().flatten().filter(|(name, _)| !is_kind(name)) {
        let _ = writeln!(page, "| `{name}` | {} | {} |", plain(&type_of(field)), cell(field));
    }
    page.push_str(
        "\nA fault reports how much it applied to (*matched*) and how much of that it changed (*fired*). A fault that never fired\n\
         fails the run, unless it says `may_not_fire: true`. Draws are keyed by what they decide: two faults at 10% are independent,\n\
         each fires on 10% of what it matches, and a retry draws anew.\n\n\
         With `only` a fault leaves part of what it applies to alone, and counts only the rest: `only: { first: 3 }` strikes the first three\n\
         packets, connections, frames or calls of each occurrence, `every: 10` every tenth, `clients: [devices/2]` those of one client,\n\
         `method: ReportAlert` calls of one method. They go together: every tenth of one client's, until there were three.\n",
    );
    overview(&mut page, &schema);
    for (realm, title) in Realm::ALL {
        let _ = write!(page, "\n## {title}\n");
        for fault in FAULTS.iter().filter(|fault| fault.realm == realm) {
            section(&mut page, fault, &schema);
        }
    }
    page
}

/// All kinds in one table: what each may say, and what goes with it.
fn overview(page: &mut String, schema: &Value) {
    page.push_str(
        "\n## All kinds\n\n| Kind | Options | Time | Grows | Chooses among | One firing |\n|---|---|---|---|---|---|\n",
    );
    for fault in &FAULTS {
        let options = options(fault, schema)["properties"].as_object();
        let options: Vec<String> = options.into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
        let time = match fault.shape {
            Shape::While => "`at`, `for`",
            Shape::Bounded => "`at`, `for` (required)",
            Shape::Moment => "`at`",
        };
        let (kind, options, fires) = (fault.kind, options.join(", "), fault.fires);
        let grows = if fault.grows { "`ramp`" } else { "" };
        let among = if matches!(fault.applies, Whole(_)) { "" } else { fault.applies.plural() };
        let _ = writeln!(page, "| [{kind}](#{kind}) | {options} | {time} | {grows} | {among} | {fires} |");
    }
}

/// The definition of a kind's own options.
fn options<'a>(fault: &FaultInfo, schema: &'a Value) -> &'a Value {
    let field = &schema["$defs"]["Fault"]["properties"][fault.kind];
    let name = field["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    &schema["$defs"][name]
}

fn section(page: &mut String, fault: &FaultInfo, schema: &Value) {
    let field = &schema["$defs"]["Fault"]["properties"][fault.kind];
    let _ = write!(page, "\n### {}\n\n{}\n\n", fault.kind, text(field, "description"));
    let time = match fault.shape {
        Shape::While => "`at`, and `for` unless it lasts to the end",
        Shape::Bounded => "`at` and `for`",
        Shape::Moment => "`at`: a moment",
    };
    let grows = if fault.grows { "; `ramp` lets it grow" } else { "" };
    let _ = writeln!(page, "Time: {time}{grows}. One firing: {}. {}\n", fault.fires, choice(fault.applies));
    page.push_str("| Option | Type | Meaning |\n|---|---|---|\n");
    let definition = options(fault, schema);
    for (name, option) in definition["properties"].as_object().into_iter().flatten() {
        let required = definition["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let needed = if required { " (required)" } else { "" };
        let _ = writeln!(page, "| `{name}`{needed} | {} | {} |", plain(&type_of(option)), cell(option));
    }
}

/// What `only` chooses among.
fn choice(applies: Applies) -> String {
    match applies {
        Whole(why) => format!("No `only`: {why}."),
        Calls => "`only` chooses among calls: `first`, `every`, `clients`, `method`.".to_owned(),
        other => format!("`only` chooses among {}: `first`, `every`, `clients`.", other.plural()),
    }
}

/// Links lead to the page about scenario files.
fn plain(kind: &str) -> String {
    kind.replace("](#", "](scenario.md#")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To renew the page: `UPDATE_SCHEMA=1 cargo test --lib scenario::`.
    #[test]
    fn the_page_in_docs_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
        let fresh = fault_reference();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == fresh, "{path} is stale: UPDATE_SCHEMA=1 cargo test --lib scenario::");
    }

    /// A kind in the list that files do not know would have a page without options.
    #[test]
    fn every_kind_is_a_field_of_a_fault() {
        let schema = schema();
        for fault in FAULTS {
            let field = &schema["$defs"]["Fault"]["properties"][fault.kind];
            assert!(field["$ref"].is_string(), "{} is unknown to files", fault.kind);
        }
    }
}
