//! Every layer and option of a strategy in one line each, made from the JSON Schema and thereby from the types that read it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reference::text;
use super::strategies_schema;

/// Names as one writes them, outermost first (`retry.backoff.full_jitter.base`), and what they mean.
#[must_use]
pub fn strategies_reference() -> Vec<(String, String)> {
    let schema = strategies_schema();
    let mut walk = Walk { definitions: &schema["$defs"], seen: BTreeMap::new(), entries: Vec::new() };
    walk.definition("Layer", "");
    walk.definition("Channel", "channel");
    walk.entries
}

struct Walk<'s> {
    definitions: &'s Value,
    /// What was explained already, and where: a budget is the same under a retry and under a hedge.
    seen: BTreeMap<&'s str, String>,
    entries: Vec<(String, String)>,
}

impl<'s> Walk<'s> {
    fn definition(&mut self, name: &'s str, path: &str) {
        let definition = &self.definitions[name];
        self.seen.insert(name, path.to_owned());
        for (name, field) in definition["properties"].as_object().into_iter().flatten() {
            self.entry(&join(path, name), field, field);
        }
        for choice in definition["oneOf"].as_array().into_iter().flatten() {
            match choice["properties"].as_object().and_then(|properties| properties.iter().next()) {
                Some((name, value)) => self.entry(&join(path, name), choice, value),
                None => self.entry(&join(path, text(choice, "const")), choice, &Value::Null),
            }
        }
    }

    fn entry(&mut self, path: &str, described: &'s Value, value: &'s Value) {
        // A name alone, and the same name with options, are one thing.
        let known = self.entries.iter().any(|(known, _)| known == path);
        let mut about = text(described, "description").replace('\n', " ");
        let mut further = Vec::new();
        for name in references(value) {
            let definition = &self.definitions[name];
            if definition["properties"].is_null() && definition["oneOf"].is_null() {
                continue;
            }
            match self.seen.get(name) {
                Some(known) => about.push_str(&format!(" As {known}.")),
                None => further.push(name),
            }
        }
        if !known {
            self.entries.push((path.to_owned(), about));
        }
        for name in further {
            self.definition(name, path);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The definitions that a value refers to: itself, one of several, or its items.
fn references(value: &Value) -> Vec<&str> {
    let own = value["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let either = value["anyOf"].as_array().into_iter().flatten();
    own.into_iter()
        .chain(either.flat_map(references))
        .chain(value["items"]["$ref"].as_str().and_then(|path| path.rsplit('/').next()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_and_option_has_a_line_and_an_explanation() {
        let entries = strategies_reference();
        for name in [
            "deadline",
            "retry",
            "retry.backoff.linear.base",
            "retry.budget.tokens",
            "breaker",
            "tower.hedge",
            "channel.keepalive.time",
            "channel.outlier.interval",
        ] {
            assert!(entries.iter().any(|(known, _)| known == name), "{name}");
        }
        for (name, about) in &entries {
            assert!(!about.is_empty(), "{name} is not explained");
            let lines = entries.iter().filter(|(known, _)| known == name).count();
            assert_eq!(lines, 1, "{name} has {lines} lines");
        }
    }
}
