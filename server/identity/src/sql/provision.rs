//! Queries on accounts that directories make, which cross tenants.

use ralex_kernel::{Email, Name, OrgId, UserId};
use sqlx::PgConnection;

/// Stores an account that an organisation's directory made; false where the address is somebody's.
pub async fn insert_account(
    conn: &mut PgConnection,
    (org, id): (OrgId, UserId),
    email: &Email,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into app_user (id, email, email_key, name, provisioned_by)
         values ($1, $2, $3, $4, $5) on conflict (email_key) do nothing",
        id as _,
        email.as_str(),
        email.key(),
        name.as_str(),
        org as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Somebody with an address, as one organisation's directory sees them.
pub struct Account {
    pub id: UserId,
    /// Made by this directory, without another way in, and nobody in another organisation.
    pub is_own: bool,
    pub is_member: bool,
    /// Whether they come in by this organisation's own provider.
    pub is_linked: bool,
}

pub async fn account(
    conn: &mut PgConnection,
    org: OrgId,
    email_key: &str,
) -> Result<Option<Account>, sqlx::Error> {
    sqlx::query_as!(
        Account,
        r#"select u.id as "id: UserId",
                  u.provisioned_by is not distinct from $1 and u.password_hash is null
                      and u.disabled_at is null and not exists (select from membership m
                          where m.org_id <> $1 and m.user_id = u.id) as "is_own!",
                  exists (select from membership m where m.org_id = $1 and m.user_id = u.id)
                      as "is_member!",
                  exists (select from sso_link l where l.org_id = $1 and l.user_id = u.id)
                      as "is_linked!"
           from app_user u where u.email_key = $2"#,
        org as _,
        email_key,
    )
    .fetch_optional(conn)
    .await
}

pub async fn awaited(
    conn: &mut PgConnection,
    org: OrgId,
    email_key: &str,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select u.id as "id: UserId" from app_user u
           join membership m on m.org_id = $1 and m.user_id = u.id and m.suspended_at is null
           join scim_user s on s.org_id = m.org_id and s.user_id = m.user_id
           where u.email_key = $2 and u.provisioned_by = $1 and u.password_hash is null
             and u.disabled_at is null
             and not exists (select from membership o where o.user_id = u.id and o.org_id <> $1)
             and not exists (select from sso_link l where l.user_id = u.id)"#,
        org as _,
        email_key,
    )
    .fetch_optional(conn)
    .await
}

pub async fn all_awaited(conn: &mut PgConnection, org: OrgId) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select u.id as "id: UserId" from app_user u
           join scim_user s on s.org_id = $1 and s.user_id = u.id
           where u.provisioned_by = $1 and u.password_hash is null
             and not exists (select from sso_link l where l.org_id = $1 and l.user_id = u.id)"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}
