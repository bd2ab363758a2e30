//! Faults inside gRPC: when in the life of a call, and what becomes of it. One fault does one thing.

use std::time::Duration;

use tonic::Code;

use crate::random::Probability;
use crate::scenario::check::Checker;
use crate::scenario::check::server::pushback;
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::plan::{FaultKind, Grpc, GrpcHarm, GrpcWhen, SpoiltAnswer, StreamReset};
use crate::scenario::raw::{self, Field};
use crate::scenario::yaml::shorten;

/// The methods of the telemetry service.
const METHODS: [&str; 1] = ["ReportAlert"];

type Pairs = Vec<(String, String)>;

impl Checker<'_> {
    pub(super) fn grpc(&mut self, field: &Field<raw::Grpc>, method: &Field<String>) -> Option<FaultKind> {
        let (it, at) = field.with_span()?;
        let lost = matches!(it.when.get(), Some(raw::When::ResponseLost));
        self.one_harm(it, at, lost);
        let harm = self.harm(it, lost);
        if !it.rate.is_absent() {
            self.some_share(&it.rate, "rate", at);
        }
        self.known_method(&it.method);
        let delay = self.times(&it.delay, Duration::ZERO);
        let server = self.servers_of(&it.server, "server", at)?;
        Some(FaultKind::Grpc(Grpc {
            server,
            method: it.method.get().or(method.get()).cloned().unwrap_or_default(),
            rate: it.rate.get().map_or(Probability::ALWAYS, |rate| rate.0),
            when: self.when(it, &harm),
            delay,
            harm,
        }))
    }

    pub(super) fn known_method(&mut self, field: &Field<String>) {
        if let Some((method, place)) = field.with_span().filter(|(method, _)| !METHODS.contains(&method.as_str())) {
            let mistake = Mistake::at(place, format!("no method is named `{}`", shorten(method)));
            self.push(mistake.suggest(method, "methods of the telemetry service", METHODS));
        }
    }

    /// What spoils an answer needs one; everything else strikes before the handler unless told otherwise.
    fn when(&mut self, it: &raw::Grpc, harm: &GrpcHarm) -> GrpcWhen {
        let about_the_answer = matches!(harm, GrpcHarm::Answer(_) | GrpcHarm::Metadata { .. });
        match it.when.with_span() {
            Some((raw::When::BeforeHandler, place)) if about_the_answer => {
                let mistake = Mistake::at(place, "before the handler ran there is no answer to spoil");
                self.push(mistake.help("drop `when`"));
                GrpcWhen::AfterHandler
            }
            Some((raw::When::AfterHandler | raw::When::ResponseLost, _)) => GrpcWhen::AfterHandler,
            _ if about_the_answer => GrpcWhen::AfterHandler,
            _ => GrpcWhen::BeforeHandler,
        }
    }

    /// One fault does one thing, and something.
    fn one_harm(&mut self, it: &raw::Grpc, at: Span, lost: bool) {
        if let Some(place) = it.status.span().filter(|_| lost) {
            let mistake = Mistake::at(place, "a response that is lost has no status");
            self.push(mistake.help("drop `status`, or use `when: after_handler`, where the client is told"));
            return;
        }
        let harms = [
            ("status", it.status.span()),
            ("reset", it.reset.span()),
            ("http_status", it.http_status.span()),
            ("answer", it.answer.span()),
            ("set_headers", it.set_headers.span()),
            ("set_trailers", it.set_trailers.span()),
        ];
        let given: Vec<(&str, Span)> = harms.iter().filter_map(|(name, place)| Some((*name, (*place)?))).collect();
        match given[..] {
            [] if it.delay.is_absent() && !lost => {
                let label = "which status do calls end with?";
                let help = "or one of `reset`, `http_status`, `answer`, `set_headers`, `set_trailers`, `delay`";
                self.push(Mistake::at(at, "`status` is missing").label(label).help(help));
            }
            [("set_headers", _), ("set_trailers", _)] | [] | [_] => {}
            [(first, _), (second, place), ..] => {
                let mistake = Mistake::at(place, format!("a call has one end: not both `{first}` and `{second}`"));
                self.push(mistake.help("write two faults: each is counted on its own"));
            }
        }
        if let (Some(place), true) = (it.pushback.span().or(it.message.span()), it.status.is_absent()) {
            self.push(Mistake::at(place, "only a status has a message and trailers of its own").help("add `status`"));
        }
    }

    fn harm(&mut self, it: &raw::Grpc, lost: bool) -> GrpcHarm {
        let code = it.status.with_span().and_then(|(text, place)| self.code(text, place));
        if let Some(place) = it.status.span().filter(|_| code == Some(Code::Ok)) {
            let mistake = Mistake::at(place, "calls that end with `OK` do not fail");
            self.push(
                mistake.help("choose another status; to delay calls that succeed, drop `status` and add `delay`"),
            );
        }
        if let Some((status, place)) = it.http_status.with_span().filter(|(status, _)| !(400..600).contains(*status)) {
            let mistake = Mistake::at(place, format!("{status} is no HTTP status of an error"));
            self.push(mistake.help("a proxy answers with 502, 503, 504 or another between 400 and 599"));
        }
        let (headers, trailers) = (self.pairs(&it.set_headers), self.pairs(&it.set_trailers));
        if let Some(code) = code {
            let message = it.message.get().cloned().unwrap_or_else(|| "injected by fault".to_owned());
            GrpcHarm::Status { code, message, pushback: pushback(&it.pushback) }
        } else if let Some(reset) = it.reset.get() {
            GrpcHarm::Reset(stream_reset(*reset))
        } else if lost {
            GrpcHarm::Reset(StreamReset::InternalError)
        } else if let Some(status) = it.http_status.get() {
            GrpcHarm::Http(u16::try_from(*status).unwrap_or(u16::MAX))
        } else if let Some(answer) = it.answer.get() {
            GrpcHarm::Answer(spoilt(*answer))
        } else if headers.is_empty() && trailers.is_empty() {
            GrpcHarm::None
        } else {
            GrpcHarm::Metadata { headers, trailers }
        }
    }

    fn pairs(&mut self, field: &Field<raw::Entries<String>>) -> Pairs {
        let mut pairs = Vec::new();
        for (named, value) in field.get().into_iter().flat_map(|all| &all.0) {
            let name = named.name.to_ascii_lowercase();
            if name.starts_with(':') || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                self.wrong(named.span, format!("`{}` cannot name a header", shorten(&named.name)));
            }
            let Some((text, place)) = value.with_span() else { continue };
            if http::HeaderValue::from_str(text).is_err() {
                self.wrong(place, format!("`{}` cannot be the value of a header", shorten(text)));
            }
            pairs.push((name, text.clone()));
        }
        pairs
    }
}

pub(super) const fn stream_reset(reset: raw::Reset) -> StreamReset {
    match reset {
        raw::Reset::NoError => StreamReset::NoError,
        raw::Reset::ProtocolError => StreamReset::ProtocolError,
        raw::Reset::InternalError => StreamReset::InternalError,
        raw::Reset::FlowControlError => StreamReset::FlowControlError,
        raw::Reset::RefusedStream => StreamReset::RefusedStream,
        raw::Reset::Cancel => StreamReset::Cancel,
        raw::Reset::EnhanceYourCalm => StreamReset::EnhanceYourCalm,
        raw::Reset::InadequateSecurity => StreamReset::InadequateSecurity,
    }
}

const fn spoilt(answer: raw::Answer) -> SpoiltAnswer {
    match answer {
        raw::Answer::NoTrailers => SpoiltAnswer::NoTrailers,
        raw::Answer::NoMessage => SpoiltAnswer::NoMessage,
        raw::Answer::Corrupt => SpoiltAnswer::Corrupt,
        raw::Answer::Truncated => SpoiltAnswer::Truncated,
        raw::Answer::Cut => SpoiltAnswer::Cut,
    }
}
