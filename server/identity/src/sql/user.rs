//! Queries on people and organisations, which cross tenants.

use chrono::{DateTime, Utc};
use ralex_api::factors::{OrgSecurity, UpdateOrgSecurity};
use ralex_kernel::{Email, Name, OrgId, Slug, UserId};
use sqlx::PgConnection;

pub struct Account {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Nothing for who comes in by single sign-on only.
    pub password_hash: Option<String>,
    pub one_time: bool,
}

pub async fn find_account(
    conn: &mut PgConnection,
    email_key: &str,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        r#"select id as "id: UserId", email, name, password_hash, password_one_time as one_time
           from app_user where email_key = $1 and disabled_at is null"#,
        email_key,
    )
    .fetch_optional(conn)
    .await
}

pub async fn account(conn: &mut PgConnection, id: UserId) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        r#"select id as "id: UserId", email, name, password_hash, password_one_time as one_time
           from app_user where id = $1 and disabled_at is null"#,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn insert(
    conn: &mut PgConnection,
    id: UserId,
    email: &Email,
    name: &Name,
    password_hash: Option<&str>,
    one_time: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into app_user (id, email, email_key, name, password_hash, password_one_time)
         values ($1, $2, $3, $4, $5, $6)",
        id as _,
        email.as_str(),
        email.key(),
        name.as_str(),
        password_hash,
        one_time,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes who made an account, or handed it over, and may have seen what opens it.
pub async fn set_maker(
    conn: &mut PgConnection,
    id: UserId,
    maker: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update app_user set made_by = $2, made_at = now() where id = $1",
        id as _,
        maker as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Stores a person without a password; false where the address is somebody's.
pub async fn insert_new(
    conn: &mut PgConnection,
    id: UserId,
    email: &Email,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into app_user (id, email, email_key, name) values ($1, $2, $3, $4)
         on conflict (email_key) do nothing",
        id as _,
        email.as_str(),
        email.key(),
        name.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The slugs of an organisation and of the provider that its people have to come in by, if so it is.
pub async fn sign_on_of(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<(String, String)>, sqlx::Error> {
    let found = sqlx::query!(
        "select o.slug as org, p.slug as provider from sso_enforcement e
         join sso_provider p on p.org_id = e.org_id and p.id = e.provider_id
         join org o on o.id = e.org_id
         where e.org_id = $1",
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (row.org, row.provider)))
}

pub struct OrgRow {
    pub id: OrgId,
    pub slug: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    /// Whether the person who is asked about is suspended there.
    pub suspended: bool,
}

/// The organisations that somebody belongs to; not those that they have yet to say yes to.
pub async fn orgs_of(conn: &mut PgConnection, user: UserId) -> Result<Vec<OrgRow>, sqlx::Error> {
    sqlx::query_as!(
        OrgRow,
        r#"select o.id as "id: OrgId", o.slug, o.name, o.created_at,
                  m.suspended_at is not null as "suspended!"
           from membership m join org o on o.id = m.org_id
           where m.user_id = $1 and not 'invitation' = any(m.suspended_by)
           order by o.slug"#,
        user as _,
    )
    .fetch_all(conn)
    .await
}

/// What a member sees of an organisation's break-glass access.
pub struct BreakGlassRow {
    pub is_named: bool,
    pub open_until: Option<DateTime<Utc>>,
    pub reviews_waiting: i64,
}

pub async fn break_glass(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<BreakGlassRow, sqlx::Error> {
    sqlx::query_as!(
        BreakGlassRow,
        r#"select exists (select from break_glass_person
                   where org_id = $1 and user_id = $2) as "is_named!",
               (select until from break_glass_opening
                   where org_id = $1 and state = 'open' and until > $3) as open_until,
               (select count(*) from break_glass_opening
                   where org_id = $1 and not drill and reviewed_at is null
                     and (state = 'ended' or state = 'open' and until <= $3)) as "reviews_waiting!""#,
        org as _,
        user as _,
        now,
    )
    .fetch_one(conn)
    .await
}

pub async fn org(conn: &mut PgConnection, id: OrgId) -> Result<Option<OrgRow>, sqlx::Error> {
    sqlx::query_as!(
        OrgRow,
        r#"select id as "id: OrgId", slug, name, created_at, false as "suspended!"
           from org where id = $1"#,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

/// What the organisation asks of everybody.
pub async fn security(
    conn: &mut PgConnection,
    id: OrgId,
) -> Result<Option<OrgSecurity>, sqlx::Error> {
    sqlx::query_as!(
        OrgSecurity,
        "select second_factor_required, device_login from org where id = $1",
        id as _
    )
    .fetch_optional(conn)
    .await
}

/// Changes it where something is named that is not so yet, and says how it is then.
/// Whether everybody is asked for a second factor, held against others until the transaction ends.
pub async fn lock_security(
    conn: &mut PgConnection,
    id: OrgId,
) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar!(
        "select second_factor_required from org where id = $1 for no key update",
        id as _
    )
    .fetch_optional(conn)
    .await
}

pub async fn set_security(
    conn: &mut PgConnection,
    id: OrgId,
    change: &UpdateOrgSecurity,
) -> Result<Option<OrgSecurity>, sqlx::Error> {
    sqlx::query_as!(
        OrgSecurity,
        "update org set second_factor_required = coalesce($2, second_factor_required),
             device_login = coalesce($3, device_login)
         where id = $1 and (second_factor_required <> coalesce($2, second_factor_required)
                            or device_login <> coalesce($3, device_login))
         returning second_factor_required, device_login",
        id as _,
        change.second_factor_required,
        change.device_login,
    )
    .fetch_optional(conn)
    .await
}

pub async fn any_org(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Whose last organisation was deleted is no newcomer.
    sqlx::query_scalar!(
        r#"select exists (select from org) or exists (select from deleted_org) as "any!""#
    )
    .fetch_one(conn)
    .await
}

pub async fn insert_org(
    conn: &mut PgConnection,
    id: OrgId,
    slug: &Slug,
    name: &Name,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into org (id, slug, name) values ($1, $2, $3)",
        id as _,
        slug.as_str(),
        name.as_str()
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn rename_org(
    conn: &mut PgConnection,
    id: OrgId,
    name: &Name,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update org set name = $2 where id = $1", id as _, name.as_str())
        .execute(conn)
        .await
        .map(drop)
}

/// Makes a person a member; false where they are one already.
pub async fn insert_member(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into membership (org_id, user_id) values ($1, $2) on conflict do nothing",
        org as _,
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn delete_member(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from membership where org_id = $1 and user_id = $2",
        org as _,
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Suspends a member by one party's word; nothing where there is no such member, otherwise whether they
/// are suspended by it only now.
pub async fn suspend(
    conn: &mut PgConnection,
    (org, user): (OrgId, UserId),
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update membership set suspended_at = coalesce(suspended_at, $4),
             suspended_by = array_append(suspended_by, $3)
         where org_id = $1 and user_id = $2 and not ($3 = any(suspended_by))",
        org as _,
        user as _,
        by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes one party's word back; nothing where it had not said so, otherwise whether another's stands.
pub async fn resume(
    conn: &mut PgConnection,
    (org, user): (OrgId, UserId),
    by: &str,
) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"update membership set suspended_by = array_remove(suspended_by, $3),
             suspended_at = case when array_remove(suspended_by, $3) = '{}' then null
                 else suspended_at end
         where org_id = $1 and user_id = $2 and $3 = any(suspended_by)
         returning suspended_at is not null as "still!""#,
        org as _,
        user as _,
        by,
    )
    .fetch_optional(conn)
    .await
}

/// Whether a member has yet to say that they belong here.
pub async fn awaits(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from membership where org_id = $1 and user_id = $2
               and 'invitation' = any(suspended_by)) as "awaits!""#,
        org as _,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// Whether the organisation's directory still says who a member is.
pub async fn is_provisioned(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from scim_user s join scim_connection c on c.org_id = s.org_id and c.enabled
               where s.org_id = $1 and s.user_id = $2) as "known!""#,
        org as _,
        user as _,
    )
    .fetch_one(conn)
    .await
}

pub struct MemberRow {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub joined_at: DateTime<Utc>,
    pub suspended_at: Option<DateTime<Utc>>,
    /// Whether they have yet to say that they belong here.
    pub awaits: bool,
    pub invited_until: Option<DateTime<Utc>>,
}

/// A member by their id or their e-mail address.
pub async fn find_member(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select m.user_id as "id: UserId" from membership m
           join app_user u on u.id = m.user_id
           where m.org_id = $1 and (m.user_id = $2 or u.email_key = $3)"#,
        org as _,
        name.parse::<UserId>().ok() as _,
        name.parse::<Email>().ok().map(|email| email.key()),
    )
    .fetch_optional(conn)
    .await
}

pub async fn members(
    conn: &mut PgConnection,
    org: OrgId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as!(
        MemberRow,
        r#"select u.id as "id: UserId", u.email, u.name, m.joined_at,
                  case when m.suspended_by <> array['invitation'] then m.suspended_at end
                      as suspended_at,
                  'invitation' = any(m.suspended_by) as "awaits!",
                  (select l.expires_at from account_link l
                   where l.user_id = u.id and case when 'invitation' = any(m.suspended_by)
                       then l.join_org_id = m.org_id else l.purpose = 'invited' end)
                      as invited_until
           from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1 and ($2::uuid is null or u.id > $2)
           order by u.id limit $3"#,
        org as _,
        after as _,
        limit,
    )
    .fetch_all(conn)
    .await
}

pub async fn member(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<Option<MemberRow>, sqlx::Error> {
    sqlx::query_as!(
        MemberRow,
        r#"select u.id as "id: UserId", u.email, u.name, m.joined_at,
                  case when m.suspended_by <> array['invitation'] then m.suspended_at end
                      as suspended_at,
                  'invitation' = any(m.suspended_by) as "awaits!",
                  (select l.expires_at from account_link l
                   where l.user_id = u.id and case when 'invitation' = any(m.suspended_by)
                       then l.join_org_id = m.org_id else l.purpose = 'invited' end)
                      as invited_until
           from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1 and u.id = $2"#,
        org as _,
        user as _,
    )
    .fetch_optional(conn)
    .await
}

/// What a person is called.
pub async fn set_name(
    conn: &mut PgConnection,
    user: UserId,
    name: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update app_user set name = $2 where id = $1", user as _, name)
        .execute(conn)
        .await
        .map(drop)
}
