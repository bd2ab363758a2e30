//! Bad scenario files: what the user sees for each, pinned as snapshots beside the files, and never a panic.
//!
//! A new mistake is a new file in `bad_scenarios/`. To review changed snapshots: `cargo insta review`.
#![cfg(feature = "sim")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use squall::scenario::{Alone, catalogue, discover, load, parse};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_scenarios");

/// A folder of its own for files that no repository should hold. Removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// What the user sees, with the folder's own name taken out.
    fn seen(&self, path: &Path) -> String {
        let mistakes = load(path).expect_err("a bad file must not become a plan");
        mistakes.to_string().replace(self.0.to_str().unwrap(), "FOLDER")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Snapshots lie beside the files they belong to.
fn snapshot(name: &str, seen: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(FOLDER);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, seen));
}

#[test]
fn every_bad_file_is_explained() {
    let mut paths: Vec<PathBuf> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    assert!(paths.len() >= 40, "only {} files", paths.len());
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        match parse(&format!("{name}.yaml"), &text, &Alone) {
            Ok(_) => panic!("{name} is not bad at all"),
            Err(mistakes) => snapshot(name, &mistakes.to_string()),
        }
    }
}

#[test]
fn a_file_of_ten_megabytes_is_refused_before_it_is_read() {
    let folder = Temporary::new("large");
    let path = folder.file("large.yaml", "name: large # ".repeat(750_000).as_bytes());
    snapshot("generated-large", &folder.seen(&path));
}

#[test]
fn binary_files_are_no_scenarios() {
    let folder = Temporary::new("binary");
    let path = folder.file("binary.yaml", &[0xff, 0xfe, 0x00, 0x9f, 0x92, 0x96]);
    snapshot("generated-binary", &folder.seen(&path));
    let path = folder.file("nul.yaml", b"name: nul\0\n");
    snapshot("generated-nul", &folder.seen(&path));
}

/// A folder where a file should be is unreadable for everybody, root included.
#[test]
fn unreadable_files_say_why() {
    let folder = Temporary::new("unreadable");
    let inner = folder.0.join("folder.yaml");
    fs::create_dir(&inner).unwrap();
    snapshot("generated-unreadable", &folder.seen(&inner));
    snapshot("generated-missing", &folder.seen(&folder.0.join("missing.yaml")));
}

#[test]
fn a_folder_without_scenarios_is_an_error_with_a_way_out() {
    let folder = Temporary::new("none");
    folder.file("strategies.yaml", b"strategies: []\n");
    folder.file("README.md", b"Nothing.\n");
    let mistakes = discover(std::slice::from_ref(&folder.0)).expect_err("there is no scenario");
    snapshot("generated-no-scenarios", &mistakes.to_string().replace(folder.0.to_str().unwrap(), "FOLDER"));
    let mistakes = discover(&[folder.0.join("nowhere")]).expect_err("there is no such folder");
    snapshot("generated-no-folder", &mistakes.to_string().replace(folder.0.to_str().unwrap(), "FOLDER"));
}

/// A mistake in a shared file is shown in that file.
#[test]
fn mistakes_in_shared_strategies_are_shown_where_they_are() {
    let folder = Temporary::new("shared");
    folder.file("strategies.yaml", b"strategies:\n  - name: hasty\n    layers: [{ retry: { atempts: 3 } }]\n");
    let text = fs::read_to_string(Path::new(FOLDER).join("unknown-strategy.yaml")).unwrap();
    let path = folder.file("scenario.yaml", text.replace("full-jiter", "hasty").replace("plain:", "hasty:").as_bytes());
    snapshot("generated-shared", &folder.seen(&path));
}

/// Scenarios of a folder come in the order of their names, whatever the file system says; a file named twice comes once.
#[test]
fn folders_are_walked_in_order() {
    let folder = Temporary::new("order");
    fs::create_dir(folder.0.join("b")).unwrap();
    for name in ["c.yaml", "b/z.yaml", "b/a.yml", "a.yaml", ".hidden.yaml", "strategies.yaml", "notes.txt"] {
        folder.file(name, b"name: x\n");
    }
    let found = discover(&[folder.0.clone(), folder.0.join("a.yaml")]).unwrap();
    let names: Vec<_> =
        found.iter().map(|source| source.path.strip_prefix(&folder.0).unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.yaml", "b/a.yml", "b/z.yaml", "c.yaml"]);
}

/// Some piece of YAML that can hurt where it is not expected.
const PIECES: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "\n",
    "  ",
    "\t",
    "&a",
    "*a",
    "!!binary",
    "|",
    ">",
    "'",
    "\"",
    "%",
    "9999999999999999999999",
    "-1",
    "é\u{1F300}",
    "? ",
];

proptest! {
    /// Cutting, doubling and sowing in good files gives plans or mistakes, never a panic, and mistakes can be shown.
    #[test]
    fn mutations_never_panic(which in 0_usize..64, edits in proptest::collection::vec((any::<u32>(), 0_usize..PIECES.len(), 0_u8..4), 1..8)) {
        let files: Vec<_> = catalogue().collect();
        let mut text = files[which % files.len()].text.to_owned();
        for (at, piece, how) in edits {
            let mut at = at as usize % (text.len() + 1);
            while !text.is_char_boundary(at) { at -= 1; }
            match how {
                0 => text.insert_str(at, PIECES[piece]),
                1 => text.truncate(at),
                2 => { let tail = text[at..].to_owned(); text.push_str(&tail); }
                _ => {
                    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                    text.replace_range(at..end, PIECES[piece]);
                }
            }
        }
        if let Err(mistakes) = parse("mutated.yaml", &text, files[0]) {
            prop_assert!(!mistakes.render(true, 80).is_empty());
            prop_assert_eq!(mistakes.positions().len(), mistakes.len());
        }
    }
}
