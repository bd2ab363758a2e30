//! Scenario files: what a storm consists of, who must weather it, and how well.
//!
//! A file becomes a [`Plan`] or a list of mistakes, never something in between. It is read in two stages: *raw* types
//! mirror the file and know where everything stands; a *plan* is what it means, and has forgotten the file.

mod amount;
mod catalogue;
mod check;
mod diagnostics;
mod discover;
mod format;
mod lint;
mod load;
pub mod metric;
mod name;
mod plan;
mod raw;
mod reference;
mod schema;
mod strategies_reference;
mod sweep;
pub mod units;
mod vocabulary;
mod yaml;

pub use self::amount::{Margin, figure, margin};
pub use self::catalogue::{Embedded, catalogue, catalogue_strategies};
pub use self::diagnostics::{Diagnostics, Position};
#[cfg(feature = "cli")]
pub(crate) use self::diagnostics::{Mistake, Source, Span, closest, did_you_mean};
pub use self::discover::{ScenarioSource, discover};
pub use self::format::{format, same_meaning};
pub use self::lint::{Lint, lint};
pub use self::load::{Alone, Beside, Resolver, load, parse, parse_faults, shared_names};
pub use self::metric::Metric;
pub use self::name::made_of;
pub use self::plan::*;
pub use self::reference::reference;
pub use self::schema::{schema, strategies_schema};
pub use self::strategies_reference::strategies_reference;
pub use self::vocabulary::{Applies, FAULTS, FaultInfo, Realm, Shape, fault_reference};
