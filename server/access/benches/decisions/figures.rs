//! Many durations, and what is told of them.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

/// In microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    pub count: usize,
    pub mean: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn figures(mut self) -> Figures {
        self.0.sort_unstable();
        let count = self.0.len();
        let sum: Duration = self.0.iter().sum();
        // The value that so many of a hundred do not exceed.
        let at = |hundredths: usize| {
            let rank = (count * hundredths).div_ceil(100).max(1);
            self.0.get(rank - 1).copied().map_or(0.0, microseconds)
        };
        let mean = microseconds(sum) / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
        Figures { count, mean, p50: at(50), p99: at(99), max: at(100) }
    }
}

impl Figures {
    pub const HEAD: &str = "     times      mean       p50       p99       max";
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, mean, p50, p99, max } = self;
        write!(f, "{count:>10}{mean:>10.3}{p50:>10.3}{p99:>10.3}{max:>10.1}")
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
