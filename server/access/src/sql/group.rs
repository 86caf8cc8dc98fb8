//! Queries on groups.

use chrono::{DateTime, Utc};
use ralex_api::access::{Group, GroupMember, NewGroup};
use ralex_api::identity::User;
use ralex_kernel::{Email, GroupId, Name, OrgId, Slug, UserId};
use sqlx::PgConnection;

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<GroupId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: GroupId" from people_group
           where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        reference,
        reference.parse::<GroupId>().ok() as _,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
    new: &NewGroup,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into people_group (org_id, id, slug, name, created_by) values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        new.slug.as_str(),
        new.name.as_str(),
        by,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// One group, or all after one, in the order in which they were made.
pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<GroupId>,
    after: Option<GroupId>,
    at_most: i64,
) -> Result<Vec<Group>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select g.id as "id: GroupId", g.slug as "slug: Slug", g.name as "name: Name",
               (select count(*) from group_member m
                where m.org_id = g.org_id and m.group_id = g.id) as "members!",
               (select count(*) from binding b where b.org_id = g.org_id
                and b.subject_kind = 'grp' and b.subject_id = g.id) as "bindings!",
               coalesce(c.email, g.created_by) as "created_by!", g.created_at,
               exists (select from scim_group s
                where s.org_id = g.org_id and s.group_id = g.id) as "managed_by_scim!"
           from people_group g left join app_user c on g.created_by = 'user:' || c.id
           where g.org_id = $1 and ($2::uuid is null or g.id = $2)
             and ($3::uuid is null or g.id > $3)
           order by g.id limit $4"#,
        org as _,
        only as _,
        after as _,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    let groups = rows.into_iter().map(|row| Group {
        id: row.id,
        slug: row.slug,
        name: row.name,
        members: count(row.members),
        bindings: count(row.bindings),
        created_by: row.created_by,
        created_at: row.created_at,
        managed_by_scim: row.managed_by_scim,
    });
    Ok(groups.collect())
}

/// False where it has that name.
pub(crate) async fn rename(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update people_group set name = $3 where org_id = $1 and id = $2 and name <> $3",
        org as _,
        id as _,
        name.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Forgets that a directory made a group; false where none did.
pub(crate) async fn release(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from scim_group where org_id = $1 and group_id = $2",
        org as _,
        id as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The slug of what was deleted.
pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: GroupId,
) -> Result<Option<Slug>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"delete from people_group where org_id = $1 and id = $2 returning slug as "slug: Slug""#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

struct MemberRow {
    id: UserId,
    email: Email,
    name: Name,
    added_by: String,
    added_at: DateTime<Utc>,
}

/// One person of a group, or all after one, in the order of their ids.
pub(crate) async fn people(
    conn: &mut PgConnection,
    org: OrgId,
    group: GroupId,
    (only, after): (Option<UserId>, Option<UserId>),
    at_most: i64,
) -> Result<Vec<GroupMember>, sqlx::Error> {
    let rows = sqlx::query_as!(
        MemberRow,
        r#"select u.id as "id: UserId", u.email as "email: Email", u.name as "name: Name",
               coalesce(c.email, m.added_by) as "added_by!", m.added_at
           from group_member m join app_user u on u.id = m.user_id
           left join app_user c on m.added_by = 'user:' || c.id
           where m.org_id = $1 and m.group_id = $2 and ($3::uuid is null or m.user_id = $3)
             and ($4::uuid is null or m.user_id > $4)
           order by m.user_id limit $5"#,
        org as _,
        group as _,
        only as _,
        after as _,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    let shown = rows.into_iter().map(|row| GroupMember {
        user: User { id: row.id, email: row.email, name: row.name },
        added_by: row.added_by,
        added_at: row.added_at,
    });
    Ok(shown.collect())
}

pub(crate) async fn add(
    conn: &mut PgConnection,
    org: OrgId,
    group: GroupId,
    user: UserId,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into group_member (org_id, group_id, user_id, added_by) values ($1, $2, $3, $4)",
        org as _,
        group as _,
        user as _,
        by,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False where they were not in it.
pub(crate) async fn remove(
    conn: &mut PgConnection,
    org: OrgId,
    group: GroupId,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from group_member where org_id = $1 and group_id = $2 and user_id = $3",
        org as _,
        group as _,
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
