//! Compiles `proto/telemetry.proto` with a compiler written in Rust, so that building Squall needs no `protoc`, and lists
//! `scenarios/` so that the binary can carry it.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/telemetry.proto");
    #[cfg(feature = "sim")]
    {
        let descriptors = protox::compile(["proto/telemetry.proto"], ["proto"])?;
        tonic_prost_build::configure().compile_fds(descriptors)?;
        catalogue::write()?;
    }
    Ok(())
}

#[cfg(feature = "sim")]
mod catalogue {
    use std::error::Error;
    use std::fmt::Write;
    use std::path::{Path, PathBuf};

    /// Writes a table of all scenarios, each included as text.
    pub(super) fn write() -> Result<(), Box<dyn Error>> {
        println!("cargo::rerun-if-changed=scenarios");
        let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("scenarios");
        let mut files = Vec::new();
        walk(&root, &mut files)?;
        files.sort();
        let mut table = String::from("static FILES: &[Embedded] = &[\n");
        for file in &files {
            let path = file.strip_prefix(&root)?.to_str().ok_or("a scenario's path is no text")?.replace('\\', "/");
            let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            writeln!(table, "    Embedded {{ name: {name:?}, path: {path:?}, text: include_str!({file:?}) }},")?;
        }
        table.push_str("];\n");
        std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("catalogue.rs"), table)?;
        Ok(())
    }

    fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                walk(&path, files)?;
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                files.push(path);
            }
        }
        Ok(())
    }
}
