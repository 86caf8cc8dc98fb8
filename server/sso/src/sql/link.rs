//! Queries on who people are to providers.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, OrgId, SsoLinkId, SsoProviderId, UserId};
use sqlx::PgConnection;

/// Who a provider's word means.
pub struct Linked {
    pub id: SsoLinkId,
    pub user: UserId,
    /// Whether they cannot log in anywhere, or are suspended here.
    pub disabled: bool,
}

/// The person whom a provider's word means, whose link nobody ends before the transaction does.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
    (issuer, subject): (&str, &str),
) -> Result<Option<Linked>, sqlx::Error> {
    sqlx::query_as!(
        Linked,
        r#"select l.id as "id: SsoLinkId", l.user_id as "user: UserId",
                  u.disabled_at is not null or m.suspended_at is not null as "disabled!"
           from sso_link l join app_user u on u.id = l.user_id
           join membership m on m.org_id = l.org_id and m.user_id = l.user_id
           where l.org_id = $1 and l.provider_id = $2 and l.issuer = $3 and l.subject = $4
           for update of l"#,
        org as _,
        provider as _,
        issuer,
        subject,
    )
    .fetch_optional(conn)
    .await
}

/// Whether a provider's word means anybody, for what is asked of it beside.
pub async fn is_known(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
    subject: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from sso_link
               where org_id = $1 and provider_id = $2 and subject = $3) as "known!""#,
        org as _,
        provider as _,
        subject,
    )
    .fetch_one(conn)
    .await
}

pub struct New<'a> {
    pub id: SsoLinkId,
    pub provider: SsoProviderId,
    pub issuer: &'a str,
    pub subject: &'a str,
    pub user: UserId,
    pub by: &'a str,
}

/// Stores a link; false where the word means somebody already, or the person has another one there.
pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    new: &New<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into sso_link (org_id, id, provider_id, issuer, subject, user_id, created_by)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        org as _,
        new.id as _,
        new.provider as _,
        new.issuer,
        new.subject,
        new.user as _,
        new.by,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn used(
    conn: &mut PgConnection,
    org: OrgId,
    id: SsoLinkId,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sso_link set last_login_at = $3 where org_id = $1 and id = $2",
        org as _,
        id as _,
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A link that was ended.
pub struct Gone {
    pub provider: SsoProviderId,
    pub user: UserId,
}

pub async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: SsoLinkId,
) -> Result<Option<Gone>, sqlx::Error> {
    sqlx::query_as!(
        Gone,
        r#"delete from sso_link where org_id = $1 and id = $2
           returning provider_id as "provider: SsoProviderId", user_id as "user: UserId""#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

/// The organisation of one of a person's own links.
pub async fn org_of(
    conn: &mut PgConnection,
    user: UserId,
    id: SsoLinkId,
) -> Result<Option<OrgId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select org_id as "org: OrgId" from sso_link where user_id = $1 and id = $2"#,
        user as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn count(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from sso_link where org_id = $1 and provider_id = $2"#,
        org as _,
        provider as _,
    )
    .fetch_one(conn)
    .await
}

/// Links with names for their ids.
pub struct Row {
    pub id: SsoLinkId,
    pub provider: String,
    pub provider_name: String,
    pub org: String,
    pub user: UserId,
    pub email: String,
    pub subject: String,
    pub created_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
}

/// Those of an organisation's provider, or of one person in one organisation or in all.
pub async fn list(
    conn: &mut PgConnection,
    (org, provider): (Option<OrgId>, Option<SsoProviderId>),
    user: Option<UserId>,
    (after, limit): (Option<SsoLinkId>, i64),
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select l.id as "id: SsoLinkId", p.slug as provider, p.name as provider_name,
                  o.slug as org, l.user_id as "user: UserId", u.email, l.subject, l.created_at,
                  l.last_login_at
           from sso_link l
           join sso_provider p on p.org_id = l.org_id and p.id = l.provider_id
           join org o on o.id = l.org_id
           join app_user u on u.id = l.user_id
           where ($1::uuid is null or l.org_id = $1) and ($2::uuid is null or l.provider_id = $2)
             and ($3::uuid is null or l.user_id = $3) and ($4::uuid is null or l.id > $4)
           order by l.id limit $5"#,
        org as _,
        provider as _,
        user as _,
        after as _,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A member by their id or e-mail address, and whether they have a password of their own choice.
pub async fn member(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<(UserId, bool)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select m.user_id as "id: UserId",
                  u.password_hash is not null and not u.password_one_time as "has_password!"
           from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1 and u.disabled_at is null and (m.user_id = $2 or u.email_key = $3)"#,
        org as _,
        reference.parse::<UserId>().ok() as _,
        reference.parse::<Email>().ok().map(|email| email.key()),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (row.id, row.has_password)))
}
