//! Queries on `budget_run`, and on the periods that are runs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_api::budgets::BudgetRun;
use ralex_kernel::period::Bounds;
use ralex_kernel::{BudgetId, Money, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::run::RunKey;

/// The run of this name that is not over, or a new one.
///
/// Two calls that begin the same run wait for each other, and so do all that begin one in the
/// organisation: no two may have the same first instant.
pub(crate) async fn find_or_begin(
    conn: &mut PgConnection,
    org: OrgId,
    run: &RunKey,
    life_seconds: f64,
) -> Result<Bounds, sqlx::Error> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('ralex runs ' || $1::uuid, 0)) as waited",
        org as _,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query_as!(
        Bounds,
        r#"with known as (
               select starts_at, ends_at from budget_run
               where org_id = $1 and name = $2 and team_id is not distinct from $3
                 and project_id is not distinct from $4 and user_id is not distinct from $5
                 and ends_at > clock_timestamp()
               order by starts_at desc limit 1),
           begun as (
               insert into budget_run (org_id, starts_at, ends_at, name, team_id, project_id, user_id)
               select $1, at, at + make_interval(secs => $6), $2, $3, $4, $5
               from (select greatest(clock_timestamp(),
                         max(starts_at) + interval '1 microsecond') as at
                     from budget_run where org_id = $1) as first
               where not exists (select from known)
               returning starts_at, ends_at)
           select starts_at as "starts_at!", ends_at as "ends_at!"
           from (table known union all table begun) as run"#,
        org as _,
        &*run.name,
        run.team as _,
        run.project as _,
        run.user as _,
        life_seconds,
    )
    .fetch_one(conn)
    .await
}

/// The run of each of these budgets that has the most behind it and is not over.
pub(crate) async fn dearest(
    conn: &mut PgConnection,
    org: OrgId,
    budgets: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<BudgetId, (Bounds, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.id as "id!: BudgetId", d.starts_at, d.ends_at, d.name
           from unnest($2::uuid[]) as k (id)
           cross join lateral (
               select p.starts_at, p.ends_at, r.name
               from budget_period p
               join budget_run r on r.org_id = p.org_id and r.starts_at = p.starts_at
               where p.org_id = $1 and p.budget_id = k.id and p.ends_at > $3
               order by p.spent + p.overrun + p.held desc, p.starts_at desc limit 1) as d"#,
        org as _,
        budgets,
        now,
    )
    .fetch_all(conn)
    .await?;
    let run = |starts_at, ends_at, name| (Bounds { starts_at, ends_at }, name);
    Ok(rows.into_iter().map(|row| (row.id, run(row.starts_at, row.ends_at, row.name))).collect())
}

/// The runs that a budget has counted, the newest first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    budget: BudgetId,
    before: Option<DateTime<Utc>>,
    at_most: i64,
) -> Result<Vec<BudgetRun>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select r.name, r.starts_at, r.ends_at, t.slug as "team?", j.slug as "project?",
               u.name as "user?", p.spend_limit as "limit: Money", p.spent as "spent: Money",
               p.overrun as "overrun: Money", p.held as "held: Money", p.leased as "leased: Money",
               p.refused
           from budget_period p
           join budget_run r on r.org_id = p.org_id and r.starts_at = p.starts_at
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project j on j.org_id = r.org_id and j.id = r.project_id
           left join app_user u on u.id = r.user_id
           where p.org_id = $1 and p.budget_id = $2
             and ($3::timestamptz is null or p.starts_at < $3)
           order by p.starts_at desc limit $4"#,
        org as _,
        budget as _,
        before,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    let runs = rows.into_iter().map(|row| BudgetRun {
        name: row.name,
        team: row.team,
        project: row.project,
        user: row.user,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        limit: row.limit,
        spent: row.spent + row.overrun,
        held: row.held,
        leased: row.leased,
        overrun: row.overrun,
        refused: row.refused.unsigned_abs(),
    });
    Ok(runs.collect())
}

/// Gives the runs of a budget that are not over its new limit. One that has more than that behind
/// it, or in the hands of nodes, keeps as much, and gets nothing more.
pub(crate) async fn change(
    conn: &mut PgConnection,
    org: OrgId,
    budget: BudgetId,
    (limit, hard): (Money, bool),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with current as (
             select starts_at from budget_period
             where org_id = $1 and budget_id = $2 and ends_at > $5
             order by starts_at for no key update)
         update budget_period p
         set hard = $4, allowance = $3,
             spend_limit = case when $4 then greatest($3, p.spent + p.held + p.leased) else $3 end,
             -- A threshold that a higher limit moved away is told of when it is reached again.
             alerted = least(p.alerted, trunc((p.spent + p.overrun)::numeric * 100 / $3::bigint))
         from current c
         where p.org_id = $1 and p.budget_id = $2 and p.starts_at = c.starts_at",
        org as _,
        budget as _,
        limit as _,
        hard,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}
