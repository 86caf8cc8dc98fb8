//! The queries by which an opened glass decides: each reads what is, and trusts no memory.

use chrono::{DateTime, Utc};
use ralex_kernel::{BreakGlassId, OrgId, ProjectId, TeamId, UserId};
use sqlx::PgConnection;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// An opening that gives somebody something, or did a short while ago.
pub(crate) struct Row {
    pub id: BreakGlassId,
    pub permissions: Vec<String>,
    pub asked_by: UserId,
    pub confirmed_by: Option<UserId>,
    pub until: Option<DateTime<Utc>>,
    pub is_open: bool,
}

/// The newest one of a person, where the organisation is open, they are let in and nothing is denied to
/// them.
pub(crate) async fn held(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    (now, since): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        r#"select o.id as "id: BreakGlassId", o.permissions, o.asked_by as "asked_by: UserId",
               o.confirmed_by as "confirmed_by: UserId", o.until,
               (o.state = 'open' and g.suspended_at is null and g.delete_after is null
                and m.suspended_at is null and u.disabled_at is null
                and not exists (
                    select from binding b
                    where b.org_id = o.org_id and b.effect = 'deny'
                      and (b.not_before is null or b.not_before <= $3)
                      and (b.expires_at is null or b.expires_at > $3)
                      and (b.subject_kind = 'user' and b.subject_id = m.user_id
                           or b.subject_kind = 'grp' and exists (
                               select from group_member i
                               where i.org_id = o.org_id and i.group_id = b.subject_id
                                 and i.user_id = m.user_id)))) as "is_open!"
           from break_glass_opening o
           join org g on g.id = o.org_id
           join membership m on m.org_id = o.org_id and m.user_id = $2
           join app_user u on u.id = m.user_id
           where o.org_id = $1 and $2 in (o.asked_by, o.confirmed_by) and not o.drill
             and o.opened_at is not null and (o.ended_at is null or o.ended_at > $4)
           order by o.opened_at desc limit 1"#,
        org as _,
        user as _,
        now,
        since,
    )
    .fetch_optional(conn)
    .await
}

/// What an opening gave somebody at one moment.
pub(crate) async fn held_at(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<Option<(BreakGlassId, Vec<String>)>> {
    let row = sqlx::query!(
        r#"select id as "id: BreakGlassId", permissions from break_glass_opening
           where org_id = $1 and $2 in (asked_by, confirmed_by) and not drill
             and opened_at <= $3 and coalesce(ended_at, until) > $3"#,
        org as _,
        user as _,
        at,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.permissions)))
}

/// A team, or a project in one.
pub(crate) struct Place {
    pub team: TeamId,
    pub project: Option<ProjectId>,
}

pub(crate) async fn places(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Place>> {
    sqlx::query_as!(
        Place,
        r#"select id as "team!: TeamId", null::uuid as "project: ProjectId" from team
           where org_id = $1
           union all
           select team_id, id from project where org_id = $1"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}
