//! Fairness between clients: whether all fared alike, whoever fared how well.
//!
//! Jain's index of the shares of calls that succeeded: 1 when every client has the same, 1/n when one has all (Jain, Chiu and
//! Hawe, "A Quantitative Measure of Fairness", DEC-TR-301, 1984).

use super::calls::{Calls, State};

/// What each client got, class by class.
#[derive(Debug)]
pub(super) struct Fairness {
    /// A client's calls and those of them that came back OK, by class.
    clients: Vec<Vec<(u64, u64)>>,
}

impl Fairness {
    pub(super) fn of(calls: &Calls, classes: usize) -> Self {
        let shares = calls.by_client().map(|calls| {
            let mut shares = vec![(0, 0); classes];
            for call in calls {
                let (made, ok) = &mut shares[usize::from(call.class)];
                *made += 1;
                *ok += u64::from(matches!(call.state, State::Acknowledged | State::Answered));
            }
            shares
        });
        Self { clients: shares.collect() }
    }

    /// The index over the calls of some classes; none if no call succeeded.
    pub(super) fn index(&self, classes: &[usize]) -> Option<f64> {
        let shares = self.clients.iter().filter_map(|client| {
            let sum = |pick: fn(&(u64, u64)) -> u64| classes.iter().map(|class| pick(&client[*class])).sum::<u64>();
            let (made, ok) = (sum(|share| share.0), sum(|share| share.1));
            (made > 0).then(|| ok as f64 / made as f64)
        });
        jain(shares)
    }
}

fn jain(shares: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for share in shares {
        count += 1.0;
        sum += share;
        squares += share * share;
    }
    (squares > 0.0).then(|| sum * sum / (count * squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_that_of_the_paper() {
        let check = |shares: &[f64], expected: Option<f64>| {
            let index = jain(shares.iter().copied());
            assert_eq!(index.map(|index| (index * 1e6).round()), expected.map(|index| index * 1e6), "{shares:?}");
        };
        check(&[0.7, 0.7, 0.7], Some(1.0));
        check(&[1.0, 0.0, 0.0, 0.0], Some(0.25));
        check(&[1.0, 1.0, 0.0, 0.0], Some(0.5));
        check(&[0.0, 0.0], None);
        check(&[], None);
    }
}
