//! The states of a subchannel against a plain model: which state follows which, and when the next attempt to connect comes.

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::{Door, Heard, Reply, Server, call, target};
use proptest::prelude::*;
use squall::clock::{self, Instant, Simulation};
use squall::random::Key;
use squall::resilience::{Ambient, Balance, Channel, ChannelConfig, ConnectionState, EventKind};

const S: Duration = Duration::from_secs(1);

/// What happened, in order: attempts with their times, and states.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Attempt(Instant),
    State(Instant, ConnectionState),
}

/// Visits a server whose door opens or not as `doors` say, for ever closed after the last; every call ends its connection.
fn visit(doors: Vec<Door>, seed: u64) -> Vec<Step> {
    let heard = Arc::new(Heard::default());
    let listener = heard.clone();
    let server =
        Server::sequence([Reply::Disconnect]).with_door(move |n| doors.get(n).copied().unwrap_or(Door::Refused));
    Simulation::new()
        .run(async move {
            let ambient = Ambient::new(Key::from_seed(seed)).observed_by(listener);
            let config = ChannelConfig { balance: Balance::RoundRobin, ..ChannelConfig::default() };
            let channel = Channel::new(target(1), server, config, &ambient).unwrap();
            for _ in 0..40 {
                let _ = call(channel.clone()).await;
                clock::sleep(7 * S).await;
            }
        })
        .unwrap();
    let step = |event: squall::resilience::Event| match event.kind {
        EventKind::ConnectAttempt { .. } => Some(Step::Attempt(event.at)),
        EventKind::ConnectionState { state, .. } => Some(Step::State(event.at, state)),
        _ => None,
    };
    heard.events().into_iter().filter_map(step).collect()
}

/// Whether gRPC's `connectivity-semantics-and-api.md` lets `to` follow `from`.
fn follows(from: ConnectionState, to: ConnectionState) -> bool {
    use ConnectionState::{Connecting, Idle, Ready, TransientFailure};
    matches!((from, to), (Idle | TransientFailure, Connecting) | (Connecting, Ready | TransientFailure) | (Ready, Idle))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn states_and_attempts_agree_with_their_model(
        doors in proptest::collection::vec(
            prop_oneof![Just(Door::Open), Just(Door::Refused), Just(Door::Slammed)],
            0..12,
        ),
        seed in any::<u64>(),
    ) {
        let steps = visit(doors, seed);
        let mut state = ConnectionState::Idle;
        // Failures in a row, when the present attempt began, and when the next may begin: at once, or between two times.
        let (mut failures, mut began, mut next) = (0, Instant::ORIGIN, None::<(Instant, Instant)>);
        for step in &steps {
            match *step {
                Step::Attempt(at) => {
                    if let Some((first, last)) = next {
                        prop_assert!(first <= at && at <= last, "{at} is not within {first}..{last}: {steps:#?}");
                    }
                    began = at;
                }
                Step::State(at, to) => {
                    prop_assert!(follows(state, to), "{to:?} follows {state:?}: {steps:#?}");
                    state = to;
                    match to {
                        ConnectionState::TransientFailure => {
                            let nominal = S.mul_f64(1.6_f64.powi(failures).min(120.0));
                            let jitter = if failures == 0 { 0.0 } else { 0.2 };
                            let hair = Duration::from_micros(1);
                            let bounds = (nominal.mul_f64(1.0 - jitter), nominal.mul_f64(1.0 + jitter) + hair);
                            next = Some((began + bounds.0 - hair, began + bounds.1));
                            failures += 1;
                        }
                        // SETTINGS have arrived: the backoff begins anew.
                        ConnectionState::Ready => failures = 0,
                        ConnectionState::Idle => next = Some((at, at)),
                        _ => {}
                    }
                }
            }
        }
        prop_assert!(steps.iter().filter(|step| matches!(step, Step::Attempt(_))).count() > 5);
    }
}
