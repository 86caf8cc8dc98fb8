//! Verifying: proves from the calls themselves that every budget counted each of them once.

use std::fmt;

use chrono::{DateTime, Utc};
use ralex_kernel::{BudgetId, Money, OrgId};
use ralex_store::Db;

use crate::sql;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Periods that were compared with their calls.
    pub periods: u64,
    pub differences: Vec<Difference>,
}

/// One period that does not say what its calls say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub org: OrgId,
    pub budget: BudgetId,
    pub starts_at: DateTime<Utc>,
    pub finding: Finding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A hard budget gave more than its limit.
    Overspent { limit: Money, spent: Money, held: Money, leased: Money },
    /// What is counted as spent is not what the calls cost, with all adjustments.
    Spent { counted: Money, calls: Money },
    /// What is held is not what the open calls hold.
    Held { counted: Money, calls: Money },
    /// What is leased is not what the nodes have in hand.
    Leased { counted: Money, nodes: Money },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { org, budget, starts_at, finding } = self;
        write!(f, "organisation {org}, budget {budget}, period from {starts_at}: ")?;
        match finding {
            Finding::Overspent { limit, spent, held, leased } => write!(
                f,
                "${spent} spent, ${held} held and ${leased} leased pass the limit of ${limit}"
            ),
            Finding::Spent { counted, calls } => {
                write!(
                    f,
                    "${counted} counted as spent, but its calls and adjustments come to ${calls}"
                )
            }
            Finding::Held { counted, calls } => {
                write!(f, "${counted} held, but its open calls hold ${calls}")
            }
            Finding::Leased { counted, nodes } => {
                write!(f, "${counted} leased, but its nodes have ${nodes} in hand")
            }
        }
    }
}

/// Compares the budgets of one organisation, or of all, with their calls. One statement reads
/// everything, so it is exact while calls go on.
pub async fn verify(db: &Db, org: Option<OrgId>) -> Result<Verification, ralex_store::Error> {
    let mut tx = db.system("compare budgets with their calls").await?;
    let periods = sql::verify::periods(&mut tx, org).await?;
    tx.rollback().await?;
    let differences = periods.iter().flat_map(differences).collect();
    Ok(Verification { periods: periods.len() as u64, differences })
}

pub(crate) fn differences(period: &sql::verify::Period) -> Vec<Difference> {
    let spent = period.spent + period.overrun;
    let mut findings = Vec::new();
    if period.hard && period.spent + period.held + period.leased > period.limit {
        findings.push(Finding::Overspent {
            limit: period.limit,
            spent: period.spent,
            held: period.held,
            leased: period.leased,
        });
    }
    if period.leased != period.in_hand {
        findings.push(Finding::Leased { counted: period.leased, nodes: period.in_hand });
    }
    if spent != period.cost_of_calls {
        findings.push(Finding::Spent { counted: spent, calls: period.cost_of_calls });
    }
    if period.held != period.held_by_calls {
        findings.push(Finding::Held { counted: period.held, calls: period.held_by_calls });
    }
    findings
        .into_iter()
        .map(|finding| Difference {
            org: period.org,
            budget: period.budget,
            starts_at: period.starts_at,
            finding,
        })
        .collect()
}
