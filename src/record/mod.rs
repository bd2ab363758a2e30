//! The record of a trial: typed events, and the one contract between running and judging.
//!
//! Rule: whatever is reported is a fold over these events, so that a log can be judged again later, elsewhere, with the
//! same result to the byte. A trial therefore says everything here that anybody may ask about, and judging asks nothing
//! of the trial itself.
//!
//! Events are small and `Copy`: they name clients, servers and faults by number; the [`Header`] holds the names once.

mod call;
mod code;
mod event;
mod fingerprint;
mod header;
mod recorder;

pub use self::call::CallId;
pub use self::code::{Code, Origin};
pub use self::event::{ConnectionChange, Event, HandlerOutcome, HostChange, Kind, StopReason};
pub use self::fingerprint::Fingerprint;
pub use self::header::{ClientNames, FaultNames, Header, LOG_VERSION, ServerNames};
pub use self::recorder::{Recorder, Sink};
