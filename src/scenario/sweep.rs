//! Sweeps: a strategy that is written once and tried with every combination of some of its options.
//!
//! `sweep: { base: [10ms, 100ms], cap: [1s, 5s] }` puts each value in the place of the one that stands in the strategy, and makes
//! four strategies of one: `name[base=10ms,cap=1s]` and so on, the last option moving fastest.
//!
//! Rule: a sweep is unfolded in the tree, before anything is read. Every combination is then checked like a strategy
//! that was written out, and a value that makes no sense is shown where it stands in the list.

use super::diagnostics::{Mistake, Span};
use super::yaml::{Entry, Kind, Node, shorten};

/// More strategies than this, made of one, are a search and no comparison.
pub(crate) const MOST: usize = 64;
/// The field of a strategy that asks for it.
const SWEEP: &str = "sweep";

/// Unfolds the strategies that a scenario or a file of shared strategies lists.
pub(super) fn unfold(root: &mut Node, mistakes: &mut Vec<Mistake>) {
    let Kind::Map(entries) = &mut root.kind else { return };
    let Some(list) = entries.iter_mut().find(|entry| entry.key == "strategies") else { return };
    let Kind::List(strategies) = &mut list.value.kind else { return };
    let all = std::mem::take(strategies);
    for strategy in all {
        match Sweep::of(&strategy) {
            None => strategies.push(strategy),
            Some(Ok(sweep)) => strategies.extend(sweep.combinations(&strategy)),
            Some(Err(mut found)) => {
                mistakes.append(&mut found);
                strategies.push(without_sweep(strategy));
            }
        }
    }
}

/// What one combination adds to the name of its strategy.
pub(crate) fn suffix<'o>(options: impl IntoIterator<Item = (&'o str, &'o str)>) -> String {
    let options: Vec<String> = options.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", options.join(","))
}

/// The options of a sweep.
struct Sweep<'n> {
    axes: Vec<Axis<'n>>,
}

/// An option, where it stands in the strategy, and the values to try.
struct Axis<'n> {
    entry: &'n Entry,
    values: &'n [Node],
    place: Vec<usize>,
}

impl<'n> Sweep<'n> {
    /// The sweep of a strategy, if it has one that can be read as such at all; what else is wrong is told when it is read.
    fn of(strategy: &'n Node) -> Option<Result<Self, Vec<Mistake>>> {
        let Kind::Map(fields) = &strategy.kind else { return None };
        let field = fields.iter().find(|field| field.key == SWEEP)?;
        let Kind::Map(options) = &field.value.kind else { return None };
        let mut places = Vec::new();
        collect(strategy, &mut Vec::new(), &mut Vec::new(), &mut places);
        let (mut axes, mut mistakes) = (Vec::new(), Vec::new());
        for entry in options {
            match axis(entry, &places) {
                Ok(axis) => axes.push(axis),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if options.is_empty() {
            mistakes.push(Mistake::at(field.value.span, "`sweep` is empty: it names options, and values to try"));
        }
        let count = axes.iter().fold(1_usize, |count, axis| count.saturating_mul(axis.values.len()));
        if count > MOST {
            let mistake = Mistake::at(field.key_span, format!("this sweep makes {count} strategies of one"));
            mistakes.push(mistake.help(format!("at most {MOST}: fewer values, or a sweep for each option")));
        }
        Some(if mistakes.is_empty() { Ok(Self { axes }) } else { Err(mistakes) })
    }

    /// A strategy for each combination; `sweep` keeps the one value of each option, from which the name is made.
    fn combinations(&self, strategy: &Node) -> Vec<Node> {
        let mut all = vec![strategy.clone()];
        for axis in &self.axes {
            let with = |strategy: &Node, value: &Node| {
                let mut strategy = strategy.clone();
                *at(&mut strategy, &axis.place) = value.clone();
                if let Some(Kind::List(kept)) = kept(&mut strategy, &axis.entry.key) {
                    *kept = vec![value.clone()];
                }
                strategy
            };
            all = all.iter().flat_map(|strategy| axis.values.iter().map(|value| with(strategy, value))).collect();
        }
        all
    }
}

fn axis<'n>(entry: &'n Entry, places: &[(Vec<&str>, Vec<usize>)]) -> Result<Axis<'n>, Mistake> {
    let key = entry.key.as_str();
    let Kind::List(values) = &entry.value.kind else {
        let mistake =
            Mistake::at(entry.value.span, format!("expected a list of values, found {}", entry.value.describe()));
        return Err(mistake.help(format!("write `{key}: [...]`")));
    };
    if values.is_empty() {
        return Err(Mistake::at(entry.value.span, format!("`{}` has no values to try", shorten(key))));
    }
    for (number, value) in values.iter().enumerate() {
        let Some(text) = value.text() else {
            return Err(Mistake::at(value.span, format!("expected a value, found {}", value.describe())));
        };
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || ".%/_-".contains(c)) {
            let mistake = Mistake::at(value.span, format!("`{}` cannot be part of a name", shorten(text)));
            return Err(mistake.help("each combination is named after its values: letters, digits and `.%/_-`"));
        }
        if values[..number].iter().any(|before| before.text() == Some(text)) {
            return Err(Mistake::at(value.span, format!("`{text}` is tried twice")));
        }
    }
    let wanted: Vec<&str> = key.split('.').collect();
    let found: Vec<_> = places.iter().filter(|(path, _)| path.ends_with(&wanted)).collect();
    match found[..] {
        [(_, place)] => Ok(Axis { entry, values, place: place.clone() }),
        [] => Err(unknown(key, entry.key_span, places)),
        _ => {
            let paths: Vec<String> = found.iter().map(|(path, _)| format!("`{}`", path.join("."))).collect();
            let mistake = Mistake::at(entry.key_span, format!("`{key}` stands in this strategy {} times", found.len()));
            Err(mistake.help(format!("say which: {}", paths.join(", "))))
        }
    }
}

fn unknown(key: &str, span: Span, places: &[(Vec<&str>, Vec<usize>)]) -> Mistake {
    let mistake = Mistake::at(span, format!("nothing in this strategy is named `{}`", shorten(key)));
    let mut known: Vec<&str> = places.iter().filter_map(|(path, _)| path.last().copied()).collect();
    known.sort_unstable();
    known.dedup();
    mistake
        .suggest(key, "options to sweep here", known)
        .help("a sweep replaces a value that stands in the layers or the channel of its strategy")
}

/// Every scalar of a strategy's layers and channel: the names that lead to it, and the way through the tree.
fn collect<'n>(
    node: &'n Node,
    names: &mut Vec<&'n str>,
    way: &mut Vec<usize>,
    places: &mut Vec<(Vec<&'n str>, Vec<usize>)>,
) {
    match &node.kind {
        Kind::Map(entries) => {
            let about_itself = |key: &str| ["name", "about", "preset", "service_config", SWEEP].contains(&key);
            for (place, entry) in entries.iter().enumerate() {
                if names.is_empty() && about_itself(&entry.key) {
                    continue;
                }
                names.push(&entry.key);
                way.push(place);
                collect(&entry.value, names, way, places);
                names.pop();
                way.pop();
            }
        }
        Kind::List(items) => {
            for (place, item) in items.iter().enumerate() {
                way.push(place);
                collect(item, names, way, places);
                way.pop();
            }
        }
        // A value alone in a list, such as a code, has no name of its own.
        Kind::Plain(_) | Kind::Quoted(_) => places.push((names.clone(), way.clone())),
        Kind::Null => {}
    }
}

fn at<'n>(node: &'n mut Node, way: &[usize]) -> &'n mut Node {
    let Some((first, rest)) = way.split_first() else { return node };
    let next = match &mut node.kind {
        Kind::Map(entries) => &mut entries[*first].value,
        Kind::List(items) => &mut items[*first],
        _ => unreachable!("the way was found through this tree"),
    };
    at(next, rest)
}

/// The values that a strategy's sweep lists for an option.
fn kept<'n>(strategy: &'n mut Node, option: &str) -> Option<&'n mut Kind> {
    Some(&mut inside(inside(strategy, SWEEP)?, option)?.kind)
}

fn inside<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.kind {
        Kind::Map(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value),
        _ => None,
    }
}

fn without_sweep(mut strategy: Node) -> Node {
    if let Kind::Map(fields) = &mut strategy.kind {
        fields.retain(|field| field.key != SWEEP);
    }
    strategy
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Alone, Plan, parse};

    fn plan(strategy: &str, expect: &str) -> Result<Plan, String> {
        let text = format!(
            "name: sweep\nabout: One strategy, several values.\nduration: 10s\nservers: {{ telemetry: {{}} }}\n\
             clients: {{ devices: {{ calls: telemetry, load: {{ poisson: 1/s }} }} }}\nstrategies:\n{strategy}\n{expect}"
        );
        parse("sweep.yaml", &text, &Alone).map_err(|mistakes| mistakes.to_string())
    }

    const JITTER: &str =
        "layers: [{ deadline: 5s }, { retry: { attempts: 4, backoff: { full_jitter: { base: 1s, cap: 9s } } } }]";

    #[test]
    fn every_combination_is_a_strategy_as_if_it_were_written_out() {
        let swept = format!("  - name: jitter\n    sweep: {{ base: [10ms, 1s], cap: [2s, 9s] }}\n    {JITTER}");
        let plan =
            plan(&swept, "expect: [{ jitter: success_rate >= 9% }, { 'jitter[base=1s,cap=9s]': p99 <= 9s }]").unwrap();
        let names: Vec<&str> = plan.strategies.iter().map(|strategy| strategy.name.as_str()).collect();
        let expected = [
            "jitter[base=10ms,cap=2s]",
            "jitter[base=10ms,cap=9s]",
            "jitter[base=1s,cap=2s]",
            "jitter[base=1s,cap=9s]",
        ];
        assert_eq!(names, expected);
        let written = self::plan(&format!("  - name: jitter\n    {JITTER}"), "").unwrap();
        assert_eq!(plan.strategies[3].strategy.layers, written.strategies[0].strategy.layers);
        assert_ne!(plan.strategies[0].strategy.layers, written.strategies[0].strategy.layers);
        let texts: Vec<&str> = plan.expectations.iter().map(|expectation| expectation.text.as_str()).collect();
        assert_eq!(texts.len(), 5);
        assert_eq!(
            (texts[0], texts[4]),
            ("jitter[base=10ms,cap=2s]: success_rate >= 9%", "jitter[base=1s,cap=9s]: p99 <= 9s")
        );
    }

    #[test]
    fn an_option_is_found_by_as_much_of_its_path_as_it_takes() {
        let two = "layers: [{ retry: { attempts: 4 } }, { hedge: { attempts: 2 } }]";
        let table = [
            ("{ attempts: [2, 3] }", Some("`attempts` stands in this strategy 2 times")),
            ("{ retry.attempts: [2, 3] }", None),
            ("{ hedge.attempts: [2, 3], retry.attempts: [5] }", None),
            ("{ atempts: [2, 3] }", Some("did you mean `attempts`?")),
        ];
        for (sweep, expected) in table {
            let told = plan(&format!("  - name: two\n    sweep: {sweep}\n    {two}"), "");
            match (expected, told) {
                (None, told) => assert!(told.is_ok(), "{sweep}: {}", told.unwrap_err()),
                (Some(expected), told) => {
                    let told = told.unwrap_err();
                    assert!(told.contains(expected), "{sweep}: {told}");
                }
            }
        }
    }
}
