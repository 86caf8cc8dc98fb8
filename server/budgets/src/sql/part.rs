//! Queries on what a call holds and costs on each of its budgets, where that is not the same on all.

use ralex_kernel::Money;
use sqlx::PgConnection;
use uuid::Uuid;

use super::call::Locked;
use crate::columns::array;

/// Writes what calls hold on each of their budgets, which may be more budgets than before.
pub(crate) async fn hold(conn: &mut PgConnection, calls: &[&Locked]) -> Result<(), sqlx::Error> {
    let column = |text: fn(&Locked) -> String| calls.iter().map(|it| text(it)).collect::<Vec<_>>();
    sqlx::query!(
        "update call c
         set budget_ids = k.ids::uuid[], budget_starts = k.starts::timestamptz[],
             budget_held = k.held::bigint[]
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
             as k (org_id, id, ids, starts, held)
         where c.org_id = k.org_id and c.id = k.id",
        &calls.iter().map(|call| call.org.uuid()).collect::<Vec<Uuid>>(),
        &calls.iter().map(|call| call.id.uuid()).collect::<Vec<Uuid>>(),
        &column(|call| array(call.budget_ids.iter().map(Uuid::to_string))),
        &column(|call| array(call.budget_starts.iter().map(chrono::DateTime::to_rfc3339))),
        &column(|call| array(call.held_on().map(|held| held.as_nanos().to_string()))),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what ended calls have cost on each of their budgets; nothing where it is the same on all.
pub(crate) async fn cost(
    conn: &mut PgConnection,
    costs: &[(&Locked, Option<Vec<Money>>)],
) -> Result<(), sqlx::Error> {
    if costs.is_empty() {
        return Ok(());
    }
    let nanos = |costs: &Vec<Money>| array(costs.iter().map(|it| it.as_nanos().to_string()));
    sqlx::query!(
        "update call c set budget_costs = k.costs::bigint[]
         from unnest($1::uuid[], $2::uuid[], $3::text[]) as k (org_id, id, costs)
         where c.org_id = k.org_id and c.id = k.id",
        &costs.iter().map(|(call, _)| call.org.uuid()).collect::<Vec<Uuid>>(),
        &costs.iter().map(|(call, _)| call.id.uuid()).collect::<Vec<Uuid>>(),
        &costs.iter().map(|(_, costs)| costs.as_ref().map(nanos)).collect::<Vec<_>>() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
