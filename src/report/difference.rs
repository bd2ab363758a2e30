//! How a run differs from its baseline: for people, in Markdown, as GitHub annotations and as JSON.

use std::io;

use super::github::{Place, annotation};
use super::{figure, reproduce};
use crate::analysis::{Difference, DifferenceKind, Moved};

/// A baseline's check, as it is reported.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// What differs.
    pub differences: &'a [Difference],
    /// How many scenarios were run.
    pub scenarios: usize,
    /// How many strategies were run in them, each counted in each.
    pub strategies: usize,
    /// The version of Squall that wrote the baseline.
    pub version: &'a str,
    /// The name and the file of each scenario.
    pub files: &'a [(String, String)],
}

impl Check<'_> {
    /// Writes a line a difference, and what it comes to.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn human(&self, out: &mut dyn io::Write) -> io::Result<()> {
        if let Some(told) = self.version_note() {
            writeln!(out, "{told}")?;
        }
        for difference in self.differences {
            let (scenario, strategy) = (&difference.scenario, &difference.strategy);
            let line = format!("{:9}  {scenario} {strategy}  {}", word(difference), what(difference));
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out, "{}", self.sum())
    }

    /// Writes a table.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn markdown(&self, out: &mut dyn io::Write) -> io::Result<()> {
        writeln!(out, "# Squall against its baseline\n\n{}\n", self.sum())?;
        if let Some(told) = self.version_note() {
            writeln!(out, "{told}\n")?;
        }
        if self.differences.is_empty() {
            return Ok(());
        }
        writeln!(out, "| | scenario | strategy | what |\n| :-- | :-- | :-- | :-- |")?;
        for one in self.differences {
            let mark = if one.fails() { "❌" } else { "✅" };
            writeln!(out, "| {mark} {} | {} | {} | {} |", word(one), one.scenario, one.strategy, what(one))?;
        }
        Ok(())
    }

    /// Writes an annotation for everything that got worse or is gone, at the scenario's file.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn github(&self, out: &mut dyn io::Write) -> io::Result<()> {
        for one in self.differences.iter().filter(|one| one.fails()) {
            let file = self.files.iter().find(|(name, _)| *name == one.scenario).map(|(_, file)| file.as_str());
            let title = format!("{} {}: {}", one.scenario, one.strategy, word(one));
            let command = file.map(|file| format!("\n{}", reproduce::strategy(file, &one.strategy)));
            let message = format!("{}{}", what(one), command.unwrap_or_default());
            let place = file.map(|file| Place { file, line: 1 });
            annotation("error", place, &title, message.trim(), out)?;
        }
        Ok(())
    }

    /// Writes one JSON document.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let difference = |one: &Difference| {
            let moved = moved(&one.kind);
            serde_json::json!({
                "scenario": one.scenario,
                "strategy": one.strategy,
                "kind": word(one),
                "metric": moved.map(|moved| moved.metric.name()),
                "before": moved.map(|moved| moved.before),
                "after": moved.map(|moved| moved.after),
                "fails": one.fails(),
            })
        };
        let document = serde_json::json!({
            "schema_version": 1,
            "squall_version": env!("CARGO_PKG_VERSION"),
            "baseline_squall_version": self.version,
            "differences": self.differences.iter().map(difference).collect::<Vec<_>>(),
            "verdict": if self.fails() { "fail" } else { "pass" },
        });
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)
    }

    /// Whether somebody must look at it.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.differences.iter().any(Difference::fails)
    }

    fn version_note(&self) -> Option<String> {
        let (old, new) = (self.version, env!("CARGO_PKG_VERSION"));
        (old != new)
            .then(|| format!("the baseline is of Squall {old}, this is {new}: logs may differ, figures are compared"))
    }

    fn sum(&self) -> String {
        let what = if self.fails() { "worse than the baseline" } else { "no worse than the baseline" };
        let (scenarios, strategies) = (self.scenarios, self.strategies);
        let plural = |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
        let (scenarios, strategies) =
            (plural(scenarios, "scenario", "scenarios"), plural(strategies, "strategy", "strategies"));
        format!("{scenarios}, {strategies}: {what}")
    }
}

const fn word(difference: &Difference) -> &'static str {
    match difference.kind {
        DifferenceKind::New => "new",
        DifferenceKind::Gone => "gone",
        DifferenceKind::Changed(_) => "changed",
        DifferenceKind::Improved(_) => "improved",
        DifferenceKind::Regressed(_) => "regressed",
    }
}

const fn moved(kind: &DifferenceKind) -> Option<&Moved> {
    match kind {
        DifferenceKind::Improved(moved) | DifferenceKind::Regressed(moved) => Some(moved),
        _ => None,
    }
}

fn what(difference: &Difference) -> String {
    match &difference.kind {
        DifferenceKind::New | DifferenceKind::Gone => String::new(),
        DifferenceKind::Changed(seeds) => {
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            format!("no figure beyond its tolerance (seeds {})", seeds.join(", "))
        }
        DifferenceKind::Improved(Moved { metric, before, after })
        | DifferenceKind::Regressed(Moved { metric, before, after }) => {
            format!("{metric} from {} to {}", figure(*metric, *before), figure(*metric, *after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Metric;

    fn difference(strategy: &str, kind: DifferenceKind) -> Difference {
        Difference { scenario: "storm".to_owned(), strategy: strategy.to_owned(), kind }
    }

    #[test]
    fn every_format_says_what_got_worse() {
        let moved = |before, after| Moved { metric: Metric::P99, before, after };
        let differences = [
            difference("retry", DifferenceKind::Regressed(moved(100.0, 250.0))),
            difference("retry", DifferenceKind::Changed(vec![1, 3])),
            difference("hedge", DifferenceKind::Improved(moved(f64::INFINITY, 90.0))),
            difference("other", DifferenceKind::New),
            difference("old", DifferenceKind::Gone),
        ];
        let files = [("storm".to_owned(), "my storms/storm.yaml".to_owned())];
        let check = Check { differences: &differences, scenarios: 1, strategies: 4, version: "0.0.9", files: &files };
        let mut out = Vec::new();
        for write in [Check::human, Check::markdown, Check::github, Check::json] {
            write(&check, &mut out).unwrap();
            out.extend_from_slice(b"---\n");
        }
        let text = String::from_utf8(out).unwrap();
        insta::with_settings!({ filters => vec![(env!("CARGO_PKG_VERSION"), "[VERSION]")] }, {
            insta::assert_snapshot!(text);
        });
    }
}
