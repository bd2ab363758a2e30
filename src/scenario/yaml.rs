//! YAML as a tree of nodes that know where they stand. The only file that knows which parser reads it.
//!
//! A scalar keeps the text it was written with: what it means (`10`, `10s`, `10%`) is decided by whoever expects it, so
//! that a wrong one can be shown as it was written.
//!
//! Rule: reading is bounded. Depth, nodes (also those that aliases repeat) and size have limits, so that no file, however
//! hostile, costs more than a moment.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span as RawSpan, options};

use super::diagnostics::{Mistake, Span};

/// A scenario is written by people; this is far more than they write.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_NODES: usize = 200_000;
const BYTES_PER_NODE: usize = 16;
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// From its first to its last character; collections end where their last element does.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Nothing was written.
    Null,
    /// Text without quotes: it may mean a number, a truth value or itself.
    Plain(String),
    /// Text in quotes: it means itself.
    Quoted(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, without repeated keys.
    Map(Vec<Entry>),
}

/// One line of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) key: String,
    /// Where the name stands.
    pub(crate) key_span: Span,
    /// Its value.
    pub(crate) value: Node,
}

impl Node {
    /// What was found, for messages: "`10`", "a list".
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Plain(text) | Kind::Quoted(text) => format!("`{}`", shorten(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Its text, if it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) | Kind::Quoted(text) => Some(text),
            _ => None,
        }
    }
}

/// At most forty characters of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 40 && line.len() == text.len() {
        return line.to_owned();
    }
    line.chars().take(37).chain("...".chars()).collect()
}

/// Reads the one document of a text. Mistakes that leave a tree (a repeated key) are added to `mistakes` and reading goes on.
pub(crate) fn parse(text: &str, source: u32, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    let options = options! { emit_comments: false, flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        text,
        source,
        anchors: BTreeMap::new(),
        weight: 0,
        mistakes,
    };
    match reader.document() {
        Ok(node) => node,
        Err(mistake) => {
            mistakes.push(mistake);
            None
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    text: &'a str,
    source: u32,
    /// Each anchored node and its weight.
    anchors: BTreeMap<usize, (Node, usize)>,
    /// How many nodes were made so far; long texts weigh more.
    weight: usize,
    mistakes: &'a mut Vec<Mistake>,
}

type Read<T> = Result<T, Mistake>;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Read<Option<Node>> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(root),
                _ if root.is_some() => {
                    return Err(Mistake::at(self.span(&span), "a second document in one file")
                        .help("write each scenario in a file of its own"));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Read<(Event<'a>, RawSpan)> {
        match self.parser.next_event() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, RawSpan::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, raw: RawSpan, depth: usize) -> Read<Node> {
        let span = self.span(&raw);
        let before = self.weight;
        self.weigh(1, span)?;
        if depth > MAX_DEPTH {
            return Err(Mistake::at(span, format!("nested more than {MAX_DEPTH} levels deep")));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                self.weigh(text.len() / BYTES_PER_NODE, span)?;
                (Node { span, kind: scalar(&text, style) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(span, depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(span, depth)?, anchor),
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(Mistake::at(span, "this is not YAML that a scenario can hold")),
        };
        if anchor != 0 {
            let weight = self.weight - before;
            self.weigh(weight, span)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        Ok(node)
    }

    /// What an alias repeats, as if it were written where the anchor stands: a mistake in it is shown there, once.
    fn alias(&mut self, id: usize, span: Span) -> Read<Node> {
        let Some(&(_, weight)) = self.anchors.get(&id) else {
            return Err(Mistake::at(span, "this alias repeats a value that contains it"));
        };
        self.weigh(weight, span)?;
        Ok(self.anchors[&id].0.clone())
    }

    fn weigh(&mut self, more: usize, span: Span) -> Read<()> {
        self.weight += more;
        if self.weight <= MAX_NODES {
            return Ok(());
        }
        Err(Mistake::at(span, format!("more than {MAX_NODES} values, those that aliases repeat included"))
            .help("write out what is meant, without aliases of aliases"))
    }

    fn list(&mut self, start: Span, depth: usize) -> Read<Node> {
        let mut items = Vec::new();
        loop {
            let (event, raw) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = self.collection_end(&raw, items.last().map(|last: &Node| last.span.end));
                return Ok(Node { span: Span { end, ..start }, kind: Kind::List(items) });
            }
            items.push(self.node(event, raw, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Read<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, raw) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = self.collection_end(&raw, entries.last().map(|last| last.value.span.end));
                return Ok(Node { span: Span { end, ..start }, kind: Kind::Map(entries) });
            }
            let key = self.node(event, raw, depth + 1)?;
            let (event, raw) = self.next()?;
            let value = self.node(event, raw, depth + 1)?;
            let Some(name) = key.text() else {
                self.mistakes.push(Mistake::at(key.span, format!("{} as a key", key.describe())).help("keys are text"));
                continue;
            };
            if entries.iter().any(|entry| entry.key == name) {
                self.mistakes.push(Mistake::at(key.span, format!("`{}` is given twice", shorten(name))));
                continue;
            }
            entries.push(Entry { key: name.to_owned(), key_span: key.span, value });
        }
    }

    /// A flow collection ends with its bracket; a block collection where its last element does, not on the next line.
    fn collection_end(&self, raw: &RawSpan, last: Option<u32>) -> u32 {
        let end = self.span(raw).end;
        let closed = self.text.get(..end as usize).is_some_and(|text| text.ends_with([']', '}']));
        if closed { end } else { last.unwrap_or(end) }
    }

    fn span(&self, raw: &RawSpan) -> Span {
        let clamp = |byte: Option<usize>| byte.unwrap_or(0).min(self.text.len()) as u32;
        let start = clamp(raw.start.byte_offset());
        Span { source: self.source, start, end: clamp(raw.end.byte_offset()).max(start) }
    }

    fn syntax(&self, error: &ScanError) -> Mistake {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        let start = (0..=at).rev().find(|&byte| self.text.is_char_boundary(byte)).unwrap_or(0);
        let len = self.text[start..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let span = Span { source: self.source, start: start as u32, end: (start + len) as u32 };
        let mistake = Mistake::at(span, format!("not valid YAML: {}", error.info()));
        if error.info().contains("tab") {
            return mistake.help("indent with spaces: YAML does not allow tabs");
        }
        mistake
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Kind {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null") => Kind::Null,
        (ScalarStyle::Plain, _) => Kind::Plain(text.to_owned()),
        _ => Kind::Quoted(text.to_owned()),
    }
}
