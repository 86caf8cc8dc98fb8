//! A rate limit that is tried on calls that were made. A call counts with what it used, from when it
//! began: what it might have used at most is not on record.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::rate_limits::{Measure, NewRateLimit};
use ralex_kernel::Problem;

use super::Fate;
use crate::sql::replay::Recorded;

pub(super) struct Trial {
    measure: Measure,
    amount: u64,
    window: TimeDelta,
    /// What was let through within the window, and together.
    within: VecDeque<(DateTime<Utc>, u64)>,
    taken: u64,
}

impl Trial {
    pub fn of(limit: &NewRateLimit) -> Result<Self, Problem> {
        if limit.amount == 0 {
            return Err(Problem::field("amount", "must be 1 or more"));
        }
        let seconds = limit.window_seconds.unwrap_or(60);
        if !(1..=2_678_400).contains(&seconds) {
            return Err(Problem::field("window_seconds", "must be from 1 to 2678400"));
        }
        Ok(Self {
            measure: limit.measure,
            amount: limit.amount,
            window: TimeDelta::seconds(seconds.into()),
            within: VecDeque::new(),
            taken: 0,
        })
    }

    fn units(&self, call: &Recorded) -> u64 {
        let input = [call.input_tokens, call.cache_read_tokens, call.cache_write_tokens];
        let input = input.map(i64::unsigned_abs).iter().sum::<u64>();
        let output = call.output_tokens.unsigned_abs();
        match self.measure {
            Measure::Requests => 1,
            Measure::InputTokens => input,
            Measure::OutputTokens => output,
            Measure::Tokens => input.saturating_add(output),
        }
    }
}

impl super::Trial for Trial {
    fn take(&mut self, call: &Recorded) -> Fate {
        let since = call.started_at - self.window;
        while let Some((_, units)) = self.within.pop_front_if(|(at, _)| *at <= since) {
            self.taken -= units;
        }
        let units = self.units(call);
        if self.taken.saturating_add(units) > self.amount {
            return Fate::Refused;
        }
        self.taken += units;
        self.within.push_back((call.started_at, units));
        Fate::Passed { cost: call.cost }
    }
}
