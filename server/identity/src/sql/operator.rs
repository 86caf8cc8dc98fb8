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
    pub export_recipients: i64,
}

/// One organisation, or all after one, oldest first.
pub async fn orgs(
    conn: &mut PgConnection,
    one: Option<OrgId>,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<ManagedRow>, sqlx::Error> {
    sqlx::query_as!(
        ManagedRow,
        r#"select o.id as "id: OrgId", o.slug, o.name, o.created_at,
                  (select count(*) from membership m where m.org_id = o.id) as "people!",
                  o.suspended_at, o.suspended_reason, o.delete_after, o.deletion_reason,
                  (select count(*) from org_export_recipient r where r.org_id = o.id) as "export_recipients!"
           from org o
           where ($1::uuid is null or o.id = $1) and ($2::uuid is null or o.id > $2)
           order by o.id limit $3"#,
        one as _,
        after as _,
        limit,
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

/// False where it waits to be deleted already.
pub async fn set_deletion(
    conn: &mut PgConnection,
    org: OrgId,
    by: UserId,
    reason: &str,
    after: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set delete_after = $4, deletion_asked_at = now(), deletion_asked_by = $2,
             deletion_reason = $3
         where id = $1 and delete_after is null",
        org as _,
        by as _,
        reason,
        after,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False where it does not wait to be deleted, or its time is over.
pub async fn keep(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update org set delete_after = null, deletion_asked_at = null, deletion_asked_by = null,
             deletion_reason = null, reopened_at = now()
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
                  asked_by as "asked_by: UserId", reason, tree_size, root_hash
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
