//! Queries that find what a question names, and what the keys of an answer are called.

use std::collections::HashMap;

use ralex_access::Places;
use ralex_kernel::{Email, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

/// A team by its slug or its id, of those where something may be seen.
pub(crate) async fn team(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
    within: &Places,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select t.id from team t
         where t.org_id = $1 and (t.slug = $2 or t.id = $3)
           and ($4 or t.id = any ($5)
             or exists (select from project p
               where p.org_id = $1 and p.team_id = t.id and p.id = any ($5)))",
        org as _,
        name,
        name.parse::<Uuid>().ok(),
        within.org,
        &within.open,
    )
    .fetch_optional(conn)
    .await
}

/// A project by its slug or its id, of those that may be seen.
pub(crate) async fn project(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
    within: &Places,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from project
         where org_id = $1 and (slug = $2 or id = $3)
           and ($4 or id = any ($5) or team_id = any ($5) and id <> all ($6))",
        org as _,
        name,
        name.parse::<Uuid>().ok(),
        within.org,
        &within.open,
        &within.closed,
    )
    .fetch_optional(conn)
    .await
}

/// A member by their id or their e-mail address.
pub(crate) async fn member(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select m.user_id from membership m join app_user u on u.id = m.user_id
         where m.org_id = $1 and (m.user_id = $2 or u.email_key = $3)",
        org as _,
        name.parse::<Uuid>().ok(),
        name.parse::<Email>().ok().map(|email| email.key()),
    )
    .fetch_optional(conn)
    .await
}

/// A service account by its slug or its id, of places that may be seen.
pub(crate) async fn service_account(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
    within: &Places,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from service_account
         where org_id = $1 and (slug = $2 or id = $3)
           and ($4 or project_id = any ($5) or team_id = any ($5)
             and (project_id is null or project_id <> all ($6)))",
        org as _,
        name,
        name.parse::<Uuid>().ok(),
        within.org,
        &within.open,
        &within.closed,
    )
    .fetch_optional(conn)
    .await
}

/// All tokens that a service account ever had.
pub(crate) async fn tokens_of(
    conn: &mut PgConnection,
    org: OrgId,
    account: Uuid,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from token where org_id = $1 and account_id = $2",
        org as _,
        account
    )
    .fetch_all(conn)
    .await
}

/// What something is called.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// What it is found by, where that is not its id.
    pub slug: Option<String>,
    pub name: String,
}

struct Row {
    id: Uuid,
    slug: Option<String>,
    name: String,
}

fn by_id(rows: Vec<Row>) -> HashMap<Uuid, Named> {
    rows.into_iter().map(|row| (row.id, Named { slug: row.slug, name: row.name })).collect()
}

pub(crate) async fn teams(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, slug, name from team where org_id = $1 and id = any($2)",
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}

pub(crate) async fn projects(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, slug, name from project where org_id = $1 and id = any($2)",
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}

/// Members, as long as they are.
pub(crate) async fn people(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select u.id, null as slug, u.name from app_user u
           join membership m on m.user_id = u.id and m.org_id = $1
           where u.id = any($2)"#,
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}

pub(crate) async fn service_accounts(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, slug, name from service_account where org_id = $1 and id = any($2)",
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}

pub(crate) async fn tokens(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        "select id, null as slug, name from token where org_id = $1 and id = any($2)",
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}

/// Personal tokens of members, with whose they are. Only a system transaction may ask.
pub(crate) async fn personal_tokens(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Named>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select k.id, null as slug, k.name || ' (' || u.name || ')' as "name!"
           from personal_token k
           join app_user u on u.id = k.user_id
           join membership m on m.user_id = k.user_id and m.org_id = $1
           where k.id = any($2)"#,
        org as _,
        ids
    )
    .fetch_all(conn)
    .await
    .map(by_id)
}
