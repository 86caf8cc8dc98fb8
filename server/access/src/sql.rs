//! Every query of this crate. Organisations are named in each, also where row level security
//! would do.

use ralex_kernel::{BindingId, OrgId, ProjectId, ScopePath, TeamId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::rows::Rows;

/// An organisation that exists, with the version of its policies.
pub(crate) struct Known {
    pub org: OrgId,
    pub slug: String,
    pub version: i64,
}

/// Reads all that decisions rest on. One statement sees one state of the database, so there is
/// never a right without the denial that was committed with it.
pub(crate) async fn load(conn: &mut PgConnection, org: OrgId) -> Result<Option<Rows>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"select json_build_object(
            'version', coalesce((select version from policy_version where org_id = o.id), 0),
            'slug', o.slug,
            'teams', (select coalesce(json_agg(id), '[]') from team where org_id = o.id),
            'projects', (select coalesce(json_agg(json_build_object('id', id, 'team', team_id)), '[]')
                from project where org_id = o.id),
            'members', (select coalesce(json_agg(m.user_id), '[]')
                from membership m join app_user u on u.id = m.user_id
                where m.org_id = o.id and u.disabled_at is null),
            'bindings', (select coalesce(json_agg(json_build_object(
                    'id', id, 'kind', subject_kind, 'subject', subject_id, 'role', role,
                    'team', team_id, 'project', project_id, 'effect', effect,
                    'not_before', not_before, 'expires_at', expires_at) order by id), '[]')
                from binding where org_id = o.id)
        ) as "rows!: Json<Rows>"
        from org o where o.id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(rows.map(|Json(rows)| rows))
}

/// Every organisation, for the poll.
pub(crate) async fn versions(conn: &mut PgConnection) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"select o.id as "org!: OrgId", o.slug as "slug!", coalesce(v.version, 0) as "version!"
        from org o left join policy_version v on v.org_id = o.id"#,
    )
    .fetch_all(conn)
    .await
}

/// Raises the version, which also makes every other change of the organisation wait for this
/// transaction's end.
pub(crate) async fn bump(conn: &mut PgConnection, org: OrgId) -> Result<i64, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "insert into policy_version (org_id) values ($1)
        on conflict (org_id) do update set version = policy_version.version + 1
        returning version",
        org as _,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!("select pg_notify('ralex_policy', $1)", org.to_string()).execute(conn).await?;
    Ok(version)
}

/// A role to be given.
pub(crate) struct NewBinding<'a> {
    pub id: BindingId,
    pub user: UserId,
    pub role: &'a str,
    pub at: ScopePath,
    pub by: String,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    new: NewBinding<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into binding (org_id, id, subject_kind, subject_id, role, team_id, project_id, created_by)
        values ($1, $2, 'user', $3, $4, $5, $6, $7)",
        org as _,
        new.id as _,
        new.user as _,
        new.role,
        new.at.team() as Option<TeamId>,
        new.at.project() as Option<ProjectId>,
        new.by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[BindingId],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let done =
        sqlx::query!("delete from binding where org_id = $1 and id = any($2)", org as _, &ids)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
