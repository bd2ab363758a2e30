//! The parameters of a suite: what the source says, unless somebody asks for something else.

use std::collections::BTreeMap;

use super::Suite;

/// Parameters by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    values: BTreeMap<String, f64>,
    /// Whether something other than the size of the sample was set.
    changed: bool,
}

/// No parameter of the suite has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{suite}` has no parameter `{name}`; it has {known}")]
pub struct UnknownParam {
    suite: &'static str,
    name: String,
    known: String,
}

impl Params {
    /// Those of a suite, with some set to other values.
    ///
    /// # Errors
    ///
    /// When the suite has no parameter of that name.
    pub fn of(suite: &Suite, full: bool, set: &[(String, f64)]) -> Result<Self, UnknownParam> {
        let own =
            suite.params.iter().map(|(name, short, long)| ((*name).to_owned(), if full { *long } else { *short }));
        let mut params = Self { values: own.collect(), changed: false };
        for (name, value) in set {
            let Some(known) = params.values.get_mut(name) else {
                let known = suite.params.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
                return Err(UnknownParam { suite: suite.name, name: name.clone(), known });
            };
            params.changed |= !matches!(name.as_str(), "seeds" | "calls") && *known != *value;
            *known = *value;
        }
        Ok(params)
    }

    /// The value of a parameter that the suite declares.
    ///
    /// # Panics
    ///
    /// When the suite does not declare it.
    #[must_use]
    pub fn get(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("no suite reads a parameter it does not declare: {name}"))
    }

    pub(super) fn count(&self, name: &str) -> u32 {
        self.get(name).max(0.0) as u32
    }

    pub(super) fn seeds(&self) -> u64 {
        u64::from(self.count("seeds").max(1))
    }

    /// What was published, if the parameters are those it was published for.
    pub(super) fn published(&self, value: f64) -> Option<f64> {
        (!self.changed).then_some(value)
    }

    /// The values that stand for a parameter: itself if it was set, otherwise `all` that the source has. Zero means all.
    pub(super) fn or_all(&self, name: &str, all: &[f64]) -> Vec<f64> {
        match self.get(name) {
            0.0 => all.to_vec(),
            one => vec![one],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_suite() {
        let suite = super::super::suite("mm1").unwrap();
        let set = |name: &str| Params::of(suite, false, &[(name.to_owned(), 0.5)]);
        assert_eq!(set("load").unwrap().get("load"), 0.5);
        let why = set("laod").unwrap_err().to_string();
        assert!(why.starts_with("`mm1` has no parameter `laod`; it has load"), "{why}");
    }
}
