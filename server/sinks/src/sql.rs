//! The queries of sinks.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, OrgId, SinkId};
use sqlx::PgConnection;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A sink as it is stored, with the size that is signed.
pub(crate) struct Stored {
    pub id: SinkId,
    pub name: Name,
    pub kind: String,
    pub format: String,
    pub url: String,
    pub region: Option<String>,
    pub ca_pem: Option<String>,
    pub credential: Option<String>,
    pub sealed_secret: Vec<u8>,
    pub secret_changed_at: DateTime<Utc>,
    /// The one before, while it counts.
    pub previous_secret: Option<Vec<u8>>,
    pub previous_until: Option<DateTime<Utc>>,
    pub batch_size: i32,
    pub flush_seconds: i32,
    pub enabled: bool,
    pub next_index: i64,
    pub failures: i32,
    pub failure: Option<String>,
    pub next_attempt_at: DateTime<Utc>,
    pub parked_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub size: i64,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<SinkId>,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select s.id as "id: SinkId", s.name as "name: Name", s.kind, s.format, s.url, s.region,
                  s.ca_pem, s.credential, s.sealed_secret, s.secret_changed_at,
                  case when s.previous_until > now() then s.previous_secret end as previous_secret,
                  case when s.previous_until > now() then s.previous_until end as previous_until,
                  s.batch_size, s.flush_seconds, s.enabled, s.next_index, s.failures, s.failure,
                  s.next_attempt_at, s.parked_at, s.delivered_at, s.created_at,
                  (select coalesce(max(c.tree_size), 0) from audit_checkpoint c
                   where c.org_id = s.org_id) as "size!"
           from audit_sink s
           where s.org_id = $1 and ($2::uuid is null or s.id = $2)
           order by s.id"#,
        org as _,
        only as _,
    )
    .fetch_all(conn)
    .await
}

/// A sink to be.
pub(crate) struct New<'a> {
    pub id: SinkId,
    pub name: &'a str,
    pub kind: &'a str,
    pub format: &'a str,
    pub url: &'a str,
    pub region: Option<&'a str>,
    pub ca_pem: Option<&'a str>,
    pub credential: Option<&'a str>,
    pub sealed_secret: &'a [u8],
    pub batch_size: i32,
    pub flush_seconds: i32,
    /// Whether it begins with what is signed next.
    pub now: bool,
}

/// Makes it, and returns the index that it begins with.
pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<i64> {
    sqlx::query_scalar!(
        "insert into audit_sink (org_id, id, name, name_key, kind, url, sealed_secret, batch_size,
             flush_seconds, at_once, next_index, format, region, ca_pem, credential)
         values ($1, $2, $3, lower($3), $4, $5, $6, $7, $8, $7,
             case when $9 then (select coalesce(max(tree_size), 0) from audit_checkpoint
                                where org_id = $1) else 0 end, $10, $11, $12, $13)
         returning next_index",
        org as _,
        new.id as _,
        new.name,
        new.kind,
        new.url,
        new.sealed_secret,
        new.batch_size,
        new.flush_seconds,
        new.now,
        new.format,
        new.region,
        new.ca_pem,
        new.credential,
    )
    .fetch_one(conn)
    .await
}

/// How many there are.
pub(crate) async fn count(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_sink where org_id = $1"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// What of a sink a person may change.
pub(crate) struct Change<'a> {
    pub url: &'a str,
    pub format: &'a str,
    pub region: Option<&'a str>,
    pub ca_pem: Option<&'a str>,
    pub enabled: bool,
    pub batch_size: i32,
    pub flush_seconds: i32,
}

/// Changes it, and tries again at once what failed.
pub(crate) async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: SinkId,
    change: &Change<'_>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update audit_sink set url = $3, enabled = $4, batch_size = $5, flush_seconds = $6,
             at_once = least(at_once, $5), format = $7, region = $8, ca_pem = $9,
             next_attempt_at = now()
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        change.url,
        change.enabled,
        change.batch_size,
        change.flush_seconds,
        change.format,
        change.region,
        change.ca_pem,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Another secret; the one before still signs beside it for so many hours, if for any. What failed
/// is tried again at once.
pub(crate) async fn change_secret(
    conn: &mut PgConnection,
    org: OrgId,
    id: SinkId,
    (sealed, credential): (&[u8], Option<&str>),
    overlap_hours: i32,
) -> Result<bool> {
    let done = sqlx::query!(
        "update audit_sink set
             previous_secret = case when $5::integer > 0 then sealed_secret end,
             previous_until = case when $5::integer > 0 then now() + make_interval(hours => $5) end,
             sealed_secret = $3, credential = $4, secret_changed_at = now(), next_attempt_at = now()
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        sealed,
        credential,
        overlap_hours,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn delete(conn: &mut PgConnection, org: OrgId, id: SinkId) -> Result<bool> {
    let done =
        sqlx::query!("delete from audit_sink where org_id = $1 and id = $2", org as _, id as _)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}

/// Goes on, behind a record that is left out where it is the one that parked the sink.
pub(crate) async fn resume(
    conn: &mut PgConnection,
    org: OrgId,
    id: SinkId,
    skip: Option<i64>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update audit_sink set next_index = next_index + case when $3::bigint is null then 0 else 1 end,
             failures = 0, failure = null, parked_at = null, next_attempt_at = now()
         where org_id = $1 and id = $2
           and ($3::bigint is null or (next_index = $3 and parked_at is not null))",
        org as _,
        id as _,
        skip,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A sink with something to send.
pub(crate) struct Due {
    pub org_id: OrgId,
    pub id: SinkId,
    pub kind: String,
    pub format: String,
    pub url: String,
    pub region: Option<String>,
    pub ca_pem: Option<String>,
    pub sealed_secret: Vec<u8>,
    pub previous_secret: Option<Vec<u8>>,
    pub batch_size: i32,
    pub at_once: i32,
    pub next_index: i64,
    pub failures: i32,
}

/// Where a batch is full, its first record has waited long enough, or a try is to be repeated.
pub(crate) async fn due(conn: &mut PgConnection) -> Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"select s.org_id as "org_id: OrgId", s.id as "id: SinkId", s.kind, s.format, s.url,
                  s.region, s.ca_pem, s.sealed_secret,
                  case when s.previous_until > now() then s.previous_secret end as previous_secret,
                  s.batch_size, s.at_once, s.next_index, s.failures
           from audit_sink s
           cross join lateral (select max(tree_size) as size from audit_checkpoint c
                               where c.org_id = s.org_id) as signed
           where s.enabled and s.parked_at is null and s.next_attempt_at <= now()
             and signed.size > s.next_index
             and (signed.size - s.next_index >= s.at_once or s.failures > 0
                  or not exists (select from audit_leaf l
                                 join audit_event e on e.org_id = l.org_id and e.id = l.event_id
                                 where l.org_id = s.org_id and l.leaf_index = s.next_index
                                   and e.occurred_at > now() - make_interval(secs => s.flush_seconds)))
           order by s.next_attempt_at limit 256"#
    )
    .fetch_all(conn)
    .await
}

/// How many wait for a person, and how many records all others have yet to take.
pub(crate) async fn health(conn: &mut PgConnection) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) filter (where s.parked_at is not null) as "parked!",
                  coalesce(sum(greatest(signed.size - s.next_index, 0)), 0)::bigint as "behind!"
           from audit_sink s
           cross join lateral (select coalesce(max(tree_size), 0) as size from audit_checkpoint c
                               where c.org_id = s.org_id) as signed
           where s.enabled"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.parked, row.behind))
}

/// What a delivery changes.
pub(crate) enum Moved {
    Taken {
        next: i64,
        at_once: i32,
    },
    /// Refused together; fewer are sent next.
    Narrowed {
        at_once: i32,
        why: String,
    },
    Failed {
        why: String,
        again: DateTime<Utc>,
    },
    Parked {
        why: String,
    },
}

/// Notes it, where the cursor is where the delivery began and nobody parked it meanwhile.
pub(crate) async fn note(conn: &mut PgConnection, due: &Due, moved: &Moved) -> Result<bool> {
    let now = Utc::now();
    let (next, at_once, why, again) = match moved {
        Moved::Taken { next, at_once } => (*next, *at_once, None, now),
        Moved::Narrowed { at_once, why } => (due.next_index, *at_once, Some(why), now),
        Moved::Failed { why, again } => (due.next_index, due.at_once, Some(why), *again),
        Moved::Parked { why } => (due.next_index, due.at_once, Some(why), now),
    };
    let taken = matches!(moved, Moved::Taken { .. });
    let done = sqlx::query!(
        "update audit_sink set next_index = $4, at_once = least($5, batch_size), failure = $6,
             next_attempt_at = $7,
             failures = case when $8 then 0 else failures + 1 end,
             delivered_at = case when $8 then now() else delivered_at end,
             parked_at = case when $9 then now() end
         where org_id = $1 and id = $2 and next_index = $3 and parked_at is null",
        due.org_id as _,
        due.id as _,
        due.next_index,
        next,
        at_once,
        why,
        again,
        taken,
        matches!(moved, Moved::Parked { .. }),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
