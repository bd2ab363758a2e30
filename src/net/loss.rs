//! How packets are lost: each on its own, or in bursts.

use crate::random::{Draw, Probability};

/// Which packets a link loses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LossModel {
    /// None.
    #[default]
    None,
    /// Each on its own.
    Independent(Probability),
    /// In bursts (Gilbert 1960, Elliott 1963): a hidden state, good or bad, that may change before each packet.
    ///
    /// Each connection walks through its states by itself, starting from the long-run share of bad states, so that
    /// a packet more on one connection moves no loss on another.
    GilbertElliott {
        /// From good to bad, before a packet.
        enter: Probability,
        /// From bad to good, before a packet. Its inverse is the mean length of a burst, in packets.
        leave: Probability,
        /// The loss while good.
        good: Probability,
        /// The loss while bad.
        bad: Probability,
    },
}

impl LossModel {
    /// Each packet on its own, with this probability.
    #[must_use]
    pub fn independent(rate: Probability) -> Self {
        if rate == Probability::NEVER { Self::None } else { Self::Independent(rate) }
    }

    /// The share of packets it loses in the long run.
    ///
    /// ```
    /// use squall::{net::LossModel, random::Probability};
    /// let p = |value| Probability::new(value).unwrap();
    /// let bursts = LossModel::GilbertElliott { enter: p(0.01), leave: p(0.19), good: p(0.0), bad: p(0.4) };
    /// assert!((bursts.mean() - 0.02).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn mean(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Independent(rate) => rate.value(),
            Self::GilbertElliott { enter, leave, good, bad } => {
                let share = bad_share(enter, leave);
                good.value() * (1.0 - share) + bad.value() * share
            }
        }
    }
}

/// The long-run share of bad states.
fn bad_share(enter: Probability, leave: Probability) -> f64 {
    let total = enter.value() + leave.value();
    if total > 0.0 { enter.value() / total } else { 0.0 }
}

/// Where one direction of one connection stands in a [`LossModel`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossState {
    bad: Option<bool>,
}

impl LossState {
    /// Whether the next packet is lost. `change` decides the state, `drop` the packet.
    pub(super) fn next(
        &mut self,
        model: &LossModel,
        change: impl FnOnce() -> Draw,
        drop: impl FnOnce() -> Draw,
    ) -> bool {
        match *model {
            LossModel::None => false,
            LossModel::Independent(rate) => rate.hits(drop()),
            LossModel::GilbertElliott { enter, leave, good, bad } => {
                let draw = change();
                let now_bad = match self.bad {
                    None => draw.value() < bad_share(enter, leave),
                    Some(false) => enter.hits(draw),
                    Some(true) => !leave.hits(draw),
                };
                self.bad = Some(now_bad);
                if now_bad { bad.hits(drop()) } else { good.hits(drop()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    /// Bursts have the mean loss and the mean length that the model promises.
    #[test]
    fn bursts_have_their_rate_and_length() {
        let p = |value| Probability::new(value).unwrap();
        let model = LossModel::GilbertElliott { enter: p(0.01), leave: p(0.2), good: p(0.0), bad: p(1.0) };
        let (mut state, key) = (LossState::default(), Key::from_seed(1));
        let n = 400_000_u32;
        let lost: Vec<bool> = (0..n)
            .map(|i| {
                let key = key.with(u64::from(i));
                state.next(&model, || key.named("change").draw(), || key.named("drop").draw())
            })
            .collect();
        let total = lost.iter().filter(|lost| **lost).count() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        assert!((total / f64::from(n) / model.mean() - 1.0).abs() < 0.03, "rate {}", total / f64::from(n));
        assert!((total / bursts / 5.0 - 1.0).abs() < 0.03, "length {}", total / bursts);
    }
}
