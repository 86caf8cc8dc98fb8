//! The queries of what is new.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ralex_kernel::{BindingId, GroupId, OrgId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Groups that these people joined.
pub(crate) async fn joined_since(
    conn: &mut PgConnection,
    org: OrgId,
    people: &[UserId],
    since: DateTime<Utc>,
) -> Result<HashSet<(UserId, GroupId)>> {
    let people: Vec<Uuid> = people.iter().map(|user| user.uuid()).collect();
    let rows = sqlx::query!(
        r#"select user_id as "user: UserId", group_id as "group: GroupId" from group_member
           where org_id = $1 and user_id = any($2) and added_at > $3"#,
        org as _,
        &people,
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.user, row.group)).collect())
}

/// What these people, and groups, were given by anybody but the deployment itself.
pub(crate) async fn given_since(
    conn: &mut PgConnection,
    org: OrgId,
    people: &[UserId],
    since: DateTime<Utc>,
) -> Result<HashSet<BindingId>> {
    let people: Vec<Uuid> = people.iter().map(|user| user.uuid()).collect();
    let given = sqlx::query_scalar!(
        r#"select id as "id: BindingId" from binding
           where org_id = $1 and created_at > $3 and created_by <> 'system' and effect = 'allow'
             and (subject_kind = 'grp' or subject_kind = 'user' and subject_id = any($2))"#,
        org as _,
        &people,
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(given.into_iter().collect())
}

/// An own role as it was for some time since a moment.
pub(crate) struct Was {
    pub name: String,
    pub permissions: Json<Vec<String>>,
    pub includes: Json<Vec<String>>,
    /// There was none before it.
    pub is_first: bool,
}

/// How own roles were, those that have changed. Where nothing is known of before, they were as they are
/// known first.
pub(crate) async fn roles_since(
    conn: &mut PgConnection,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<Vec<Was>> {
    sqlx::query_as!(
        Was,
        r#"select h.value ->> 'name' as "name!",
               h.value -> 'permissions' as "permissions!: Json<Vec<String>>",
               h.value -> 'includes' as "includes!: Json<Vec<String>>",
               h.since > greatest($2, s.since) and not exists (
                   select from access_history b
                   where b.org_id = h.org_id and b.kind = h.kind and b.key = h.key
                     and b.until = h.since) as "is_first!"
           from access_history h join access_history_start s on s.org_id = h.org_id
           where h.org_id = $1 and h.kind = 'role'
             and (h.until > $2 or h.until is null and h.since > greatest($2, s.since))"#,
        org as _,
        since,
    )
    .fetch_all(conn)
    .await
}
