//! Chance without state: draw `n` of a session is a function of seed, session and `n`.
//!
//! So sessions draw the same whatever the others do, engines are compared on the same draws, and a million sessions
//! keep no generator. The mixing function is SplitMix64's (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014; public domain).

/// The draws of one session, or of one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    state: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Chance {
    /// The draws of `stream` under `seed`.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self {
            state: mix(mix(seed.wrapping_add(STEP)) ^ stream.wrapping_mul(STEP)),
        }
    }

    /// Draw number `n`: 64 bits.
    pub fn bits(&self, n: u64) -> u64 {
        mix(self
            .state
            .wrapping_add(STEP.wrapping_mul(n.wrapping_add(1))))
    }

    /// Draw number `n`, from 0 up to but not including 1.
    pub fn share(&self, n: u64) -> f64 {
        (self.bits(n) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Draw number `n`, exponentially distributed about `mean`, rounded.
    pub fn exponential(&self, n: u64, mean: f64) -> u64 {
        (-(1.0 - self.share(n)).ln() * mean).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixing_is_splitmix64() {
        // The first outputs of the published generator for seed 1234567.
        let chance = Chance { state: 1_234_567 };
        let first: Vec<u64> = (0..3).map(|n| chance.bits(n)).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn streams_are_even_and_apart() {
        let mean = |chance: Chance| (0..100_000).map(|n| chance.share(n)).sum::<f64>() / 1e5;
        assert!((mean(Chance::new(1, 2)) - 0.5).abs() < 0.005);
        let (one, other) = (Chance::new(1, 2), Chance::new(1, 3));
        let product = (0..100_000)
            .map(|n| (one.share(n) - 0.5) * (other.share(n) - 0.5))
            .sum::<f64>()
            / 1e5;
        assert!(product.abs() < 0.002, "the streams go together: {product}");
        let gap = (0..100_000)
            .map(|n| one.exponential(n, 1e6) as f64)
            .sum::<f64>()
            / 1e5;
        assert!((gap / 1e6 - 1.0).abs() < 0.015, "{gap}");
    }
}
