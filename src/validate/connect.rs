//! gRPC's connection backoff: when a client tries again that is accepted and at once turned away.
//!
//! Source: grpc/grpc, `doc/connection-backoff.md`, and its interoperability test, which allows a fifth more or less than the
//! nominal gap, and 100 ms.

use std::time::Duration;

use tonic::Request;

use super::finding::{Finding, Tolerance};
use super::lab::{Lab, LabError};
use super::rig::{self, Rig};
use super::{Param, Params, Suite};
use crate::clock;
use crate::resilience::{Call, ChannelConfig, ConnectBackoff, Strategy};
use crate::telemetry::proto::AlertRequest;

/// grpc/grpc, connection-backoff.md.
pub(super) const CONNECT_BACKOFF: Suite = Suite {
    name: "connect-backoff",
    source: "grpc/grpc, connection-backoff.md and its interoperability test",
    params: &[
        Param::one("initial_s", "first pause in s", &[1.0]).within(0.001, 600.0),
        Param::one("multiplier", "growth of the pause", &[1.6]).within(1.0, 10.0),
        Param::one("max_s", "longest pause in s", &[120.0]).within(0.001, 3600.0),
        Param::one("jitter", "share by which a pause is longer or shorter", &[0.2]).within(0.0, 1.0),
        Param::sample("gaps", "gaps between attempts", &[13.0], &[13.0]).within(1.0, 50.0),
        Param::seeds(&[3.0], &[20.0]),
    ],
    cost: 1,
    run: connect_backoff,
    scenario: None,
};

/// When attempts to connect begin, without jitter and the time of a round trip, in seconds.
const STARTS: [f64; 14] = [0.0, 1.0, 2.6, 5.16, 9.26, 15.8, 26.3, 43.1, 69.9, 112.9, 181.6, 291.5, 411.5, 531.5];

/// The gaps without jitter: as published, or by the same rule from other parameters.
fn gaps(params: &Params) -> Vec<f64> {
    let (initial, most) = (params.get("initial_s"), params.get("max_s"));
    let by_rule = |place: u32| (initial * libm::pow(params.get("multiplier"), f64::from(place))).min(most);
    let published = STARTS.windows(2).map(|pair| pair[1] - pair[0]);
    let count = params.count("gaps");
    let known = if params.is_usual_but(&[]) { published.take(count as usize).collect() } else { Vec::new() };
    let further = (known.len() as u32..count).map(by_rule);
    known.into_iter().chain(further).collect()
}

fn connect_backoff(lab: &Lab<'_>, params: &Params) -> Result<Vec<Finding>, LabError> {
    let second = |name| Duration::from_secs_f64(params.get(name));
    let (nominal, jitter) = (gaps(params), params.get("jitter"));
    let connect_backoff = ConnectBackoff {
        initial: second("initial_s"),
        max: second("max_s"),
        multiplier: params.get("multiplier"),
        jitter,
        ..ConnectBackoff::default()
    };
    let channel = ChannelConfig { connect_backoff, ..ChannelConfig::default() };
    let strategy = Strategy { channel, ..Strategy::default() };
    let long = Duration::from_secs_f64(nominal.iter().sum::<f64>() * (1.0 + jitter) + 1.0);
    let seeds = lab.seeds(params.seeds(), |seed| {
        rig::run(seed, |sim| {
            let strategy = strategy.clone();
            async move {
                let rig = Rig::new(&sim);
                rig.slam()?;
                let mut client = rig.client(&sim, 0, &strategy)?;
                let call = tokio::spawn(async move {
                    let mut request = Request::new(AlertRequest::default());
                    request.extensions_mut().insert(Call::new().wait_for_ready(true));
                    client.report_alert(request).await
                });
                clock::sleep(long).await;
                call.abort();
                Ok(rig.connects().iter().map(|at| at.as_nanos() as f64 / 1e9).collect::<Vec<f64>>())
            }
        })
    })?;
    let mut findings = Vec::new();
    for (place, nominal) in nominal.into_iter().enumerate() {
        let gap = |starts: &Vec<f64>| Some(starts.get(place + 1)? - starts.get(place)?);
        let gaps: Vec<f64> = seeds.iter().map(|starts| gap(starts).unwrap_or(f64::NAN)).collect();
        // Of all seeds, the one that is furthest off is held to the bounds.
        let worst = gaps.iter().copied().fold(nominal, |worst: f64, gap| {
            if (gap - nominal).abs() >= (worst - nominal).abs() || gap.is_nan() { gap } else { worst }
        });
        let row = format!("connect-backoff.gap-{}", place + 1);
        let tolerance = Tolerance::Absolute(jitter * nominal + 0.1);
        findings.push(Finding { row, published: Some(nominal), observed: worst, error: 0.0, unit: "s", tolerance });
    }
    Ok(findings)
}
