//! The queries of retention.

pub(crate) mod depart;
pub(crate) mod erase;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ralex_api::retention::{LegalHold, PrunedRecords};
use ralex_kernel::{AuditRequestId, HoldId, OrgId, UserId};
use sqlx::PgConnection;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How many days each class is kept for which something was said.
pub(crate) async fn days(conn: &mut PgConnection, org: OrgId) -> Result<BTreeMap<String, u32>> {
    let rows = sqlx::query!("select class, days from audit_retention where org_id = $1", org as _)
        .fetch_all(conn)
        .await?;
    let days = |days: i32| u32::try_from(days).unwrap_or(u32::MAX);
    Ok(rows.into_iter().map(|row| (row.class, days(row.days))).collect())
}

/// Organisations that have said how long something is kept.
pub(crate) async fn orgs(conn: &mut PgConnection) -> Result<Vec<OrgId>> {
    sqlx::query_scalar!(r#"select distinct org_id as "org: OrgId" from audit_retention"#)
        .fetch_all(conn)
        .await
}

pub(crate) async fn set_days(
    conn: &mut PgConnection,
    org: OrgId,
    class: &str,
    days: Option<i32>,
) -> Result<()> {
    match days {
        Some(days) => {
            sqlx::query!(
                "insert into audit_retention (org_id, class, days) values ($1, $2, $3)
                 on conflict (org_id, class) do update set days = excluded.days, set_at = now()",
                org as _,
                class,
                days
            )
            .execute(conn)
            .await?;
        }
        None => {
            sqlx::query!(
                "delete from audit_retention where org_id = $1 and class = $2",
                org as _,
                class
            )
            .execute(conn)
            .await?;
        }
    }
    Ok(())
}

/// Holds that are not lifted.
pub(crate) async fn holds(conn: &mut PgConnection, org: OrgId) -> Result<Vec<LegalHold>> {
    sqlx::query_as!(
        LegalHold,
        r#"select id as "id: HoldId", reason, set_at from audit_hold
           where org_id = $1 and lifted_at is null order by id"#,
        org as _
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn hold(
    conn: &mut PgConnection,
    org: OrgId,
    id: HoldId,
    reason: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into audit_hold (org_id, id, reason) values ($1, $2, $3)",
        org as _,
        id as _,
        reason
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// False where it is lifted already.
pub(crate) async fn lift(conn: &mut PgConnection, org: OrgId, id: HoldId) -> Result<bool> {
    let done = sqlx::query!(
        "update audit_hold set lifted_at = now()
         where org_id = $1 and id = $2 and lifted_at is null",
        org as _,
        id as _
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A request as it is stored.
pub(crate) struct Stored {
    pub id: AuditRequestId,
    pub kind: String,
    pub class: Option<String>,
    pub days: Option<i32>,
    pub hold: Option<HoldId>,
    pub subject: Option<UserId>,
    pub person: Option<String>,
    pub reason: String,
    pub asked_by: UserId,
    pub asker: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub state: String,
    pub decider: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// What waits, and the last that were decided.
pub(crate) async fn requests(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<AuditRequestId>,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select r.id as "id: AuditRequestId", r.kind, r.class, r.days, r.hold_id as "hold: HoldId",
                  r.subject as "subject: UserId", s.email as "person?", r.reason, r.asked_by as "asked_by: UserId", a.email as "asker?", r.asked_at,
                  r.expires_at, r.state, d.email as "decider?", r.decided_at
           from audit_request r
           left join app_user a on a.id = r.asked_by
           left join app_user d on d.id = r.decided_by
           left join app_user s on s.id = r.subject
           where r.org_id = $1 and ($2::uuid is null or r.id = $2)
           order by r.state = 'pending' and r.expires_at > now() desc, r.id desc limit 50"#,
        org as _,
        only as _
    )
    .fetch_all(conn)
    .await
}

/// A request to be.
pub(crate) struct New<'a> {
    pub id: AuditRequestId,
    pub kind: &'a str,
    pub class: Option<&'a str>,
    pub days: Option<i32>,
    pub hold: Option<HoldId>,
    pub subject: Option<UserId>,
    pub reason: &'a str,
    pub asked_by: UserId,
    pub expires_at: DateTime<Utc>,
}

pub(crate) async fn ask(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<()> {
    sqlx::query!(
        "insert into audit_request (org_id, id, kind, class, days, hold_id, reason, asked_by, expires_at,
             subject)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        org as _,
        new.id as _,
        new.kind,
        new.class,
        new.days,
        new.hold as _,
        new.reason,
        new.asked_by as _,
        new.expires_at,
        new.subject as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// False where somebody decided first, or nobody in time.
pub(crate) async fn decide(
    conn: &mut PgConnection,
    org: OrgId,
    id: AuditRequestId,
    by: UserId,
    state: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "update audit_request set state = $4, decided_by = $3, decided_at = now()
         where org_id = $1 and id = $2 and state = 'pending' and expires_at > now()",
        org as _,
        id as _,
        by as _,
        state
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How many wait.
pub(crate) async fn waiting(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_request
           where org_id = $1 and state = 'pending' and expires_at > now()"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// Calls that were pruned just now.
pub(crate) struct PrunedCalls {
    pub calls: i64,
    pub first_at: Option<DateTime<Utc>>,
    pub last_at: Option<DateTime<Utc>>,
}

/// Removes calls that began from `since` on and need not be kept any more, the oldest first.
pub(crate) async fn prune_calls(
    conn: &mut PgConnection,
    org: OrgId,
    at_least_days: i32,
    since: DateTime<Utc>,
    at_most: i32,
) -> Result<PrunedCalls> {
    sqlx::query_as!(
        PrunedCalls,
        r#"select calls as "calls!", first_at, last_at from call_prune($1, $2, $3, $4)"#,
        org as _,
        at_least_days,
        since,
        at_most,
    )
    .fetch_one(conn)
    .await
}

/// Removes runs that are over and of which no call is left, and says how many there were.
pub(crate) async fn prune_runs(conn: &mut PgConnection, org: OrgId, at_most: i32) -> Result<i64> {
    sqlx::query_scalar!(r#"select run_prune($1, $2) as "runs!""#, org as _, at_most)
        .fetch_one(conn)
        .await
}

/// How many calls were pruned by now, and when the first began of which all are there.
pub(crate) async fn pruned_calls(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<PrunedRecords>> {
    let row = sqlx::query!("select calls, before from call_pruned where org_id = $1", org as _)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| PrunedRecords { count: row.calls.unsigned_abs(), before: row.before }))
}

/// The newest event of an action: when it was, and its detail.
pub(crate) async fn newest_of(
    conn: &mut PgConnection,
    org: OrgId,
    action: &str,
) -> Result<Option<(DateTime<Utc>, serde_json::Value)>> {
    let row = sqlx::query!(
        r#"select occurred_at, convert_from(leaf, 'UTF8')::jsonb -> 'detail' as "detail!"
           from audit_event where org_id = $1 and action = $2
           order by id desc limit 1"#,
        org as _,
        action,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.occurred_at, row.detail)))
}

/// Whether a part of pruning failed when it was tried last.
pub(crate) async fn fails(conn: &mut PgConnection, org: OrgId, what: &str) -> Result<bool> {
    let newest = sqlx::query_scalar!(
        "select action from audit_event
         where org_id = $1
           and action in ('audit.archive_failed', 'audit.prune_failed', 'audit.prune_resumed')
           and coalesce(convert_from(leaf, 'UTF8')::jsonb #>> '{detail,what}', 'archive') = $2
         order by id desc limit 1",
        org as _,
        what,
    )
    .fetch_optional(conn)
    .await?;
    Ok(newest.is_some_and(|action| action != "audit.prune_resumed"))
}
