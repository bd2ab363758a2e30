//! The alerts that clients report.

use std::time::Duration;

use crate::clock::Instant;
use crate::record::CallId;
use crate::telemetry::proto::AlertRequest;

/// The virtual world's birthday, 2026-01-01T00:00:00Z, in nanoseconds since 1970.
const EPOCH_NS: i64 = 1_767_225_600_000_000_000;

/// The alert of a call that is due at `scheduled`. Devices tell their alerts apart by the nanosecond: calls of one device
/// that are due together differ by their numbers.
pub(super) fn alert(device_id: &str, call: CallId, scheduled: Instant) -> AlertRequest {
    let elapsed = scheduled + Duration::from_nanos(u64::from(call.number()));
    let timestamp = EPOCH_NS.saturating_add(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX));
    AlertRequest { device_id: device_id.to_owned(), alert_type: "threshold".to_owned(), timestamp }
}

/// The name of a device, padded to `payload_bytes`.
pub(super) fn device_id(group: &str, number: u32, payload_bytes: u32) -> String {
    let name = format!("{group}-{number}");
    let width = payload_bytes as usize;
    format!("{name:.<width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_due_together_are_still_different() {
        let at = Instant::from_nanos(5);
        assert_ne!(alert("d", CallId::new(0, 0), at).timestamp, alert("d", CallId::new(0, 1), at).timestamp);
    }

    #[test]
    fn payloads_have_the_length_asked_for() {
        assert_eq!(device_id("devices", 7, 0), "devices-7");
        assert_eq!(device_id("devices", 7, 20).len(), 20);
    }
}
