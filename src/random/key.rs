//! Keys name decisions; draws answer them.

/// Names a decision: a path of numbers and words from a seed down to "attempt 2 of call 7".
///
/// ```
/// use squall::random::Key;
/// let jitter = Key::from_seed(1).named("backoff").with(7).with(2);
/// assert_eq!(jitter.draw(), Key::from_seed(1).named("backoff").with(7).with(2).draw());
/// assert_ne!(jitter.draw(), jitter.with(0).draw());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The root of all decisions of one seed.
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(mix(seed ^ 0x5153_5541_4C4C_0001))
    }

    /// The decision numbered `part` below this one.
    #[must_use]
    pub const fn with(self, part: u64) -> Self {
        Self(mix(self.0.rotate_left(23) ^ mix(part ^ 0x9E37_79B9_7F4A_7C15)))
    }

    /// The decision named `name` below this one.
    #[must_use]
    pub const fn named(self, name: &str) -> Self {
        // FNV-1a over the bytes, then mixed in like a number.
        let bytes = name.as_bytes();
        let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01B3);
            i += 1;
        }
        self.with(hash)
    }

    /// The answer, uniform in [0, 1).
    #[must_use]
    pub const fn draw(self) -> Draw {
        Draw((mix(self.0 ^ 0xD1B5_4A32_D192_ED03) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64))
    }

    /// The answer as 64 uniform bits, for identifiers.
    #[must_use]
    pub const fn bits(self) -> u64 {
        mix(self.0 ^ 0xAEF1_7502_108E_F2D9)
    }
}

/// A uniform number in [0, 1) that decides one thing.
///
/// ```
/// use squall::random::Draw;
/// assert_eq!(Draw::new(0.5).between(10.0, 20.0), 15.0);
/// assert_eq!(Draw::new(0.999).index(10), 9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Draw(f64);

impl Draw {
    /// A draw with a chosen value, for tests; values outside [0, 1) are moved to the nearest one inside.
    #[must_use]
    pub const fn new(value: f64) -> Self {
        // `clamp` would keep a NaN.
        Self(if value >= 1.0 {
            1.0 - f64::EPSILON
        } else if value > 0.0 {
            value
        } else {
            0.0
        })
    }

    /// The number itself.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// A number in [low, high).
    #[must_use]
    pub const fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0
    }

    /// An index below `len`; 0 when `len` is 0.
    #[must_use]
    pub const fn index(self, len: usize) -> usize {
        (self.0 * len as f64) as usize
    }

    /// An exponentially distributed number with mean 1.
    #[must_use]
    pub fn exponential(self) -> f64 {
        // 1 - u lies in (0, 1], where the logarithm is finite.
        -libm::log(1.0 - self.0)
    }

    /// A normally distributed number with mean 0 and standard deviation 1.
    #[must_use]
    pub fn normal(self) -> f64 {
        inverse_normal(self.0.max(f64::MIN_POSITIVE))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The quantile function of the standard normal distribution: Acklam's rational approximation (relative error 1.15e-9),
/// sharpened to double precision by one step of Halley's method.
fn inverse_normal(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    const TAIL: f64 = 0.02425;

    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |q: f64| horner(&C, q) / (horner(&D, q) * q + 1.0);
    let x = if p < TAIL {
        tail(libm::sqrt(-2.0 * libm::log(p)))
    } else if p > 1.0 - TAIL {
        -tail(libm::sqrt(-2.0 * libm::log(1.0 - p)))
    } else {
        let q = p - 0.5;
        horner(&A, q * q) * q / (horner(&B, q * q) * q * q + 1.0)
    };
    let error = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2) - p;
    let step = error * libm::sqrt(2.0 * std::f64::consts::PI) * libm::exp(x * x / 2.0);
    if step.is_finite() { x - step / (1.0 + x * step / 2.0) } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_quantiles_are_those_of_the_tables() {
        for (p, z) in
            [(0.5, 0.0), (0.841_344_746_068_543, 1.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_813)]
        {
            let found = Draw::new(p).normal();
            assert!((found - z).abs() < 1e-12, "{p}: {found} is not {z}");
        }
        assert!(Draw::new(0.0).normal().is_finite());
    }

    /// Neighbouring keys (calls 1, 2, 3 ...) must not be correlated: they are what a trial uses.
    #[test]
    fn neighbouring_keys_draw_independently() {
        let n = 100_000_u32;
        let draws: Vec<f64> = (0..=n).map(|i| Key::from_seed(7).named("x").with(u64::from(i)).draw().value()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.003, "mean {mean}");
        let lag = draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5)).sum::<f64>() / f64::from(n) * 12.0;
        assert!(lag.abs() < 0.01, "correlation {lag}");
        let seeds: Vec<f64> = (0..=u64::from(n)).map(|s| Key::from_seed(s).named("x").draw().value()).collect();
        let across = draws.iter().zip(&seeds).map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>() / f64::from(n) * 12.0;
        assert!(across.abs() < 0.01, "correlation {across}");
    }

    /// These numbers may never change: a seed in a bug report must mean the same next year.
    #[test]
    fn draws_are_the_same_on_every_platform_and_for_ever() {
        let key = Key::from_seed(42).named("service").with(1);
        assert_eq!(key.bits(), Key::from_seed(42).named("service").with(1).bits());
        insta::assert_snapshot!(format!(
            "{:?} {:?} {:?}",
            key.draw().value(),
            key.draw().normal(),
            key.draw().exponential()
        ));
    }
}
