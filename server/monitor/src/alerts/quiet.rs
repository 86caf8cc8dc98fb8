//! Quiet hours: when nobody is to be disturbed, and when that ends.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use ralex_api::alerts::{Day, QuietHours};
use ralex_kernel::Problem;

/// Quiet hours, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    zone: Tz,
    /// Minutes of the day.
    from: u16,
    to: u16,
    /// Of the week, from 1 for Monday on.
    days: Vec<i16>,
}

/// Several nights that follow each other are one quiet time, but not an endless one.
const MOST_JOINED: usize = 14;

impl Quiet {
    pub fn read(given: &QuietHours) -> Result<Self, Problem> {
        let zone: Tz = given.time_zone.parse().map_err(|_| {
            let rule = "is not the name of a time zone such as Europe/Oslo";
            Problem::field("quiet.time_zone", rule)
        })?;
        let (from, to) = (minute("quiet.from", &given.from)?, minute("quiet.to", &given.to)?);
        if given.days.is_empty() {
            return Err(Problem::field("quiet.days", "must name a day on which they begin"));
        }
        let mut days: Vec<i16> = given.days.iter().map(|day| *day as i16 + 1).collect();
        days.sort_unstable();
        days.dedup();
        Ok(Self { zone, from, to, days })
    }

    /// As the table has it.
    pub fn of_columns(zone: &str, from: i16, to: i16, days: Vec<i16>) -> Option<Self> {
        let (from, to) = (u16::try_from(from).ok()?, u16::try_from(to).ok()?);
        Some(Self { zone: zone.parse().ok()?, from, to, days })
    }

    pub fn columns(&self) -> (String, i16, i16, Vec<i16>) {
        let signed = |minute: u16| i16::try_from(minute).unwrap_or(0);
        (self.zone.name().to_owned(), signed(self.from), signed(self.to), self.days.clone())
    }

    pub fn shown(&self) -> QuietHours {
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let day = |day: &i16| Day::ALL.get(usize::try_from(day - 1).ok()?).copied();
        QuietHours {
            time_zone: self.zone.name().to_owned(),
            from: time(self.from),
            to: time(self.to),
            days: self.days.iter().filter_map(day).collect(),
        }
    }

    /// When the quiet time ends that `now` is in; nothing outside of one.
    pub fn end(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut end = self.end_of_one(now)?;
        for _ in 0..MOST_JOINED {
            match self.end_of_one(end) {
                Some(later) if later > end => end = later,
                _ => break,
            }
        }
        Some(end)
    }

    fn end_of_one(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = now.with_timezone(&self.zone).date_naive();
        [today.pred_opt()?, today].into_iter().find_map(|begins| {
            let day = i16::try_from(begins.weekday().number_from_monday()).ok()?;
            let next = if self.to <= self.from { begins + Days::new(1) } else { begins };
            let (from, to) = (self.at(begins, self.from)?, self.at(next, self.to)?);
            (self.days.contains(&day) && from <= now && now < to).then_some(to)
        })
    }

    /// A local time as an instant; one that a change of clocks leaves out is the first after it.
    fn at(&self, date: NaiveDate, minute: u16) -> Option<DateTime<Utc>> {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::from(minute) * 60, 0)?;
        let mut local = date.and_time(time);
        for _ in 0..=8 {
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                    return Some(at.with_timezone(&Utc));
                }
                LocalResult::None => local += chrono::TimeDelta::minutes(15),
            }
        }
        None
    }
}

fn minute(field: &str, text: &str) -> Result<u16, Problem> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let shaped = hour.len() == 2 && minute.len() == 2;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (shaped && hour < 24 && minute < 60).then_some(hour * 60 + minute)
    });
    parsed.ok_or_else(|| Problem::field(field, "must be a time of the day such as 22:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(zone: &str, from: &str, to: &str, days: &[Day]) -> Quiet {
        Quiet::read(&QuietHours {
            time_zone: zone.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            days: days.to_vec(),
        })
        .unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        // 2026-03-02 is a Monday; Oslo is an hour ahead.
        let nights = quiet("Europe/Oslo", "22:00", "07:00", &[Day::Monday]);
        assert_eq!(nights.end(at("2026-03-02T20:59:00Z")), None);
        let end = Some(at("2026-03-03T06:00:00Z"));
        assert_eq!(nights.end(at("2026-03-02T21:00:00Z")), end);
        assert_eq!(nights.end(at("2026-03-03T05:59:00Z")), end);
        assert_eq!(nights.end(at("2026-03-03T06:00:00Z")), None);
        assert_eq!(nights.end(at("2026-03-03T22:00:00Z")), None);
    }

    #[test]
    fn days_that_follow_each_other_are_one_quiet_time() {
        let weekend = quiet("UTC", "00:00", "00:00", &[Day::Saturday, Day::Sunday]);
        assert_eq!(weekend.end(at("2026-03-07T01:00:00Z")), Some(at("2026-03-09T00:00:00Z")));
        assert_eq!(weekend.end(at("2026-03-06T23:59:00Z")), None);
        let always = quiet("UTC", "00:00", "00:00", Day::ALL);
        assert!(always.end(at("2026-03-07T01:00:00Z")).is_some());
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_is_the_first_after_it() {
        // On 2026-03-29 Oslo goes from 02:00 to 03:00.
        let night = quiet("Europe/Oslo", "23:00", "02:30", &[Day::Saturday]);
        assert_eq!(night.end(at("2026-03-28T23:30:00Z")), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn what_is_no_quiet_time_is_refused_by_its_field() {
        let given = |zone: &str, from: &str, days: Vec<Day>| {
            let (time_zone, from, to) = (zone.to_owned(), from.to_owned(), "07:00".to_owned());
            let problem = Quiet::read(&QuietHours { time_zone, from, to, days }).unwrap_err();
            problem.errors[0].path.clone()
        };
        assert_eq!(given("Mars", "22:00", vec![Day::Monday]), "quiet.time_zone");
        assert_eq!(given("UTC", "24:00", vec![Day::Monday]), "quiet.from");
        assert_eq!(given("UTC", "9:00", vec![Day::Monday]), "quiet.from");
        assert_eq!(given("UTC", "22:00", Vec::new()), "quiet.days");
    }

    #[test]
    fn the_table_gives_back_what_it_was_given() {
        let quiet = quiet("Europe/Oslo", "22:05", "07:00", &[Day::Sunday, Day::Monday]);
        let (zone, from, to, days) = quiet.columns();
        assert_eq!(Quiet::of_columns(&zone, from, to, days).unwrap(), quiet);
        assert_eq!(quiet.shown().days, [Day::Monday, Day::Sunday]);
        assert_eq!(quiet.shown().from, "22:05");
    }
}
