//! Every layer and option with one line of explanation, as data: what `squall list strategies` prints.

/// Something that a strategy can use.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in scenario files.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its options: name and explanation.
    pub options: &'static [(&'static str, &'static str)],
}

/// The layers, outermost first in the order in which one usually stacks them.
pub const LAYERS: &[Entry] = &[
    Entry {
        name: "fallback",
        about: "answers with a default message in place of a failure",
        options: &[("on", "in place of which codes"), ("message", "the encoded message; empty has all defaults")],
    },
    Entry {
        name: "deadline",
        about: "bounds the whole call, retries included; travels as grpc-timeout and is final",
        options: &[],
    },
    Entry {
        name: "throttle",
        about: "turns calls away by itself once the server rejects most of them",
        options: &[
            ("sre.k", "requests sent for one that is accepted (SRE book: 2)"),
            ("envoy_admission", "Envoy's formula: threshold 0.95, aggression 1, at most 0.8"),
            ("window", "how far back it looks; longer than the longest latency"),
            ("rejected", "which codes mean that the server did not take the call on"),
            ("scope", "client or shared"),
        ],
    },
    Entry {
        name: "rate_limit",
        about: "a token bucket: so many calls a second, so many at once",
        options: &[
            ("per_second", "calls a second, over time"),
            ("burst", "calls at once, after a pause"),
            ("max_wait", "how long a call may wait for its turn; 0 turns it away"),
            ("scope", "client or shared"),
        ],
    },
    Entry {
        name: "retry",
        about: "tries again, as gRFC A6 says: only before headers, within buffer, budget, pushback and deadline",
        options: &[
            ("attempts", "attempts in all, the first included"),
            ("on", "which codes of the server or the network"),
            ("backoff", "the pauses in between"),
            ("budget", "what bounds the retries of all calls together"),
            ("on_attempt_timeout", "whether to retry what an attempt timeout cut off"),
            ("on_rejection", "whether to retry what a layer inside turned away"),
            ("unmarked_is_idempotent", "whether calls that say nothing may run twice"),
            ("buffer_bytes", "how large a request may be and still be sent again"),
        ],
    },
    Entry {
        name: "hedge",
        about: "starts another attempt while the first is slow; the first answer wins",
        options: &[
            ("attempts", "attempts in all, the first included"),
            ("delay", "how long to wait between them: fixed, or a learned quantile of the latencies"),
            ("non_fatal", "codes after which the next attempt starts at once"),
            ("budget", "what bounds the hedges of all calls together"),
            ("buffer_bytes", "how large a request may be and still be sent again"),
        ],
    },
    Entry {
        name: "breaker",
        about: "stops asking a server that cannot answer, and finds out with a few probes when it can",
        options: &[
            ("consecutive", "opens after so many failures in a row"),
            ("failure_rate", "opens at this share of failures in a window"),
            ("window", "over how many attempts, or how long"),
            ("ewma", "opens at this share in an average that halves the past every half_life"),
            ("min_calls", "fewer attempts than this prove nothing"),
            ("slow", "from which latency an attempt is slow, and which share of slow ones opens it"),
            ("open", "how long it stays open"),
            ("probes", "how many attempts decide whether it closes"),
            ("failures", "which codes are failures"),
            ("scope", "client or shared; per endpoint as channel.endpoint_breaker"),
        ],
    },
    Entry {
        name: "limit",
        about: "bounds how many calls are under way at once",
        options: &[
            ("fixed", "a given limit: a bulkhead"),
            ("aimd", "one more after a success, a tenth less after a drop"),
            ("vegas", "estimates the queue from the latency above the unloaded one"),
            ("gradient2", "follows the ratio of long-term to present latency"),
            ("envoy_adaptive", "measures the unloaded latency now and then with few calls"),
            ("queue", "how many calls may wait"),
            ("discipline", "who waits for how long: fifo, lifo, codel"),
            ("by_criticality", "less critical calls may use only a part"),
            ("side", "client: RESOURCE_EXHAUSTED; server: load shedding with UNAVAILABLE"),
            ("scope", "client or shared"),
        ],
    },
    Entry {
        name: "attempt_timeout",
        about: "bounds one attempt; inside a retry, what it cuts off is tried again",
        options: &[],
    },
    Entry {
        name: "service_config",
        about: "a gRPC service config: timeout and retry or hedging by method, throttling",
        options: &[],
    },
    Entry {
        name: "tower",
        about: "tower's own layers, to be compared with: timeout, concurrency_limit, retry with its budget",
        options: &[
            ("timeout", "tower::timeout"),
            ("concurrency_limit", "tower::limit::ConcurrencyLimit: waits for ever"),
            ("retry", "tower::retry without backoff"),
            ("budget", "tower's TpsBudget: ttl, min_per_s, percent"),
        ],
    },
];

/// The pauses between attempts.
pub const BACKOFFS: &[Entry] = &[
    Entry { name: "none", about: "no pause", options: &[] },
    Entry { name: "constant", about: "always the same pause", options: &[("pause", "the pause")] },
    Entry { name: "linear", about: "base, 2 base, 3 base ...", options: &BASE_CAP },
    Entry { name: "fibonacci", about: "base times 1, 1, 2, 3, 5, 8 ...", options: &BASE_CAP },
    Entry {
        name: "exponential",
        about: "base times multiplier, again and again, without jitter",
        options: &[("base", "the first pause"), ("cap", "the longest pause"), ("multiplier", "the growth")],
    },
    Entry { name: "full_jitter", about: "anything from 0 to the doubling ceiling", options: &BASE_CAP },
    Entry {
        name: "equal_jitter",
        about: "half the doubling ceiling, and anything up to the other half",
        options: &BASE_CAP,
    },
    Entry { name: "decorrelated", about: "anything from base to three times the previous pause", options: &BASE_CAP },
    Entry {
        name: "grpc",
        about: "gRFC A6: exponential, ±20 %",
        options: &[
            ("initial", "the first pause, before jitter"),
            ("max", "the longest pause, before jitter"),
            ("multiplier", "the growth"),
            ("jitter", "the share by which a pause varies to either side"),
        ],
    },
    Entry { name: "aws_sdk", about: "the AWS SDKs: full jitter from 1 s up to 20 s", options: &BASE_CAP },
    Entry { name: "envoy", about: "anything from 0 to (2^n - 1) times 25 ms, at most 250 ms", options: &BASE_CAP },
];

const BASE_CAP: [(&str, &str); 2] = [("base", "the first pause or ceiling"), ("cap", "the longest pause or ceiling")];

/// What bounds the retries of all calls together.
pub const BUDGETS: &[Entry] = &[
    Entry {
        name: "grpc",
        about: "gRFC A6: a failure takes 1 token, a success gives ratio; retries while more than half is left",
        options: &[("tokens", "the largest and first count"), ("ratio", "what a success gives")],
    },
    Entry {
        name: "finagle",
        about: "percent of the calls of the last ttl, plus min_per_s",
        options: &[("ttl", "how long a deposit lasts"), ("min_per_s", "always allowed"), ("percent", "retries a call")],
    },
    Entry {
        name: "aws_sdk",
        about: "a bucket; a retry takes cost and gets it back if it succeeds",
        options: &[("capacity", "its size"), ("cost", "of a retry"), ("timeout_cost", "of a retry after a timeout")],
    },
    Entry {
        name: "envoy",
        about: "retries under way: percent of the calls under way, at least min",
        options: &[("percent", "the share"), ("min", "always allowed at once")],
    },
    Entry {
        name: "sre",
        about: "percent of the calls of the last window (SRE book: 10 %)",
        options: &[("percent", "the share"), ("window", "how far back it looks")],
    },
    Entry {
        name: "token_bucket",
        about: "filled by calls: a call gives per_call, a retry costs 1",
        options: &[("per_call", "what a call gives"), ("size", "of the bucket")],
    },
    Entry {
        name: "cumulative_breaker",
        about: "no retries while more than failure_rate of all attempts so far have failed; never forgets",
        options: &[("failure_rate", "the share")],
    },
];

/// The options of a channel.
pub const CHANNEL: &[Entry] = &[
    Entry { name: "transport", about: "own: gRPC's states and backoff; tonic: tonic's channel as it is", options: &[] },
    Entry {
        name: "balance",
        about: "which endpoint a call goes to: pick_first, round_robin, least_outstanding, peak_ewma",
        options: &[("peak_ewma.decay", "how fast a peak is forgotten")],
    },
    Entry {
        name: "connect_backoff",
        about: "gRPC: 1 s, x1.6, up to 120 s, ±20 %, from the start of an attempt; or immediate",
        options: &[
            ("initial", "the first delay"),
            ("multiplier", "the growth"),
            ("max", "the longest delay"),
            ("jitter", "the share by which a delay varies"),
            ("min_connect_timeout", "how long an attempt may take at least"),
        ],
    },
    Entry {
        name: "wait_for_ready",
        about: "calls wait for a connection even after connecting has failed",
        options: &[],
    },
    Entry {
        name: "keepalive",
        about: "pings a silent connection, and finds it dead when nothing comes back",
        options: &[("time", "of silence"), ("timeout", "for the answer"), ("without_calls", "also when idle")],
    },
    Entry { name: "max_age", about: "replaces connections of this age, give or take a tenth", options: &[] },
    Entry {
        name: "outlier",
        about: "gRFC A50: endpoints that fail more than others leave the rotation for a while",
        options: &[
            ("interval", "between sweeps"),
            ("base_ejection", "how long an ejection lasts, times how often"),
            ("max_ejection", "the longest ejection"),
            ("max_ejection_percent", "of all endpoints; at least one always may go"),
            ("success_rate", "ejects who lies far below the mean"),
            ("failure_percentage", "ejects who fails more than a fixed share"),
        ],
    },
    Entry { name: "health", about: "gRFC A17: watches the health service of every endpoint", options: &[] },
    Entry {
        name: "endpoint_breaker",
        about: "a circuit breaker for each endpoint; open ones are passed over",
        options: &[],
    },
];
