//! The parameters of a suite: what the source says, unless somebody asks for something else.
//!
//! Rule: whatever a row depends on is a parameter with a name, a meaning and a range, so that other rows of the same table
//! can be asked for. What was published holds for the source's parameters alone, however large the sample.

use std::collections::BTreeMap;

use super::Suite;

/// A parameter that a suite declares.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// What the command line calls it, with `_` for `-`.
    pub name: &'static str,
    /// What it means, and in which unit.
    pub about: &'static str,
    /// Its values unless it is set.
    pub short: &'static [f64],
    /// Its values with `--full` unless it is set.
    pub full: &'static [f64],
    /// The least and the most it can be.
    pub range: (f64, f64),
    /// Whether it only says how large the sample is: then what was published holds whatever it is.
    pub is_sample: bool,
    /// Whether it counts something.
    pub is_whole: bool,
    /// Whether it may have several values at once, each with rows of its own.
    pub is_list: bool,
}

impl Param {
    /// One value, such as the capacity of a server.
    pub(super) const fn one(name: &'static str, about: &'static str, value: &'static [f64; 1]) -> Self {
        let range = (0.0, 1e9);
        Self { name, about, short: value, full: value, range, is_sample: false, is_whole: false, is_list: false }
    }

    /// Several values, with rows for each.
    pub(super) const fn each(name: &'static str, about: &'static str, values: &'static [f64]) -> Self {
        let range = (0.0, 1e9);
        Self { name, about, short: values, full: values, range, is_sample: false, is_whole: false, is_list: true }
    }

    /// The size of the sample: in the short form, and with `--full`.
    pub(super) const fn sample(
        name: &'static str,
        about: &'static str,
        short: &'static [f64; 1],
        full: &'static [f64; 1],
    ) -> Self {
        let range = (1.0, 1e9);
        Self { name, about, short, full, range, is_sample: true, is_whole: true, is_list: false }
    }

    /// So many seeds.
    pub(super) const fn seeds(short: &'static [f64; 1], full: &'static [f64; 1]) -> Self {
        Self::sample("seeds", "how many seeds, counted from 1", short, full)
    }

    /// Only whole numbers.
    pub(super) const fn whole(self) -> Self {
        Self { is_whole: true, ..self }
    }

    /// Only values from `least` to `most`.
    pub(super) const fn within(self, least: f64, most: f64) -> Self {
        Self { range: (least, most), ..self }
    }
}

/// The parameters of one run of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    values: BTreeMap<&'static str, Vec<f64>>,
    /// Those that were set to something else than the source says; the size of a sample is not the source's business.
    changed: Vec<&'static str>,
}

/// Why a parameter cannot be set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidParam {
    /// No parameter of the suite has this name.
    #[error("`{suite}` has no parameter `{name}`; it has {known}")]
    Unknown {
        /// The suite.
        suite: &'static str,
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The parameter cannot have this value.
    #[error("`{value}` cannot be `{name}` of `{suite}`: {about}; {kind} from {least} to {most}")]
    Value {
        /// The suite.
        suite: &'static str,
        /// The parameter.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// What the parameter means.
        about: &'static str,
        /// "a number" or "a whole number".
        kind: &'static str,
        /// The least it can be.
        least: f64,
        /// The most it can be.
        most: f64,
    },
    /// The parameter has one value at a time.
    #[error("`{name}` of `{suite}` has one value at a time")]
    Several {
        /// The suite.
        suite: &'static str,
        /// The parameter.
        name: &'static str,
    },
}

impl Params {
    /// Those of a suite, with some set to other values.
    ///
    /// # Errors
    ///
    /// When the suite has no parameter of that name, or it cannot have that value.
    pub fn of(suite: &Suite, full: bool, set: &[(String, Vec<f64>)]) -> Result<Self, InvalidParam> {
        let own = suite.params.iter().map(|param| (param.name, if full { param.full } else { param.short }.to_vec()));
        let mut params = Self { values: own.collect(), changed: Vec::new() };
        for (name, values) in set {
            let param = find(suite, name)?;
            check(suite, param, values)?;
            let was = params.values.insert(param.name, values.clone());
            if was.is_some_and(|was| was != *values) && !param.is_sample {
                params.changed.push(param.name);
            }
        }
        Ok(params)
    }

    /// The value of a parameter that the suite declares; the first, if it has several.
    ///
    /// # Panics
    ///
    /// When the suite does not declare it.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        self.all(name)[0]
    }

    /// All values of a parameter that the suite declares; at least one.
    ///
    /// # Panics
    ///
    /// When the suite does not declare it.
    #[must_use]
    pub fn all(&self, name: &str) -> &[f64] {
        self.values.get(name).unwrap_or_else(|| panic!("no suite reads a parameter it does not declare: {name}"))
    }

    pub(super) fn count(&self, name: &str) -> u32 {
        self.get(name) as u32
    }

    pub(super) fn seeds(&self) -> u64 {
        u64::from(self.count("seeds"))
    }

    /// What was published, if the parameters are those it was published for.
    pub(super) fn published(&self, value: f64) -> Option<f64> {
        self.is_usual_but(&[]).then_some(value)
    }

    /// Whether all parameters but `these` are those of the source, so that a row of its table holds.
    pub(super) fn is_usual_but(&self, these: &[&str]) -> bool {
        self.changed.iter().all(|name| these.contains(name))
    }
}

fn find<'s>(suite: &'s Suite, name: &str) -> Result<&'s Param, InvalidParam> {
    suite.params.iter().find(|param| param.name == name).ok_or_else(|| InvalidParam::Unknown {
        suite: suite.name,
        name: name.to_owned(),
        known: suite.params.iter().map(|param| param.name).collect::<Vec<_>>().join(", "),
    })
}

fn check(suite: &Suite, param: &Param, values: &[f64]) -> Result<(), InvalidParam> {
    if values.len() != 1 && !param.is_list {
        return Err(InvalidParam::Several { suite: suite.name, name: param.name });
    }
    let (least, most) = param.range;
    let good = |value: &f64| (least..=most).contains(value) && (!param.is_whole || value.fract() == 0.0);
    match values.iter().find(|value| !good(value)) {
        None => Ok(()),
        Some(value) => Err(InvalidParam::Value {
            suite: suite.name,
            name: param.name,
            value: *value,
            about: param.about,
            kind: if param.is_whole { "a whole number" } else { "a number" },
            least,
            most,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SUITES, suite};
    use super::*;

    fn set(name: &str, param: &str, values: &[f64]) -> Result<Params, InvalidParam> {
        Params::of(suite(name).unwrap(), false, &[(param.to_owned(), values.to_vec())])
    }

    #[test]
    fn parameters_are_those_of_the_suite() {
        assert_eq!(set("mm1", "load", &[0.5]).unwrap().get("load"), 0.5);
        assert_eq!(set("aws", "clients", &[20.0, 30.0]).unwrap().all("clients"), [20.0, 30.0]);
        let table = [
            ("mm1", "laod", vec![0.5], "`mm1` has no parameter `laod`; it has load"),
            ("mm1", "load", vec![1.5], "`1.5` cannot be `load` of `mm1`"),
            ("mm1", "load", vec![0.5, 0.6], "`load` of `mm1` has one value at a time"),
            ("aws", "clients", vec![2.5], "`2.5` cannot be `clients` of `aws`"),
            ("aws", "clients", vec![f64::NAN], "`NaN` cannot be `clients` of `aws`"),
        ];
        for (name, param, values, expected) in table {
            let why = set(name, param, &values).unwrap_err().to_string();
            assert!(why.starts_with(expected), "{why}");
        }
    }

    /// A larger sample of the same thing is still what was published; another thing is not.
    #[test]
    fn what_was_published_holds_for_the_parameters_it_was_published_for() {
        assert_eq!(set("mm1", "seeds", &[3.0]).unwrap().published(0.5), Some(0.5));
        assert_eq!(set("mm1", "load", &[0.8]).unwrap().published(0.5), Some(0.5));
        assert_eq!(set("mm1", "load", &[0.7]).unwrap().published(0.5), None);
        let clients = set("aws", "clients", &[20.0]).unwrap();
        assert!(clients.is_usual_but(&["clients"]) && !clients.is_usual_but(&[]));
    }

    #[test]
    fn every_parameter_is_explained_and_its_own_values_are_good() {
        for suite in SUITES {
            for param in suite.params {
                assert!(!param.about.is_empty() && !param.about.ends_with('.'), "{}: {}", suite.name, param.name);
                for values in [param.short, param.full] {
                    check(suite, param, values).unwrap_or_else(|why| panic!("{why}"));
                }
            }
        }
    }
}
