//! How long a call takes by theory, at one worker whose work is exponential.
//!
//! Whoever arrives finds so many others, and waits for as many services and its own. Others are found as time finds them: in an
//! open loop all calls (Poisson arrivals see time averages), in a closed one those of the other clients (the arrival theorem).
//!
//! Source: L. Kleinrock, "Queueing Systems", volumes 1 and 2.

/// How long a call is with a server of one worker.
#[derive(Clone, Debug)]
pub(super) struct Sojourn {
    service_s: f64,
    /// The probability of finding none, one, two ... others.
    found: Vec<f64>,
}

impl Sojourn {
    /// Calls that come at random and keep the server busy for this share of the time.
    pub(super) fn open(service_s: f64, load: f64) -> Self {
        // A queue that is longer than this has no probability worth a digit.
        Self::found(service_s, (-40.0 / libm::log(load)) as u32, |_| load)
    }

    /// So many clients, each of which thinks before it calls again.
    pub(super) fn closed(service_s: f64, think_s: f64, clients: u32) -> Self {
        let others = clients.saturating_sub(1);
        Self::found(service_s, others, |n| f64::from(others + 1 - n) * service_s / think_s)
    }

    /// At most so many others; the n-th is as much likelier to be there than not as `nth` says.
    fn found(service_s: f64, most: u32, nth: impl Fn(u32) -> f64) -> Self {
        let mut found = vec![1.0];
        let mut last = 1.0;
        for n in 1..=most {
            last *= nth(n);
            found.push(last);
        }
        let all: f64 = found.iter().sum();
        found.iter_mut().for_each(|share| *share /= all);
        Self { service_s, found }
    }

    pub(super) fn mean_s(&self) -> f64 {
        let services = |(others, share): (usize, &f64)| share * (others + 1) as f64;
        self.service_s * self.found.iter().enumerate().map(services).sum::<f64>()
    }

    /// The share that takes longer: fewer services have ended by then than it has to wait for.
    fn tail(&self, seconds: f64) -> f64 {
        let expected = seconds / self.service_s;
        // By logarithms: that no service at all ended in a long time is less likely than the least number above zero.
        let (mut ended, mut fewer, mut tail) = (-expected, 0.0, 0.0);
        for (others, share) in self.found.iter().enumerate() {
            fewer += libm::exp(ended);
            ended += libm::log(expected / (others + 1) as f64);
            tail += share * fewer;
        }
        tail
    }

    pub(super) fn quantile_s(&self, quantile: f64) -> f64 {
        let most = self.found.len() as f64;
        let (mut low, mut high) = (0.0, self.service_s * (most + 40.0 * libm::sqrt(most)));
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if self.tail(middle) > 1.0 - quantile { low = middle } else { high = middle }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The open loop is M/M/1: an exponential time of mean S / (1 - load), as far out as anybody asks.
    #[test]
    fn the_open_loop_is_exponential() {
        for load in [0.1, 0.8, 0.99] {
            let (queue, mean_s) = (Sojourn::open(0.1, load), 0.1 / (1.0 - load));
            let close =
                |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-6, "{found}, {expected}");
            close(queue.mean_s(), mean_s);
            close(queue.quantile_s(0.9999), mean_s * libm::log(1e4));
        }
    }
}
