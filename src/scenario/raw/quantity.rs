//! Quantities as raw types hold them: read by [`units`](crate::scenario::units), described in the schema.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::random::Probability;
use crate::scenario::units::{self, ByteRate, CallRate, InvalidQuantity};

/// Calls a macro for one quantity: its name, what it holds, who reads it, and what the schema says about it.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty), $read:path, $pattern:literal, $description:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl FromStr for $name {
            type Err = InvalidQuantity;

            fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
                $read(text).map(Self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Parsed(std::marker::PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

quantity! {
    /// A duration.
    Time(Duration), units::duration,
    r"^\s*([0-9][0-9.]*\s*(ns|us|µs|ms|s|min|m|h)\s*)+$", "A duration: `250us`, `20ms`, `1.5s`, `2m`, `1h`, `1m30s`."
}
quantity! {
    /// A share.
    Share(Probability), units::percent,
    r"^\s*[0-9][0-9.]*\s*%\s*$", "A share: `0.1%`, `50%`."
}
quantity! {
    /// How often something is called.
    Rate(CallRate), units::call_rate,
    r"^\s*[0-9][0-9.]*\s*/\s*(s|m|min|h)\s*$", "Calls in a time: `2/s`, `90/m`, `100/h`."
}
quantity! {
    /// A number of bytes.
    Size(u64), units::size,
    r"^\s*[0-9][0-9.]*\s*(B|kB|KB|KiB|MB|MiB|GiB)\s*$", "A number of bytes: `512B`, `64KiB`, `1MiB`."
}
quantity! {
    /// Bytes in a time.
    Speed(ByteRate), units::byte_rate,
    r"^\s*[0-9][0-9.]*\s*([kKMG]?bit|B|kB|KB|MB|KiB|MiB)/s\s*$", "A bandwidth: `10Mbit/s`, `1MiB/s`."
}

/// A value of a sweep, as it is written: what it means is for the option to say whose place it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Swept(pub(crate) String);

impl<'de> Deserialize<'de> for Swept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Swept {
    fn schema_name() -> Cow<'static, str> {
        "Swept".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"], "description": "A value to try, as it would be written in its place." })
    }
}

struct Parsed<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = InvalidQuantity>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with a unit")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
