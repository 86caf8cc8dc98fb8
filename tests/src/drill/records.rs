//! What is on record when all is quiet: rows of the database, and events of the exported log.

use std::collections::HashMap;

use ralex_kernel::Money;
use sqlx::{PgConnection, Row};

use crate::rig::proof::CallEvent;

/// A row of `call`.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub state: String,
    pub cost: Money,
    pub held: Money,
    pub estimated: bool,
    /// Its token, project and team.
    pub scopes: Vec<String>,
}

/// A hard budget, and all that was counted on it.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// `org`, or the id of the team, project or token.
    pub scope: String,
    pub limit: Money,
    pub spent: Money,
    pub held: Money,
    pub leased: Money,
    pub overrun: Money,
    pub adjusted: Money,
}

/// What the log says of one call.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The digests of what was opened.
    pub opened: Vec<String>,
    /// States and costs, in the order of the log.
    pub closed: Vec<(String, Money)>,
    pub refused: u32,
    /// How often more was held for it.
    pub extended: u32,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Records {
    pub calls: HashMap<String, Call>,
    pub budgets: Vec<Budget>,
    pub stories: HashMap<String, Story>,
    /// Which call a body became.
    pub by_digest: HashMap<String, String>,
}

impl Records {
    /// # Errors
    /// Where the database refuses.
    pub async fn read(conn: &mut PgConnection, events: Vec<CallEvent>) -> anyhow::Result<Self> {
        let mut records = Self { budgets: budgets(conn).await?, ..Self::default() };
        records.calls = calls(conn).await?;
        records.events(events);
        Ok(records)
    }

    pub fn events(&mut self, events: Vec<CallEvent>) {
        for event in events {
            match event {
                CallEvent::Opened { call, digest } => {
                    self.by_digest.insert(digest.clone(), call.clone());
                    self.stories.entry(call).or_default().opened.push(digest);
                }
                CallEvent::Closed { call, state, cost } => {
                    let cost = cost.parse().unwrap_or(Money::MAX);
                    self.stories.entry(call).or_default().closed.push((state, cost));
                }
                CallEvent::Extended { call } => {
                    self.stories.entry(call).or_default().extended += 1;
                }
                CallEvent::Refused { call } => self.stories.entry(call).or_default().refused += 1,
            }
        }
    }

    /// Of the whole organisation.
    pub fn whole(&self) -> Budget {
        self.budgets.iter().find(|budget| budget.scope == "org").cloned().unwrap_or_default()
    }
}

async fn calls(conn: &mut PgConnection) -> anyhow::Result<HashMap<String, Call>> {
    let sql = "select id::text, state, cost, held, estimated, token_id::text, project_id::text,
                   team_id::text
               from call";
    let rows = sqlx::raw_sql(sql).fetch_all(conn).await?;
    let call = |row: &sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        let scopes = (5..8).map(|at| row.try_get::<Option<String>, _>(at));
        let call = Call {
            state: row.try_get(1)?,
            cost: Money::nanos(row.try_get(2)?),
            held: Money::nanos(row.try_get(3)?),
            estimated: row.try_get(4)?,
            scopes: scopes.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        };
        Ok((row.try_get(0)?, call))
    };
    Ok(rows.iter().map(call).collect::<Result<_, _>>()?)
}

async fn budgets(conn: &mut PgConnection) -> anyhow::Result<Vec<Budget>> {
    let sql = "select coalesce(b.token_id, b.project_id, b.team_id)::text, p.spend_limit, p.spent,
                   p.held, p.leased, p.overrun,
                   (select coalesce(sum(a.amount), 0)::bigint from budget_adjustment a
                    where a.org_id = p.org_id and a.budget_id = p.budget_id
                      and a.starts_at = p.starts_at)
               from budget b
               join budget_period p on p.org_id = b.org_id and p.budget_id = b.id";
    let rows = sqlx::raw_sql(sql).fetch_all(conn).await?;
    let budget = |row: &sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        let amount = |at: usize| row.try_get(at).map(Money::nanos);
        let scope: Option<String> = row.try_get(0)?;
        Ok(Budget {
            scope: scope.unwrap_or_else(|| "org".to_owned()),
            limit: amount(1)?,
            spent: amount(2)?,
            held: amount(3)?,
            leased: amount(4)?,
            overrun: amount(5)?,
            adjusted: amount(6)?,
        })
    };
    Ok(rows.iter().map(budget).collect::<Result<_, _>>()?)
}
