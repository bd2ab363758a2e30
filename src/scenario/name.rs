//! Names: words that need no quotes anywhere, in files, on command lines and in reports.

/// The longest name.
const MOST: usize = 64;

/// Whether a text may name something in a scenario.
pub(super) fn is_good(name: &str) -> bool {
    name.len() <= MOST && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(may_stand_in)
}

/// The name that is closest to a text that need not be one, such as a file's; `otherwise` if nothing of it can be used.
#[must_use]
pub fn made_of(text: &str, otherwise: &str) -> String {
    let name: String = text.chars().map(|c| if may_stand_in(c) { c } else { '-' }).take(MOST).collect();
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    if name.is_empty() { otherwise.to_owned() } else { name.to_owned() }
}

const fn may_stand_in(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_good_names() {
        let table = [
            ("storm-1", "storm-1"),
            ("my storm", "my-storm"),
            ("grpc_config.v2", "grpc_config-v2"),
            ("größe", "gr--e"),
            ("__", "it"),
            ("日本", "it"),
            ("", "it"),
        ];
        for (text, expected) in table {
            let name = made_of(text, "it");
            assert_eq!(name, expected, "{text}");
            assert!(is_good(&name), "{name}");
        }
        assert!(is_good(&made_of(&"x".repeat(100), "it")));
        assert!(!is_good("") && !is_good("-a") && !is_good("a b") && !is_good(&"x".repeat(65)));
    }
}
