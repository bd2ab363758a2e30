//! The pieces of a service config's JSON: objects, lists, durations, codes, each with its field's name in the error.
//!
//! Rule: as in JSON for protobuf, `null` says as much as nothing, and a field may be written `maxAttempts` or `max_attempts`; case does
//! not matter, as in grpc-go. What a standard client cannot parse is an error.

use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::resilience::invalid::LONGEST;
use crate::resilience::{Codes, InvalidConfig, code_from_name};

pub(super) type Object = Map<String, Value>;

/// The whole text as one value; a key that stands twice in one object is an error, as one of them would be lost.
pub(super) fn parse(json: &str) -> Result<Value, InvalidConfig> {
    serde_json::from_str::<Strict>(json)
        .map(|strict| strict.0)
        .map_err(|error| InvalidConfig::new("service_config", error))
}

/// A field that is there and not `null`.
pub(super) fn field<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let exact = object.get(name);
    let found = exact.or_else(|| object.iter().find(|(key, _)| alike(key, name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

fn alike(key: &str, name: &str) -> bool {
    let letters =
        |text: &str| text.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase()).collect();
    let (key, name): (Vec<u8>, Vec<u8>) = (letters(key), letters(name));
    key == name
}

/// Notes the fields that nobody here reads, as paths.
pub(super) fn strangers(object: &Object, known: &[&str], path: &str, ignored: &mut Vec<String>) {
    for (key, _) in object.iter().filter(|(key, _)| !known.iter().any(|name| alike(key, name))) {
        ignored.push(if path.is_empty() { key.clone() } else { format!("{path}.{key}") });
    }
}

pub(super) fn required<'a>(object: &'a Object, name: &'static str) -> Result<&'a Value, InvalidConfig> {
    field(object, name).ok_or_else(|| InvalidConfig::new(name, "is required"))
}

/// What `read` makes of a field, or the default if it is not there.
pub(super) fn or<T>(
    object: &Object,
    name: &'static str,
    default: T,
    read: impl FnOnce(&Value, &'static str) -> Result<T, InvalidConfig>,
) -> Result<T, InvalidConfig> {
    field(object, name).map_or(Ok(default), |value| read(value, name))
}

pub(super) fn object<'a>(value: &'a Value, name: &'static str) -> Result<&'a Object, InvalidConfig> {
    value.as_object().ok_or_else(|| InvalidConfig::new(name, "must be an object"))
}

pub(super) fn array<'a>(value: &'a Value, name: &'static str) -> Result<&'a Vec<Value>, InvalidConfig> {
    value.as_array().ok_or_else(|| InvalidConfig::new(name, "must be a list"))
}

pub(super) fn string<'a>(value: &'a Value, name: &'static str) -> Result<&'a str, InvalidConfig> {
    value.as_str().ok_or_else(|| InvalidConfig::new(name, "must be a string"))
}

pub(super) fn number(value: &Value, name: &'static str) -> Result<f64, InvalidConfig> {
    value.as_f64().ok_or_else(|| InvalidConfig::new(name, "must be a number"))
}

pub(super) fn truth(value: &Value, name: &'static str) -> Result<bool, InvalidConfig> {
    value.as_bool().ok_or_else(|| InvalidConfig::new(name, "must be true or false"))
}

/// A whole number from 0 on, also one that is written `4.0`.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let rounded = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number));
    value.as_u64().or(rounded.map(|number| number as u64))
}

/// An unsigned number of 32 bits.
pub(super) fn count(value: &Value, name: &'static str) -> Result<u32, InvalidConfig> {
    let count = whole(value).and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| InvalidConfig::new(name, format_args!("must be a whole number from 0 on, not {value}")))
}

/// Status codes by name, in any case, or by number.
pub(super) fn codes(value: &Value, name: &'static str) -> Result<Codes, InvalidConfig> {
    let code = |value: &Value| {
        let found = match value {
            Value::String(name) => code_from_name(name),
            Value::Number(number) => code_from_name(&number.to_string()),
            _ => None,
        };
        found.ok_or_else(|| InvalidConfig::new(name, format_args!("{value} is no status code")))
    };
    array(value, name)?.iter().map(code).collect()
}

/// A protobuf duration in JSON: decimal seconds with up to nine decimals, then `s`.
pub(super) fn duration(value: &Value, name: &'static str) -> Result<Duration, InvalidConfig> {
    let text = string(value, name)?;
    parse_duration(text).map_err(|reason| InvalidConfig::new(name, format_args!("{text:?} {reason}")))
}

/// The longest duration of protobuf: ten thousand years.
const SECONDS_MAX: u64 = 315_576_000_000;

/// Whole seconds and decimals may be missing, not both, as in grpc-go. What exceeds a year is a year: nobody can tell.
fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const MALFORMED: &str = "is no duration such as \"1.5s\"";
    let number = text.strip_suffix('s').ok_or(MALFORMED)?;
    let (seconds, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole = seconds.strip_prefix('-').unwrap_or(seconds);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !digits(whole) || !digits(decimals) {
        return Err(MALFORMED);
    }
    if decimals.len() > 9 {
        return Err("has more than nine decimals");
    }
    if whole.len() != seconds.len() {
        return Err("is negative");
    }
    let whole = if whole.is_empty() { Ok(0) } else { whole.parse() };
    let seconds = whole.ok().filter(|seconds| *seconds <= SECONDS_MAX).ok_or("is longer than 315576000000s")?;
    let nanos = format!("{decimals:0<9}").parse().map_err(|_| MALFORMED)?;
    Ok(Duration::new(seconds, nanos).min(LONGEST))
}

/// A JSON value none of whose objects has a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StrictSeed.deserialize(deserializer).map(Self)
    }
}

struct StrictSeed;

impl<'de> DeserializeSeed<'de> for StrictSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Self)?;
            if object.insert(key.clone(), value).is_some() {
                return Err(serde::de::Error::custom(format_args!("key {key:?} stands twice")));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formats of grpc-go's `internal/serviceconfig/duration_test.go`, but that nothing here may be negative.
    #[test]
    fn durations_are_those_of_protobuf() {
        let check = |text: &str, expected: Result<Duration, &'static str>| {
            assert_eq!(parse_duration(text), expected, "{text}");
        };
        let (ms, malformed) = (Duration::from_millis, Err("is no duration such as \"1.5s\""));
        check("1s", Ok(ms(1000)));
        check("100.700s", Ok(ms(100_700)));
        check("0.200s", Ok(ms(200)));
        check(".050s", Ok(ms(50)));
        check("1.s", Ok(ms(1000)));
        check("0s", Ok(ms(0)));
        check("0.000000001s", Ok(Duration::from_nanos(1)));
        check("31536000s", Ok(LONGEST));
        check("9223372036.854775807s", Ok(LONGEST));
        check("315576000000s", Ok(LONGEST));
        check("315576000001s", Err("is longer than 315576000000s"));
        check("99999999999999999999s", Err("is longer than 315576000000s"));
        check("0.0000000001s", Err("has more than nine decimals"));
        check("-100.700s", Err("is negative"));
        check("-.5s", Err("is negative"));
        for text in
            ["", "s", ".s", "-s", "1", "1.5", "1m", "100ms", "123abc", "1.2.3s", "1e3s", "+1s", " 1s", "1 s", "0x1s"]
        {
            check(text, malformed);
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error() {
        let error = parse(r#"{"a": [{"b": 1, "c": {}, "b": 2}]}"#).unwrap_err().to_string();
        assert!(error.contains(r#"key "b" stands twice"#), "{error}");
        assert_eq!(parse(r#"{"a": [1, -2, 0.5, "x", null, true]}"#).unwrap()["a"][2], 0.5);
    }
}
