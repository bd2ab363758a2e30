//! Output files appear whole or not at all: written beside, then renamed.

use std::io::{self, Write};
use std::path::Path;

use super::exit::Failure;

/// Writes the file at `path`, and the folders above it if need be.
pub(super) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    write_beside(path, fill).map_err(|error| Failure::file("write", path, error))
}

fn write_beside(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    // The same folder is the same file system, where a rename is atomic.
    let mut beside = tempfile::Builder::new().prefix(".squall-").permissions(readable()).tempfile_in(folder)?;
    {
        let mut buffered = io::BufWriter::with_capacity(1 << 16, &mut beside);
        fill(&mut buffered)?;
        buffered.flush()?;
    }
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// As for any file that a program writes, less what the umask takes away; temporary files are private otherwise.
#[cfg(unix)]
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/report.json");
        write(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write(&path, |out| out.write_all(b"ne").and_then(|()| Err(io::Error::other("disk full"))));
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
