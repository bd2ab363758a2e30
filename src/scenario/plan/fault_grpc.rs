//! Faults inside gRPC: calls that fare badly although the network and the server are well.

use tonic::Code;

use super::{Members, Pushback};
use crate::random::{Distribution, Probability};

/// Calls that fare badly inside gRPC.
#[derive(Clone, Debug, PartialEq)]
pub struct Grpc {
    /// Where.
    pub server: Members,
    /// Only this method. Empty: every method.
    pub method: String,
    /// The share of calls, each drawn on its own.
    pub rate: Probability,
    /// At which point.
    pub when: GrpcWhen,
    /// How long the call is held up there.
    pub delay: Distribution,
    /// What becomes of it then.
    pub harm: GrpcHarm,
}

/// At which point a call is interfered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcWhen {
    /// Before the handler ran: nothing was recorded.
    BeforeHandler,
    /// After the handler committed: the alert is recorded.
    AfterHandler,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum GrpcHarm {
    /// It goes on.
    None,
    /// It ends with a status.
    Status {
        /// Which. Never `Ok`.
        code: Code,
        /// Its message.
        message: String,
        /// What the trailers say about retrying; `None` says nothing.
        pushback: Option<Pushback>,
    },
    /// Its stream is reset (RST_STREAM) with this code.
    Reset(StreamReset),
    /// It is answered by something that speaks HTTP but not gRPC, as a proxy does, with this status.
    Http(u16),
    /// Its answer comes, but not as it should be.
    Answer(SpoiltAnswer),
    /// Headers and trailers of its answer are set to these values, names in lower case.
    Metadata {
        /// Of the headers.
        headers: Vec<(String, String)>,
        /// Of the trailers.
        trailers: Vec<(String, String)>,
    },
}

/// The code of an RST_STREAM or a GOAWAY (RFC 9113, section 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamReset {
    /// NO_ERROR, 0.
    NoError,
    /// PROTOCOL_ERROR, 1.
    ProtocolError,
    /// INTERNAL_ERROR, 2.
    InternalError,
    /// FLOW_CONTROL_ERROR, 3.
    FlowControlError,
    /// REFUSED_STREAM, 7: certainly not processed.
    RefusedStream,
    /// CANCEL, 8.
    Cancel,
    /// ENHANCE_YOUR_CALM, 11.
    EnhanceYourCalm,
    /// INADEQUATE_SECURITY, 12.
    InadequateSecurity,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoiltAnswer {
    /// The stream ends after the message, without trailers.
    NoTrailers,
    /// The trailers say OK, and no message came.
    NoMessage,
    /// The message cannot be decoded.
    Corrupt,
    /// The message is announced as longer than it is.
    Truncated,
    /// The stream is reset after the first message, in place of trailers.
    Cut,
}
