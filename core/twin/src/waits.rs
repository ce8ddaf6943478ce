//! How long things took, for whoever asks: counts by powers of a root of two, so that any number of them takes one page.

/// Durations, of which quantiles are asked.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    counts: [u64; 256],
    all: u64,
}

impl Default for Waits {
    fn default() -> Self {
        Waits {
            counts: [0; 256],
            all: 0,
        }
    }
}

/// So many steps make a factor of two.
const STEPS: f64 = 4.0;

impl Waits {
    /// One more, of `ns`.
    pub(crate) fn add(&mut self, ns: u64) {
        let place = ((ns.max(1) as f64).log2() * STEPS).ceil() as usize;
        self.counts[place.min(255)] += 1;
        self.all += 1;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.all
    }

    /// The duration in ns that the share `q` of them does not exceed, to a fifth; None of none.
    pub(crate) fn quantile(&self, q: f64) -> Option<u64> {
        let wanted = ((self.all as f64 * q).ceil() as u64).max(1);
        let mut below = 0;
        let place = self.counts.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        Some((place as f64 / STEPS).exp2() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile(0.5), None);
        (1..=1000).for_each(|us| waits.add(us * 1000));
        let near = |q: f64, ns: f64| {
            let found = waits.quantile(q).unwrap() as f64;
            assert!(found >= ns * 0.99 && found <= ns * 1.2, "{q}: {found}");
        };
        near(0.5, 500e3);
        near(0.99, 990e3);
        assert_eq!(waits.count(), 1000);
    }
}
