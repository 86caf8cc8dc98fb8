//! The queries of how the break-glass access is armed.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::change::GlassTerms;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Has all who arm, open and end it in an organisation follow each other, also where it is not armed yet.
pub(crate) async fn lock(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('break glass ' || $1::uuid::text, 0))",
        org as _,
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

pub(crate) async fn is_in_use(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from break_glass_opening
               where org_id = $1 and state in ('asked', 'open')
                 and coalesce(until, confirm_until) > $2) as "is!""#,
        org as _,
        now,
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn terms(conn: &mut PgConnection, org: OrgId) -> Result<Option<GlassTerms>> {
    let row = sqlx::query!(
        r#"select b.role, b.permissions, b.longest_minutes,
               array(select p.user_id from break_glass_person p where p.org_id = b.org_id
                     order by p.user_id) as "people!"
           from break_glass b where b.org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| GlassTerms {
        people: row.people.into_iter().map(UserId::from_uuid).collect(),
        role: row.role,
        permissions: row.permissions,
        longest_minutes: row.longest_minutes.unsigned_abs(),
    }))
}

pub(crate) async fn arm(
    conn: &mut PgConnection,
    org: OrgId,
    terms: &GlassTerms,
    (by, now): (UserId, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "insert into break_glass (org_id, role, permissions, longest_minutes, armed_by, armed_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (org_id) do update
         set role = excluded.role, permissions = excluded.permissions,
             longest_minutes = excluded.longest_minutes, armed_by = excluded.armed_by,
             armed_at = excluded.armed_at",
        org as _,
        terms.role,
        &terms.permissions,
        i32::try_from(terms.longest_minutes).unwrap_or(i32::MAX),
        by as _,
        now,
    )
    .execute(&mut *conn)
    .await?;
    let people: Vec<Uuid> = terms.people.iter().map(|user| user.uuid()).collect();
    sqlx::query!(
        "delete from break_glass_person where org_id = $1 and user_id <> all($2)",
        org as _,
        &people,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into break_glass_person (org_id, user_id) select $1, unnest($2::uuid[])
         on conflict do nothing",
        org as _,
        &people,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn disarm(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!("delete from break_glass where org_id = $1", org as _)
        .execute(conn)
        .await
        .map(drop)
}

pub(crate) async fn with_passkey(
    conn: &mut PgConnection,
    people: &[UserId],
) -> Result<Vec<UserId>> {
    let people: Vec<Uuid> = people.iter().map(|user| user.uuid()).collect();
    sqlx::query_scalar!(
        r#"select distinct user_id as "user: UserId" from passkey where user_id = any($1)"#,
        &people,
    )
    .fetch_all(conn)
    .await
}
