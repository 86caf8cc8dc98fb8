//! Budget periods: when one starts and when the next begins, in the budget's own time zone.

use serde::{Deserialize, Serialize};

/// How often a budget starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Period {
    Hour,
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    Month,
    Quarter,
    Year,
    /// Never starts anew.
    Total,
    /// The last so many days; each day is a period of its own.
    Rolling,
    /// One run of an agent, from its first call on; each run is a period of its own.
    Run,
}

impl Period {
    pub const ALL: [Self; 9] = [
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
        Self::Year,
        Self::Total,
        Self::Rolling,
        Self::Run,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Total => "total",
            Self::Rolling => "rolling",
            Self::Run => "run",
        }
    }

    /// Whether its bounds depend on when the year starts.
    pub const fn follows_year(self) -> bool {
        match self {
            Self::Month | Self::Quarter | Self::Year => true,
            Self::Hour | Self::Day | Self::Week | Self::Total | Self::Rolling | Self::Run => false,
        }
    }

    /// Whether what is left of one may go on to the next.
    pub const fn carries(self) -> bool {
        match self {
            Self::Hour | Self::Day | Self::Week | Self::Month | Self::Quarter | Self::Year => true,
            Self::Total | Self::Rolling | Self::Run => false,
        }
    }
}

/// The day that a year begins on, and by it the quarters and months of the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct YearStart {
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 12))]
    month: u8,
    /// A day that every month has.
    #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 28))]
    day: u8,
}

impl YearStart {
    /// 1 January.
    pub const CALENDAR: Self = Self { month: 1, day: 1 };

    /// Nothing where there is no such month, or where some months have no such day.
    pub fn new(month: u8, day: u8) -> Option<Self> {
        let good = (1..=12).contains(&month) && (1..=28).contains(&day);
        good.then_some(Self { month, day })
    }

    pub const fn month(self) -> u8 {
        self.month
    }

    pub const fn day(self) -> u8 {
        self.day
    }
}

impl Default for YearStart {
    fn default() -> Self {
        Self::CALENDAR
    }
}

/// A start of the year as it was sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    month: u8,
    day: u8,
}

impl TryFrom<Unchecked> for YearStart {
    type Error = &'static str;

    fn try_from(Unchecked { month, day }: Unchecked) -> Result<Self, Self::Error> {
        Self::new(month, day).ok_or("must be a month from 1 to 12 and a day from 1 to 28")
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use bounds::{Bounds, days_before};

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    use chrono::{
        DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone,
        Timelike, Utc,
    };
    use chrono_tz::Tz;

    use super::{Period, YearStart};

    /// One period: from `starts_at`, included, to `ends_at`, excluded.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Bounds {
        pub starts_at: DateTime<Utc>,
        pub ends_at: DateTime<Utc>,
    }

    impl Period {
        /// The period that `now` falls in, with local midnights of `zone` as its bounds, or local
        /// full hours.
        pub fn bounds(self, zone: Tz, year: YearStart, now: DateTime<Utc>) -> Bounds {
            let today = || day_of(zone, now);
            let (first, next) = match self {
                Self::Hour => return hour(zone, now),
                Self::Day | Self::Rolling => (today(), today() + Days::new(1)),
                Self::Week => {
                    let today = today();
                    let monday = today - Days::new(today.weekday().num_days_from_monday().into());
                    (monday, monday + Days::new(7))
                }
                Self::Month => months(today(), year, 1),
                Self::Quarter => months(today(), year, 3),
                Self::Year => months(today(), year, 12),
                // When a run begins, its first call says.
                Self::Total | Self::Run => {
                    return Bounds { starts_at: DateTime::UNIX_EPOCH, ends_at: FAR_FUTURE };
                }
            };
            Bounds { starts_at: midnight(zone, first), ends_at: midnight(zone, next) }
        }
    }

    /// The first instant of the local day that lies so many days before that of `now`.
    pub fn days_before(zone: Tz, now: DateTime<Utc>, days: u16) -> DateTime<Utc> {
        midnight(zone, day_of(zone, now) - Days::new(days.into()))
    }

    /// 1 January 9999, which PostgreSQL, JSON and every client can still write.
    const FAR_FUTURE: DateTime<Utc> = match DateTime::from_timestamp(253_370_764_800, 0) {
        Some(instant) => instant,
        None => DateTime::<Utc>::MAX_UTC,
    };

    /// Further than any local time is from UTC.
    const FURTHEST: i64 = 26 * 3600;

    /// The local hour, or the part of it before or after the clocks are set: what is set back is
    /// an hour of its own.
    fn hour(zone: Tz, now: DateTime<Utc>) -> Bounds {
        let local = now.with_timezone(&zone).naive_local();
        let into = i64::from(local.minute() * 60 + local.second());
        let now = now.timestamp();
        let (first, last) = (now - into, now - into + 3599);
        let ours = |second: i64| offset(zone, second) == offset(zone, now);
        // Within an hour the clocks are set once at most.
        let starts = if ours(first) { first } else { bisect(first, now, ours) };
        let ends = if ours(last) { last + 1 } else { bisect(now, last, |second| !ours(second)) };
        Bounds { starts_at: instant(starts), ends_at: instant(ends) }
    }

    /// The day whose midnights `now` lies between. Where clocks are set back over midnight, or over
    /// a whole day, that need not be the date that a clock shows.
    fn day_of(zone: Tz, now: DateTime<Utc>) -> NaiveDate {
        let mut day = now.with_timezone(&zone).date_naive();
        while now < midnight(zone, day) {
            day = day - Days::new(1);
        }
        while now >= midnight(zone, day + Days::new(1)) {
            day = day + Days::new(1);
        }
        day
    }

    /// The first days of a span of months and of the next, where the months begin as the year does.
    fn months(today: NaiveDate, year: YearStart, span: i32) -> (NaiveDate, NaiveDate) {
        let day = u32::from(year.day());
        let begun = if today.day() < day { -1 } else { 0 };
        let month = today.year() * 12 + today.month0().cast_signed() + begun;
        let back = (month - i32::from(year.month()) + 1).rem_euclid(span);
        let first = |month: i32| {
            let (year, month0) = (month.div_euclid(12), month.rem_euclid(12).cast_unsigned());
            NaiveDate::from_ymd_opt(year, month0 + 1, day).unwrap_or(today)
        };
        (first(month - back), first(month - back + span))
    }

    /// The first instant of a local day: midnight, the first of two, or where midnight is skipped,
    /// the instant that clocks are set at.
    fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
        let local: NaiveDateTime = day.and_time(NaiveTime::MIN);
        if let Some(start) = zone.from_local_datetime(&local).earliest() {
            return start.with_timezone(&Utc);
        }
        let utc = local.and_utc().timestamp();
        instant(bisect(utc - FURTHEST, utc + FURTHEST, |second| {
            instant(second).naive_utc() + TimeDelta::seconds(offset(zone, second)) >= local
        }))
    }

    /// The first second that is so, where `before` is not and all from some second to `so` are.
    fn bisect(mut before: i64, mut so: i64, is_so: impl Fn(i64) -> bool) -> i64 {
        while so - before > 1 {
            let middle = before + (so - before) / 2;
            if is_so(middle) { so = middle } else { before = middle }
        }
        so
    }

    fn offset(zone: Tz, second: i64) -> i64 {
        let offset = zone.offset_from_utc_datetime(&instant(second).naive_utc());
        i64::from(offset.fix().local_minus_utc())
    }

    fn instant(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap_or(FAR_FUTURE)
    }

    #[cfg(test)]
    mod tests {
        use proptest::prelude::*;

        use super::*;

        fn at(text: &str) -> DateTime<Utc> {
            text.parse().unwrap()
        }

        fn bounds(period: Period, zone: &str, now: &str) -> (DateTime<Utc>, DateTime<Utc>) {
            let bounds = period.bounds(zone.parse().unwrap(), YearStart::CALENDAR, at(now));
            (bounds.starts_at, bounds.ends_at)
        }

        fn fiscal(period: Period, (month, day): (u8, u8), now: &str) -> (String, String) {
            let start = YearStart::new(month, day).unwrap();
            let bounds = period.bounds(Tz::UTC, start, at(now));
            let date = |instant: DateTime<Utc>| instant.date_naive().to_string();
            (date(bounds.starts_at), date(bounds.ends_at))
        }

        #[test]
        fn periods_start_at_local_midnight() {
            for (period, zone, now, starts, ends) in [
                (
                    Period::Day,
                    "Europe/Berlin",
                    "2026-07-01T23:30:00Z",
                    "2026-07-01T22:00:00Z",
                    "2026-07-02T22:00:00Z",
                ),
                (
                    Period::Week,
                    "UTC",
                    "2026-11-22T12:00:00Z",
                    "2026-11-16T00:00:00Z",
                    "2026-11-23T00:00:00Z",
                ),
                (
                    Period::Quarter,
                    "UTC",
                    "2026-11-21T12:00:00Z",
                    "2026-10-01T00:00:00Z",
                    "2027-01-01T00:00:00Z",
                ),
                (
                    Period::Year,
                    "Asia/Tokyo",
                    "2026-12-31T15:00:00Z",
                    "2026-12-31T15:00:00Z",
                    "2027-12-31T15:00:00Z",
                ),
            ] {
                assert_eq!(bounds(period, zone, now), (at(starts), at(ends)), "{period:?}");
            }
        }

        #[test]
        fn a_fiscal_year_moves_years_quarters_and_months() {
            let dates = |from: &str, to: &str| (from.to_owned(), to.to_owned());
            let april = (4, 6);
            let now = "2026-04-05T12:00:00Z";
            assert_eq!(fiscal(Period::Year, april, now), dates("2025-04-06", "2026-04-06"));
            assert_eq!(fiscal(Period::Quarter, april, now), dates("2026-01-06", "2026-04-06"));
            assert_eq!(fiscal(Period::Month, april, now), dates("2026-03-06", "2026-04-06"));
            let now = "2026-04-06T00:00:00Z";
            assert_eq!(fiscal(Period::Year, april, now), dates("2026-04-06", "2027-04-06"));
            let now = "2027-01-01T00:00:00Z";
            assert_eq!(fiscal(Period::Quarter, (11, 1), now), dates("2026-11-01", "2027-02-01"));
            assert_eq!(fiscal(Period::Month, (1, 15), now), dates("2026-12-15", "2027-01-15"));
        }

        #[test]
        fn a_year_starts_on_a_day_that_every_month_has() {
            let read = |text: &str| serde_json::from_str::<YearStart>(text);
            assert_eq!(read(r#"{"month":2,"day":28}"#).unwrap(), YearStart::new(2, 28).unwrap());
            for bad in [r#"{"month":0,"day":1}"#, r#"{"month":13,"day":1}"#] {
                assert!(read(bad).is_err());
            }
            for bad in [r#"{"month":1,"day":0}"#, r#"{"month":1,"day":29}"#, r#"{"month":1}"#] {
                assert!(read(bad).is_err());
            }
        }

        #[test]
        fn the_day_that_daylight_saving_shortens_has_23_hours() {
            let (starts, ends) = bounds(Period::Day, "Europe/Berlin", "2026-03-29T12:00:00Z");
            assert_eq!((ends - starts).num_hours(), 23);
        }

        #[test]
        fn a_day_without_midnight_starts_at_its_first_instant() {
            let (starts, _) = bounds(Period::Day, "Africa/Cairo", "2026-04-24T12:00:00Z");
            assert_eq!(starts, at("2026-04-23T22:00:00Z"));
            // Samoa had no 30 December 2011.
            let (_, ends) = bounds(Period::Day, "Pacific/Apia", "2011-12-30T05:00:00Z");
            assert_eq!(ends, at("2011-12-30T10:00:00Z"));
        }

        #[test]
        fn an_hour_is_local_and_ends_where_clocks_are_set() {
            let kolkata = bounds(Period::Hour, "Asia/Kolkata", "2026-01-01T00:00:00Z");
            assert_eq!(kolkata, (at("2025-12-31T23:30:00Z"), at("2026-01-01T00:30:00Z")));
            // The second of two hours that both are called two o'clock.
            let berlin = bounds(Period::Hour, "Europe/Berlin", "2026-10-25T01:59:59Z");
            assert_eq!(berlin, (at("2026-10-25T01:00:00Z"), at("2026-10-25T02:00:00Z")));
            // Lord Howe sets its clocks back by half an hour, from 2:00 to 1:30.
            let half = bounds(Period::Hour, "Australia/Lord_Howe", "2026-04-04T15:10:00Z");
            assert_eq!(half, (at("2026-04-04T15:00:00Z"), at("2026-04-04T15:30:00Z")));
        }

        /// An instant, most often close to where the clocks of the zone are set.
        fn somewhen() -> impl Strategy<Value = (Tz, i64)> {
            let zone = prop::sample::select(&chrono_tz::TZ_VARIANTS[..]);
            // 1970 to 2100.
            (zone, 0..4_102_444_800_i64, any::<bool>(), -90_000..90_000_i64).prop_map(
                |(zone, second, near, by)| {
                    let year = second + 366 * 86_400;
                    let set = offset(zone, second) != offset(zone, year / 2 + second / 2);
                    if !near || !set {
                        return (zone, second);
                    }
                    let was = offset(zone, second);
                    let at = bisect(second, year / 2 + second / 2, |it| offset(zone, it) != was);
                    (zone, (at + by).max(0))
                },
            )
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(20_000))]

            /// Each instant is in one period of each kind, and in that one only.
            #[test]
            fn periods_tile_time_in_every_zone(
                (zone, second) in somewhen(),
                (month, day) in (1..=12_u8, 1..=28_u8),
            ) {
                let (now, year) = (instant(second), YearStart::new(month, day).unwrap());
                for period in Period::ALL {
                    let this = period.bounds(zone, year, now);
                    prop_assert!(this.starts_at <= now && now < this.ends_at, "{period:?} {this:?}");
                    prop_assert_eq!(period.bounds(zone, year, this.starts_at), this);
                    let last = this.ends_at - TimeDelta::nanoseconds(1);
                    prop_assert_eq!(period.bounds(zone, year, last), this);
                    if !matches!(period, Period::Total | Period::Run) {
                        let next = period.bounds(zone, year, this.ends_at);
                        prop_assert_eq!(next.starts_at, this.ends_at);
                        let before = this.starts_at - TimeDelta::nanoseconds(1);
                        prop_assert_eq!(period.bounds(zone, year, before).ends_at, this.starts_at);
                    }
                }
            }
        }
    }
}
