//! Revealing: what commitments are about, for those who read, as long as the person's key is there.

use std::collections::HashMap;

use ralex_kernel::OrgId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::commitment::{committed, digest, encoded, value};
use super::{Spot, SubjectKey, keeper};

/// What stands in a record where a value was erased.
const ERASED: &str = "[erased]";
/// The same where the value is missing and nobody erased it.
const MISSING: &str = "[not disclosed]";

/// What the commitments of some events are about.
#[derive(Default)]
pub struct Revealed(HashMap<Uuid, Vec<Told>>);

enum Told {
    Disclosed(Zeroizing<String>),
    Erased,
}

struct Row {
    event: Uuid,
    place: i16,
    key: Uuid,
    sealed: Vec<u8>,
    wrapped: Option<Vec<u8>>,
    destroyed: bool,
}

/// Opens what is kept of these events. Asks for the keys each time: one that was destroyed a moment
/// ago opens nothing.
pub async fn revealed(
    conn: &mut PgConnection,
    org: OrgId,
    events: &[Uuid],
) -> Result<Revealed, sqlx::Error> {
    let mut revealed = Revealed::default();
    if events.is_empty() {
        return Ok(revealed);
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select d.event_id as event, d.place, d.key_id as key, d.sealed, k.wrapped as "wrapped?",
                  coalesce(k.destroyed_at is not null, false) as "destroyed!"
           from audit_disclosure d
           left join audit_subject_key k on k.org_id = d.org_id and k.id = d.key_id
           where d.org_id = $1 and d.event_id = any($2)
           order by d.event_id, d.place"#,
        org as _,
        events,
    )
    .fetch_all(conn)
    .await?;
    let mut keys = HashMap::<Uuid, Option<SubjectKey>>::new();
    for row in rows {
        let told = if row.destroyed {
            Some(Told::Erased)
        } else {
            open(org, &row, &mut keys)?.map(Told::Disclosed)
        };
        revealed.0.entry(row.event).or_default().extend(told);
    }
    Ok(revealed)
}

fn open(
    org: OrgId,
    row: &Row,
    keys: &mut HashMap<Uuid, Option<SubjectKey>>,
) -> Result<Option<Zeroizing<String>>, sqlx::Error> {
    let keeper = keeper()?;
    let key = keys.entry(row.key).or_insert_with(|| {
        row.wrapped.as_deref().and_then(|wrapped| keeper.open(org, row.key, wrapped).ok())
    });
    let spot = Spot { org, key: row.key, event: row.event, place: row.place };
    let plain = key.as_ref().and_then(|key| keeper.unseal(key, spot, &row.sealed).ok());
    let text = plain.and_then(|plain| std::str::from_utf8(&plain).map(str::to_owned).ok());
    if text.is_none() {
        let (event, key) = (row.event, row.key);
        tracing::error!(org.id = %org, %event, %key, "a personal value of audit event {event} cannot be opened");
    }
    Ok(text.map(Zeroizing::new))
}

impl Revealed {
    /// The disclosures of an event, as verifiers take them.
    pub fn disclosures(&self, event: Uuid) -> Vec<String> {
        self.told(event).iter().filter_map(Told::disclosed).map(encoded).collect()
    }

    /// Puts the values in the places of the commitments.
    pub fn fill(&self, event: Uuid, record: &mut Value) {
        let told = self.told(event);
        let erased = told.iter().any(|told| matches!(told, Told::Erased));
        let values: HashMap<String, Value> = told
            .iter()
            .filter_map(Told::disclosed)
            .filter_map(|plain| Some((digest(&encoded(plain)), value(plain)?)))
            .collect();
        fill(record, &values, if erased { ERASED } else { MISSING });
    }

    /// An event's record with its values.
    pub fn record(&self, event: Uuid, leaf: &[u8]) -> Option<Value> {
        let mut record = serde_json::from_slice(leaf).ok()?;
        self.fill(event, &mut record);
        Some(record)
    }

    fn told(&self, event: Uuid) -> &[Told] {
        self.0.get(&event).map_or(&[], Vec::as_slice)
    }
}

impl Told {
    fn disclosed(&self) -> Option<&str> {
        match self {
            Self::Disclosed(plain) => Some(plain),
            Self::Erased => None,
        }
    }
}

fn fill(record: &mut Value, values: &HashMap<String, Value>, otherwise: &str) {
    if let Some(digest) = committed(record) {
        *record = values.get(digest).cloned().unwrap_or_else(|| Value::from(otherwise));
        return;
    }
    match record {
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| fill(field, values, otherwise));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, values, otherwise)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl std::fmt::Debug for Revealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revealed({} events)", self.0.len())
    }
}
