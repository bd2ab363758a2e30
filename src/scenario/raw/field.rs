//! The pieces that raw types are made of: each survives a mistake inside it, and knows where it stands.
//!
//! A derived `Deserialize` gives up at its first error. A [`Field`] catches the error of its value instead, so the fields
//! beside it are still read. It tells the [deserializer](super::de) so by its name, and falls back to nothing special with
//! any other deserializer.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::scenario::diagnostics::Span;
use crate::scenario::yaml::shorten;

/// The name under which [`Field`] asks to be read: as `[value, source, start, end]`, the value missing if it is wrong.
pub(super) const FIELD: &str = "$squall::field";
/// The name under which [`Entries`] asks to be read: as a map from `[key, source, start, end]` to values.
pub(super) const ENTRIES: &str = "$squall::entries";
/// The name under which [`ScalarOr`] asks to be read: scalars as text, anything else as what it is.
pub(super) const SCALAR_OR: &str = "$squall::scalar_or";

/// One value of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Field<T> {
    /// It was not given.
    #[default]
    Absent,
    /// It was given, is wrong, and the mistake is noted.
    Wrong(Span),
    /// It is this, and stands there.
    Given(T, Span),
}

impl<T> Field<T> {
    /// The value, if it was given and is right.
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    /// Where it stands, if it was given.
    pub(crate) fn span(&self) -> Option<Span> {
        match self {
            Self::Absent => None,
            Self::Wrong(span) | Self::Given(_, span) => Some(*span),
        }
    }

    /// The value and where it stands, if it was given and is right.
    pub(crate) fn with_span(&self) -> Option<(&T, Span)> {
        match self {
            Self::Given(value, span) => Some((value, *span)),
            _ => None,
        }
    }

    /// Whether nothing was given.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T: Copy> Field<T> {
    /// The value, or what stands for it when it was not given or is wrong.
    pub(crate) fn or(&self, default: T) -> T {
        self.get().copied().unwrap_or(default)
    }
}

impl<T> Field<Vec<Field<T>>> {
    /// The elements that are right.
    pub(crate) fn items(&self) -> impl Iterator<Item = (&T, Span)> {
        self.get().into_iter().flatten().filter_map(Field::with_span)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(FIELD, FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field<T>, A::Error> {
        let span = read_span(&mut seq)?;
        Ok(seq.next_element()?.map_or(Field::Wrong(span), |value| Field::Given(value, span)))
    }
}

fn read_span<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<Span, A::Error> {
    let mut part = || Ok(seq.next_element::<u32>()?.unwrap_or_default());
    Ok(Span { source: part()?, start: part()?, end: part()? })
}

/// A mapping whose keys are names that the file chooses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entries<T>(pub(crate) Vec<(Named, Field<T>)>);

/// A key that the file chose, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    /// The key.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) span: Span,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ENTRIES, EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping from names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor;
        impl<'de> Visitor<'de> for NamedVisitor {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Named, A::Error> {
                let span = read_span(&mut seq)?;
                Ok(Named { name: seq.next_element()?.unwrap_or_default(), span })
            }
        }
        deserializer.deserialize_seq(NamedVisitor)
    }
}

/// A short form, or the long one: `latency: 2ms` or `latency: { normal: ... }`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ScalarOr<S, T> {
    /// The short form.
    Scalar(S),
    /// The long form.
    Full(T),
}

impl<'de, S: std::str::FromStr, T: Deserialize<'de>> Deserialize<'de> for ScalarOr<S, T>
where
    S::Err: fmt::Display,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SCALAR_OR, ScalarOrVisitor(PhantomData))
    }
}

/// The choice of this name: what a short form is read with that is one of a few words.
pub(crate) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*choice);
    }
    let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
    Err(format!("expected {}, found `{}`", names.join(" or "), shorten(text)))
}

struct ScalarOrVisitor<S, T>(PhantomData<(S, T)>);

impl<'de, S: std::str::FromStr, T: Deserialize<'de>> Visitor<'de> for ScalarOrVisitor<S, T>
where
    S::Err: fmt::Display,
{
    type Value = ScalarOr<S, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a mapping")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map(ScalarOr::Scalar).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(ScalarOr::Full)
    }
}

/// In a schema, a field is what it holds.
impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}ByName", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value, "minProperties": 1 })
    }
}

impl<S: JsonSchema, T: JsonSchema> JsonSchema for ScalarOr<S, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}", S::schema_name(), T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, full) = (generator.subschema_for::<S>(), generator.subschema_for::<T>());
        json_schema!({ "anyOf": [short, full] })
    }
}
