//! `squall list`: what there is to run, compare, break and measure.

use std::io::{self, Write};

use super::args::{self, Listed};
use super::exit::{Exit, Failure};
use super::plans;
use super::streams::Streams;
use crate::resilience::Preset;
use crate::scenario::metric::{Better, Unit};
use crate::scenario::{Metric, Plan, strategies_reference};

/// Names shorter than this stand in one column.
const NAME_WIDTH: usize = 24;

pub(super) fn list(typed: &args::List, streams: &Streams) -> Result<Exit, Failure> {
    let read = || -> Result<Vec<Plan>, Failure> {
        Ok(plans::read(&typed.paths)?.into_iter().map(|scenario| scenario.plan).collect())
    };
    let entries = match typed.what {
        Listed::Scenarios => read()?.iter().map(scenario).collect(),
        Listed::Strategies => strategies(&read()?).into_iter().chain(vocabulary()).collect(),
        Listed::Faults => faults(&read()?),
        Listed::Metrics => Metric::ALL.into_iter().map(metric).collect(),
    };
    streams.data(|out| entries.iter().try_for_each(|entry| entry.write(out, streams.stdout_width())))?;
    Ok(Exit::Good)
}

/// A line of a list: a name and what it is.
struct Entry {
    name: String,
    about: String,
}

impl Entry {
    /// The name, and beside it as much text as there is, broken into lines.
    fn write(&self, out: &mut dyn Write, width: usize) -> io::Result<()> {
        let room = width.saturating_sub(NAME_WIDTH + 2).max(40);
        let mut lines = vec![String::new()];
        for word in self.about.split_whitespace() {
            let line = lines.last_mut().expect("there is always a line");
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + 1 + word.chars().count() <= room {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
        for (number, line) in lines.iter().enumerate() {
            let name = if number == 0 { self.name.as_str() } else { "" };
            writeln!(out, "{}", format!("{name:NAME_WIDTH$}  {line}").trim_end())?;
        }
        Ok(())
    }
}

fn scenario(plan: &Plan) -> Entry {
    Entry { name: plan.name.clone(), about: format!("{} ({})", first_sentence(&plan.about), plan.file) }
}

/// Enough to choose by; the file tells the rest.
fn first_sentence(about: &str) -> String {
    let line = about.split_whitespace().collect::<Vec<_>>().join(" ");
    line.find(". ").map_or(line.clone(), |end| line[..=end].to_owned())
}

/// Each strategy once, with the scenarios that compare it.
fn strategies(plans: &[Plan]) -> Vec<Entry> {
    let mut entries: Vec<(Entry, Vec<&str>)> = Vec::new();
    for plan in plans {
        for strategy in &plan.strategies {
            match entries
                .iter_mut()
                .find(|(entry, _)| entry.name == strategy.name && entry.about == first_sentence(&strategy.about))
            {
                Some((_, scenarios)) => scenarios.push(&plan.name),
                None => {
                    let entry = Entry { name: strategy.name.clone(), about: first_sentence(&strategy.about) };
                    entries.push((entry, vec![&plan.name]));
                }
            }
        }
    }
    entries
        .into_iter()
        .map(|(entry, scenarios)| Entry { about: format!("{} ({})", entry.about, scenarios.join(", ")), ..entry })
        .collect()
}

/// What strategies are made of: presets, layers and the channel, with every option.
fn vocabulary() -> impl Iterator<Item = Entry> {
    let preset = |preset: &Preset| Entry { name: format!("preset {}", preset.name), about: preset.about.to_owned() };
    let explained = strategies_reference().into_iter().map(|(name, about)| Entry { name, about });
    Preset::ALL.iter().map(preset).chain(explained)
}

fn faults(plans: &[Plan]) -> Vec<Entry> {
    let fault = |plan: &Plan| {
        let (name, file) = (plan.name.clone(), plan.file.clone());
        let entry = move |fault: &crate::scenario::FaultPlan| Entry {
            name: format!("{name}/{}", fault.id),
            about: format!("{} ({file}:{})", fault.kind.name(), fault.line),
        };
        plan.faults.iter().map(entry).collect::<Vec<_>>()
    };
    plans.iter().flat_map(fault).collect()
}

fn metric(metric: Metric) -> Entry {
    let unit = match metric.unit() {
        Unit::Share => "a percentage",
        Unit::Ratio => "a ratio",
        Unit::PerSecond => "a rate",
        Unit::Milliseconds => "a duration",
        Unit::Count => "a number",
    };
    let better = match metric.better() {
        Better::Higher => ", more is better",
        Better::Lower => ", less is better",
        Better::Neither => "",
    };
    Entry { name: metric.name().to_owned(), about: format!("{} ({unit}{better})", metric.about()) }
}
