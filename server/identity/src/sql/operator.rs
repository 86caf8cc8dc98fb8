//! Queries on operators and on organisations as they see them, which cross tenants.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;

pub struct OperatorRow {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub since: DateTime<Utc>,
    pub second_factor: bool,
}

pub async fn is_operator(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from operator o join app_user u on u.id = o.user_id
                          where o.user_id = $1 and u.disabled_at is null) as "is!""#,
        user as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn operators(conn: &mut PgConnection) -> Result<Vec<OperatorRow>, sqlx::Error> {
    sqlx::query_as!(
        OperatorRow,
        r#"select u.id as "id: UserId", u.email, u.name, o.created_at as since,
                  exists (select from second_factor f where f.user_id = u.id) as "second_factor!"
           from operator o join app_user u on u.id = o.user_id
           where u.disabled_at is null order by o.created_at, u.id"#,
    )
    .fetch_all(conn)
    .await
}

/// An operator, and whether they can come in as one: what an organisation's provider vouches for is no
/// way for that.
pub struct WayIn {
    pub id: UserId,
    pub email: String,
    pub email_key: String,
    pub can_come_in: bool,
}

pub async fn with_way_in(conn: &mut PgConnection) -> Result<Vec<WayIn>, sqlx::Error> {
    sqlx::query_as!(
        WayIn,
        r#"select u.id as "id: UserId", u.email, u.email_key,
                  u.disabled_at is null and (u.password_hash is not null
                      or exists (select from passkey p where p.user_id = u.id)) as "can_come_in!"
           from operator o join app_user u on u.id = o.user_id
           order by o.created_at, u.id"#,
    )
    .fetch_all(conn)
    .await
}

/// False where they are one already.
pub async fn insert(
    conn: &mut PgConnection,
    user: UserId,
    by: Option<UserId>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into operator (user_id, created_by) values ($1, $2) on conflict do nothing",
        user as _,
        by as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks all of them, so that no two transactions take away the last two, and says who they are.
pub async fn lock(conn: &mut PgConnection) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query!("lock table operator in share row exclusive mode").execute(&mut *conn).await?;
    sqlx::query_scalar!(
        r#"select o.user_id as "id: UserId" from operator o join app_user u on u.id = o.user_id
           where u.disabled_at is null"#,
    )
    .fetch_all(conn)
    .await
}

pub async fn delete(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("delete from operator where user_id = $1", user as _).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Writes down that somebody is none any more, by another one's decision.
pub async fn remember_removal(
    conn: &mut PgConnection,
    user: UserId,
    by: UserId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into operator_removal (user_id, removed_by, removed_at) values ($1, $2, $3)
         on conflict (user_id) do update set removed_by = $2, removed_at = $3",
        user as _,
        by as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// When the last one was removed by another one who has an account that is not closed.
pub async fn last_removal(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select max(r.removed_at) from operator_removal r join app_user u on u.id = r.user_id
           where u.disabled_at is null and r.removed_by <> r.user_id"#,
    )
    .fetch_one(conn)
    .await
}

/// Whether any operator counts beside this one.
pub async fn has_second(
    conn: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from operator o where operator_counts(o.user_id, $1, $2)) as "is!""#,
        user as _,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Whether one counts beside another.
pub async fn counts(
    conn: &mut PgConnection,
    (user, beside): (UserId, UserId),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select operator_counts($1, $2, $3) as "is!""#,
        user as _,
        beside as _,
        now
    )
    .fetch_one(conn)
    .await
}

pub struct ManagedRow {
    pub id: OrgId,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub people: i64,
    pub suspended_at: Option<DateTime<Utc>>,
    pub suspended_reason: Option<String>,
    pub delete_after: Option<DateTime<Utc>>,
    pub deletion_reason: Option<String>,
    pub deletion_confirmed: bool,
    pub wanted_at: Option<DateTime<Utc>>,
    pub wanted_by: Option<String>,
    pub wanted_reason: Option<String>,
    pub wanted_days: Option<i32>,
    pub may_confirm: bool,
    pub export_recipients: i64,
}

/// One organisation, or all after one, oldest first, as an operator sees them.
pub async fn orgs(
    conn: &mut PgConnection,
    (reader, now): (UserId, DateTime<Utc>),
    one: Option<OrgId>,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<ManagedRow>, sqlx::Error> {
    sqlx::query_as!(
        ManagedRow,
        r#"select o.id as "id: OrgId", o.slug, o.name, o.created_at,
                  (select count(*) from membership m where m.org_id = o.id) as "people!",
                  o.suspended_at, o.suspended_reason, o.delete_after, o.deletion_reason,
                  o.deletion_confirmed_by is not null as "deletion_confirmed!",
                  o.deletion_wanted_at as wanted_at,
                  coalesce(w.email, o.deletion_wanted_by::text) as wanted_by,
                  o.deletion_wanted_reason as wanted_reason, o.deletion_wanted_days as wanted_days,
                  o.deletion_wanted_at is not null
                      and exists (select from operator p where p.user_id = o.deletion_wanted_by)
                      and operator_counts($4, o.deletion_wanted_by, $5) as "may_confirm!",
                  (select count(*) from org_export_recipient r where r.org_id = o.id) as "export_recipients!"
           from org o left join app_user w on w.id = o.deletion_wanted_by
           where ($1::uuid is null or o.id = $1) and ($2::uuid is null or o.id > $2)
           order by o.id limit $3"#,
        one as _,
        after as _,
        limit,
        reader as _,
        now,
    )
    .fetch_all(conn)
    .await
}

/// The organisation of this id or slug.
pub async fn find_org(
    conn: &mut PgConnection,
    id: Option<OrgId>,
    slug: &str,
) -> Result<Option<OrgId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: OrgId" from org where id = $1 or slug = $2"#,
        id as _,
        slug,
    )
    .fetch_optional(conn)
    .await
}

/// False where it is suspended already.
pub async fn suspend(
    conn: &mut PgConnection,
    org: OrgId,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set suspended_at = now(), suspended_reason = $2
         where id = $1 and suspended_at is null",
        org as _,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False where it is not suspended.
pub async fn resume(conn: &mut PgConnection, org: OrgId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set suspended_at = null, suspended_reason = null, reopened_at = now()
         where id = $1 and suspended_at is not null",
        org as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether something must be kept, whatever anybody says.
pub async fn is_held(conn: &mut PgConnection, org: OrgId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from audit_hold where org_id = $1 and lifted_at is null) as "is!""#,
        org as _,
    )
    .fetch_one(conn)
    .await
}

/// That an organisation is deleted: who wants it, and who has confirmed that.
pub struct Deletion<'a> {
    pub asked_by: UserId,
    pub asked_at: DateTime<Utc>,
    pub reason: &'a str,
    pub after: DateTime<Utc>,
    pub confirmed_by: Option<UserId>,
}

/// False where it waits to be deleted already.
pub async fn set_deletion(
    conn: &mut PgConnection,
    org: OrgId,
    it: &Deletion<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set delete_after = $4, deletion_asked_at = $5, deletion_asked_by = $2,
             deletion_reason = $3, deletion_confirmed_by = $6, deletion_wanted_at = null,
             deletion_wanted_by = null, deletion_wanted_reason = null, deletion_wanted_days = null
         where id = $1 and delete_after is null",
        org as _,
        it.asked_by as _,
        it.reason,
        it.after,
        it.asked_at,
        it.confirmed_by as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// That somebody wants an organisation deleted.
pub struct Wanted {
    pub at: DateTime<Utc>,
    pub by: UserId,
    pub reason: String,
    pub days: i32,
}

/// Who wants it deleted, held against others; whether it is not too late is for the caller to say.
pub async fn wanted(conn: &mut PgConnection, org: OrgId) -> Result<Option<Wanted>, sqlx::Error> {
    sqlx::query_as!(
        Wanted,
        r#"select deletion_wanted_at as "at!", deletion_wanted_by as "by!: UserId",
                  deletion_wanted_reason as "reason!", deletion_wanted_days as "days!"
           from org where id = $1 and deletion_wanted_at is not null for update"#,
        org as _,
    )
    .fetch_optional(conn)
    .await
}

/// False where it waits to be deleted already.
pub async fn want(conn: &mut PgConnection, org: OrgId, it: &Wanted) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set deletion_wanted_at = $2, deletion_wanted_by = $3, deletion_wanted_reason = $4,
             deletion_wanted_days = $5
         where id = $1 and delete_after is null",
        org as _,
        it.at,
        it.by as _,
        it.reason,
        it.days,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nobody wants it any more.
pub async fn withdraw(conn: &mut PgConnection, org: OrgId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update org set deletion_wanted_at = null, deletion_wanted_by = null,
             deletion_wanted_reason = null, deletion_wanted_days = null
         where id = $1",
        org as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False where it does not wait to be deleted, or its time is over.
pub async fn keep(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set delete_after = null, deletion_asked_at = null, deletion_asked_by = null,
             deletion_reason = null, deletion_confirmed_by = null, reopened_at = now()
         where id = $1 and delete_after > $2",
        org as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct DeletedRow {
    pub id: OrgId,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub deleted_at: DateTime<Utc>,
    pub asked_at: DateTime<Utc>,
    pub asked_by: Option<UserId>,
    pub confirmed_by: Option<UserId>,
    pub reason: String,
    pub tree_size: i64,
    pub root_hash: Option<Vec<u8>>,
}

/// What is left of organisations, after one of them, oldest first.
pub async fn deleted(
    conn: &mut PgConnection,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<DeletedRow>, sqlx::Error> {
    sqlx::query_as!(
        DeletedRow,
        r#"select id as "id: OrgId", slug, name, created_at, deleted_at as "deleted_at!", asked_at,
                  asked_by as "asked_by: UserId", confirmed_by as "confirmed_by: UserId", reason, tree_size, root_hash
           from deleted_org
           where deleted_at is not null and ($1::uuid is null
              or (deleted_at, id) > (select deleted_at, id from deleted_org where id = $1))
           order by deleted_at, id limit $2"#,
        after as _,
        limit,
    )
    .fetch_all(conn)
    .await
}
