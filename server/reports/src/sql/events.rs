//! Events of the audit log that a report tells of.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::OrgId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// Of one question; a report with more is refused before it is read.
pub(crate) const MOST: i64 = 200_000;
/// Ids and times differ only while a clock was put back.
/// So many are opened at a time.
const PAGE: usize = 2_000;
const SLACK: TimeDelta = TimeDelta::hours(1);

#[derive(Debug)]
pub(crate) struct Told {
    pub id: Uuid,
    pub index: Option<i64>,
    pub at: DateTime<Utc>,
    pub by: Option<String>,
    pub action: String,
    pub outcome: String,
    pub target: Option<String>,
    pub leaf: Vec<u8>,
}

impl Told {
    pub fn detail(&self) -> Value {
        let record: Value = serde_json::from_slice(&self.leaf).unwrap_or(Value::Null);
        record.get("detail").cloned().unwrap_or(Value::Null)
    }

    /// The detail as people read it.
    pub fn words(&self) -> String {
        words(&self.detail())
    }
}

/// `name: value` of every field that has one.
pub(crate) fn words(detail: &Value) -> String {
    let Value::Object(fields) = detail else { return String::new() };
    let written = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {value}")
    });
    written.collect::<Vec<_>>().join("; ")
}

/// Fills in what the events commit to, as long as it is not erased.
async fn reveal(conn: &mut PgConnection, org: OrgId, mut told: Vec<Told>) -> Result<Vec<Told>> {
    for page in told.chunks_mut(PAGE) {
        let events: Vec<Uuid> = page.iter().map(|told| told.id).collect();
        let revealed = ralex_audit::personal::revealed(&mut *conn, org, &events).await?;
        for told in page {
            let record = revealed.record(told.id, &told.leaf);
            if let Some(text) = record.and_then(|record| serde_json::to_vec(&record).ok()) {
                told.leaf = text;
            }
        }
    }
    Ok(told)
}

/// The ids between which everything of a span of time lies.
fn ids((from, to): (DateTime<Utc>, DateTime<Utc>)) -> (Uuid, Uuid) {
    let id = |at: Option<DateTime<Utc>>| {
        let millis = at.and_then(|at| u64::try_from(at.timestamp_millis()).ok()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
    };
    (id(from.checked_sub_signed(SLACK)), id(to.checked_add_signed(SLACK)))
}

/// All of these actions within the time, in the order in which they came.
pub(crate) async fn of_actions(
    conn: &mut PgConnection,
    org: OrgId,
    actions: &[&str],
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Told>> {
    let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
    let (first, last) = ids(span);
    let told = sqlx::query_as!(
        Told,
        r#"select e.id, l.leaf_index as "index?", e.occurred_at as at,
                  case when e.actor_kind = 'system' then 'Ralex'
                       else coalesce(u.email, t.name, s.name, e.actor_kind || ':' || e.actor_id::text) end as by,
                  e.action, e.outcome, e.target, e.leaf
           from audit_event e
           left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
               and s.id = e.actor_id
           where e.org_id = $1 and e.action = any($2) and e.id >= $3 and e.id < $4
             and e.occurred_at >= $5 and e.occurred_at < $6
           order by e.id limit $7"#,
        org as _,
        &actions,
        first,
        last,
        span.0,
        span.1,
        MOST + 1,
    )
    .fetch_all(&mut *conn)
    .await?;
    reveal(conn, org, told).await
}

/// All that somebody did, and all that was done to one of the targets, within the time. Calls have a
/// table of their own.
pub(crate) async fn of_person(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
    targets: &[String],
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Told>> {
    let (first, last) = ids(span);
    let told = sqlx::query_as!(
        Told,
        r#"with found as (
               select e.id from audit_event e
               where e.org_id = $1 and e.actor_id = $2 and e.id >= $4 and e.id < $5
                 and e.action not like 'call.%'
               union
               select e.id from audit_event e
               where e.org_id = $1 and e.target collate "C" = any($3) and e.target not like 'call:%')
           select e.id, l.leaf_index as "index?", e.occurred_at as at,
                  case when e.actor_kind = 'system' then 'Ralex'
                       else coalesce(u.email, t.name, s.name, e.actor_kind || ':' || e.actor_id::text) end as by,
                  e.action, e.outcome, e.target, e.leaf
           from found f
           join audit_event e on e.org_id = $1 and e.id = f.id
           left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
               and s.id = e.actor_id
           where e.occurred_at >= $6 and e.occurred_at < $7
           order by e.id limit $8"#,
        org as _,
        person,
        targets,
        first,
        last,
        span.0,
        span.1,
        MOST + 1,
    )
    .fetch_all(&mut *conn)
    .await?;
    reveal(conn, org, told).await
}

/// What was done to each of these, by an action: who did it last, and when.
pub(crate) async fn last_of_targets(
    conn: &mut PgConnection,
    org: OrgId,
    action: &str,
    targets: &[String],
) -> Result<Vec<Told>> {
    let told = sqlx::query_as!(
        Told,
        r#"select distinct on (e.target) e.id, l.leaf_index as "index?", e.occurred_at as at,
                  case when e.actor_kind = 'system' then 'Ralex'
                       else coalesce(u.email, t.name, s.name, e.actor_kind || ':' || e.actor_id::text) end as by,
                  e.action, e.outcome, e.target, e.leaf
           from audit_event e
           left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
               and s.id = e.actor_id
           where e.org_id = $1 and e.action = $2 and e.target collate "C" = any($3)
             and e.target not like 'call:%'
           order by e.target, e.id desc"#,
        org as _,
        action,
        targets,
    )
    .fetch_all(&mut *conn)
    .await?;
    reveal(conn, org, told).await
}

/// How often something happened, by the day.
#[derive(Debug)]
pub(crate) struct Daily {
    pub day: String,
    pub action: String,
    pub count: i64,
}

pub(crate) async fn daily(
    conn: &mut PgConnection,
    org: OrgId,
    actions: &[&str],
    span: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Daily>> {
    let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
    let (first, last) = ids(span);
    sqlx::query_as!(
        Daily,
        r#"select to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD') as "day!", action,
                  count(*) as "count!"
           from audit_event
           where org_id = $1 and action = any($2) and id >= $3 and id < $4
             and occurred_at >= $5 and occurred_at < $6
           group by 1, 2 order by 1, 2"#,
        org as _,
        &actions,
        first,
        last,
        span.0,
        span.1,
    )
    .fetch_all(conn)
    .await
}

/// The newest signed head.
#[derive(Debug)]
pub(crate) struct SignedHead {
    pub tree_size: i64,
    pub root: Vec<u8>,
    pub note: String,
    pub signed_at: DateTime<Utc>,
    pub key: Option<String>,
}

/// As the system, since tenants do not read the keys' table.
pub(crate) async fn head(conn: &mut PgConnection, org: OrgId) -> Result<Option<SignedHead>> {
    sqlx::query_as!(
        SignedHead,
        r#"select c.tree_size, c.root, c.note, c.signed_at, k.verifier as "key?"
           from audit_checkpoint c left join audit_key k on k.version = c.key_version
           where c.org_id = $1 order by c.tree_size desc limit 1"#,
        org as _
    )
    .fetch_optional(conn)
    .await
}
