//! The one command that shows a failure again.

use crate::analysis::{Judgement, ScenarioOutcome};

/// Runs the strategy with the seed that shows the failure most clearly.
pub(super) fn expectation(scenario: &ScenarioOutcome, strategy: &str, judgement: &Judgement) -> String {
    let seed = judgement.failing_seeds.first().or(scenario.seeds.first());
    let seed = seed.map_or_else(String::new, |seed| format!(" --seed {seed}"));
    format!("squall run {} --strategy {}{seed}", quoted(&scenario.file), quoted(strategy))
}

/// Tells the story of the calls that show the failure, if there are any.
pub(super) fn story(scenario: &ScenarioOutcome, strategy: &str, judgement: &Judgement) -> Option<String> {
    let (seed, first) = (judgement.failing_seeds.first()?, judgement.witnesses.first()?);
    let (file, strategy) = (quoted(&scenario.file), quoted(strategy));
    Some(format!("squall explain {file} --strategy {strategy} --seed {seed} --call {}", first.call))
}

/// Runs one strategy of a scenario.
pub(super) fn strategy(file: &str, strategy: &str) -> String {
    format!("squall run {} --strategy {}", quoted(file), quoted(strategy))
}

/// Runs the scenario as it was run.
pub(super) fn scenario(scenario: &ScenarioOutcome) -> String {
    format!("squall run {}", quoted(&scenario.file))
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_shell() {
        for (name, expected) in [
            ("a/b-1.yaml", "a/b-1.yaml"),
            ("my storm.yaml", "'my storm.yaml'"),
            ("a'b", r"'a'\''b'"),
            ("jitter[base=1s]", "'jitter[base=1s]'"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }
}
