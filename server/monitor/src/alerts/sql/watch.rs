//! Figures that are looked at.

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, OrgId, SinkId};
use sqlx::PgConnection;

use super::{Result, places};
use crate::alerts::place::BudgetPlace;
use crate::alerts::watch::Candidate;

/// Budgets of which less is left than they are to have before routes turn to cheaper models.
pub(crate) async fn degraded(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Vec<(OrgId, BudgetId, i16, BudgetPlace)>> {
    let rows = sqlx::query!(
        r#"select b.org_id as "org: OrgId", b.id as "id: BudgetId", b.degrade_at as "degrade_at!"
           from budget b
           join budget_period p on p.org_id = b.org_id and p.budget_id = b.id
               and p.starts_at <= $1 and p.ends_at > $1
           cross join lateral (select case when b.period = 'rolling' then b.spend_limit
                                           else p.spend_limit end as whole) as w
           where b.degrade_at is not null and b.period <> 'run' and w.whole > 0
             and (p.spend_limit - p.spent - p.overrun)::numeric * 100 < w.whole::numeric * b.degrade_at
             and not exists (select from alert a where a.org_id = b.org_id and a.standing
                 and a.kind = 'budget.degraded' and a.subject = 'budget:' || b.id)
           order by b.id limit 500"#,
        now,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let place = places::budgets(conn, row.org, &[row.id.uuid()], &[now]).await?;
        found.extend(place.into_iter().map(|(_, place)| (row.org, row.id, row.degrade_at, place)));
    }
    Ok(found)
}

/// A sink whose next record waits for too long.
pub(crate) struct Lagging {
    pub org: OrgId,
    pub sink: SinkId,
    pub name: String,
    pub behind: i64,
    pub failure: Option<String>,
}

pub(crate) async fn lagging(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    minutes: i32,
) -> Result<Vec<Lagging>> {
    sqlx::query_as!(
        Lagging,
        r#"select s.org_id as "org: OrgId", s.id as "sink: SinkId", s.name,
                  signed.size - s.next_index as "behind!", s.failure
           from audit_sink s
           cross join lateral (select max(tree_size) as size from audit_checkpoint c
                               where c.org_id = s.org_id) as signed
           join audit_leaf l on l.org_id = s.org_id and l.leaf_index = s.next_index
           join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           where s.enabled and s.parked_at is null and signed.size > s.next_index
             and greatest(e.occurred_at, s.created_at, s.delivered_at)
                 < $1::timestamptz - make_interval(mins => $2, secs => s.flush_seconds)
           order by s.id limit 500"#,
        now,
        minutes,
    )
    .fetch_all(conn)
    .await
}

/// Budgets of which enough is spent, and not all, and of which nothing was foretold in this period.
pub(crate) async fn to_foretell(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
    percent: i64,
) -> Result<Vec<Candidate>> {
    let rows = sqlx::query!(
        r#"select b.id as "id: BudgetId"
           from budget b
           join budget_period p on p.org_id = b.org_id and p.budget_id = b.id
               and p.starts_at <= $2 and p.ends_at > $2
           where b.org_id = $1 and b.period in ('day', 'week', 'month', 'quarter', 'year')
             and p.spent + p.overrun < p.spend_limit
             and (p.spent + p.overrun)::numeric * 100 >= p.spend_limit::numeric * $3::bigint
             and not exists (select from alert a where a.org_id = b.org_id and a.standing
                 and a.kind = 'budget.forecast' and a.subject = 'budget:' || b.id)
           order by b.id limit 200"#,
        org as _,
        now,
        percent,
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id.uuid()).collect();
    let times = vec![now; ids.len()];
    let places = places::budgets(conn, org, &ids, &times).await?;
    let candidates =
        places.into_iter().filter_map(|(place, budget)| Some((rows.get(place)?.id, budget)));
    Ok(candidates.collect())
}
