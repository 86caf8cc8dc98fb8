//! Queries on what a directory says of people.

use chrono::{DateTime, Utc};
use ralex_kernel::{GroupId, OrgId, UserId};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::types::Json;

/// Which users are meant; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    pub id: Option<UserId>,
    pub user_name_key: Option<String>,
    pub external_id: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub id: UserId,
    pub external_id: Option<String>,
    pub attributes: Json<Map<String, Value>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Whether the directory leaves the organisation open to them.
    pub active: bool,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    which: &Which,
    (skipped, at_most): (i64, i64),
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select s.user_id as "id: UserId", s.external_id,
                  s.attributes as "attributes: Json<Map<String, Value>>", s.version,
                  s.created_at, s.updated_at,
                  not ('directory' = any(m.suspended_by)) as "active!"
           from scim_user s join membership m on m.org_id = s.org_id and m.user_id = s.user_id
           where s.org_id = $1 and ($2::uuid is null or s.user_id = $2)
             and ($3::text is null or s.user_name_key = $3)
             and ($4::text is null or s.external_id = $4)
           order by s.created_at, s.user_id offset $5 limit $6"#,
        org as _,
        which.id as _,
        which.user_name_key.as_deref(),
        which.external_id.as_deref(),
        skipped,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub async fn count(conn: &mut PgConnection, org: OrgId, which: &Which) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from scim_user s
           where s.org_id = $1 and ($2::uuid is null or s.user_id = $2)
             and ($3::text is null or s.user_name_key = $3)
             and ($4::text is null or s.external_id = $4)"#,
        org as _,
        which.id as _,
        which.user_name_key.as_deref(),
        which.external_id.as_deref(),
    )
    .fetch_one(conn)
    .await
}

/// What is kept of a user.
pub struct Kept<'a> {
    pub user_name: &'a str,
    pub external_id: Option<&'a str>,
    pub attributes: &'a Map<String, Value>,
}

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: UserId,
    kept: &Kept<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into scim_user (org_id, user_id, user_name, user_name_key, external_id, attributes)
         values ($1, $2, $3, $4, $5, $6)",
        org as _,
        id as _,
        kept.user_name,
        kept.user_name.to_lowercase(),
        kept.external_id,
        Json(kept.attributes) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: UserId,
    kept: &Kept<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update scim_user set user_name = $3, user_name_key = $4, external_id = $5, attributes = $6,
             version = version + 1, updated_at = now()
         where org_id = $1 and user_id = $2",
        org as _,
        id as _,
        kept.user_name,
        kept.user_name.to_lowercase(),
        kept.external_id,
        Json(kept.attributes) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Who of these people the directory tells of.
pub async fn known(
    conn: &mut PgConnection,
    org: OrgId,
    people: &[UserId],
) -> Result<Vec<UserId>, sqlx::Error> {
    let people: Vec<_> = people.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        r#"select user_id as "id: UserId" from scim_user
           where org_id = $1 and user_id = any($2)"#,
        org as _,
        &people,
    )
    .fetch_all(conn)
    .await
}

/// A provisioned group that somebody is in.
pub struct In {
    pub user: UserId,
    pub group: GroupId,
    pub name: String,
}

pub async fn groups_of(
    conn: &mut PgConnection,
    org: OrgId,
    people: &[UserId],
) -> Result<Vec<In>, sqlx::Error> {
    let people: Vec<_> = people.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        In,
        r#"select m.user_id as "user: UserId", g.id as "group: GroupId", g.name
           from group_member m
           join scim_group s on s.org_id = m.org_id and s.group_id = m.group_id
           join people_group g on g.org_id = m.org_id and g.id = m.group_id
           where m.org_id = $1 and m.user_id = any($2) order by g.id"#,
        org as _,
        &people,
    )
    .fetch_all(conn)
    .await
}
