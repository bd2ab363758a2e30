//! The reference of scenario files in Markdown, made from their JSON Schema and thereby from the raw types.

use std::fmt::Write;

use serde_json::Value;

use super::metric::{Better, Metric, Unit};
use super::schema;

/// Everything a scenario file may say: one table for each kind of mapping, and the metrics that it may expect.
#[must_use]
pub fn reference() -> String {
    let schema = schema();
    let mut page = String::from(
        "# Scenario files\n\nEvery field, its type and what it means. This page is generated from the types that read the file; so is\n\
         the JSON Schema beside it (`schema/scenario.json`), which editors use.\n",
    );
    section(&mut page, "A scenario", &schema);
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        section(&mut page, name, definition);
    }
    metrics(&mut page);
    page
}

/// One mapping, or one choice.
fn section(page: &mut String, title: &str, schema: &Value) {
    let _ = write!(page, "\n## {title}\n\n{}\n", text(schema, "description"));
    if let Some(fields) = schema["properties"].as_object() {
        page.push_str("\n| Field | Type | Meaning |\n|---|---|---|\n");
        for (name, field) in fields {
            let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
            let needed = if required { " (required)" } else { "" };
            let _ = writeln!(page, "| `{name}`{needed} | {} | {} |", kind(field), cell(field));
        }
    }
    let choices = schema["oneOf"].as_array();
    if let Some(choices) = choices.filter(|choices| !choices.is_empty()) {
        page.push_str("\n| Choice | Holds | Meaning |\n|---|---|---|\n");
        for choice in choices {
            match choice["properties"].as_object().and_then(|properties| properties.iter().next()) {
                Some((name, value)) => {
                    let _ = writeln!(page, "| `{name}: ...` | {} | {} |", kind(value), cell(choice));
                }
                None => {
                    let _ = writeln!(page, "| `{}` | | {} |", text(choice, "const"), cell(choice));
                }
            }
        }
    }
}

/// What a value is, with a link to the section that says more.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(either) = schema["anyOf"].as_array() {
        return either.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("names to {}", kind(&schema["additionalProperties"]))
        }
        Some("object") => "mapping".to_owned(),
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some(other) => other.to_owned(),
        None => "choice".to_owned(),
    }
}

pub(super) fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

/// A description that fits a table.
pub(super) fn cell(schema: &Value) -> String {
    text(schema, "description").replace('\n', " ").replace('|', "\\|")
}

fn metrics(page: &mut String) {
    page.push_str(
        "\n## Expectations\n\nEach is one line under `expect`: `strategy: [worst|best] metric op bound [when] [in 90% of seeds]`. The strategy may be `all`; `op` is one of\n\
         `>= > <= < == !=`; the bound is a figure, another strategy, or a factor times one (`0.5 * naive`); `when` is\n\
         `during FAULT`, `before FAULT`, `after FAULT`, `after FAULT + 5s` or `between 10s and 20s`. The mean over seeds must hold;\n\
         with `worst` or `best` that seed, with `in 90% of seeds` so many of them, each on its own. Errors are counted by who\n\
         said so and with which code: `errors from network`, `error_rate from UNAVAILABLE`, `errors from UNAVAILABLE/breaker`.\n\n| Metric | Written as | Better |\n|---|---|---|\n",
    );
    for metric in Metric::ALL {
        let unit = match metric.unit() {
            Unit::Share => "`99.9%`",
            Unit::Ratio => "`1.3`",
            Unit::PerSecond => "`150/s`",
            Unit::Milliseconds => "`800ms`",
            Unit::Count => "`0`",
        };
        let better = match metric.better() {
            Better::Higher => "higher",
            Better::Lower => "lower",
            Better::Neither => "",
        };
        let _ = writeln!(page, "| `{metric}` | {unit} | {better} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// To renew the page: `UPDATE_SCHEMA=1 cargo test --lib scenario::`.
    #[test]
    fn the_page_in_docs_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scenario.md");
        let fresh = reference();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == fresh, "{path} is stale: UPDATE_SCHEMA=1 cargo test --lib scenario::");
    }
}
