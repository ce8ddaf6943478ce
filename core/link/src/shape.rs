//! What one direction of a link does to a packet: what tc-netem(8) says of delay, jitter, loss and rate, decided here,
//! without any effect.
//!
//! A packet that arrives at `a` leaves at `a + delay + jitter`; with a rate it
//! leaves at `max(previous departure, a + delay + jitter) + bits / rate`, so the rate keeps the order, while jitter
//! alone does not.

/// How jitter is spread around the delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Even in ±jitter: netem's default.
    #[default]
    Uniform,
    /// Gaussian, the jitter is the standard deviation.
    Normal,
    /// Pareto's distribution with exponent 3 about its mean; the jitter is its standard deviation. Cut at four of them.
    Pareto,
    /// A quarter of a normal deviation and three quarters of a Pareto one: a mixture of our own under netem's name.
    ParetoNormal,
}

impl Distribution {
    /// Read netem's name of a distribution.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "uniform" => Self::Uniform,
            "normal" => Self::Normal,
            "pareto" => Self::Pareto,
            "paretonormal" => Self::ParetoNormal,
            _ => return None,
        })
    }
}

/// Losses in bursts: the Gilbert-Elliott chain, with netem's parameters, all as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// Probability of going from the good to the bad state, per packet.
    pub to_bad: f64,
    /// Probability of going from the bad to the good state, per packet.
    pub to_good: f64,
    /// Probability of a loss in the bad state.
    pub loss_in_bad: f64,
    /// Probability of a loss in the good state.
    pub loss_in_good: f64,
}

/// One direction of a link as declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// One-way delay in nanoseconds.
    pub delay_ns: i64,
    /// Spread of the delay in nanoseconds.
    pub jitter_ns: i64,
    /// How the jitter is distributed.
    pub distribution: Distribution,
    /// Fraction of packets lost, each by itself.
    pub loss: f64,
    /// Losses in bursts, instead of `loss`.
    pub bursts: Option<Bursts>,
    /// Fraction of packets that leave at once, ahead of the delayed ones.
    pub reorder: f64,
    /// Bits per second, link-layer header included; 0 is no limit.
    pub rate_bps: u64,
    /// Packets held at most; the next one is dropped and counted.
    pub limit: usize,
    /// Seed of every random decision in this direction.
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            delay_ns: 0,
            jitter_ns: 0,
            distribution: Distribution::Uniform,
            loss: 0.0,
            bursts: None,
            reorder: 0.0,
            rate_bps: 0,
            limit: 1_000_000,
            seed: 0,
        }
    }
}

impl Shape {
    /// Whether packets may leave in another order than they came.
    pub fn may_reorder(&self) -> bool {
        (self.jitter_ns > 0 && self.rate_bps == 0) || self.reorder > 0.0
    }

    /// Whether every packet leaves as it came, at once.
    pub fn is_transparent(&self) -> bool {
        self.delay_ns == 0
            && self.jitter_ns == 0
            && self.loss == 0.0
            && self.bursts.is_none()
            && self.rate_bps == 0
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one add and three xor-shift-multiplies; the same numbers for a seed for ever.
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Pareto's distribution with exponent 3, `u^(-1/3)`, about its mean, 3/2, and by its standard deviation, `sqrt(3)/2`: so
    /// the jitter is one deviation. Cut at four of them, or a single packet could wait very long.
    fn pareto(&mut self) -> f64 {
        let u = 1.0 - self.unit();
        ((u.powf(-1.0 / 3.0) - 1.5) * 2.0 / 3f64.sqrt()).min(4.0)
    }
}

/// Decides, packet by packet, when each leaves; holds the random state and the last departure.
#[derive(Clone, Debug)]
pub struct Shaper {
    shape: Shape,
    random: Random,
    in_bad: bool,
    last_departure: i64,
}

impl Shaper {
    /// A shaper at the start of its seed.
    pub fn new(shape: Shape) -> Self {
        let random = Random(shape.seed);
        Self {
            shape,
            random,
            in_bad: false,
            last_departure: i64::MIN,
        }
    }

    /// What is being done.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Change the delay, for calibration; everything else goes on.
    pub fn set_delay(&mut self, delay_ns: i64) {
        self.shape.delay_ns = delay_ns;
    }

    /// When a packet of `bytes` that arrived at `arrival_ns` leaves; None when the link loses it.
    pub fn departure(&mut self, arrival_ns: i64, bytes: usize) -> Option<i64> {
        if self.loses() {
            return None;
        }
        let at_once = self.shape.reorder > 0.0 && self.random.unit() < self.shape.reorder;
        let delay = if at_once { 0 } else { self.delay() };
        let mut departure = arrival_ns + delay;
        if self.shape.rate_bps > 0 {
            let transmission =
                (bytes as u128 * 8_000_000_000 / u128::from(self.shape.rate_bps)) as i64;
            departure = departure.max(self.last_departure) + transmission;
            self.last_departure = departure;
        }
        Some(departure)
    }

    fn loses(&mut self) -> bool {
        let Some(bursts) = self.shape.bursts else {
            return self.shape.loss > 0.0 && self.random.unit() < self.shape.loss;
        };
        let change = if self.in_bad {
            bursts.to_good
        } else {
            bursts.to_bad
        };
        if self.random.unit() < change {
            self.in_bad = !self.in_bad;
        }
        let loss = if self.in_bad {
            bursts.loss_in_bad
        } else {
            bursts.loss_in_good
        };
        loss > 0.0 && self.random.unit() < loss
    }

    fn delay(&mut self) -> i64 {
        let shape = &self.shape;
        if shape.jitter_ns == 0 {
            return shape.delay_ns;
        }
        let deviation = match shape.distribution {
            Distribution::Uniform => 2.0 * self.random.unit() - 1.0,
            Distribution::Normal => self.random.normal(),
            Distribution::Pareto => self.random.pareto(),
            Distribution::ParetoNormal => 0.25 * self.random.normal() + 0.75 * self.random.pareto(),
        };
        (shape.delay_ns + (deviation * shape.jitter_ns as f64) as i64).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn departures(shape: Shape, count: usize) -> Vec<Option<i64>> {
        let mut shaper = Shaper::new(shape);
        (0..count).map(|_| shaper.departure(0, 1500)).collect()
    }

    fn moments(shape: Shape) -> (f64, f64) {
        let values: Vec<f64> = departures(shape, 200_000)
            .into_iter()
            .flatten()
            .map(|d| d as f64)
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn delay_alone_is_added_exactly() {
        let shape = Shape {
            delay_ns: 75 * MS,
            ..Shape::default()
        };
        assert_eq!(Shaper::new(shape).departure(1234, 60), Some(75 * MS + 1234));
    }

    #[test]
    fn a_rate_spaces_packets_by_their_bits_and_keeps_the_order() {
        let shape = Shape {
            delay_ns: MS,
            rate_bps: 100_000_000,
            jitter_ns: MS / 2,
            ..Shape::default()
        };
        let out: Vec<i64> = departures(shape, 1000).into_iter().flatten().collect();
        assert!(out.windows(2).all(|pair| pair[1] - pair[0] >= 120_000));
        assert!(out[999] < 2 * MS + 1000 * 120_000);
    }

    #[test]
    fn a_loss_lies_within_its_binomial_interval() {
        let shape = Shape {
            loss: 0.01,
            seed: 7,
            ..Shape::default()
        };
        let lost = departures(shape, 200_000)
            .iter()
            .filter(|d| d.is_none())
            .count() as f64;
        assert!(
            (lost - 2000.0).abs() < 5.0 * (200_000.0f64 * 0.01 * 0.99).sqrt(),
            "{lost}"
        );
    }

    #[test]
    fn bursts_have_the_stationary_loss_of_the_chain_and_come_in_runs() {
        let bursts = Bursts {
            to_bad: 0.01,
            to_good: 0.2,
            loss_in_bad: 1.0,
            loss_in_good: 0.0,
        };
        let out = departures(
            Shape {
                bursts: Some(bursts),
                seed: 3,
                ..Shape::default()
            },
            400_000,
        );
        let lost = out.iter().filter(|d| d.is_none()).count() as f64 / 400_000.0;
        assert!((lost - 0.01 / 0.21).abs() < 0.004, "{lost}");
        let pairs = out
            .windows(2)
            .filter(|w| w[0].is_none() && w[1].is_none())
            .count() as f64
            / 400_000.0;
        assert!(
            pairs > 0.5 * lost,
            "losses are not in runs: {pairs} of {lost}"
        );
    }

    #[test]
    fn jitter_has_the_mean_and_deviation_of_its_distribution() {
        let base = Shape {
            delay_ns: 50 * MS,
            jitter_ns: 5 * MS,
            seed: 11,
            ..Shape::default()
        };
        for (distribution, deviation) in [
            (Distribution::Uniform, 5.0 / 3f64.sqrt()),
            (Distribution::Normal, 5.0),
        ] {
            let (mean, measured) = moments(Shape {
                distribution,
                ..base.clone()
            });
            assert!((mean / MS as f64 - 50.0).abs() < 0.1);
            assert!(
                (measured / MS as f64 - deviation).abs() < 0.1,
                "{distribution:?} {measured}"
            );
        }
    }

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        let base = Shape {
            delay_ns: MS,
            jitter_ns: MS,
            loss: 0.1,
            seed: 1,
            ..Shape::default()
        };
        assert_eq!(departures(base.clone(), 100), departures(base.clone(), 100));
        assert_ne!(
            departures(base.clone(), 100),
            departures(Shape { seed: 2, ..base }, 100)
        );
    }

    #[test]
    fn jitter_never_sends_before_the_arrival() {
        let shape = Shape {
            delay_ns: MS,
            jitter_ns: 10 * MS,
            ..Shape::default()
        };
        assert!(departures(shape, 10_000)
            .into_iter()
            .flatten()
            .all(|d| d >= 0));
    }
}
