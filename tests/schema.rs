//! The JSON Schema of scenario files accepts what Squall accepts, and rejects what is wrong in form.
#![cfg(feature = "sim")]

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use squall::scenario::{catalogue, catalogue_strategies, schema, strategies_schema};

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).expect("the schema is a schema")
}

fn value(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("YAML")
}

fn accept(validator: &Validator, name: &str, yaml: &str) {
    let instance = value(yaml);
    let wrong: Vec<String> =
        validator.iter_errors(&instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

#[test]
fn every_scenario_of_the_catalogue_validates() {
    let validator = validator(&schema());
    for file in catalogue() {
        accept(&validator, file.path, file.text);
    }
    accept(&self::validator(&strategies_schema()), "strategies.yaml", catalogue_strategies());
}

/// What is wrong in form is wrong for an editor, too. What needs a look at the rest of the file is for Squall alone.
#[test]
fn mistakes_of_form_do_not_validate() {
    let validator = validator(&schema());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_scenarios");
    for name in [
        "client-calls-nobody",
        "distribution-incomplete",
        "expectation-without-name",
        "layer-without-value",
        "list-as-file",
        "list-expected",
        "load-without-value",
        "mapping-expected",
        "missing-everything",
        "negative-duration",
        "no-unit",
        "nothing-given",
        "number-expected",
        "rate-unknown-unit",
        "rate-without-unit",
        "scalar-as-file",
        "share-without-percent",
        "two-loads",
        "unknown-field",
        "unknown-field-at-top",
        "unknown-layer",
        "unknown-load",
        "wrong-unit",
    ] {
        let path: PathBuf = folder.join(name).with_extension("yaml");
        let instance = value(&fs::read_to_string(&path).unwrap());
        assert!(!validator.is_valid(&instance), "{name} validates");
    }
}
