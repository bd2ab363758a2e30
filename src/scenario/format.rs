//! The one way to write a scenario file: blanks, blank lines, and the order of its sections.
//!
//! A formatter that parsed YAML and wrote it again would lose comments and line breaks, which are half of what a scenario
//! teaches. This one works on lines: it moves whole sections and touches nothing inside quotes or block texts. What it
//! makes of a file means the same, or it leaves the file alone: the caller checks that with [`same_meaning`].

use super::plan::{DownstreamStrategy, Plan};

/// The sections of a file, in the order in which a reader needs them.
const ORDER: [&str; 12] = [
    "name",
    "about",
    "duration",
    "drain",
    "warmup",
    "seeds",
    "servers",
    "clients",
    "links",
    "faults",
    "strategies",
    "expect",
];

/// Formats the text of a scenario.
#[must_use]
pub fn format(text: &str) -> String {
    let mut lines = Vec::new();
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let line = line.trim_end();
        let indent = line.len() - line.trim_start().len();
        if line.is_empty() {
            lines.push(String::new());
            continue;
        }
        if block.is_some_and(|above| indent > above) {
            lines.push(line.to_owned());
            continue;
        }
        let tidied = format!("{}{}", &line[..indent], tidy(line.trim_start()));
        block = opens_block(&tidied).then_some(indent);
        lines.push(tidied);
    }
    let mut text = sections(&lines).join("\n");
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    format!("{}\n", text.trim_matches('\n'))
}

/// Whether two plans are the same but for where they stand in their files.
#[must_use]
pub fn same_meaning(one: &Plan, other: &Plan) -> bool {
    let placeless = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.faults.iter_mut().for_each(|fault| fault.line = 0);
        plan.expectations.iter_mut().for_each(|expectation| expectation.line = 0);
        plan.strategies.iter_mut().for_each(|strategy| strategy.line = 0);
        for downstream in plan.servers.iter_mut().flat_map(|group| &mut group.downstream) {
            if let DownstreamStrategy::Fixed(strategy) = &mut downstream.strategy {
                strategy.line = 0;
            }
        }
        plan
    };
    placeless(one) == placeless(other)
}

/// Whether a text over several lines follows: `about: >`, `about: |-`.
fn opens_block(line: &str) -> bool {
    let code = split_comment(line).0.trim_end();
    let header = code.rsplit(' ').next().unwrap_or_default();
    let rest = header.strip_prefix(['>', '|']);
    code.contains(':') && rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || "+-".contains(c)))
}

/// The code of a line, and its comment with the mark.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return line.split_at(at),
            // A quote begins a text only where a text may begin.
            (None, '"' | '\'') if before.is_whitespace() || "[{,:".contains(before) => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    (line, "")
}

/// A line without its indentation: one blank where one belongs.
fn tidy(line: &str) -> String {
    let (code, comment) = split_comment(line);
    let gap = &code[code.trim_end().len()..];
    let code = tidy_code(code.trim_end());
    let comment = match comment.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_alphanumeric()) => format!("# {rest}"),
        _ => comment.to_owned(),
    };
    match (code.is_empty(), comment.is_empty()) {
        (_, true) => code,
        (true, false) => comment,
        (false, false) => format!("{code}{}{comment}", if gap.is_empty() { " " } else { gap }),
    }
}

/// Blanks inside `{ }`, none inside `[ ]`, one after a comma and none before it; quoted texts as they are.
fn tidy_code(code: &str) -> String {
    let mut tidied = String::with_capacity(code.len());
    let mut quote = None;
    let mut depth = 0_usize;
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let before = tidied.chars().last().unwrap_or(' ');
        if let Some(open) = quote {
            tidied.push(c);
            quote = (c != open).then_some(open);
            continue;
        }
        match c {
            '"' | '\'' if before.is_whitespace() || "[{,:".contains(before) => {
                tidied.push(c);
                quote = Some(c);
            }
            '{' | '[' if depth > 0 || begins_value(&tidied) => {
                depth += 1;
                tidied.push(c);
                while chars.next_if(|next| *next == ' ').is_some() {}
                if c == '{' && chars.peek().is_some_and(|next| *next != '}') {
                    tidied.push(' ');
                }
            }
            '}' | ']' if depth > 0 => {
                depth -= 1;
                let length = tidied.trim_end().len();
                // A line may begin with the end of what another began.
                if length > 0 {
                    tidied.truncate(length);
                    if c == '}' && !tidied.ends_with('{') {
                        tidied.push(' ');
                    }
                }
                tidied.push(c);
            }
            ',' if depth > 0 => {
                tidied.truncate(tidied.trim_end().len());
                tidied.push(',');
                while chars.next_if(|next| *next == ' ').is_some() {}
                if chars.peek().is_some() {
                    tidied.push(' ');
                }
            }
            _ => tidied.push(c),
        }
    }
    tidied
}

/// Whether a value begins behind this: a bracket inside a text is none.
fn begins_value(code: &str) -> bool {
    let before = code.trim_end();
    before.is_empty() || before.ends_with([':', '-'])
}

/// The lines with their sections in order. What stands before the first section stays there; a comment belongs to what
/// follows it.
fn sections(lines: &[String]) -> Vec<String> {
    let rank =
        |line: &str| ORDER.iter().position(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')));
    let Some(first) = lines.iter().position(|line| rank(line).is_some()) else { return lines.to_vec() };
    let mut sections: Vec<(usize, Vec<String>)> = Vec::new();
    let mut waiting: Vec<String> = Vec::new();
    for line in &lines[first..] {
        if let Some(rank) = rank(line) {
            sections.push((rank, std::mem::take(&mut waiting)));
        } else if line.is_empty() || line.starts_with('#') {
            waiting.push(line.clone());
            continue;
        }
        if let Some((_, section)) = sections.last_mut() {
            section.append(&mut waiting);
            section.push(line.clone());
        }
    }
    sections.sort_by_key(|(rank, _)| *rank);
    let ordered = sections.into_iter().flat_map(|(_, section)| section);
    lines[..first].iter().cloned().chain(ordered).chain(waiting).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{catalogue, parse};
    use super::*;

    #[test]
    fn blanks_stand_where_they_belong() {
        let table = [
            ("faults:   \n", "faults:\n"),
            ("a: {b: 1,c: [ 1,2 ]}", "a: { b: 1, c: [1, 2] }\n"),
            ("a: {}  # why", "a: {}  # why\n"),
            ("#comment\na: [ ]", "# comment\na: []\n"),
            ("a: \"{x,y}\"", "a: \"{x,y}\"\n"),
            ("about: it's {not,this}", "about: it's {not,this}\n"),
            ("\n\na: 1\r\n\n\n\nb: 2\n\n", "a: 1\n\nb: 2\n"),
            ("about: >\n  a {b,c}\n  #d\na: {b: 1}", "about: >\n  a {b,c}\n  #d\na: { b: 1 }\n"),
            ("- {a: 1,\n   b: 2}", "- { a: 1,\n   b: 2}\n"),
        ];
        for (text, expected) in table {
            assert_eq!(format(text), expected, "{text}");
            assert_eq!(format(expected), expected, "it is formatted already");
        }
    }

    #[test]
    fn sections_keep_their_comments() {
        let text = "# header\nname: a\n# what goes wrong\nfaults:\n  - x\n\n# who\nservers:\n  t: {}\n# the end\n";
        let expected = "# header\nname: a\n\n# who\nservers:\n  t: {}\n# what goes wrong\nfaults:\n  - x\n# the end\n";
        assert_eq!(format(text), expected);
    }

    /// Where a strategy stands is not what it means, also that of a tier, and one of a sweep.
    #[test]
    fn sections_move_without_changing_what_they_mean() {
        let text = "strategies:\n  - name: jitter\n    sweep: { deadline: [1s, 2s] }\n    layers: [{ deadline: 1s }]\nname: moved\n\
                    about: Upside down.\nduration: 1s\nclients: { devices: { calls: front, load: once } }\nservers:\n  front:\n    \
                    calls:\n      - { server: back, strategy: { name: tier, layers: [{ deadline: 1s }] } }\n  back: {}\n";
        let formatted = format(text);
        assert!(formatted.starts_with("name: moved"), "{formatted}");
        let [before, after] = [text, &formatted].map(|text| parse("x.yaml", text, &crate::scenario::Alone).unwrap());
        assert!(before.strategies.len() == 2 && same_meaning(&before, &after));
    }

    #[test]
    fn the_catalogue_means_the_same_when_it_is_formatted() {
        for file in catalogue() {
            let formatted = format(file.text);
            let [before, after] = [file.text, &formatted].map(|text| parse("x.yaml", text, file).unwrap());
            assert!(same_meaning(&before, &after), "{}", file.path);
            assert_eq!(format(&formatted), formatted, "{}", file.path);
        }
    }
}
