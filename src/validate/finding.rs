//! What a row found, and whether it is what was published.

/// One row: what was published, and what Squall does.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its name, as in `figure validate.<row>`.
    pub row: String,
    /// What was published, or follows from a closed form; `None` for parameters nobody published.
    pub published: Option<f64>,
    /// What Squall measured.
    pub observed: f64,
    /// The standard error of what was measured; zero for what does not vary.
    pub error: f64,
    /// The unit of both.
    pub unit: &'static str,
    /// How far off it may be.
    pub tolerance: Tolerance,
}

/// How far off a row may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// By nothing.
    Exact,
    /// By so much, in the unit of the row.
    Absolute(f64),
    /// By this share of the published value, or by three standard errors of a sample that is too small for that; but
    /// never by more than five times the share.
    Relative(f64),
    /// By so many standard errors, of which the published value had this one itself.
    Z {
        /// The most, such as 3.
        limit: f64,
        /// The standard error of the published value.
        published_error: f64,
    },
}

/// The verdict on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is what was published.
    Pass,
    /// It is not.
    Fail,
    /// There is nothing to compare with.
    Unknown,
}

impl Finding {
    /// A row that must be met exactly.
    #[must_use]
    pub fn exact(row: impl Into<String>, published: Option<f64>, observed: f64, unit: &'static str) -> Self {
        Self { row: row.into(), published, observed, error: 0.0, unit, tolerance: Tolerance::Exact }
    }

    /// A row from the figures of several seeds.
    pub(super) fn of_seeds(
        row: impl Into<String>,
        published: Option<f64>,
        seeds: &[f64],
        unit: &'static str,
        tolerance: Tolerance,
    ) -> Self {
        let (observed, error) = mean_and_error(seeds);
        Self { row: row.into(), published, observed, error, unit, tolerance }
    }

    /// Observed less published; nothing if both are infinite.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        self.published.map(|published| if self.observed == published { 0.0 } else { self.observed - published })
    }

    /// What the figure line says: z where the tolerance is one of z, the relative difference elsewhere (the absolute one
    /// where zero was published).
    #[must_use]
    pub fn figure(&self) -> Option<(f64, &'static str)> {
        let (difference, published) = (self.difference()?, self.published?);
        Some(match self.tolerance {
            Tolerance::Z { published_error, .. } => (difference / self.pooled(published_error), "z"),
            Tolerance::Absolute(_) => (difference, "absolute"),
            _ if published == 0.0 => (difference, "absolute"),
            _ => (difference / published, "relative"),
        })
    }

    /// By how much the row may differ, in its unit; nothing without a published value.
    #[must_use]
    pub fn allowed(&self) -> Option<f64> {
        let size = self.published?.abs();
        Some(match self.tolerance {
            Tolerance::Exact => 0.0,
            Tolerance::Absolute(allowed) => allowed,
            Tolerance::Relative(share) => (share * size).max((3.0 * self.error).min(5.0 * share * size)),
            Tolerance::Z { limit, published_error } => limit * self.pooled(published_error),
        })
    }

    /// The verdict.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let (Some(difference), Some(published), Some(allowed)) = (self.difference(), self.published, self.allowed())
        else {
            return Outcome::Unknown;
        };
        // Two numbers that are the same to twelve digits are. Never is far from any time, and what is not a number is
        // within no tolerance.
        let rounding = published.abs() * 1e-12;
        let close = difference == 0.0 || (published.is_finite() && difference.abs() <= allowed.max(rounding));
        if close { Outcome::Pass } else { Outcome::Fail }
    }

    fn pooled(&self, published_error: f64) -> f64 {
        libm::hypot(self.error, published_error).max(f64::MIN_POSITIVE)
    }
}

/// The mean of independent figures, and its standard error.
pub(super) fn mean_and_error(figures: &[f64]) -> (f64, f64) {
    let n = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / n;
    let squares: f64 = figures.iter().map(|figure| (figure - mean) * (figure - mean)).sum();
    let error = if figures.len() < 2 { 0.0 } else { libm::sqrt(squares / (n - 1.0) / n) };
    (mean, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(published: f64, observed: f64, error: f64, tolerance: Tolerance) -> Outcome {
        Finding { row: "r".into(), published: Some(published), observed, error, unit: "s", tolerance }.outcome()
    }

    #[test]
    fn verdicts() {
        use Outcome::{Fail, Pass};
        assert_eq!(outcome(64.0, 64.0, 0.0, Tolerance::Exact), Pass);
        assert_eq!(outcome(64.0, 63.0, 0.0, Tolerance::Exact), Fail);
        assert_eq!(outcome(0.5, 0.514, 0.0, Tolerance::Relative(0.03)), Pass);
        assert_eq!(outcome(0.5, 0.53, 0.0, Tolerance::Relative(0.03)), Fail);
        assert_eq!(outcome(0.5, 0.53, 0.02, Tolerance::Relative(0.03)), Pass, "within the error of a small sample");
        assert_eq!(outcome(0.5, 0.9, 9.0, Tolerance::Relative(0.03)), Fail, "a sample that says nothing does not pass");
        assert_eq!(outcome(0.5, f64::NAN, 0.0, Tolerance::Absolute(1.0)), Fail);
        assert_eq!(outcome(f64::INFINITY, f64::INFINITY, 0.0, Tolerance::Exact), Pass);
        let z = Tolerance::Z { limit: 3.0, published_error: 0.3 };
        assert_eq!(outcome(39.0, 40.4, 0.4, z), Pass);
        assert_eq!(outcome(39.0, 40.6, 0.4, z), Fail);
    }
}
