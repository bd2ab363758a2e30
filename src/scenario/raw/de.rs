//! From a tree of nodes to raw types, noting every mistake on the way.
//!
//! An ordinary serde deserializer whose errors know their place. What it adds: unknown fields are noted and skipped, and a
//! [`Field`](super::field::Field) that cannot be read is noted and left behind. Every raw type derives `Deserialize`, so what
//! it accepts and what the JSON Schema says come from one definition.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
};
use serde::de::{Deserialize, Visitor};
use serde::forward_to_deserialize_any;

use super::field::{ENTRIES, FIELD, SCALAR_OR};
use crate::scenario::diagnostics::{Mistake, Span};
use crate::scenario::yaml::{Entry, Kind, Node, shorten};

/// Reads a raw type; `None` if nothing of it could be saved.
pub(crate) fn read<'de, T: Deserialize<'de>>(node: &'de Node, mistakes: &mut Vec<Mistake>) -> Option<T> {
    let notes = RefCell::new(Vec::new());
    let read = T::deserialize(At { node, notes: &notes });
    mistakes.append(&mut notes.into_inner());
    read.map_err(|error| mistakes.push(error.mistake(node.span))).ok()
}

/// What went wrong, and where once that is known.
#[derive(Debug)]
struct Error {
    span: Option<Span>,
    message: String,
    label: String,
    help: Vec<String>,
}

impl Error {
    fn at(span: Span, message: String) -> Self {
        Self { span: Some(span), ..Self::new(message) }
    }

    fn new(message: String) -> Self {
        Self { span: None, message, label: String::new(), help: Vec::new() }
    }

    fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    fn mistake(self, span: Span) -> Mistake {
        Mistake { span: Some(self.span.unwrap_or(span)), message: self.message, label: self.label, help: self.help }
    }
}

impl From<Mistake> for Error {
    fn from(mistake: Mistake) -> Self {
        Self { span: mistake.span, message: mistake.message, label: mistake.label, help: mistake.help }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    /// The first line is what is wrong; further lines are help.
    fn custom<M: fmt::Display>(message: M) -> Self {
        let text = message.to_string();
        let mut lines = text.lines().map(str::to_owned);
        let mut error = Self::new(lines.next().unwrap_or_default());
        error.help = lines.collect();
        error
    }
}

type Notes = RefCell<Vec<Mistake>>;

/// A node about to be read.
#[derive(Clone, Copy)]
struct At<'a, 'de> {
    node: &'de Node,
    notes: &'a Notes,
}

impl<'de> At<'_, 'de> {
    fn expected(self, what: &str) -> Error {
        Error::at(self.node.span, format!("expected {what}, found {}", self.node.describe()))
    }

    fn text(self, what: &str) -> Result<&'de str, Error> {
        self.node.text().ok_or_else(|| self.expected(what))
    }

    fn number<T: std::str::FromStr>(self, what: &str) -> Result<T, Error> {
        match &self.node.kind {
            Kind::Plain(text) => text.parse().map_err(|_| self.expected(what)),
            _ => Err(self.expected(what)),
        }
    }

    fn map(self, what: &str) -> Result<&'de [Entry], Error> {
        match &self.node.kind {
            Kind::Map(entries) => Ok(entries),
            _ => Err(self.expected(what)),
        }
    }

    /// Gives an error of a visitor its place.
    fn placed<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.or_at(self.node.span))
    }

    fn note(self, error: Error) {
        self.notes.borrow_mut().push(error.mistake(self.node.span));
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $what:literal),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.placed(visitor.$visit(self.number($what)?))
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            _ => self.deserialize_str(visitor),
        }
    }

    integers! {
        deserialize_u8 visit_u8 "a whole number from 0 to 255",
        deserialize_u32 visit_u32 "a whole number from 0 to 4294967295",
        deserialize_u64 visit_u64 "a whole number",
        deserialize_i64 visit_i64 "a whole number",
        deserialize_f64 visit_f64 "a number"
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.kind {
            Kind::Plain(text) if text == "true" => visitor.visit_bool(true),
            Kind::Plain(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(self.expected("`true` or `false`")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(visitor.visit_borrowed_str(self.text("text")?))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Kind::List(items) = &self.node.kind else {
            let error = self.expected("a list");
            let one = matches!(self.node.kind, Kind::Map(_) | Kind::Plain(_));
            let help = if one { vec!["a list of one is written `[...]` or with a `-`".to_owned()] } else { Vec::new() };
            return Err(Error { help, ..error });
        };
        self.placed(visitor.visit_seq(Items { items: items.iter(), notes: self.notes }))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = self.map("a mapping")?.iter();
        self.placed(visitor.visit_map(Fields { entries, known: None, value: None, spanned: false, notes: self.notes }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entries = self.map(&mapping_with(fields))?;
        for entry in entries.iter().filter(|entry| !fields.contains(&entry.key.as_str())) {
            let unknown = Mistake::at(entry.key_span, format!("unknown field `{}`", entry.key));
            self.notes.borrow_mut().push(unknown.suggest(&entry.key, "fields here", fields.iter().copied()));
        }
        let entries = entries.iter();
        let access = Fields { entries, known: Some(fields), value: None, spanned: false, notes: self.notes };
        self.placed(visitor.visit_map(access))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            FIELD => visitor.visit_seq(Caught { at: self, span: parts(self.node.span) }),
            SCALAR_OR if self.node.text().is_some() => self.deserialize_str(visitor),
            ENTRIES => {
                let entries = self.map("a mapping from names")?.iter();
                let access = Fields { entries, known: None, value: None, spanned: true, notes: self.notes };
                self.placed(visitor.visit_map(access))
            }
            _ => self.placed(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (tag, span, content) = match &self.node.kind {
            Kind::Plain(text) | Kind::Quoted(text) => (text, self.node.span, None),
            Kind::Map(entries) => match &entries[..] {
                [entry] => (&entry.key, entry.key_span, Some(&entry.value)),
                _ => return Err(self.expected(&one_of(variants)).one_key(entries)),
            },
            _ => return Err(self.expected(&one_of(variants))),
        };
        if !variants.contains(&tag.as_str()) {
            let message = match variants.len() {
                0..=6 => format!("expected {}, found `{}`", one_of(variants), shorten(tag)),
                _ => format!("`{}` is unknown here", shorten(tag)),
            };
            let unknown = Mistake::at(span, message);
            let known: &[&str] = variants;
            let mistake = unknown.suggest(tag, "possible", known.iter().copied());
            return Err(mistake.into());
        }
        self.placed(visitor.visit_enum(Variant { tag, span, content, notes: self.notes }))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

impl Error {
    /// Says why a mapping with none or several keys is no choice.
    fn one_key(mut self, entries: &[Entry]) -> Self {
        let keys: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.key)).collect();
        let found = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        self.help.push(format!("exactly one key is expected here; found {found}"));
        self
    }
}

fn mapping_with(fields: &[&str]) -> String {
    match fields {
        [] => "an empty mapping, `{}`".to_owned(),
        [one] => format!("a mapping with `{one}`"),
        [first, second] => format!("a mapping with `{first}` and `{second}`"),
        [first, second, ..] => format!("a mapping with `{first}`, `{second}` and so on"),
    }
}

fn one_of(variants: &[&str]) -> String {
    match variants {
        [one] => format!("`{one}`"),
        [rest @ .., last] if variants.len() <= 6 => format!("`{}` or `{last}`", rest.join("`, `")),
        _ => "one of the choices".to_owned(),
    }
}

fn parts(span: Span) -> std::array::IntoIter<u32, 3> {
    [span.source, span.start, span.end].into_iter()
}

/// The elements of a list.
struct Items<'a, 'de> {
    items: std::slice::Iter<'de, Node>,
    notes: &'a Notes,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.items.next().map(|node| seed.deserialize(At { node, notes: self.notes })).transpose()
    }
}

/// The entries of a mapping.
struct Fields<'a, 'de> {
    entries: std::slice::Iter<'de, Entry>,
    /// Which keys may be handed on; `None`: all.
    known: Option<&'static [&'static str]>,
    value: Option<&'de Node>,
    /// Whether keys come with their place.
    spanned: bool,
    notes: &'a Notes,
}

impl<'de> MapAccess<'de> for Fields<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let known = self.known;
        let Some(entry) = self.entries.find(|entry| known.is_none_or(|known| known.contains(&entry.key.as_str())))
        else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key = entry.key.as_str();
        let key = if self.spanned {
            seed.deserialize(de::value::SeqAccessDeserializer::new(SpannedKey { span: parts(entry.key_span), key }))
        } else {
            seed.deserialize(de::value::BorrowedStrDeserializer::new(key))
        };
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let node = self.value.take().ok_or_else(|| Error::new("a value without a key".to_owned()))?;
        seed.deserialize(At { node, notes: self.notes })
    }
}

/// A key as `[source, start, end, key]`.
struct SpannedKey<'de> {
    span: std::array::IntoIter<u32, 3>,
    key: &'de str,
}

impl<'de> SeqAccess<'de> for SpannedKey<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.span.next() {
            Some(part) => seed.deserialize(number(part)).map(Some),
            None => seed.deserialize(de::value::BorrowedStrDeserializer::new(self.key)).map(Some),
        }
    }
}

fn number(part: u32) -> U32Deserializer<Error> {
    part.into_deserializer()
}

/// A field as `[source, start, end, value]`, the value missing if it is wrong.
struct Caught<'a, 'de> {
    at: At<'a, 'de>,
    span: std::array::IntoIter<u32, 3>,
}

impl<'de> SeqAccess<'de> for Caught<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if let Some(part) = self.span.next() {
            return seed.deserialize(number(part)).map(Some);
        }
        match seed.deserialize(self.at) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.at.note(error);
                Ok(None)
            }
        }
    }
}

/// One choice: its tag, and what was written for it.
struct Variant<'a, 'de> {
    tag: &'de str,
    span: Span,
    content: Option<&'de Node>,
    notes: &'a Notes,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let tag = seed.deserialize(de::value::BorrowedStrDeserializer::<Error>::new(self.tag))?;
        Ok((tag, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        let Some(content) = self.content else { return Ok(()) };
        let mut error = Error::at(content.span, format!("`{}` has no options", self.tag));
        error.help.push(format!("write `{}` alone", self.tag));
        Err(error)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let Some(node) = self.content else {
            let mut error = Error::at(self.span, format!("`{}` needs a value", self.tag));
            error.help.push(format!("write `{}: ...`", self.tag));
            return Err(error);
        };
        seed.deserialize(At { node, notes: self.notes })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(SeqSeed(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.newtype_variant_seed(StructSeed(fields, visitor))
    }
}

struct SeqSeed<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for SeqSeed<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_seq(self.0)
    }
}

struct StructSeed<V>(&'static [&'static str], V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for StructSeed<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_struct("", self.0, self.1)
    }
}
