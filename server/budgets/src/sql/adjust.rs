//! Queries on `budget_adjustment`: listed, found and added, never changed.

use chrono::{DateTime, NaiveDate, Utc};
use ralex_kernel::{AdjustmentId, BudgetId, Money, NodeId, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::charge::PeriodKey;

/// One entry, with who made it in words.
#[derive(Debug)]
pub(crate) struct Stored {
    pub id: AdjustmentId,
    pub starts_at: DateTime<Utc>,
    pub amount: Money,
    pub reason: String,
    pub node: Option<NodeId>,
    pub day: Option<NaiveDate>,
    pub provider: Option<String>,
    pub reverses: Option<AdjustmentId>,
    pub reversed_by: Option<AdjustmentId>,
    pub note: String,
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Which entries of a budget to read, the newest first: one, or those before one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    pub budget: BudgetId,
    pub only: Option<AdjustmentId>,
    pub before: Option<AdjustmentId>,
    pub at_most: i64,
}

/// Ids grow with time, so they give the order.
pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter,
) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as!(
        Stored,
        r#"select a.id as "id: AdjustmentId", a.starts_at, a.amount as "amount: Money", a.reason,
               a.node_id as "node: NodeId", a.day, a.provider,
               a.reverses as "reverses: AdjustmentId",
               (select r.id from budget_adjustment r
                where r.org_id = a.org_id and r.reverses = a.id) as "reversed_by: AdjustmentId",
               a.note, coalesce(u.email, k.name, a.created_by::text) as created_by, a.created_at
           from budget_adjustment a
           left join app_user u on u.id = a.created_by
           left join token k on k.org_id = a.org_id and k.id = a.created_by
           where a.org_id = $1 and a.budget_id = $2
             and ($3::uuid is null or a.id = $3)
             and ($4::uuid is null or a.id < $4)
           order by a.id desc
           limit $5"#,
        org as _,
        filter.budget as _,
        filter.only as _,
        filter.before as _,
        filter.at_most,
    )
    .fetch_all(conn)
    .await
}

/// An entry to add, whose period is locked.
#[derive(Clone, Debug)]
pub(crate) struct New<'a> {
    pub id: AdjustmentId,
    pub key: PeriodKey,
    pub amount: Money,
    pub reason: &'static str,
    pub reverses: Option<AdjustmentId>,
    /// The day and the provider.
    pub told: Option<(NaiveDate, &'a str)>,
    pub note: &'a str,
    pub created_by: Option<Uuid>,
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into budget_adjustment (org_id, id, budget_id, starts_at, amount, reason, reverses,
             day, provider, note, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.key.org as _,
        new.id as _,
        new.key.budget as _,
        new.key.starts_at,
        new.amount as _,
        new.reason,
        new.reverses as _,
        new.told.map(|(day, _)| day),
        new.told.map(|(_, provider)| provider),
        new.note,
        new.created_by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How much exports have taken away from what is spent in a period; what took back an entry of one as well.
pub(crate) async fn lowered(conn: &mut PgConnection, key: PeriodKey) -> Result<Money, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select (-coalesce(sum(a.amount), 0))::bigint as "lowered!: Money"
           from budget_adjustment a
           left join budget_adjustment r on r.org_id = a.org_id and r.id = a.reverses
           where a.org_id = $1 and a.budget_id = $2 and a.starts_at = $3 and a.amount < 0
             and 'reconciled' in (a.reason, r.reason)"#,
        key.org as _,
        key.budget as _,
        key.starts_at,
    )
    .fetch_one(conn)
    .await
}
