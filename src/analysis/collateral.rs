//! Collateral damage: calls that a client's own layers turned away although somebody was there to serve them.
//!
//! A breaker, a limit or a throttle protects a sick server by sending it nothing. Where it stands before several servers, it
//! keeps calls from the healthy ones as well. A call that was turned away counts if, in the second in which it was, some
//! replica did everything well that it was asked: an overloaded one never does, so that sparing it is no damage.

/// What replicas did, second by second, and who was turned away.
#[derive(Debug, Default)]
pub(super) struct Collateral {
    /// For each replica and second: handlers that acknowledged in time, and those that did not.
    replicas: Vec<Vec<(u32, u32)>>,
    /// The class and the second of each call that was turned away.
    turned_away: Vec<(u16, u32)>,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Collateral {
    /// A replica ended something, well or not.
    pub(super) fn done(&mut self, server: u32, at_ns: u64, well: bool) {
        let (server, second) = (server as usize, (at_ns / SECOND_NS) as usize);
        if server >= self.replicas.len() {
            self.replicas.resize_with(server + 1, Vec::new);
        }
        let seconds = &mut self.replicas[server];
        if second >= seconds.len() {
            seconds.resize(second + 1, (0, 0));
        }
        let (good, bad) = &mut seconds[second];
        *good += u32::from(well);
        *bad += u32::from(!well);
    }

    /// A client's own layer turned a call of this class away.
    pub(super) fn turned_away(&mut self, class: u16, at_ns: u64) {
        self.turned_away.push((class, (at_ns / SECOND_NS) as u32));
    }

    /// The classes of the calls that somebody was there to serve.
    pub(super) fn damage(&self) -> impl Iterator<Item = u16> {
        let served = |second: &u32| {
            let of = |seconds: &Vec<(u32, u32)>| {
                seconds.get(*second as usize).is_some_and(|(good, bad)| *good > 0 && *bad == 0)
            };
            self.replicas.iter().any(of)
        };
        self.turned_away.iter().filter(move |(_, second)| served(second)).map(|(class, _)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first replica is well in the first second only, the second one never: it sheds what it does not serve.
    #[test]
    fn sparing_the_sick_is_no_damage() {
        let mut collateral = Collateral::default();
        collateral.done(0, 500_000_000, true);
        collateral.done(0, 1_500_000_000, false);
        for at_ns in [200_000_000, 1_200_000_000] {
            collateral.done(1, at_ns, true);
            collateral.done(1, at_ns, false);
        }
        for (class, at_ns) in [(7, 900_000_000), (8, 1_900_000_000), (9, 5_000_000_000)] {
            collateral.turned_away(class, at_ns);
        }
        assert_eq!(collateral.damage().collect::<Vec<_>>(), [7]);
    }
}
