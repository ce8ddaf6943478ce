//! Durations by the million: counts in buckets that are at most 1/128 of their value wide.

/// Buckets of one power of two.
const PARTS_LOG: u32 = 7;
const PARTS: usize = 1 << PARTS_LOG;

/// How often durations occurred, in nanoseconds; exact below 128.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    most: u64,
}

impl Histogram {
    /// Count one.
    pub fn add(&mut self, ns: u64) {
        let bucket = bucket(ns);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(ns);
        self.most = self.most.max(ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; None if there are none. It is exact.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The smallest bound that at least this share of them keeps, to 0.8 %; None if there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let place = self.counts.iter().position(|&count| {
            seen += count;
            seen >= wanted
        });
        place.map(|bucket| upper(bucket).min(self.most))
    }

    /// (upper limit of the bucket, count) of each that is not empty.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let counts = self.counts.iter().enumerate();
        let full = counts.filter(|&(_, &count)| count > 0);
        full.map(|(bucket, &count)| (upper(bucket), count))
            .collect()
    }
}

fn bucket(ns: u64) -> usize {
    if ns < PARTS as u64 {
        return ns as usize;
    }
    let power = ns.ilog2() - PARTS_LOG;
    (power as usize + 1) * PARTS + ((ns >> power) as usize - PARTS)
}

/// The largest duration of a bucket.
fn upper(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let (power, part) = (bucket / PARTS - 1, bucket % PARTS);
    (((PARTS + part + 1) as u128) << power).min(1 << 64) as u64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_lies_up_to_its_limit() {
        for ns in (0..2_000).chain([5_000_000_000, 123_456_789_012, u64::MAX / 3]) {
            let limit = upper(bucket(ns));
            assert!(limit >= ns && limit - ns <= ns / 128, "{ns}: {limit}");
            assert_eq!(bucket(limit), bucket(ns));
            assert_eq!(bucket(limit + 1), bucket(ns) + 1);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.mean()), (None, None));
        (1..=1000_u64).for_each(|n| histogram.add(n * 1_000_000));
        for (share, exact) in [(0.5, 500e6), (0.99, 990e6), (1.0, 1000e6), (0.0, 1e6)] {
            let found = histogram.quantile(share).unwrap() as f64;
            assert!((found / exact - 1.0).abs() < 0.008, "{share}: {found}");
        }
        assert_eq!(histogram.mean(), Some(500.5e6));
        assert_eq!(histogram.buckets().iter().map(|b| b.1).sum::<u64>(), 1000);
    }
}
