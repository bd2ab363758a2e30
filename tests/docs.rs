//! The documentation does what it says: every `$ squall` command of `docs/*.md` and `README.md` is run, in order, in a folder of
//! the page's own, and must print what the page shows.
//!
//! A page's ```` ```yaml FILE ```` blocks are that folder's files. Figures may move when the engine gets better, so numbers are
//! compared as numbers and not by value; words, rows and their order must be the same. `UPDATE_DOCS=1` writes the pages anew.

use std::path::Path;
use std::process::{Command, Stdio};

/// A page as its lines, with fenced blocks taken apart.
enum Part<'a> {
    Text(&'a str),
    /// What stands after the fence, and the lines inside.
    Block(&'a str, Vec<&'a str>),
}

fn parts(page: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        match line.strip_prefix("```") {
            Some(kind) => parts.push(Part::Block(kind, lines.by_ref().take_while(|line| *line != "```").collect())),
            None => parts.push(Part::Text(line)),
        }
    }
    parts
}

/// Runs one command line of a page; a line after the output says the exit code unless it is 0, as trycmd has it.
fn run(command: &str, folder: &Path) -> Vec<String> {
    let words = words(command);
    assert_eq!(words.first().map(String::as_str), Some("squall"), "{command}");
    let mut squall = Command::new(env!("CARGO_BIN_EXE_squall"));
    squall.env_clear().current_dir(folder).args(&words[1..]).stdin(Stdio::null());
    let output = squall.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match output.status.code() {
        Some(0) => {}
        code => lines.insert(0, format!("? {}", code.unwrap_or(-1))),
    }
    lines
}

/// As a shell takes it apart, as far as pages need it.
fn words(command: &str) -> Vec<String> {
    let pieces = command.split('\'').enumerate();
    let split = |(place, piece): (usize, &str)| match place % 2 {
        0 => piece.split_whitespace().map(str::to_owned).collect(),
        _ => vec![piece.to_owned()],
    };
    pieces.flat_map(split).collect()
}

/// What must not change: words and marks, without numbers, bars and the room between them.
fn words_only(line: &str) -> String {
    let mut kept = String::new();
    for word in line.split_whitespace() {
        let bare: String = word.chars().filter(|char| !"▁▂▃▄▅▆▇█━*".contains(*char)).collect();
        let number =
            bare.trim_matches(|char: char| "[](),;:+-".contains(char)).starts_with(|char: char| char.is_ascii_digit());
        if bare.is_empty() || number || bare == "never" {
            continue;
        }
        kept.push_str(&bare);
        kept.push(' ');
    }
    kept
}

/// The page with the output of its commands as it is now; those that differ by more than figures are reported.
fn renewed(page: &str, folder: &Path, differences: &mut Vec<String>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in parts(page) {
        let (kind, inside) = match part {
            Part::Text(line) => {
                lines.push(line.to_owned());
                continue;
            }
            Part::Block(kind, inside) => (kind, inside),
        };
        if let Some(file) = kind.strip_prefix("yaml ") {
            std::fs::write(folder.join(file), inside.join("\n") + "\n").unwrap();
        }
        lines.push(format!("```{kind}"));
        if kind != "console" {
            lines.extend(inside.iter().map(|line| (*line).to_owned()));
        } else {
            for example in examples(&inside) {
                let printed = run(example[0].trim_start_matches("$ "), folder);
                let shown: Vec<String> = example[1..].iter().map(|line| words_only(line)).collect();
                let now: Vec<String> = printed.iter().map(|line| words_only(line)).collect();
                if shown != now {
                    differences.push(format!("{}\nshown:\n{}\nnow:\n{}", example[0], shown.join("\n"), now.join("\n")));
                }
                lines.push(example[0].to_owned());
                lines.extend(printed);
            }
        }
        lines.push("```".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Each command with the lines that follow it.
fn examples<'a>(lines: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut examples: Vec<Vec<&str>> = Vec::new();
    for line in lines {
        match examples.last_mut() {
            Some(example) if !line.starts_with("$ ") => example.push(line),
            _ => examples.push(vec![line]),
        }
    }
    examples
}

#[test]
fn pages_show_what_commands_print() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = pages.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    let mut differences = Vec::new();
    let mut commands = 0;
    for path in pages {
        let page = std::fs::read_to_string(&path).unwrap();
        commands += page.lines().filter(|line| line.starts_with("$ squall")).count();
        let folder = tempfile::tempdir().unwrap();
        let mut here = Vec::new();
        let new = renewed(&page, folder.path(), &mut here);
        if std::env::var_os("UPDATE_DOCS").is_some() && new != page {
            std::fs::write(&path, new).unwrap();
        }
        differences.extend(here.into_iter().map(|difference| format!("{}: {difference}", path.display())));
    }
    assert!(commands >= 10, "only {commands} commands were found");
    if std::env::var_os("UPDATE_DOCS").is_none() {
        assert!(differences.is_empty(), "UPDATE_DOCS=1 renews the pages\n\n{}", differences.join("\n\n"));
    }
}
