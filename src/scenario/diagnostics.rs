//! Mistakes: everything that is wrong with a scenario, at once, each where it stands and with a way out.
//!
//! Rule: reading a file never stops at its first mistake, and a mistake never hides behind another one that it caused.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Nobody reads more at once.
const MOST_SHOWN: usize = 50;

/// A part of a source, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Which of the sources.
    pub(crate) source: u32,
    /// Where it begins.
    pub(crate) start: u32,
    /// Where it ends.
    pub(crate) end: u32,
}

impl Span {
    /// Whether `other` lies inside.
    pub(crate) fn holds(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    /// Where. `None`: the file as a whole.
    pub(crate) span: Option<Span>,
    /// What is wrong, in one line.
    pub(crate) message: String,
    /// What to say at the place itself. May be empty.
    pub(crate) label: String,
    /// What else helps: one line each.
    pub(crate) help: Vec<String>,
}

impl Mistake {
    /// Something is wrong at `span`.
    pub(crate) fn at(span: Span, message: impl Into<String>) -> Self {
        Self { span: Some(span), message: message.into(), label: String::new(), help: Vec::new() }
    }

    /// Something is wrong with the file as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into(), label: String::new(), help: Vec::new() }
    }

    /// Says something at the place itself.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a label if one of `known` is close to what was `written`, and the list of what is known otherwise.
    pub(crate) fn suggest<'a>(self, written: &str, what: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(close) = closest(written, &known) {
            return self.label(did_you_mean(close));
        }
        if known.is_empty() { self.help(format!("there are no {what}")) } else { self.help(listing(what, &known)) }
    }
}

/// The label of a mistake that is probably a slip of the pen.
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// `servers: a, b, c`, cut where it would become a wall.
fn listing(what: &str, known: &[&str]) -> String {
    const MOST: usize = 24;
    let mut list = known[..known.len().min(MOST)].join(", ");
    if known.len() > MOST {
        list.push_str(", ...");
    }
    format!("{what}: {list}")
}

/// The known word that was probably meant.
pub(crate) fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .iter()
        .map(|word| (strsim::jaro_winkler(&written, &word.to_lowercase()), *word))
        .filter(|(likeness, _)| *likeness >= 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// A text that mistakes point into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What people call it.
    pub(crate) name: String,
    /// What it says. Empty if it could not be read.
    pub(crate) text: Arc<str>,
}

impl Source {
    /// The line a byte stands on, counted from 1.
    pub(crate) fn line(&self, byte: u32) -> usize {
        self.position(byte).0
    }

    /// The line and the column of a byte, both counted from 1, the column in characters.
    fn position(&self, byte: u32) -> (usize, usize) {
        let before = self.text.get(..byte as usize).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// Everything that is wrong with one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    sources: Vec<Source>,
    mistakes: Vec<Mistake>,
}

/// A mistake for programs: where and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 for the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl Diagnostics {
    /// Mistakes in the order of the sources. The first source is the scenario itself.
    pub(crate) fn new(sources: Vec<Source>, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        mistakes.dedup();
        Self { sources, mistakes }
    }

    /// A file that could not even be read.
    pub(crate) fn unreadable(name: &str, mistake: Mistake) -> Self {
        let source = Source { name: name.to_owned(), text: "".into() };
        Self::new(vec![source], vec![mistake])
    }

    /// How many mistakes there are. At least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "diagnostics without a mistake do not exist")]
    pub fn len(&self) -> usize {
        self.mistakes.len()
    }

    /// Where each mistake stands, for programs.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        let position = |mistake: &Mistake| {
            let source = &self.sources[mistake.span.map_or(0, |span| span.source as usize)];
            let (line, column) = mistake.span.map_or((0, 0), |span| source.position(span.start));
            Position { file: source.name.clone(), line, column, message: mistake.message.clone() }
        };
        self.mistakes.iter().map(position).collect()
    }

    /// All mistakes as rustc would show them: for a terminal `width` characters wide, in colour or not.
    #[must_use]
    pub fn render(&self, color: bool, width: usize) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(width);
        let mut blocks: Vec<String> =
            self.mistakes.iter().take(MOST_SHOWN).map(|mistake| self.render_one(mistake, &renderer)).collect();
        if let Some(more) = self.mistakes.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
            blocks.push(format!("... and {more} more"));
        }
        blocks.join("\n\n")
    }

    fn render_one(&self, mistake: &Mistake, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(mistake.message.as_str());
        let help = mistake.help.iter().map(|help| Level::HELP.message(help.as_str()));
        let source = &self.sources[mistake.span.map_or(0, |span| span.source as usize)];
        let group = match mistake.span {
            Some(span) => {
                let annotation = AnnotationKind::Primary.span(span.start as usize..span.end as usize);
                let annotation =
                    if mistake.label.is_empty() { annotation } else { annotation.label(mistake.label.as_str()) };
                title.element(Snippet::source(&*source.text).path(source.name.as_str()).annotation(annotation))
            }
            None => title.element(annotate_snippets::Origin::path(source.name.as_str())),
        };
        renderer.render(&[group.elements(help)])
    }
}

/// Without colour, 120 characters wide.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, 120))
    }
}

impl std::error::Error for Diagnostics {}
