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
        let ps = self.base_ps
            + self.prefill_ps * load.prefill_tokens
            + self.decode_ps * load.decodes
            + self.kv_ps * load.kv_tokens
            + self.pair_ps * load.pairs;
        (ps + 500) / 1000
    }
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
}
