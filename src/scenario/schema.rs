//! The JSON Schema of scenario files, for editors: made from the raw types, so that it says what the reader accepts.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw;

/// The schema of a scenario file.
#[must_use]
pub fn schema() -> Value {
    polished(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<raw::Scenario>())
}

/// The schema of a `strategies.yaml`.
#[must_use]
pub fn strategies_schema() -> Value {
    polished(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<raw::Shared>())
}

/// Says which fields are required, which raw types only hint at (all of their fields may be absent, so that each missing one
/// is told with its place), and drops formats such as `uint32`, which mean nothing to editors.
fn polished(schema: Schema) -> Value {
    let mut value = schema.to_value();
    polish(&mut value);
    value
}

fn polish(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, inside| key != "format" || !inside.is_string());
            let properties = object.get_mut("properties").and_then(Value::as_object_mut);
            let required: Vec<Value> = properties
                .into_iter()
                .flatten()
                .filter_map(|(name, property)| {
                    property.as_object_mut()?.shift_remove("x-required").map(|_| Value::String(name.clone()))
                })
                .collect();
            if !required.is_empty() {
                object.insert("required".to_owned(), Value::Array(required));
            }
            object.values_mut().for_each(polish);
        }
        Value::Array(items) => items.iter_mut().for_each(polish),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `schema/*.json` are what `squall schema` prints. To renew them: `UPDATE_SCHEMA=1 cargo test --lib schema`.
    #[test]
    fn checked_in_schemas_are_fresh() {
        for (name, value) in [("scenario", schema()), ("strategies", strategies_schema())] {
            let path = format!("{}/schema/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let fresh = serde_json::to_string_pretty(&value).unwrap() + "\n";
            if std::env::var_os("UPDATE_SCHEMA").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == fresh, "{path} is stale: UPDATE_SCHEMA=1 cargo test --lib schema");
        }
    }
}
