//! Leaves: the exact text of an event that the tree hashes.
//!
//! Deterministic JSON in the manner of RFC 8785: keys in order, no white space, and no numbers
//! but whole ones, so that the text of an event has one form. It is made once, when the event is
//! recorded, and stored as it is; nobody ever has to make it again to check a hash. What is
//! personal in it stands there as a commitment, since the text itself can never change.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_kernel::{EventId, OrgId, RequestId};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::event::{Whose, address};
use crate::personal::Hidden;
use crate::personal::commitment::commit;
use crate::{Author, Entry, Outcome};

/// The form of the leaf's text. A reader that knows a later one still verifies the earlier ones.
///
/// 2: personal values are commitments, `{"...": digest}`; in 1 they stand there themselves.
const SCHEMA_VERSION: u32 = 2;

/// An event as it is hashed, and what the table's search columns take from it.
pub(crate) struct Leaf {
    pub text: Vec<u8>,
    pub action: String,
    pub outcome: Outcome,
    pub target: Option<String>,
    /// What its commitments are about.
    pub hidden: Vec<Hidden>,
}

// The order of the fields is the order of the keys, and that is alphabetical.
#[derive(Serialize)]
struct Record<'a> {
    action: &'a str,
    actor: Actor,
    address: Value,
    detail: Sorted<'a>,
    event_id: EventId,
    occurred_at: String,
    org: OrgId,
    outcome: Outcome,
    request: Option<RequestId>,
    schema_version: u32,
    target: Option<&'a str>,
}

#[derive(Serialize)]
struct Actor {
    credential_id: Option<Uuid>,
    credential_kind: &'static str,
    id: Option<Uuid>,
    kind: &'static str,
}

impl Actor {
    fn of(author: &Author) -> Self {
        Self {
            credential_id: author.credential.id(),
            credential_kind: author.credential.kind(),
            id: author.actor_id(),
            kind: author.subject.kind(),
        }
    }
}

impl Leaf {
    pub fn of(entry: &Entry) -> Result<Self, serde_json::Error> {
        let mut parts = serde_json::to_value(&entry.event)?;
        let action = parts.get("action").and_then(Value::as_str).unwrap_or_default().to_owned();
        let outcome = entry.event.outcome();
        let target = entry.event.target();
        let mut hiding = Hiding { entry, hidden: Vec::new() };
        for (path, whose) in entry.event.personal() {
            if let Some(value) = parts.pointer_mut(&format!("/detail{path}")) {
                *value = hiding.commit(value, whose);
            }
        }
        let address = hiding.address();
        let record = Record {
            action: &action,
            actor: Actor::of(&entry.author),
            address,
            detail: Sorted(parts.get("detail").unwrap_or(&Value::Null)),
            event_id: entry.id,
            occurred_at: written_time(entry.occurred_at),
            org: entry.author.org,
            outcome,
            request: entry.author.request,
            schema_version: SCHEMA_VERSION,
            target: target.as_deref(),
        };
        let text = serde_json::to_vec(&record)?;
        Ok(Self { text, action, outcome, target, hidden: hiding.hidden })
    }
}

/// Takes personal values out of a record, and keeps them apart.
struct Hiding<'a> {
    entry: &'a Entry,
    hidden: Vec<Hidden>,
}

impl Hiding<'_> {
    fn commit(&mut self, value: &Value, whose: Whose) -> Value {
        let (plain, commitment) = commit(value);
        self.hidden.push(Hidden {
            org: self.entry.author.org,
            event: self.entry.id.uuid(),
            place: i16::try_from(self.hidden.len()).unwrap_or(i16::MAX),
            whose,
            plain: Zeroizing::new(plain),
        });
        commitment
    }

    fn address(&mut self) -> Value {
        let author = &self.entry.author;
        match address(author, &self.entry.event) {
            Some((address, whose)) => self.commit(&Value::from(address.to_string()), whose),
            None => author.address.map_or(Value::Null, |address| address.to_string().into()),
        }
    }
}

/// RFC 3339 with microseconds, which is exactly what PostgreSQL keeps.
pub(crate) fn written_time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A JSON value with the keys of its objects in order, at every depth.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => {
                let mut ordered: Vec<_> = fields.iter().collect();
                // RFC 8785 orders by UTF-16 units; our keys are ASCII, where bytes agree with that.
                ordered.sort_unstable_by_key(|(key, _)| key.as_str());
                serializer.collect_map(ordered.into_iter().map(|(key, value)| (key, Sorted(value))))
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                plain.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ralex_kernel::{BudgetId, Money, Period};

    use super::*;
    use crate::Event;

    #[test]
    fn a_leaf_is_one_line_with_its_keys_in_order_and_no_space() {
        let org = OrgId::from_uuid(Uuid::nil());
        let event = Event::BudgetCreated {
            budget: BudgetId::from_uuid(Uuid::nil()),
            scope: "team:\"a\"\n\u{7f}é".into(),
            model: None,
            provider: None,
            period: Period::Month,
            days: None,
            carry_over: false,
            carry_over_at_most: None,
            time_zone: "UTC".into(),
            limit: Money::nanos(1_500_000_000),
            hard: true,
            year_start: None,
            degrade_at: None,
        };
        let mut entry = Entry::at(DateTime::UNIX_EPOCH, Author::system(org), event);
        entry.id = EventId::from_uuid(Uuid::nil());
        let text = String::from_utf8(Leaf::of(&entry).unwrap().text).unwrap();
        let nil = Uuid::nil();
        let expected = format!(
            "{{\"action\":\"budget.created\",\"actor\":{{\"credential_id\":null,\"credential_kind\":\"internal\",\"id\":null,\"kind\":\"system\"}},\"address\":null,\"detail\":{{\"budget\":\"{nil}\",\"hard\":true,\"limit\":\"1.5\",\"period\":\"month\",\"scope\":\"team:\\\"a\\\"\\n\u{7f}é\",\"time_zone\":\"UTC\"}},\"event_id\":\"{nil}\",\"occurred_at\":\"1970-01-01T00:00:00.000000Z\",\"org\":\"{nil}\",\"outcome\":\"success\",\"request\":null,\"schema_version\":2,\"target\":\"budget:{nil}\"}}"
        );
        assert_eq!(text, expected);
    }
}
