//! Events as text: a line each, `[time, {"kind": {...}}]`, and where they wait until their trial's turn comes.
//!
//! Trials end in any order and are written in one. Their events are compressed as they happen and spooled to a file, so that
//! memory holds what runs and not what has run.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Instant;
use crate::record::{Event, Kind, Sink};

/// How hard zstd tries: its default. A call takes some 800 bytes of text, and 100 of the file.
pub(super) const LEVEL: i32 = 3;

/// A file that events wait in.
#[derive(Debug)]
pub struct Spool {
    file: Mutex<std::fs::File>,
}

/// The events of one trial.
#[derive(Clone, Debug)]
pub struct Chunk {
    count: u64,
    place: Option<(Arc<Spool>, Place)>,
}

/// Where in its spool a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// How many events.
    pub count: u64,
    /// From which byte on.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// Takes a trial's events, as text.
pub struct EventText {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    count: u64,
}

impl Spool {
    /// Spools to `file`, behind what it holds.
    #[must_use]
    pub fn to(file: std::fs::File) -> Arc<Self> {
        Arc::new(Self { file: Mutex::new(file) })
    }

    /// The chunk that was spooled to that place by an earlier process.
    #[must_use]
    pub fn chunk(self: &Arc<Self>, place: Place) -> Chunk {
        Chunk { count: place.count, place: Some((Arc::clone(self), place)) }
    }

    fn append(self: &Arc<Self>, bytes: &[u8], count: u64) -> io::Result<Chunk> {
        let mut file = self.lock();
        let offset = file.seek(SeekFrom::End(0))?;
        file.write_all(bytes)?;
        Ok(self.chunk(Place { count, offset, len: bytes.len() as u64 }))
    }

    fn lock(&self) -> MutexGuard<'_, std::fs::File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chunk {
    /// How many events.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Where it waits, if it does.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.place.as_ref().map(|(_, place)| *place)
    }

    /// Writes its lines.
    ///
    /// # Errors
    ///
    /// When the spool cannot be read, or `out` not be written.
    pub fn copy(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some((spool, place)) = &self.place else { return Err(io::Error::other("the events were not kept")) };
        let mut file = spool.lock();
        file.seek(SeekFrom::Start(place.offset))?;
        let mut decoder = zstd::Decoder::new(Read::by_ref(&mut *file).take(place.len))?;
        io::copy(&mut decoder, out)?;
        Ok(())
    }
}

/// A chunk is known by how many events it has: trials that are equal have equal figures, fingerprint included.
impl PartialEq for Chunk {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count
    }
}

impl Serialize for Chunk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.count)
    }
}

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { count: u64::deserialize(deserializer)?, place: None })
    }
}

impl EventText {
    /// None yet.
    ///
    /// # Errors
    ///
    /// When there is no memory to compress with.
    pub fn new() -> io::Result<Self> {
        Ok(Self { encoder: zstd::Encoder::new(Vec::new(), LEVEL)?, count: 0 })
    }

    /// The trial is over: its events go to the spool.
    ///
    /// # Errors
    ///
    /// When the spool cannot be written.
    pub fn finish(self, spool: &Arc<Spool>) -> io::Result<Chunk> {
        spool.append(&self.encoder.finish()?, self.count)
    }

    fn line(&mut self, line: &[u8]) {
        // It writes to memory, which does not fail.
        let _ = self.encoder.write_all(line).and_then(|()| self.encoder.write_all(b"\n"));
        self.count += 1;
    }
}

impl std::fmt::Debug for EventText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventText").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Sink for EventText {
    fn event(&mut self, event: &Event) {
        self.line(&event_line(event));
    }
}

/// An event as a line of text, without the line feed.
#[must_use]
pub fn event_line(event: &Event) -> Vec<u8> {
    serde_json::to_vec(&(event.at.as_nanos(), event.kind)).expect("events are made of numbers and names")
}

/// Reads `count` events, hands each to `sink`, and spools them again.
pub(super) fn read(
    input: &mut dyn BufRead,
    count: u64,
    sink: &mut dyn Sink,
    spool: &Arc<Spool>,
) -> Result<Chunk, ReadError> {
    let mut text = EventText::new().map_err(ReadError::Io)?;
    let mut line = Vec::new();
    for place in 0..count {
        line.clear();
        input.read_until(b'\n', &mut line).map_err(ReadError::Io)?;
        let parsed: Result<(u64, Kind), _> = serde_json::from_slice(&line);
        let (at, kind) = parsed.map_err(|source| ReadError::Line { after: place + 1, source })?;
        sink.event(&Event { at: Instant::from_nanos(at), kind });
        text.line(line.strip_suffix(b"\n").unwrap_or(&line));
    }
    text.finish(spool).map_err(ReadError::Io)
}

/// Why events could not be read.
pub(super) enum ReadError {
    Io(io::Error),
    /// So many lines further on.
    Line {
        after: u64,
        source: serde_json::Error,
    },
}
