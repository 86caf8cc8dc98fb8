//! What subjects are called, and where they belong.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;
use crate::alerts::place::BudgetPlace;

/// Budgets with the periods that these times were in, each with its place in the question. Those
/// that are no more are left out.
pub(crate) async fn budgets(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[Uuid],
    times: &[DateTime<Utc>],
) -> Result<Vec<(usize, BudgetPlace)>> {
    let rows = sqlx::query!(
        r#"select q.place as "place!", b.period,
               case when b.user_id is not null then u.name
                    when b.token_id is not null then k.name
                    else coalesce(c.name, p.name, t.name, o.name) end as "scope_name?",
               coalesce(m.name, b.model_id::text, v.slug, b.provider_id::text) as only,
               coalesce(b.team_id, k.team_id, c.team_id) as team,
               coalesce(b.project_id, k.project_id, c.project_id) as project,
               a.starts_at as "starts_at?", a.ends_at as "ends_at?"
           from unnest($2::uuid[], $3::timestamptz[]) with ordinality as q (budget, at, place)
           join budget b on b.org_id = $1 and b.id = q.budget
           join org o on o.id = b.org_id
           left join token k on k.org_id = b.org_id and k.id = b.token_id
           left join service_account c on c.org_id = b.org_id and c.id = b.account_id
           left join app_user u on u.id = b.user_id
           left join model m on m.org_id = b.org_id and m.id = b.model_id
           left join provider v on v.org_id = b.org_id and v.id = b.provider_id
           left join team t on t.org_id = b.org_id and t.id = b.team_id
           left join project p on p.org_id = b.org_id and p.id = b.project_id
           left join lateral (
               select starts_at, ends_at from budget_period
               where org_id = b.org_id and budget_id = b.id and starts_at <= q.at
               order by starts_at desc limit 1) as a on true"#,
        org as _,
        ids,
        times,
    )
    .fetch_all(conn)
    .await?;
    let placed = rows.into_iter().filter_map(|row| {
        let place = BudgetPlace {
            period: row.period,
            scope_name: row.scope_name,
            only: row.only,
            team: row.team,
            project: row.project,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
        };
        Some((usize::try_from(row.place - 1).ok()?, place))
    });
    Ok(placed.collect())
}

pub(crate) async fn sink(conn: &mut PgConnection, org: OrgId, id: Uuid) -> Result<Option<String>> {
    sqlx::query_scalar!("select name from audit_sink where org_id = $1 and id = $2", org as _, id)
        .fetch_optional(conn)
        .await
}

pub(crate) async fn user(conn: &mut PgConnection, id: Uuid) -> Result<Option<String>> {
    sqlx::query_scalar!("select email from app_user where id = $1", id).fetch_optional(conn).await
}

/// A team by its slug.
pub(crate) async fn team(conn: &mut PgConnection, org: OrgId, slug: &str) -> Result<Option<Uuid>> {
    sqlx::query_scalar!("select id from team where org_id = $1 and slug = $2", org as _, slug)
        .fetch_optional(conn)
        .await
}

/// A project by its slug, with its team.
pub(crate) async fn project(
    conn: &mut PgConnection,
    org: OrgId,
    slug: &str,
) -> Result<Option<(Uuid, Uuid)>> {
    let row = sqlx::query!(
        "select team_id, id from project where org_id = $1 and slug = $2",
        org as _,
        slug
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.team_id, row.id)))
}

pub(crate) async fn is_budget(conn: &mut PgConnection, org: OrgId, id: Uuid) -> Result<bool> {
    let found =
        sqlx::query_scalar!("select id from budget where org_id = $1 and id = $2", org as _, id)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}
