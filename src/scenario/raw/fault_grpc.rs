//! `grpc:` under `faults:` as it is written: what goes wrong inside a call.

use schemars::JsonSchema;
use serde::Deserialize;

use super::link::Times;
use super::server::Pushback;
use super::{Entries, Field, List, Share};

/// Calls fare badly inside gRPC: at most one of `status`, `reset`, `http_status`, `answer` and metadata; `delay` goes with each.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Grpc {
    /// Where.
    #[schemars(extend("x-required" = true))]
    pub(crate) server: Field<String>,
    /// Only this method, as `only` has it. Default: every method.
    pub(crate) method: Field<String>,
    /// The share of calls, each drawn on its own. Default: 100%.
    pub(crate) rate: Field<Share>,
    /// At which point. Default: before_handler; after_handler for what concerns the answer.
    pub(crate) when: Field<When>,
    /// How long the call is held up there. Default: 0s.
    pub(crate) delay: Field<Times>,
    /// The status calls end with: `UNAVAILABLE`, `INTERNAL` and so on.
    pub(crate) status: Field<String>,
    /// The message of the status. Default: `injected by fault`.
    pub(crate) message: Field<String>,
    /// What the trailers say about retrying, with `status`. Default: nothing.
    pub(crate) pushback: Field<Pushback>,
    /// The stream is reset (RST_STREAM) with this code.
    pub(crate) reset: Field<Reset>,
    /// A proxy answers in place of the server, in HTML, with this HTTP status.
    pub(crate) http_status: Field<u32>,
    /// The answer comes, but not as it should be.
    pub(crate) answer: Field<Answer>,
    /// Headers of the answer are set to these values.
    pub(crate) set_headers: Field<Entries<String>>,
    /// Trailers of the answer are set to these values.
    pub(crate) set_trailers: Field<Entries<String>>,
    /// Only the first so many matching calls of each occurrence, as `only` has it. Default: all.
    pub(crate) first: Field<u64>,
    /// Only every so-manieth matching call, as `only` has it. Default: each.
    pub(crate) every: Field<u64>,
    /// Only calls of these clients, as `only` has it. Default: everyone's.
    pub(crate) clients: List<String>,
}

/// At which point a call is interfered with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// Before the handler ran: nothing was recorded.
    BeforeHandler,
    /// After the handler committed: recorded, whatever the client is told.
    AfterHandler,
    /// After the handler committed, and the response never comes: its stream is reset.
    ResponseLost,
}

/// The code of an RST_STREAM or a GOAWAY (RFC 9113, section 7), and what gRPC clients make of it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Reset {
    /// 0: INTERNAL.
    NoError,
    /// 1: INTERNAL.
    ProtocolError,
    /// 2: INTERNAL.
    InternalError,
    /// 3: INTERNAL.
    FlowControlError,
    /// 7: UNAVAILABLE; certainly not processed, so that it may be retried without asking.
    RefusedStream,
    /// 8: CANCELLED.
    Cancel,
    /// 11: RESOURCE_EXHAUSTED.
    EnhanceYourCalm,
    /// 12: PERMISSION_DENIED.
    InadequateSecurity,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The stream ends after the message, without trailers.
    NoTrailers,
    /// The trailers say OK, and no message came.
    NoMessage,
    /// The message cannot be decoded.
    Corrupt,
    /// The message is announced as longer than it is.
    Truncated,
    /// The stream is reset after its first message, which in a unary call is the only one, in place of trailers.
    Cut,
}
