//! Instants in words: short and relative to read, exact on demand.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How long ago, or how long until: `3 min ago`, `in 5 d`; a date beyond a month.
pub fn relative(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let past = then <= now;
    let distance = if past { now - then } else { then - now };
    if distance < TimeDelta::seconds(10) {
        return if past { "just now" } else { "in a moment" }.to_owned();
    }
    let Some(amount) = amount(distance) else { return date(then.date_naive()) };
    if past { format!("{amount} ago") } else { format!("in {amount}") }
}

fn amount(distance: TimeDelta) -> Option<String> {
    let (seconds, minutes) = (distance.num_seconds(), distance.num_minutes());
    let (hours, days) = (distance.num_hours(), distance.num_days());
    match (minutes, hours, days) {
        (0, ..) => Some(format!("{seconds} s")),
        (_, 0, _) => Some(format!("{minutes} min")),
        (_, 1..=47, _) => Some(format!("{hours} h")),
        (_, _, 0..=30) => Some(format!("{days} d")),
        _ => None,
    }
}

/// `21 Nov 2026`.
pub fn date(day: NaiveDate) -> String {
    let month = MONTHS.get(day.month0() as usize).copied().unwrap_or_default();
    format!("{} {month} {}", day.day(), day.year())
}

/// `21 Nov`, for an axis or a period's end.
pub fn day(instant: DateTime<Utc>) -> String {
    let month = MONTHS.get(instant.month0() as usize).copied().unwrap_or_default();
    format!("{} {month}", instant.day())
}

/// `04:30`.
pub fn hour(instant: DateTime<Utc>) -> String {
    format!("{:02}:{:02}", instant.hour(), instant.minute())
}

/// `21 Nov 2026, 04:30:12 UTC`: every second and the zone, for a tooltip.
pub fn exact(instant: DateTime<Utc>) -> String {
    format!("{}, {}:{:02} UTC", date(instant.date_naive()), hour(instant), instant.second())
}

/// `2026-11-21`, the form that a date field and an address have.
pub fn iso_date(instant: DateTime<Utc>) -> String {
    instant.date_naive().to_string()
}

/// `2026-11-21 04:30 UTC`.
pub fn minute(instant: DateTime<Utc>) -> String {
    format!("{} {} UTC", iso_date(instant), hour(instant))
}

/// Midnight UTC of a day as a date field writes it.
pub fn midnight(text: &str) -> Option<DateTime<Utc>> {
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_distance_reads_in_its_largest_fitting_unit() {
        let now = at("2026-11-21T12:00:00Z");
        for (then, words) in [
            ("2026-11-21T11:59:58Z", "just now"),
            ("2026-11-21T11:59:15Z", "45 s ago"),
            ("2026-11-21T11:57:00Z", "3 min ago"),
            ("2026-11-20T12:00:00Z", "24 h ago"),
            ("2026-11-09T12:00:00Z", "12 d ago"),
            ("2026-01-02T12:00:00Z", "2 Jan 2026"),
            ("2026-11-26T12:00:01Z", "in 5 d"),
            ("2026-11-21T12:00:05Z", "in a moment"),
        ] {
            assert_eq!(relative(now, at(then)), words);
        }
    }

    #[test]
    fn an_exact_instant_names_its_second_and_its_zone() {
        assert_eq!(exact(at("2026-11-21T04:30:12.5Z")), "21 Nov 2026, 04:30:12 UTC");
    }

    #[test]
    fn a_date_field_is_midnight_utc() {
        assert_eq!(midnight("2026-03-01"), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(midnight("2026-3"), None);
        assert_eq!(iso_date(at("2026-03-01T23:00:00Z")), "2026-03-01");
    }
}
