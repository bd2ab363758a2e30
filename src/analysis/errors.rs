//! How calls failed, counted by code and by who said so.
//!
//! A code alone misleads: the server's `UNAVAILABLE` asks for another server, a breaker's for patience.

use std::collections::BTreeMap;

use crate::record::{Code, Origin};

const CODES: usize = Code::Unauthenticated as usize + 1;
const ORIGINS: usize = Origin::Client as usize + 1;

/// Counts of failed calls by code and origin.
#[derive(Clone, Debug)]
pub(super) struct Errors([[u64; ORIGINS]; CODES]);

impl Errors {
    pub(super) const fn new() -> Self {
        Self([[0; ORIGINS]; CODES])
    }

    pub(super) const fn add(&mut self, code: Code, origin: Origin) {
        self.0[code as usize][origin as usize] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, others) in self.0.as_flattened_mut().iter_mut().zip(other.0.as_flattened()) {
            *mine += others;
        }
    }

    /// Those that happened, under names such as `UNAVAILABLE/network`.
    pub(super) fn named(&self) -> BTreeMap<String, u64> {
        let mut named = BTreeMap::new();
        for (code, origins) in Code::all().zip(&self.0) {
            for (origin, count) in Origin::all().zip(origins).filter(|(_, count)| **count > 0) {
                named.insert(format!("{code}/{origin}"), *count);
            }
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_counted_with_its_origin() {
        let mut errors = Errors::new();
        errors.add(Code::Unavailable, Origin::Network);
        errors.add(Code::Unavailable, Origin::Breaker);
        let mut more = Errors::new();
        more.add(Code::Unavailable, Origin::Breaker);
        errors.merge(&more);
        let expected = [("UNAVAILABLE/breaker", 2), ("UNAVAILABLE/network", 1)];
        assert_eq!(errors.named(), expected.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
