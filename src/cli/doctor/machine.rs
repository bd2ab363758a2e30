//! What a run needs of its machine: cores, memory, and a file system that renames and locks as it should.

use std::fs::File;
use std::num::NonZeroUsize;

use super::super::exit::Failure;
use super::super::files;
use super::super::streams::Streams;
use super::tell;

/// A run with ten thousand clients takes three quarters of a gigabyte a core.
const MEMORY_MIB: u64 = 1024;

/// Examines the machine; whether all is well.
pub(super) fn check(streams: &Streams) -> Result<bool, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    tell(streams, true, &format!("Squall {}, {cores} cores, {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH))?;
    let mut healthy = true;
    if let Some(free) = free_mib() {
        let enough = free >= MEMORY_MIB;
        let less = if enough { "" } else { ": large scenarios may not fit" };
        tell(streams, enough, &format!("{free} MiB of memory are free{less}"))?;
        healthy &= enough;
    }
    let disk = files_behave();
    let told = disk
        .as_ref()
        .map_or_else(|why| format!("temporary files: {why}"), |()| "files are renamed and locked".to_owned());
    tell(streams, disk.is_ok(), &told)?;
    Ok(healthy && disk.is_ok())
}

/// What Linux says is available; other systems are not asked.
fn free_mib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

/// Reports are written beside and renamed; journals are locked.
fn files_behave() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("report");
    for text in ["one", "two"] {
        files::write(&path, |out| out.write_all(text.as_bytes())).map_err(|failure| format!("{failure:?}"))?;
    }
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let [one, other] = [File::open(&path), File::open(&path)].map(|file| file.map_err(|error| error.to_string()));
    let (one, other) = (one?, other?);
    one.try_lock().map_err(|error| error.to_string())?;
    match (read.as_str(), other.try_lock()) {
        ("two", Err(_)) => Ok(()),
        ("two", Ok(())) => Err("a lock keeps nobody out".to_owned()),
        _ => Err("a renamed file is not the new one".to_owned()),
    }
}
