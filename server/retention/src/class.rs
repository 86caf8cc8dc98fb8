//! Classes of events are data, `policies/audit/retention.toml`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_audit::PruneRules;
use ralex_kernel::{Code, Problem};
use serde::Deserialize;

use crate::records::Records;

/// Events that are kept equally long.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Class {
    pub name: String,
    pub label: String,
    pub minimum_days: u32,
    pub actions: Vec<String>,
}

/// All that stands there: the classes of events, and what may be chosen for records of calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Classes {
    pub class: Vec<Class>,
    pub records: Records,
}

pub(crate) fn built_in() -> Result<Classes, Problem> {
    toml::from_str(include_str!("../../../policies/audit/retention.toml")).map_err(|error| {
        let detail = format!("policies/audit/retention.toml cannot be read: {error}");
        Problem::new(Code::Internal, detail)
    })
}

/// What may go now, where each class is kept so many days, and for ever without any.
pub(crate) fn rules(
    classes: &[Class],
    days: &BTreeMap<String, u32>,
    now: DateTime<Utc>,
) -> PruneRules {
    let mut rules = PruneRules::default();
    for class in classes {
        // What was chosen when less was allowed is not less than what is allowed now.
        let kept = days.get(&class.name).map(|days| (*days).max(class.minimum_days));
        let before = kept.and_then(|days| now.checked_sub_signed(TimeDelta::days(days.into())));
        if class.actions.is_empty() {
            rules.others = before;
        }
        rules.named.extend(class.actions.iter().map(|action| (action.clone(), before)));
    }
    rules
}

/// When an event of this action and time is pruned at the latest; never where its class is kept for
/// ever, or where it is the log's own.
pub(crate) fn kept_until(
    classes: &[Class],
    days: &BTreeMap<String, u32>,
    action: &str,
    at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if action.starts_with("audit.") {
        return None;
    }
    let named = |class: &&Class| class.actions.iter().any(|start| action.starts_with(start));
    let rest = |class: &&Class| class.actions.is_empty();
    let class = classes.iter().find(named).or_else(|| classes.iter().find(rest))?;
    let kept = (*days.get(&class.name)?).max(class.minimum_days);
    at.checked_add_signed(TimeDelta::days(kept.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_minimum_and_one_takes_what_no_other_does() {
        let Classes { class: classes, records } = built_in().unwrap();
        assert!(records.minimum_days >= 35, "what the database keeps whatever is chosen");
        assert!(classes.iter().all(|class| class.minimum_days >= 30));
        assert_eq!(classes.iter().filter(|class| class.actions.is_empty()).count(), 1);
        let all = classes.iter().flat_map(|class| &class.actions);
        assert!(all.clone().all(|action| action.ends_with('.') && action != "audit."));
    }

    #[test]
    fn without_a_word_everything_is_kept_and_no_word_is_less_than_the_minimum() {
        let (classes, now) = (built_in().unwrap().class, Utc::now());
        let none = rules(&classes, &BTreeMap::new(), now);
        assert!(none.others.is_none() && none.named.iter().all(|(_, before)| before.is_none()));
        let days = BTreeMap::from([("changes".to_owned(), 1), ("calls".to_owned(), 40)]);
        let some = rules(&classes, &days, now);
        assert_eq!(some.others, Some(now - TimeDelta::days(365)));
        let calls = some.named.iter().find(|(action, _)| action == "call.").unwrap();
        assert_eq!(calls.1, Some(now - TimeDelta::days(40)));
    }
}
