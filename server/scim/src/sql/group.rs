//! Queries on groups whose people a directory decides about.

use chrono::{DateTime, Utc};
use ralex_kernel::{GroupId, OrgId, UserId};
use sqlx::PgConnection;

/// Which groups are meant; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    pub id: Option<GroupId>,
    pub name_key: Option<String>,
    pub external_id: Option<String>,
    pub member: Option<UserId>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub id: GroupId,
    pub name: String,
    pub external_id: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    which: &Which,
    (skipped, at_most): (i64, i64),
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select s.group_id as "id: GroupId", g.name, s.external_id, s.version, s.created_at,
                  s.updated_at
           from scim_group s join people_group g on g.org_id = s.org_id and g.id = s.group_id
           where s.org_id = $1 and ($2::uuid is null or s.group_id = $2)
             and ($3::text is null or s.name_key = $3)
             and ($4::text is null or s.external_id = $4)
             and ($5::uuid is null or exists (select from group_member m
                  where m.org_id = s.org_id and m.group_id = s.group_id and m.user_id = $5))
           order by s.group_id offset $6 limit $7"#,
        org as _,
        which.id as _,
        which.name_key.as_deref(),
        which.external_id.as_deref(),
        which.member as _,
        skipped,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub async fn count(conn: &mut PgConnection, org: OrgId, which: &Which) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from scim_group s
           where s.org_id = $1 and ($2::uuid is null or s.group_id = $2)
             and ($3::text is null or s.name_key = $3)
             and ($4::text is null or s.external_id = $4)
             and ($5::uuid is null or exists (select from group_member m
                  where m.org_id = s.org_id and m.group_id = s.group_id and m.user_id = $5))"#,
        org as _,
        which.id as _,
        which.name_key.as_deref(),
        which.external_id.as_deref(),
        which.member as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
    name: &str,
    external_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into scim_group (org_id, group_id, name_key, external_id) values ($1, $2, $3, $4)",
        org as _,
        id as _,
        name.to_lowercase(),
        external_id,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
    name: &str,
    external_id: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update scim_group set name_key = $3, external_id = $4, version = version + 1,
             updated_at = now()
         where org_id = $1 and group_id = $2",
        org as _,
        id as _,
        name.to_lowercase(),
        external_id,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the people of all provisioned groups that somebody is in are about to change.
pub async fn touch_of(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update scim_group set version = version + 1, updated_at = now()
         where org_id = $1 and group_id in (
             select group_id from group_member where org_id = $1 and user_id = $2)",
        org as _,
        user as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A slug that no group has, made of one that may be taken.
pub async fn free_slug(
    conn: &mut PgConnection,
    org: OrgId,
    wanted: &str,
) -> Result<String, sqlx::Error> {
    let taken: Vec<String> = sqlx::query_scalar!(
        "select slug from people_group
         where org_id = $1 and (slug = $2 or slug like $2 || '-%')",
        org as _,
        wanted,
    )
    .fetch_all(conn)
    .await?;
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
    Ok(all.find(|slug| !taken.contains(slug)).unwrap_or_else(|| wanted.to_owned()))
}

/// Somebody who is in a group.
pub struct Member {
    pub group: GroupId,
    pub user: UserId,
}

pub async fn members(
    conn: &mut PgConnection,
    org: OrgId,
    groups: &[GroupId],
) -> Result<Vec<Member>, sqlx::Error> {
    let groups: Vec<_> = groups.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Member,
        r#"select m.group_id as "group: GroupId", m.user_id as "user: UserId"
           from group_member m
           join scim_user s on s.org_id = m.org_id and s.user_id = m.user_id
           where m.org_id = $1 and m.group_id = any($2) order by m.user_id"#,
        org as _,
        &groups,
    )
    .fetch_all(conn)
    .await
}
