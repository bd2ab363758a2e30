//! The alerts that clients report.

use std::time::Duration;

use crate::clock::Instant;
use crate::record::CallId;
use crate::telemetry::WallClock;
use crate::telemetry::proto::AlertRequest;

/// The alert of a call that is due at `scheduled`. Devices tell their alerts apart by the nanosecond: calls of one device
/// that are due together differ by their numbers.
pub(super) fn alert(device_id: &str, call: CallId, scheduled: Instant, clock: &WallClock) -> AlertRequest {
    let timestamp = clock.read(scheduled + Duration::from_nanos(u64::from(call.number())));
    AlertRequest { device_id: device_id.to_owned(), alert_type: "threshold".to_owned(), timestamp }
}

/// The name of a device, padded to `payload_bytes`.
pub(super) fn device_id(group: &str, number: u32, payload_bytes: u32) -> String {
    let mut name = format!("{group}-{number}");
    // Not a format width: that ends at 65535.
    let missing = (payload_bytes as usize).saturating_sub(name.len());
    name.extend(std::iter::repeat_n('.', missing));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_due_together_are_still_different() {
        let at = Instant::from_nanos(5);
        let stamp = |number| alert("d", CallId::new(0, number), at, &WallClock::default()).timestamp;
        assert_ne!(stamp(0), stamp(1));
    }

    #[test]
    fn payloads_have_the_length_asked_for() {
        assert_eq!(device_id("devices", 7, 0), "devices-7");
        assert_eq!(device_id("devices", 7, 20).len(), 20);
        assert_eq!(device_id("devices", 7, 200_000).len(), 200_000);
    }
}
