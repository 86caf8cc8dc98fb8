//! The calendar: when a schedule asks, and about which time.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use ralex_api::reports::ReportEvery;
use ralex_kernel::{Period, YearStart};

/// On which day and at which hour of each week, month or quarter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar {
    pub every: ReportEvery,
    pub day: u8,
    pub hour: u8,
    pub zone: Tz,
}

impl Calendar {
    /// The first time after `now`.
    pub fn next(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (starts, ends) = self.bounds(now);
        let this = self.within(starts);
        if this > now { this } else { self.within(ends) }
    }

    /// The week, month or quarter that had ended at that time.
    pub fn ended(self, at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let (starts, _) = self.bounds(at);
        self.bounds(starts - TimeDelta::seconds(1))
    }

    /// The last time that is due until `until`, from one that is due on.
    pub fn last(self, due: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let mut last = due;
        loop {
            let next = self.next(last);
            if next > until || next <= last {
                return last;
            }
            last = next;
        }
    }

    fn bounds(self, at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let period = match self.every {
            ReportEvery::Week => Period::Week,
            ReportEvery::Month => Period::Month,
            ReportEvery::Quarter => Period::Quarter,
        };
        let bounds = period.bounds(self.zone, YearStart::CALENDAR, at);
        (bounds.starts_at, bounds.ends_at)
    }

    /// The day and hour within what begins then. An hour that the clocks leave out is the next one.
    fn within(self, starts: DateTime<Utc>) -> DateTime<Utc> {
        let first = starts.with_timezone(&self.zone).date_naive();
        let days = Days::new(u64::from(self.day.saturating_sub(1)));
        let day = first.checked_add_days(days).unwrap_or(first);
        let hour = NaiveTime::from_hms_opt(u32::from(self.hour), 0, 0).unwrap_or(NaiveTime::MIN);
        let local = day.and_time(hour);
        let there = [0, 1, 2].into_iter().find_map(|later| {
            self.zone.from_local_datetime(&(local + TimeDelta::hours(later))).earliest()
        });
        there.map_or(starts, |there| there.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_schedule_asks_once_in_each_period_about_the_one_before() {
        let zone = chrono_tz::Europe::Berlin;
        let calendar = Calendar { every: ReportEvery::Month, day: 3, hour: 6, zone };
        let next = calendar.next(at("2026-03-02T12:00:00Z"));
        assert_eq!(next, at("2026-03-03T05:00:00Z"));
        assert_eq!(calendar.ended(next), (at("2026-01-31T23:00:00Z"), at("2026-02-28T23:00:00Z")));
        assert_eq!(calendar.next(next), at("2026-04-03T04:00:00Z"), "in summer time");
        let weekly = Calendar { every: ReportEvery::Week, day: 1, hour: 0, zone: Tz::UTC };
        assert_eq!(weekly.next(at("2026-03-02T00:00:00Z")), at("2026-03-09T00:00:00Z"));
        let quarterly = Calendar { every: ReportEvery::Quarter, day: 1, hour: 0, zone: Tz::UTC };
        let next = quarterly.next(at("2026-05-05T00:00:00Z"));
        assert_eq!(quarterly.ended(next), (at("2026-04-01T00:00:00Z"), at("2026-07-01T00:00:00Z")));
    }

    #[test]
    fn of_what_was_missed_the_last_is_due() {
        let weekly = Calendar { every: ReportEvery::Week, day: 1, hour: 0, zone: Tz::UTC };
        let due = at("2026-03-02T00:00:00Z");
        assert_eq!(weekly.last(due, at("2026-03-01T00:00:00Z")), due);
        assert_eq!(weekly.last(due, at("2026-03-08T23:00:00Z")), due);
        assert_eq!(weekly.last(due, at("2026-03-31T12:00:00Z")), at("2026-03-30T00:00:00Z"));
    }

    #[test]
    fn an_hour_that_the_clocks_leave_out_is_the_next_one() {
        let zone = chrono_tz::Europe::Berlin;
        let calendar = Calendar { every: ReportEvery::Week, day: 7, hour: 2, zone };
        assert_eq!(calendar.next(at("2026-03-27T00:00:00Z")), at("2026-03-29T01:00:00Z"));
    }
}
