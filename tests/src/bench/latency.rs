//! Many durations, and what is told of them.

use std::time::Duration;

use serde::Serialize;

#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub count: usize,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

impl Latencies {
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn percentiles(mut self) -> Percentiles {
        self.0.sort_unstable();
        let sum: Duration = self.0.iter().sum();
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX).max(1);
        Percentiles {
            count: self.0.len(),
            mean: milliseconds(sum / count),
            p50: self.at(500),
            p90: self.at(900),
            p99: self.at(990),
            p99_9: self.at(999),
            max: self.at(1000),
        }
    }

    /// The value that so many of a thousand do not exceed, of sorted values.
    fn at(&self, thousandths: usize) -> f64 {
        let rank = (self.0.len() * thousandths).div_ceil(1000).max(1);
        self.0.get(rank - 1).copied().map_or(0.0, milliseconds)
    }
}

impl Percentiles {
    /// What these are above others, percentile by percentile.
    pub fn above(&self, other: &Self) -> Self {
        Self {
            count: self.count,
            mean: self.mean - other.mean,
            p50: self.p50 - other.p50,
            p90: self.p90 - other.p90,
            p99: self.p99 - other.p99,
            p99_9: self.p99_9 - other.p99_9,
            max: self.max - other.max,
        }
    }
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut latencies = Latencies::default();
        for value in (1..=1000).rev() {
            latencies.add(Duration::from_millis(value));
        }
        let found = latencies.percentiles();
        let told = [found.p50, found.p90, found.p99, found.p99_9, found.max];
        let wanted = [500.0, 900.0, 990.0, 999.0, 1000.0];
        assert!(told.iter().zip(wanted).all(|(told, wanted)| (told - wanted).abs() < 1e-9));
    }

    #[test]
    fn nothing_measured_is_nothing_and_no_panic() {
        assert_eq!(Latencies::default().percentiles(), Percentiles::default());
    }
}
