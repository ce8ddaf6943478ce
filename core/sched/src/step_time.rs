//! How long a step takes on a machine: a sum of five terms.

use crate::step::Load;

/// The terms, in picoseconds: whole numbers, so that a sum is the same on every machine and in any order.
///
/// `harness/curserve_harness/plan/step_times.toml` has values, with their sources.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StepTime {
    /// Of any step: reading the weights, starting the kernels.
    pub base_ps: u64,
    /// For each token of a prompt.
    pub prefill_ps: u64,
    /// For each request that decodes.
    pub decode_ps: u64,
    /// For each token whose KV a decoding request reads.
    pub kv_ps: u64,
    /// For each pair of a prompt's token and one that it attends to.
    pub pair_ps: u64,
}

impl StepTime {
    /// The duration of a step, in nanoseconds, rounded to the nearest; nothing for an empty one.
    pub fn ns(&self, load: &Load) -> u64 {
        if *load == Load::default() {
            return 0;
        }
        (self.ps(load) + 500) / 1000
    }

    /// The duration of `steps` steps, each rounded: every one reads `more` tokens more than the one before it, and the one
    /// before the first is `load`.
    pub fn many_ns(&self, load: &Load, steps: u32, more: u64) -> u64 {
        let growth = u128::from(self.kv_ps * more);
        floor_sum(
            u128::from(steps),
            1000,
            growth,
            u128::from(self.ps(load) + 500) + growth,
        ) as u64
    }

    fn ps(&self, load: &Load) -> u64 {
        self.base_ps
            + self.prefill_ps * load.prefill_tokens
            + self.decode_ps * load.decodes
            + self.kv_ps * load.kv_tokens
            + self.pair_ps * load.pairs
    }
}

/// The sum of (slope × i + start) / divisor, each rounded down, for i from 0 to count − 1; by Euclid's algorithm, as in
/// Graham, Knuth and Patashnik, *Concrete Mathematics*, 3.5.
fn floor_sum(count: u128, divisor: u128, slope: u128, start: u128) -> u128 {
    if count == 0 {
        return 0;
    }
    let whole = (slope / divisor) * (count * (count - 1) / 2) + (start / divisor) * count;
    let (slope, start) = (slope % divisor, start % divisor);
    let last = slope * count + start;
    if last < divisor {
        return whole;
    }
    whole + floor_sum(last / divisor, slope, divisor, last % divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_8b_on_an_h100() {
        let h100 = StepTime {
            base_ps: 6_130_000_000,
            prefill_ps: 16_200_000,
            decode_ps: 9_800_000,
            kv_ps: 43_700,
            pair_ps: 790,
        };
        assert_eq!(
            h100.ns(&Load {
                decodes: 32,
                kv_tokens: 32 * 4000,
                ..Load::default()
            }),
            12_037_200
        );
        let pairs = 8192 * 8193 / 2;
        assert_eq!(
            h100.ns(&Load {
                prefill_tokens: 8192,
                pairs,
                ..Load::default()
            }),
            165_351_637
        );
        assert_eq!(h100.ns(&Load::default()), 0);
    }

    #[test]
    fn many_steps_last_as_long_as_each_of_them() {
        let step = StepTime {
            base_ps: 6_130_000_123,
            decode_ps: 9_800_457,
            kv_ps: 43_701,
            ..StepTime::default()
        };
        for (decodes, kv_tokens, steps) in [
            (1, 0, 1),
            (3, 1000, 17),
            (7, 12_345, 400),
            (32, 5_000_000, 1000),
        ] {
            let mut load = Load {
                decodes,
                kv_tokens,
                ..Load::default()
            };
            let many = step.many_ns(&load, steps, decodes);
            let each = (0..steps).map(|_| {
                load.kv_tokens += decodes;
                step.ns(&load)
            });
            assert_eq!(many, each.sum::<u64>());
        }
    }
}
