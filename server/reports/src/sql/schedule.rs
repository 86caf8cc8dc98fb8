//! Schedules of reports.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, ReportScheduleId, UserId};
use serde_json::Value;
use sqlx::PgConnection;

use super::Result;

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub org: OrgId,
    pub id: ReportScheduleId,
    pub name: String,
    pub kind: String,
    pub ask: Value,
    pub formats: Vec<String>,
    pub every: String,
    pub day: i16,
    pub hour: i16,
    pub time_zone: String,
    pub recipients: Vec<String>,
    pub enabled: bool,
    pub made_by: UserId,
    pub maker: String,
    pub created_at: DateTime<Utc>,
    pub next_at: DateTime<Utc>,
    /// Since when its organisation is open again, where it was closed.
    pub reopened_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert(conn: &mut PgConnection, it: &Stored) -> Result<()> {
    sqlx::query!(
        "insert into report_schedule (org_id, id, name, kind, ask, formats, every, day, hour,
             time_zone, recipients, made_by, next_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        it.org as _,
        it.id as _,
        it.name,
        it.kind,
        it.ask,
        &it.formats,
        it.every,
        it.day,
        it.hour,
        it.time_zone,
        &it.recipients,
        it.made_by as _,
        it.next_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<ReportScheduleId>,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select s.org_id as "org: OrgId", s.id as "id: ReportScheduleId", s.name, s.kind, s.ask,
                  s.formats, s.every, s.day, s.hour, s.time_zone, s.recipients, s.enabled,
                  s.made_by as "made_by: UserId", coalesce(u.email, s.made_by::text) as "maker!",
                  s.created_at, s.next_at, null::timestamptz as reopened_at
           from report_schedule s left join app_user u on u.id = s.made_by
           where s.org_id = $1 and ($2::uuid is null or s.id = $2) order by s.id"#,
        org as _,
        only as _,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn update(conn: &mut PgConnection, it: &Stored) -> Result<()> {
    sqlx::query!(
        "update report_schedule set day = $3, hour = $4, recipients = $5, enabled = $6, next_at = $7
         where org_id = $1 and id = $2",
        it.org as _,
        it.id as _,
        it.day,
        it.hour,
        &it.recipients,
        it.enabled,
        it.next_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportScheduleId,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "delete from report_schedule where org_id = $1 and id = $2 returning name",
        org as _,
        id as _
    )
    .fetch_optional(conn)
    .await
}

/// The one that is due longest, held until the transaction ends. What is due while its organisation is closed
/// waits.
pub(crate) async fn due(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select s.org_id as "org: OrgId", s.id as "id: ReportScheduleId", s.name, s.kind, s.ask,
                  s.formats, s.every, s.day, s.hour, s.time_zone, s.recipients, s.enabled,
                  s.made_by as "made_by: UserId", s.made_by::text as "maker!", s.created_at, s.next_at,
                  o.reopened_at
           from report_schedule s join org o on o.id = s.org_id and not o.is_closed
           where s.enabled and s.next_at <= $1 order by s.next_at, s.id limit 1
           for update of s skip locked"#,
        now,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn set_next(
    conn: &mut PgConnection,
    it: &Stored,
    next: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update report_schedule set next_at = $3 where org_id = $1 and id = $2",
        it.org as _,
        it.id as _,
        next,
    )
    .execute(conn)
    .await
    .map(drop)
}
