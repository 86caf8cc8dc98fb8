//! The book of kinds: their words, and when figures are worth an alert (`policies/monitor`).

use std::collections::BTreeMap;

use ralex_api::alerts::{AlertKind, AlertKindInfo, Severity};
use ralex_kernel::{Code, Money, Problem};
use serde::Deserialize;
use serde_json::{Map, Value};

const BUILT_IN: &str = include_str!("../../../../policies/monitor/alerts.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    pub watch: Watch,
    pub delivery: Delivery,
    kinds: BTreeMap<AlertKind, Kind>,
}

/// When figures are worth an alert.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watch {
    pub sink_lag_minutes: i32,
    pub forecast_percent: u8,
    pub forecast_spent_percent: i64,
    pub look_minutes: i64,
    pub failed_logins: u64,
}

/// How deliveries are tried again.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    pub first_pause_seconds: u64,
    pub longest_pause_seconds: u64,
    pub give_up_hours: i64,
    pub together_from: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    name: String,
    meaning: String,
    severity: Severity,
    #[serde(default = "yes")]
    usual: bool,
    title: String,
}

const fn yes() -> bool {
    true
}

impl Book {
    pub fn built_in() -> Result<Self, Problem> {
        let wrong = |why: String| Problem::new(Code::Internal, format!("policies/monitor: {why}"));
        let book: Self = toml::from_str(BUILT_IN).map_err(|error| wrong(error.to_string()))?;
        let missing = AlertKind::ALL.iter().find(|kind| !book.kinds.contains_key(kind));
        missing.map_or(Ok(book), |kind| Err(wrong(format!("nothing is said of {kind}"))))
    }

    pub fn kinds(&self) -> Vec<AlertKindInfo> {
        let told = |(kind, it): (&AlertKind, &Kind)| AlertKindInfo {
            kind: *kind,
            name: it.name.clone(),
            meaning: it.meaning.clone(),
            severity: it.severity,
            usual: it.usual,
        };
        self.kinds.iter().map(told).collect()
    }

    pub fn severity(&self, kind: AlertKind) -> Severity {
        self.kinds.get(&kind).map_or(Severity::Critical, |it| it.severity)
    }

    /// Whether a rule that names no kinds tells of it.
    pub fn is_usual(&self, kind: AlertKind) -> bool {
        self.kinds.get(&kind).is_none_or(|it| it.usual)
    }

    /// When it is raised, and what to do.
    pub fn meaning(&self, kind: AlertKind) -> &str {
        self.kinds.get(&kind).map_or("", |it| &it.meaning)
    }

    /// The title of an alert with these values.
    pub fn title(&self, kind: AlertKind, detail: &Map<String, Value>) -> String {
        let mut rest = self.kinds.get(&kind).map_or("", |it| it.title.as_str());
        let mut title = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            title.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            title.push_str(&value(name, detail));
            rest = after;
        }
        title + rest
    }
}

fn value(name: &str, detail: &Map<String, Value>) -> String {
    let plain = |name| match detail.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "?".to_owned(),
    };
    let Some(amount) = name.strip_prefix('$') else { return plain(name) };
    let amount = plain(amount);
    amount.parse().map_or(amount, dollars)
}

/// Two decimals from a dollar up, enough digits below.
pub(crate) fn dollars(amount: Money) -> String {
    let nanos = amount.as_nanos().unsigned_abs();
    let sign = if amount.as_nanos() < 0 { "-" } else { "" };
    let (whole, part) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    if whole > 0 || part == 0 {
        return format!("{sign}${whole}.{:02}", part / 10_000_000);
    }
    let digits = format!("{part:09}");
    // Two digits that say something, and at least cents.
    let zeros = digits.bytes().take_while(|digit| *digit == b'0').count();
    format!("{sign}$0.{}", &digits[..(zeros + 2).clamp(2, 9)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_book_knows_every_kind() {
        assert_eq!(Book::built_in().unwrap().kinds().len(), AlertKind::ALL.len());
    }

    #[test]
    fn a_title_is_written_with_the_values_of_the_alert() {
        let detail = json!({ "percent": 80, "budget": "monthly budget of {Blue}", "spent": "81.234", "limit": "100" });
        let title = Book::built_in().unwrap();
        let title = title.title(AlertKind::BudgetThreshold, detail.as_object().unwrap());
        assert_eq!(title, "80% of the monthly budget of {Blue} is spent: $81.23 of $100.00");
    }

    #[test]
    fn small_amounts_keep_the_digits_that_say_something() {
        for (amount, shown) in [
            ("0", "$0.00"),
            ("0.5", "$0.50"),
            ("0.000012345", "$0.000012"),
            ("12.999", "$12.99"),
            ("0.000000001", "$0.000000001"),
        ] {
            assert_eq!(dollars(amount.parse().unwrap()), shown);
        }
    }
}
