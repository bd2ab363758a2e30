//! pcapng: the packets of the simulated wire with real IPv4 and TCP headers, the HTTP/2 of the real stack inside, as Wireshark
//! and tshark read them.
//!
//! A packet is captured where it is sent, as tcpdump on the sender would; one that the network loses has a comment that says
//! so. Hosts are 10.x.y.z by their number, and names stand in the file, so that a capture reads without the scenario.
//!
//! A capture cannot say which protocol is inside, and Wireshark asks its HTTP dissector, which knows HTTP/2 by its preface,
//! about HTTP's own ports only. So the telemetry service is shown at such a port: gRPC is read without any setting.
//!
//! Source: draft-ietf-opsawg-pcapng (section header, interface description, enhanced packet and name resolution blocks);
//! RFC 791, RFC 9293, RFC 7323 and RFC 2018 for headers and options.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::clock::Instant;
use crate::net::{ConnectionEvent, ConnectionId, Observer, Packet, Side};
use crate::telemetry;

/// Raw IP, without a link layer.
const LINKTYPE_RAW: u16 = 101;
const NANOSECONDS: u8 = 9;
/// The first port that clients use, and how many there are (Linux's default range).
const PORTS: (u16, u64) = (32_768, 28_232);
/// Where the telemetry service is shown to listen.
const HTTP_PORT: u16 = 8080;
const HEADER: usize = 20;
/// Windows are scaled so: 2^8 is enough for the largest receive buffer.
const WINDOW_SCALE: u8 = 8;

/// Gathers what is on the wire. Watches a network, and is written when the trial is over.
#[derive(Debug, Default)]
pub struct Capture {
    gathered: Mutex<Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    connections: BTreeMap<ConnectionId, Connection>,
    packets: Vec<Packet>,
}

/// Who talks, and every byte that was said.
#[derive(Debug, Default)]
struct Connection {
    /// Host and port, the client's first.
    ends: [(u32, u16); 2],
    said: [Vec<u8>; 2],
}

impl Observer for Capture {
    fn connection(&self, _: Instant, id: ConnectionId, event: &ConnectionEvent) {
        if let ConnectionEvent::Connecting { from, to } = event {
            let port = PORTS.0 + (id.number() % PORTS.1) as u16;
            let ends = [(from.index() as u32, port), (to.host.index() as u32, shown(to.port))];
            self.with(|gathered| gathered.connections.entry(id).or_default().ends = ends);
        }
    }

    fn packet(&self, packet: &Packet) {
        self.with(|gathered| gathered.packets.push(*packet));
    }

    fn payload(&self, id: ConnectionId, sender: Side, bytes: &[u8]) {
        self.with(|gathered| {
            gathered.connections.entry(id).or_default().said[place(sender)].extend_from_slice(bytes);
        });
    }

    fn wants_packets(&self) -> bool {
        true
    }
}

impl Capture {
    /// Writes what was gathered, packets in the order in which they were sent. `names` are those of the hosts, by number;
    /// `about` says what was captured.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn write(&self, names: &[String], about: &str, out: &mut dyn io::Write) -> io::Result<()> {
        self.with(|gathered| {
            write_block(out, 0x0A0D_0D0A, &section(about))?;
            write_block(out, 1, &interface())?;
            write_block(out, 4, &name_records(names))?;
            let mut order: Vec<&Packet> = gathered.packets.iter().collect();
            order.sort_by_key(|packet| packet.sent_at);
            for packet in order {
                let Some(connection) = gathered.connections.get(&packet.connection) else { continue };
                write_block(out, 6, &enhanced(packet, &datagram(packet, connection)))?;
            }
            Ok(())
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Gathered) -> T) -> T {
        f(&mut self.gathered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The port that stands in the capture for a port of the simulation.
const fn shown(port: u16) -> u16 {
    match port {
        telemetry::PORT => HTTP_PORT,
        other => other,
    }
}

const fn place(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

/// A block: type, length, body padded to 32 bits, length again.
fn write_block(out: &mut dyn io::Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = (12 + body.len().next_multiple_of(4)) as u32;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&[0; 3][..body.len().next_multiple_of(4) - body.len()])?;
    out.write_all(&length.to_le_bytes())
}

/// An option or a name record: code, length, value padded to 32 bits.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn section(about: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x1A2B_3C4D_u32.to_le_bytes());
    body.extend([1, 0, 0, 0]);
    // The length of the section is not said.
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, 1, about.as_bytes());
    option(&mut body, 4, format!("Squall {}", env!("CARGO_PKG_VERSION")).as_bytes());
    option(&mut body, 0, &[]);
    body
}

fn interface() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(LINKTYPE_RAW.to_le_bytes());
    body.extend([0; 6]);
    option(&mut body, 2, b"wire");
    option(&mut body, 9, &[NANOSECONDS]);
    option(&mut body, 0, &[]);
    body
}

fn name_records(names: &[String]) -> Vec<u8> {
    let mut body = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let mut record = address(number as u32).to_vec();
        record.extend(name.as_bytes());
        record.push(0);
        option(&mut body, 1, &record);
    }
    option(&mut body, 0, &[]);
    body
}

fn enhanced(packet: &Packet, datagram: &[u8]) -> Vec<u8> {
    let at = packet.sent_at.as_nanos();
    let length = datagram.len() as u32;
    let mut body = Vec::with_capacity(datagram.len() + 64);
    for word in [0, (at >> 32) as u32, at as u32, length, length] {
        body.extend(word.to_le_bytes());
    }
    body.extend(datagram);
    body.resize(body.len().next_multiple_of(4), 0);
    if packet.arrives_at.is_none() {
        option(&mut body, 1, b"lost on its way");
        option(&mut body, 0, &[]);
    }
    body
}

/// 10.x.y.z, from 10.0.0.1 on.
const fn address(host: u32) -> [u8; 4] {
    let [_, x, y, z] = (host + 1).to_be_bytes();
    [10, x, y, z]
}

fn datagram(packet: &Packet, connection: &Connection) -> Vec<u8> {
    let (from, to) = (connection.ends[place(packet.sender)], connection.ends[place(packet.sender.other())]);
    let tcp = segment(packet, connection, from.1, to.1);
    let length = HEADER + tcp.len();
    let mut ip = vec![0x45, 0];
    ip.extend((length as u16).to_be_bytes());
    // Don't fragment, as every TCP does today.
    ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    ip.extend(address(from.0));
    ip.extend(address(to.0));
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let pseudo = pseudo_header(from.0, to.0, tcp.len());
    let sum = checksum(&[&pseudo, &tcp]);
    ip.extend(tcp);
    ip[HEADER + 16..HEADER + 18].copy_from_slice(&sum.to_be_bytes());
    ip
}

fn pseudo_header(from: u32, to: u32, length: usize) -> Vec<u8> {
    let mut pseudo = address(from).to_vec();
    pseudo.extend(address(to));
    pseudo.extend([0, 6]);
    pseudo.extend((length as u16).to_be_bytes());
    pseudo
}

fn segment(packet: &Packet, connection: &Connection, from: u16, to: u16) -> Vec<u8> {
    let segment = &packet.segment;
    let (own, other) = (initial(packet, packet.sender), initial(packet, packet.sender.other()));
    // Positions count from 1, the SYN stands before them; whoever acknowledges anything acknowledges that.
    let seq = own.wrapping_add(if segment.flags.syn { 0 } else { segment.seq as u32 });
    let ack = if segment.flags.ack { other.wrapping_add(segment.ack.max(1) as u32) } else { 0 };
    let options = options(packet, other);
    let data = payload(packet, connection);
    let mut tcp = Vec::with_capacity(HEADER + options.len() + data.len());
    tcp.extend(from.to_be_bytes());
    tcp.extend(to.to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.push((((HEADER + options.len()) / 4) << 4) as u8);
    let bits = [segment.flags.fin, segment.flags.syn, segment.flags.rst, !data.is_empty(), segment.flags.ack];
    tcp.push(bits.into_iter().enumerate().map(|(place, set)| u8::from(set) << place).sum());
    // A window in a SYN is never scaled.
    let window = if segment.flags.syn { segment.window } else { segment.window >> WINDOW_SCALE };
    tcp.extend((window.min(0xFFFF) as u16).to_be_bytes());
    tcp.extend([0; 4]);
    tcp.extend(options);
    tcp.extend(data);
    tcp
}

/// A number to begin with that tells connections apart.
fn initial(packet: &Packet, side: Side) -> u32 {
    (packet.connection.number() as u32).wrapping_mul(0x9E37_79B9).wrapping_add(place(side) as u32 * 0x4000_0000)
}

fn options(packet: &Packet, other: u32) -> Vec<u8> {
    let segment = &packet.segment;
    let mut options = Vec::new();
    if segment.flags.syn {
        // MSS 1448 + 12 for timestamps, SACK permitted, window scale.
        options.extend([2, 4, 0x05, 0xB4, 4, 2, 1, 3, 3, WINDOW_SCALE]);
    }
    if !segment.flags.rst {
        options.extend([8, 10]);
        options.extend((segment.timestamp as u32).to_be_bytes());
        options.extend((segment.echo as u32).to_be_bytes());
    }
    let sacks = segment.sacks.as_slice();
    if !sacks.is_empty() {
        options.extend([5, 2 + 8 * sacks.len() as u8]);
        for edge in sacks.iter().flat_map(|(left, right)| [left, right]) {
            options.extend(other.wrapping_add(*edge as u32).to_be_bytes());
        }
    }
    options.resize(options.len().next_multiple_of(4), 1);
    options
}

/// The bytes that the segment's positions stand for.
fn payload<'a>(packet: &Packet, connection: &'a Connection) -> &'a [u8] {
    let count = packet.segment.payload() as usize;
    let start = (packet.segment.seq as usize).saturating_sub(1);
    if count == 0 || packet.segment.flags.syn {
        return &[];
    }
    let said = &connection.said[place(packet.sender)];
    said.get(start..(start + count).min(said.len())).unwrap_or_default()
}

/// The Internet checksum (RFC 1071) of parts of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0))).sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    !((folded + (folded >> 16)) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071, section 3: its sum is ddf2.
    #[test]
    fn checksums_are_those_of_the_internet() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xF2, 0x03], &[0xF4, 0xF5, 0xF6, 0xF7]]), !0xDDF2);
        assert_eq!(checksum(&[&[0xFF]]), !0xFF00);
    }

    #[test]
    fn hosts_have_addresses_of_their_own() {
        let table = [(0, [10, 0, 0, 1]), (254, [10, 0, 0, 255]), (255, [10, 0, 1, 0]), (70_000, [10, 1, 17, 113])];
        for (host, expected) in table {
            assert_eq!(address(host), expected);
        }
    }

    /// Lengths at both ends of a block agree and are multiples of four, whatever is inside.
    #[test]
    fn blocks_are_padded() {
        for length in 0..9 {
            let mut out = Vec::new();
            write_block(&mut out, 6, &vec![7; length]).unwrap();
            let said = u32::from_le_bytes(out[4..8].try_into().unwrap()) as usize;
            assert_eq!((said, said % 4), (out.len(), 0));
            assert_eq!(out[4..8], out[out.len() - 4..]);
        }
    }
}
