//! Traces of one trial, as the tools that read them see them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// A network that loses packets and a server that crashes: retransmissions and resets must be on the wire.
const ROUGH: &str = "tests/cli/files/rough.yaml";

fn trace(format: &str, file: &Path) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    let output = command.args(["trace", ROUGH, "--format", format, "-o"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(file).unwrap()
}

#[test]
fn traces_are_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["chrome", "pcapng", "otlp"] {
        let (one, other) = (trace(format, &folder.path().join("one")), trace(format, &folder.path().join("other")));
        assert!(one == other && one.len() > 10_000, "{format}: {} bytes", one.len());
    }
}

/// One TCP segment of a capture.
struct Segment {
    key: (u32, u16),
    flags: u8,
    seq: u32,
    data: Vec<u8>,
}

/// Reads a capture with nothing but what its format says, and checks every length and checksum on the way.
fn segments(capture: &[u8]) -> Vec<Segment> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let mut segments = Vec::new();
    let mut at = 0;
    while at < capture.len() {
        let (kind, length) = (word(at), word(at + 4) as usize);
        assert_eq!(word(at + length - 4) as usize, length, "both lengths of a block agree");
        if kind == 6 {
            let captured = word(at + 20) as usize;
            segments.push(segment(&capture[at + 28..at + 28 + captured]));
        }
        at += length;
    }
    segments
}

fn segment(datagram: &[u8]) -> Segment {
    let short = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
    assert_eq!((datagram[0], usize::from(short(2)), datagram[9]), (0x45, datagram.len(), 6));
    assert_eq!(sum(&datagram[..20]), 0xFFFF, "the checksum of IP");
    let mut pseudo = datagram[12..20].to_vec();
    pseudo.extend([0, 6]);
    pseudo.extend(((datagram.len() - 20) as u16).to_be_bytes());
    pseudo.extend(&datagram[20..]);
    assert_eq!(sum(&pseudo), 0xFFFF, "the checksum of TCP");
    let header = usize::from(datagram[32] >> 4) * 4;
    Segment {
        key: (u32::from_be_bytes(datagram[12..16].try_into().unwrap()), short(20)),
        flags: datagram[33],
        seq: u32::from_be_bytes(datagram[24..28].try_into().unwrap()),
        data: datagram[20 + header..].to_vec(),
    }
}

fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    (folded + (folded >> 16)) as u16
}

/// The streams begin as HTTP/2 does, segments are sent again, and a server that is gone resets.
#[test]
fn a_capture_holds_what_happened_on_the_wire() {
    let folder = tempfile::tempdir().unwrap();
    let segments = segments(&trace("pcapng", &folder.path().join("wire.pcapng")));
    let mut streams: BTreeMap<(u32, u16), BTreeMap<u32, &[u8]>> = BTreeMap::new();
    let mut again = 0;
    for one in segments.iter().filter(|one| !one.data.is_empty()) {
        let sent = streams.entry(one.key).or_default().insert(one.seq, &one.data);
        again += u32::from(sent.is_some());
    }
    let greetings = streams
        .values()
        .filter(|stream| stream.values().any(|data| data.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    assert!(greetings.count() >= 10, "clients greet");
    let flag = |bit: u8| segments.iter().filter(|one| one.flags & bit != 0).count();
    assert!(again > 0, "no segment was sent again");
    assert!(flag(4) > 0, "no reset");
    assert!(flag(2) >= 20, "connections are opened");
}

/// tshark is the judge, with no settings but its own; where it is not installed, the test above has to do.
#[test]
fn tshark_finds_grpc_retransmissions_and_resets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wire.pcapng");
    trace("pcapng", &file);
    let count = |filter: &str| -> Option<usize> {
        let mut tshark = Command::new("tshark");
        tshark.args(["-o", "tcp.check_checksum:TRUE", "-Y", filter, "-r"]).arg(&file);
        let output = tshark.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
        Some(output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count())
    };
    let Some(methods) = count(r#"http2.headers.path == "/telemetry.TelemetryService/ReportAlert""#) else {
        #[expect(clippy::print_stdout, reason = "whoever reads the test's output should know what was not tested")]
        {
            println!("tshark is not installed: nothing was asked of it");
        }
        return;
    };
    assert!(methods > 50, "{methods} requests");
    for filter in ["grpc", "tcp.analysis.retransmission", "tcp.flags.reset == 1", "frame.comment"] {
        assert!(count(filter).unwrap() > 0, "{filter}");
    }
    let wrong = r#"tcp.checksum.status == "Bad" || ip.checksum.status == "Bad" || _ws.malformed"#;
    assert_eq!(count(wrong), Some(0), "{wrong}");
}
