//! Reads every budget many times a second, as one who has the database in hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ralex_kernel::Money;
use sqlx::{Connection, PgConnection, Row};

use super::blocks::TRIGGER;
use super::cluster::Cluster;

const PAUSE: Duration = Duration::from_millis(40);
const EXAMPLES: usize = 20;

const LOOK: &str = "
    select p.budget_id::text, p.spend_limit, p.spent, p.held, p.leased,
        (select coalesce(sum(l.amount), 0)::bigint from budget_lease l
         where l.org_id = p.org_id and l.budget_id = p.budget_id
           and l.starts_at = p.starts_at) as in_hand
    from budget_period p where p.hard";

/// What was seen of all budgets so far.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub looks: u64,
    /// Budgets in all looks.
    pub observations: u64,
    /// Of them, those with so little left that a call more would not have fitted.
    pub exhausted: u64,
    pub overspent: Vec<String>,
    /// By how much a limit was passed at the most.
    pub overspend: Money,
    /// Budgets of which more or less is leased than nodes have in hand.
    pub leases_off: Vec<String>,
    pub most_held: Money,
    pub most_leased: Money,
}

/// Installs what notes refusals. Nothing of Ralex knows of it.
///
/// # Errors
/// Where the database refuses.
pub async fn install(cluster: &Cluster) -> anyhow::Result<()> {
    sqlx::raw_sql(TRIGGER).execute(&mut cluster.connect().await?).await?;
    Ok(())
}

/// Looks at every budget until told to stop. `shift` is added to what is spent, to see that this
/// notices.
pub async fn run(
    cluster: Arc<Cluster>,
    stop: Arc<AtomicBool>,
    observed: Arc<Mutex<Observed>>,
    shift: Money,
) {
    let mut conn: Option<PgConnection> = None;
    while !stop.load(Ordering::Relaxed) {
        if conn.is_none() {
            // PostgreSQL may just be away.
            conn = cluster.connect().await.ok();
        }
        if let Some(mut open) = conn.take()
            && let Ok(rows) = sqlx::raw_sql(LOOK).fetch_all(&mut open).await
        {
            let mut observed = observed.lock();
            observed.looks += 1;
            for row in &rows {
                observed.look(row, shift).ok();
            }
            conn = Some(open);
        }
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(conn) = conn {
        conn.close().await.ok();
    }
}

impl Observed {
    fn look(&mut self, row: &sqlx::postgres::PgRow, shift: Money) -> Result<(), sqlx::Error> {
        /// What the cheapest call here may cost.
        const ONE_CALL: Money = Money::nanos(1_000_000);
        let amount = |at: usize| row.try_get(at).map(Money::nanos);
        let budget: String = row.try_get(0)?;
        let (limit, spent, held) = (amount(1)?, amount(2)? + shift, amount(3)?);
        let (leased, in_hand) = (amount(4)?, amount(5)?);
        let told = || {
            format!(
                "{budget}: of {limit}, {spent} spent, {held} held, {leased} leased, {in_hand} in hand"
            )
        };
        self.observations += 1;
        self.exhausted += u64::from(limit - spent - held - leased < ONE_CALL);
        self.most_held = self.most_held.max(held);
        self.most_leased = self.most_leased.max(leased);
        let beyond = spent + held + leased - limit;
        if beyond.is_positive() {
            self.overspend = self.overspend.max(beyond);
            if self.overspent.len() < EXAMPLES {
                self.overspent.push(told());
            }
        }
        if leased != in_hand && self.leases_off.len() < EXAMPLES {
            self.leases_off.push(told());
        }
        Ok(())
    }
}
