//! Ranges of time: which days and hours are covered whole, and what remains at both ends.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use chrono_tz::Tz;
use ralex_api::usage::Bucket;
use ralex_kernel::{Period, Problem, YearStart};

/// Hours are kept for as long as calls are; more than this is a slip of the pen.
const LONGEST: TimeDelta = TimeDelta::days(3_660);
/// A series, or rows of hours, of more than this is nothing that anybody could look at.
const MOST_PARTS: i64 = 2_400;
const USUAL: TimeDelta = TimeDelta::days(30);

/// `from <= first <= first_day <= last_day <= last`, and so is `to`, but that the hour and the day that
/// run are whole too. Between them are whole hours, and within those whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub from: DateTime<Utc>,
    pub first: DateTime<Utc>,
    pub first_day: DateTime<Utc>,
    pub last_day: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Range {
    /// The last 30 days where nothing is said.
    pub fn of(
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let to = to.unwrap_or(now);
        let from = from.unwrap_or_else(|| hour(to - USUAL));
        if from > to {
            return Err(Problem::field("from", "is later than `to`"));
        }
        if to - from > LONGEST {
            return Err(Problem::field("from", "is more than ten years before `to`"));
        }
        Ok(Self::between(from, to, now))
    }

    /// Nothing has started yet after `now`, so the hour and the day that run are whole where they are
    /// asked for up to now.
    pub fn between(from: DateTime<Utc>, to: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let end = |bucket| if to >= now { next(to, bucket) } else { begin(to, bucket) };
        let (first, last) = (next(from, Bucket::Hour), end(Bucket::Hour));
        if first > last {
            // Both are within one hour.
            return Self { from, first: to, first_day: to, last_day: to, last: to, to };
        }
        let (first_day, last_day) = (next(first, Bucket::Day), end(Bucket::Day));
        if first_day >= last_day {
            return Self { from, first, first_day: last, last_day: last, last, to };
        }
        Self { from, first, first_day, last_day, last: last.max(last_day), to }
    }

    /// The same with whole hours at both ends, where calls of those hours were pruned: then only sums tell
    /// of them.
    pub fn before_pruning(self, all_from: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let Some(all_from) = all_from else { return self };
        let from = if self.from < all_from { hour(self.from) } else { self.from };
        let to = if hour(self.to) < all_from { next(self.to, Bucket::Hour) } else { self.to };
        Self::between(from, to, now)
    }

    /// The same with no day taken whole, for those who tell hours apart.
    pub fn by_the_hour(self) -> Self {
        Self { first_day: self.last, last_day: self.last, ..self }
    }

    /// When each part begins, the first one as early as its full hour or the zone's midnight.
    pub fn parts(&self, bucket: Bucket, zone: Tz) -> Result<Vec<DateTime<Utc>>, Problem> {
        let count = (self.to - self.from).num_seconds() / length(bucket).num_seconds();
        if count > MOST_PARTS {
            let rule =
                format!("leaves more than {MOST_PARTS} parts of a {bucket}: ask for less time");
            return Err(Problem::field("from", rule));
        }
        Ok(match bucket {
            Bucket::Hour => self.hours(),
            Bucket::Day => self.days(zone),
        })
    }

    /// When each hour begins.
    pub fn hours(&self) -> Vec<DateTime<Utc>> {
        let begins = |at: &DateTime<Utc>| Some(*at + length(Bucket::Hour));
        let hours = std::iter::successors(Some(hour(self.from)), begins);
        hours.take_while(|at| *at < self.to).collect()
    }

    /// When each day of the zone begins, which where clocks are set is not 24 hours after the last.
    pub fn days(&self, zone: Tz) -> Vec<DateTime<Utc>> {
        let day = |at| Period::Day.bounds(zone, YearStart::CALENDAR, at);
        let mut days = Vec::new();
        let mut bounds = day(self.from);
        while bounds.starts_at < self.to {
            days.push(bounds.starts_at);
            bounds = day(bounds.ends_at);
        }
        days
    }
}

/// When the part that `at` is in begins.
pub(crate) fn begin(at: DateTime<Utc>, bucket: Bucket) -> DateTime<Utc> {
    at.duration_trunc(length(bucket)).unwrap_or(at)
}

fn length(bucket: Bucket) -> TimeDelta {
    match bucket {
        Bucket::Hour => TimeDelta::hours(1),
        Bucket::Day => TimeDelta::days(1),
    }
}

pub(crate) fn hour(at: DateTime<Utc>) -> DateTime<Utc> {
    begin(at, Bucket::Hour)
}

/// When the next part begins, or the one that begins at `at`.
fn next(at: DateTime<Utc>, bucket: Bucket) -> DateTime<Utc> {
    let begun = begin(at, bucket);
    if begun == at { at } else { begun + length(bucket) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    fn between(from: &str, to: &str) -> Range {
        Range::between(at(from), at(to), at("18:20:00"))
    }

    #[test]
    fn whole_hours_lie_between_the_two_ends() {
        for (from, to, first, last) in [
            ("10:00:00", "12:00:00", "10:00:00", "12:00:00"),
            ("09:30:00", "12:15:00", "10:00:00", "12:00:00"),
            ("09:30:00", "10:15:00", "10:00:00", "10:00:00"),
            ("09:30:00", "09:45:00", "09:45:00", "09:45:00"),
            ("09:30:00", "09:30:00", "09:30:00", "09:30:00"),
            ("17:30:00", "18:20:00", "18:00:00", "19:00:00"),
            ("17:30:00", "18:19:59", "18:00:00", "18:00:00"),
        ] {
            let range = between(from, to);
            assert_eq!((range.first, range.last), (at(first), at(last)), "{from} to {to}");
        }
    }

    #[test]
    fn whole_days_lie_between_whole_hours() {
        let now: DateTime<Utc> = "2026-03-10T18:20:00Z".parse().unwrap();
        for (from, to, first_day, last_day) in [
            ("03-01T10:30:00", "03-05T12:10:00", "03-02T00:00:00", "03-05T00:00:00"),
            ("03-01T00:00:00", "03-02T00:00:00", "03-01T00:00:00", "03-02T00:00:00"),
            ("03-01T10:30:00", "03-02T12:10:00", "03-02T12:00:00", "03-02T12:00:00"),
            ("03-01T10:30:00", "03-01T12:10:00", "03-01T12:00:00", "03-01T12:00:00"),
            ("03-09T10:30:00", "03-10T18:20:00", "03-10T00:00:00", "03-11T00:00:00"),
        ] {
            let [from, to, first_day, last_day] = [from, to, first_day, last_day]
                .map(|text| format!("2026-{text}Z").parse::<DateTime<Utc>>().unwrap());
            let range = Range::between(from, to, now);
            assert_eq!((range.first_day, range.last_day), (first_day, last_day), "{from} to {to}");
            assert!(range.from <= range.first && range.first <= range.first_day);
            assert!(range.first_day <= range.last_day && range.last_day <= range.last);
            let hours = range.by_the_hour();
            assert_eq!(
                (hours.first, hours.first_day, hours.last),
                (range.first, range.last, range.last)
            );
        }
    }

    #[test]
    fn only_ends_of_which_calls_were_pruned_take_in_their_whole_hour() {
        let now = at("18:20:00");
        for (from, to, all_from, then) in [
            ("09:30:00", "12:15:00", "09:30:00", ("09:30:00", "12:15:00")),
            ("09:30:00", "12:15:00", "09:31:00", ("09:00:00", "12:15:00")),
            ("09:30:00", "12:15:00", "12:00:00", ("09:00:00", "12:15:00")),
            ("09:30:00", "12:15:00", "12:10:00", ("09:00:00", "13:00:00")),
            ("09:00:00", "12:00:00", "15:00:00", ("09:00:00", "12:00:00")),
        ] {
            let range = between(from, to).before_pruning(Some(at(all_from)), now);
            assert_eq!((range.from, range.to), (at(then.0), at(then.1)), "{from} {to} {all_from}");
            assert_eq!(range.from == range.first, range.from < at(all_from) || from == "09:00:00");
        }
        assert_eq!(between("09:30:00", "12:15:00").before_pruning(None, now).from, at("09:30:00"));
    }

    #[test]
    fn parts_cover_a_range_and_no_more() {
        let parts = between("09:30:00", "12:00:00").parts(Bucket::Hour, Tz::UTC).unwrap();
        assert_eq!(parts, [at("09:00:00"), at("10:00:00"), at("11:00:00")]);
        let day = between("09:30:00", "12:00:00").parts(Bucket::Day, Tz::UTC).unwrap();
        assert_eq!(day, [at("00:00:00")]);
        assert_eq!(between("09:30:00", "09:30:00").parts(Bucket::Day, Tz::UTC).unwrap().len(), 1);
        let long =
            Range::between(at("00:00:00") - TimeDelta::days(101), at("00:00:00"), at("01:00:00"));
        assert_eq!(long.parts(Bucket::Hour, Tz::UTC).unwrap_err().status, 422);
        assert_eq!(long.parts(Bucket::Day, Tz::UTC).unwrap().len(), 101);
    }

    #[test]
    fn a_range_that_runs_backwards_or_for_ever_is_refused() {
        let now = at("18:20:00");
        for from in ["2026-03-01T19:00:00Z", "1990-01-01T00:00:00Z"] {
            let refused = Range::of(Some(from.parse().unwrap()), None, now).unwrap_err();
            assert_eq!(refused.status, 422, "{from}");
        }
        let usual = Range::of(None, None, now).unwrap();
        assert_eq!((usual.from, usual.to), (at("18:00:00") - TimeDelta::days(30), now));
        assert_eq!(usual.from, usual.first);
    }
}
