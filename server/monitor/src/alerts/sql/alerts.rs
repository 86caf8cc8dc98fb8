//! Writing alerts: raised once, counted after that, and ended.

use chrono::{DateTime, Utc};
use ralex_api::alerts::AlertKind;
use ralex_kernel::{AlertId, OrgId};
use serde_json::Value;
use sqlx::PgConnection;

use super::Result;
use crate::alerts::raise::Raise;

/// An alert to be.
pub(crate) struct New<'a> {
    pub id: AlertId,
    pub raise: &'a Raise,
    pub severity: &'a str,
    pub title: &'a str,
}

/// Writes it, and returns its id where it is new. Where it is there, it counts and says what is
/// known last.
pub(crate) async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<Option<AlertId>> {
    let raise = new.raise;
    let row = sqlx::query!(
        r#"insert into alert (org_id, id, kind, severity, subject, subject_name, team_id, project_id,
               title, detail, dedup, standing, occurrences, raised_at, last_at, ends_at, event_id)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16)
           on conflict (org_id, dedup) do update
              set occurrences = alert.occurrences + excluded.occurrences,
                  last_at = greatest(alert.last_at, excluded.last_at),
                  title = excluded.title, detail = excluded.detail
           returning id as "id: AlertId""#,
        raise.org as _,
        new.id as _,
        raise.kind.as_str(),
        new.severity,
        raise.subject,
        raise.subject_name,
        raise.team,
        raise.project,
        new.title,
        Value::Object(raise.detail.clone()),
        raise.dedup,
        raise.standing,
        raise.count,
        raise.at,
        raise.ends_at,
        raise.event as _,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.id == new.id).then_some(row.id))
}

/// Ends what stands of these kinds, and sets the key free, so that the same may be raised again.
pub(crate) async fn end(
    conn: &mut PgConnection,
    org: OrgId,
    subject: &str,
    kinds: &[AlertKind],
    now: DateTime<Utc>,
) -> Result<()> {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "update alert set state = 'resolved', resolved_at = coalesce(resolved_at, $4),
             standing = false, dedup = dedup || '#' || id
         where org_id = $1 and subject = $2 and kind = any($3) and standing",
        org as _,
        subject,
        &kinds,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends everything about it.
pub(crate) async fn end_all(
    conn: &mut PgConnection,
    org: OrgId,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update alert set state = 'resolved', resolved_at = $3, standing = false
         where org_id = $1 and subject = $2 and state <> 'resolved'",
        org as _,
        subject,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what stands of a kind about all other subjects, in every organisation.
pub(crate) async fn end_others(
    conn: &mut PgConnection,
    kind: AlertKind,
    still: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update alert set state = 'resolved', resolved_at = coalesce(resolved_at, $3),
             standing = false, dedup = dedup || '#' || id
         where kind = $1 and standing and subject <> all($2)",
        kind.as_str(),
        still,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what is over by itself.
pub(crate) async fn end_late(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update alert set state = 'resolved', resolved_at = ends_at, standing = false
         where ends_at <= $1 and state <> 'resolved'",
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes some of those that are very old, with their deliveries.
pub(crate) async fn forget(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "delete from alert where (org_id, id) in (
             select org_id, id from alert where raised_at < $1 and state = 'resolved' limit 1000)",
        before,
    )
    .execute(conn)
    .await?;
    Ok(())
}
