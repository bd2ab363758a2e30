//! Output files appear whole or not at all: written beside, then renamed.

use std::io::{self, Write};
use std::path::Path;

use super::exit::Failure;

/// Writes the file at `path`, and the folders above it if need be.
pub(super) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    write_beside(path, fill).map_err(|error| Failure::file("write", path, error))
}

/// What stands before the name of a file while it is written; what follows it is drawn.
fn beside(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what processes that were killed while they wrote the file left beside it.
pub(super) fn clean(path: &Path) -> Result<(), Failure> {
    let (folder, beside) = (path.parent().unwrap_or(Path::new(".")), beside(path));
    // Without the folder nothing was left in it.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let left = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&beside));
    let mut left = left.map(|entry| entry.path());
    left.try_for_each(|path| std::fs::remove_file(&path).map_err(|error| Failure::file("remove", &path, error)))
}

fn write_beside(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    // The same folder is the same file system, where a rename is atomic.
    let mut beside = tempfile::Builder::new().prefix(&beside(path)).permissions(readable()).tempfile_in(folder)?;
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
        let count = || std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(count(), 1, "nothing is left beside it");
        std::fs::write(path.with_file_name(".report.json.Abc"), "to").unwrap();
        std::fs::write(path.with_file_name(".report.txt.Abc"), "to").unwrap();
        clean(&path).unwrap();
        assert_eq!(count(), 2, "what another file's writer left is another's");
    }
}
