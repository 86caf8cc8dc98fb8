//! Budget periods: when one starts and when the next begins, in the budget's own time zone.

use serde::{Deserialize, Serialize};

/// How often a budget starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Period {
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    Month,
    Quarter,
    /// Never starts anew.
    Total,
}

impl Period {
    pub const ALL: [Self; 5] = [Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Total];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Total => "total",
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use bounds::Bounds;

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeZone, Utc};
    use chrono_tz::Tz;

    use super::Period;

    /// One period: from `starts_at`, included, to `ends_at`, excluded.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Bounds {
        pub starts_at: DateTime<Utc>,
        pub ends_at: DateTime<Utc>,
    }

    impl Period {
        /// The period that `now` falls in, with local midnights of `zone` as its bounds.
        pub fn bounds(self, zone: Tz, now: DateTime<Utc>) -> Bounds {
            let today = now.with_timezone(&zone).date_naive();
            let (first, next) = match self {
                Self::Day => (today, today + Days::new(1)),
                Self::Week => {
                    let back = u64::from(today.weekday().num_days_from_monday());
                    let monday = today - Days::new(back);
                    (monday, monday + Days::new(7))
                }
                Self::Month => months(today, 1),
                Self::Quarter => months(today, 3),
                Self::Total => {
                    return Bounds { starts_at: DateTime::UNIX_EPOCH, ends_at: FAR_FUTURE };
                }
            };
            Bounds { starts_at: midnight(zone, first), ends_at: midnight(zone, next) }
        }
    }

    /// 1 January 9999, which PostgreSQL, JSON and every client can still write.
    const FAR_FUTURE: DateTime<Utc> = match DateTime::from_timestamp(253_370_764_800, 0) {
        Some(instant) => instant,
        None => DateTime::<Utc>::MAX_UTC,
    };

    fn months(today: NaiveDate, span: u32) -> (NaiveDate, NaiveDate) {
        let month0 = today.month0() / span * span;
        let first = today.with_day(1).and_then(|day| day.with_month0(month0)).unwrap_or(today);
        (first, first + Months::new(span))
    }

    /// The first instant of a local day: midnight, or where daylight saving skips it, the first
    /// whole quarter of an hour that exists.
    fn midnight(zone: Tz, day: NaiveDate) -> DateTime<Utc> {
        (0..=12)
            .filter_map(|quarter| day.and_hms_opt(quarter / 4, quarter % 4 * 15, 0))
            .find_map(|local| zone.from_local_datetime(&local).earliest())
            .map_or_else(
                || day.and_time(chrono::NaiveTime::MIN).and_utc(),
                |start| start.with_timezone(&Utc),
            )
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn at(text: &str) -> DateTime<Utc> {
            text.parse().unwrap()
        }

        fn starts_and_ends(period: Period, zone: &str, now: &str) -> (String, String) {
            let bounds = period.bounds(zone.parse().unwrap(), at(now));
            (bounds.starts_at.to_rfc3339(), bounds.ends_at.to_rfc3339())
        }

        #[test]
        fn periods_start_at_local_midnight() {
            let (start, end) =
                starts_and_ends(Period::Day, "Europe/Berlin", "2026-07-01T23:30:00Z");
            assert_eq!(
                (start.as_str(), end.as_str()),
                ("2026-07-01T22:00:00+00:00", "2026-07-02T22:00:00+00:00")
            );
            let (start, end) = starts_and_ends(Period::Week, "UTC", "2026-11-22T12:00:00Z");
            assert_eq!(
                (start.as_str(), end.as_str()),
                ("2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00")
            );
            let (start, end) = starts_and_ends(Period::Quarter, "UTC", "2026-11-21T12:00:00Z");
            assert_eq!(
                (start.as_str(), end.as_str()),
                ("2026-10-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
            );
        }

        #[test]
        fn the_day_that_daylight_saving_shortens_has_23_hours() {
            let bounds =
                Period::Day.bounds("Europe/Berlin".parse().unwrap(), at("2026-03-29T12:00:00Z"));
            assert_eq!((bounds.ends_at - bounds.starts_at).num_hours(), 23);
        }

        #[test]
        fn a_day_without_midnight_starts_at_its_first_instant() {
            let bounds =
                Period::Day.bounds("Africa/Cairo".parse().unwrap(), at("2026-04-24T12:00:00Z"));
            assert_eq!(bounds.starts_at, at("2026-04-23T22:00:00Z"));
        }

        #[test]
        fn periods_follow_each_other_without_gap_or_overlap() {
            for period in [Period::Day, Period::Week, Period::Month, Period::Quarter] {
                for zone in ["UTC", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"] {
                    let zone: Tz = zone.parse().unwrap();
                    let mut now = at("2025-12-31T23:59:59Z");
                    for _ in 0..40 {
                        let this = period.bounds(zone, now);
                        assert!(this.starts_at <= now && now < this.ends_at);
                        assert_eq!(period.bounds(zone, this.ends_at).starts_at, this.ends_at);
                        now = this.ends_at;
                    }
                }
            }
        }
    }
}
