//! The journal of a run that writes reports: what an interrupted run leaves behind, and the next one goes on from.
//!
//! A line a finished trial, behind a first line that says of which run. It lies in the report folder while the run lasts, and
//! is gone when the reports are there. A process may die at any moment: a last line that is not whole was never
//! written, and its trial is run again. Because a trial is a pure function, what comes out is the same, byte for byte.
//!
//! Rule: one process at a time. The journal is locked while it is in use; the lock goes with the process that held it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::exit::Failure;
use crate::report::log::{Line, Place, Shard, Spool, Text};

/// What must be the same for a run to go on with what another began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    pub(super) squall_log: u32,
    pub(super) squall_version: String,
    /// Which program began it: whoever changes Squall itself builds many under one version.
    pub(super) program: Option<(u64, u64)>,
    pub(super) shard: Shard,
    pub(super) events: bool,
    pub(super) strategies: Vec<String>,
    pub(super) scenarios: Vec<Text>,
}

/// The size of this program's file, and when it was written in seconds since 1970.
pub(super) fn program() -> Option<(u64, u64)> {
    let file = std::fs::metadata(std::env::current_exe().ok()?).ok()?;
    let written = file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((file.len(), written.as_secs()))
}

/// One trial that is done, and where its events wait.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    line: Line,
    events: Option<Place>,
}

/// The journal of the run under way.
#[derive(Debug)]
pub(super) struct Journal {
    file: Mutex<File>,
    /// What to remove when the reports are there.
    paths: Vec<PathBuf>,
    spool: Option<Arc<Spool>>,
    /// The first failure to write to it.
    broken: Mutex<Option<io::Error>>,
}

impl Journal {
    /// Begins the journal of a run that reports into `folder`, or goes on with one; the trials that are done already.
    pub(super) fn open(folder: &Path, of: &Of) -> Result<(Self, Vec<Line>), Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make the folder", folder, error))?;
        let name = match of.shard {
            Shard::WHOLE => "unfinished".to_owned(),
            Shard { index, count } => format!("unfinished-{index}-of-{count}"),
        };
        let ends = if of.events { &["jsonl", "events"][..] } else { &["jsonl"] };
        let paths: Vec<PathBuf> = ends.iter().map(|end| folder.join(format!("{name}.{end}"))).collect();
        let open = |path: &Path| OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let sorry = |error| Failure::file("write", &paths[0], error);
        let mut file = open(&paths[0]).map_err(sorry)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let folder = folder.display();
                return Err(Failure::Usage(format!("another run is writing its reports to {folder}")));
            }
            Err(TryLockError::Error(error)) => return Err(sorry(error)),
        }
        let (entries, whole) = read(&mut file, of).map_err(sorry)?;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(sorry)?;
        let spool = paths.get(1).map(|path| open(path)).transpose().map_err(sorry)?;
        if whole == 0 {
            spool.as_ref().map_or(Ok(()), |spool| spool.set_len(0)).map_err(sorry)?;
            append(&mut file, of).map_err(sorry)?;
        }
        let spool = spool.map(Spool::to);
        let chunk = |place| spool.as_ref().map(|spool| spool.chunk(place));
        let restore = |entry: Entry| Line { events: entry.events.and_then(chunk), ..entry.line };
        let done = entries.into_iter().map(restore).collect();
        Ok((Self { file: Mutex::new(file), paths, spool, broken: Mutex::new(None) }, done))
    }

    /// Where events wait, if they are kept.
    pub(super) const fn spool(&self) -> Option<&Arc<Spool>> {
        self.spool.as_ref()
    }

    /// A trial is done.
    pub(super) fn add(&self, line: Line) {
        let events = line.events.as_ref().and_then(crate::report::log::Chunk::place);
        let entry = Entry { line, events };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = append(&mut file, &entry) {
            self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Whether everything could be written so far.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        broken.map_or(Ok(()), |error| Err(Failure::file("write", &self.paths[0], error)))
    }

    /// The reports are there: nothing is left to go on with.
    pub(super) fn finish(self) -> Result<(), Failure> {
        // The events come last: a journal that says where they are must not outlive them.
        for path in &self.paths {
            std::fs::remove_file(path).map_err(|error| Failure::file("remove", path, error))?;
        }
        Ok(())
    }
}

impl Drop for Journal {
    /// A child that this process is about to start has a copy of the file until it becomes another program: closing ours would
    /// leave the lock with it for that moment.
    fn drop(&mut self) {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Whoever closes a file has nothing left to lose by its lock.
        let _ = file.unlock();
    }
}

/// A line in one write, so that a process that dies leaves it whole or not at all, as far as the system can help it.
fn append(file: &mut File, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// What a journal holds of this run, and how many of its bytes are whole: none if it is of another run.
fn read(file: &mut File, of: &Of) -> io::Result<(Vec<Entry>, u64)> {
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    let mut whole = 0;
    let mut entries = Vec::new();
    loop {
        line.clear();
        let length = input.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok((entries, whole));
        }
        if whole == 0 {
            if serde_json::from_slice::<Of>(&line).ok().as_ref() != Some(of) {
                return Ok((entries, 0));
            }
        } else {
            let Ok(entry) = serde_json::from_slice(&line) else { return Ok((entries, whole)) };
            entries.push(entry);
        }
        whole += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::log::VERSION;

    fn of(version: &str) -> Of {
        let (squall_version, strategies, scenarios) = (version.to_owned(), Vec::new(), Vec::new());
        let (squall_log, program, shard, events) = (VERSION, program(), Shard::WHOLE, false);
        Of { squall_log, squall_version, program, shard, events, strategies, scenarios }
    }

    fn line(trial: usize) -> Line {
        let metrics = serde_json::json!({
            "parts": [], "series": { "width_ns": 0, "stretches": [] }, "faults": [], "fault_windows": [],
            "wire_bytes": 0, "fingerprint": trial,
        });
        let metrics = serde_json::from_value(metrics).unwrap();
        Line { trial, scenario: 0, strategy: "retry".into(), seed: 1, control: false, metrics, events: None }
    }

    fn trials(folder: &Path, version: &str) -> Vec<usize> {
        Journal::open(folder, &of(version)).unwrap().1.iter().map(|line| line.trial).collect()
    }

    #[test]
    fn what_is_whole_is_kept_and_only_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unfinished.jsonl");
        let (journal, done) = Journal::open(folder.path(), &of("1")).unwrap();
        assert!(done.is_empty());
        journal.add(line(0));
        journal.add(line(1));
        assert!(Journal::open(folder.path(), &of("1")).is_err(), "it is in use");
        drop(journal);
        let text = std::fs::read(&path).unwrap();
        let first = 1 + text.iter().position(|byte| *byte == b'\n').unwrap();
        let second = first + 1 + text[first..].iter().position(|byte| *byte == b'\n').unwrap();
        for cut in (0..=text.len()).rev() {
            std::fs::write(&path, &text[..cut]).unwrap();
            let expected: &[usize] = match cut {
                cut if cut == text.len() => &[0, 1],
                cut if cut >= second => &[0],
                _ => &[],
            };
            assert_eq!(trials(folder.path(), "1"), expected, "cut after {cut} bytes");
        }
        std::fs::write(&path, &text).unwrap();
        assert_eq!(trials(folder.path(), "2"), [0; 0], "of another run");
    }
}
