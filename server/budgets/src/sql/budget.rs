//! Queries on `budget` and its current periods, within one organisation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_access::{BudgetTerms, Places};
use ralex_kernel::period::{Bounds, days_before};
use ralex_kernel::{
    BudgetId, ModelId, Money, OrgId, Period, Problem, ProjectId, ProviderId, ServiceAccountId,
    TeamId, TokenId, UserId, YearStart,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::applicable::{Whose, zone};
use crate::charge::Only;

/// A budget with its scope in words.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub org: OrgId,
    pub id: BudgetId,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub token: Option<TokenId>,
    pub account: Option<ServiceAccountId>,
    pub user: Option<UserId>,
    pub model: Option<ModelId>,
    pub provider: Option<ProviderId>,
    /// The name of the model, or the slug of the provider; the id of one that was deleted.
    pub only_name: Option<String>,
    /// As it stands in the contract (`team:platform`).
    pub scope: String,
    /// The slugs of the place that it is, or is at home in.
    pub team_slug: Option<String>,
    pub project_slug: Option<String>,
    /// Absent where a personal token's name is not for the organisation's own role to read.
    pub scope_name: Option<String>,
    pub period: Period,
    pub time_zone: String,
    pub year_month: i16,
    pub year_day: i16,
    pub limit: Money,
    pub hard: bool,
    pub degrade_at: Option<i16>,
    /// Of a rolling budget.
    pub days: Option<i16>,
    pub carry_over: bool,
    pub carry_over_at_most: Option<Money>,
    pub created_at: DateTime<Utc>,
}

/// What to store.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub id: BudgetId,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub token: Option<TokenId>,
    pub account: Option<ServiceAccountId>,
    pub user: Option<UserId>,
    pub only: Option<Only>,
    pub period: Period,
    pub time_zone: &'a str,
    pub year_start: YearStart,
    pub limit: Money,
    pub hard: bool,
    pub degrade_at: Option<i16>,
    pub days: Option<i16>,
    pub carry_over: bool,
    pub carry_over_at_most: Option<Money>,
}

impl Stored {
    pub const fn terms(&self) -> BudgetTerms {
        BudgetTerms { limit: self.limit, hard: self.hard }
    }

    /// The period that `now` falls in.
    pub fn bounds(&self, now: DateTime<Utc>) -> Result<Bounds, Problem> {
        Ok(self.period.bounds(zone(&self.time_zone)?, self.year_start(), now))
    }

    /// From when on what was spent counts: the first instant of the period, or of a window.
    pub fn since(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
        match self.days.and_then(|days| u16::try_from(days).ok()) {
            Some(days) => Ok(days_before(zone(&self.time_zone)?, now, days.saturating_sub(1))),
            None => Ok(self.bounds(now)?.starts_at),
        }
    }

    /// Whether the limit of a period depends on those before it.
    pub const fn follows(&self) -> bool {
        self.days.is_some() || self.carry_over
    }

    /// Whose calls it counts, where it does not go by their place.
    pub fn whose(&self) -> Option<Whose> {
        Whose::of(self.user, self.account, self.token)
    }

    /// The model or provider whose calls alone count.
    pub fn only(&self) -> Option<Only> {
        self.model.map(Only::Model).or(self.provider.map(Only::Provider))
    }

    /// Whose calls it counts, in words.
    pub fn counted(&self) -> String {
        Only::with(self.only(), &self.scope, self.only_name.as_deref())
    }

    pub fn year_start(&self) -> YearStart {
        let part = |part: i16| u8::try_from(part).unwrap_or(1);
        // The table's own check is the same.
        YearStart::new(part(self.year_month), part(self.year_day)).unwrap_or_default()
    }
}

/// Which budgets to read: those within a scope, one, or all after one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub within: &'a Places,
    pub only: Option<BudgetId>,
    pub after: Option<BudgetId>,
    pub at_most: Option<i64>,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    new: New<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into budget (org_id, id, team_id, project_id, token_id, period, time_zone,
             spend_limit, hard, user_id, year_month, year_day, degrade_at, model_id, provider_id,
             days, carry_over, carry_over_at_most, account_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19)",
        org as _,
        new.id as _,
        new.team as _,
        new.project as _,
        new.token as _,
        new.period.as_str(),
        new.time_zone,
        new.limit as _,
        new.hard,
        new.user as _,
        i16::from(new.year_start.month()),
        i16::from(new.year_start.day()),
        new.degrade_at,
        new.only.and_then(Only::model) as _,
        new.only.and_then(Only::provider) as _,
        new.days,
        new.carry_over,
        new.carry_over_at_most as _,
        new.account as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter<'_>,
) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as!(
        Stored,
        r#"select b.org_id as "org: OrgId", b.id as "id: BudgetId", b.team_id as "team: TeamId",
               b.project_id as "project: ProjectId", b.token_id as "token: TokenId",
               b.account_id as "account: ServiceAccountId", b.user_id as "user: UserId",
               b.model_id as "model: ModelId",
               b.provider_id as "provider: ProviderId",
               coalesce(m.name, b.model_id::text, v.slug, b.provider_id::text) as only_name,
               coalesce('user:' || b.user_id, 'service_account:' || a.slug, 'token:' || b.token_id,
                   'project:' || p.slug, 'team:' || t.slug, 'org') as "scope!",
               case when b.user_id is not null then u.name
                    when b.token_id is not null then k.name
                    else coalesce(a.name, p.name, t.name, o.name) end as "scope_name?",
               t.slug as "team_slug?", p.slug as "project_slug?",
               b.period as "period: Period", b.time_zone, b.year_month, b.year_day,
               b.spend_limit as "limit: Money", b.hard, b.degrade_at, b.created_at,
               b.days, b.carry_over, b.carry_over_at_most as "carry_over_at_most: Money"
           from budget b
           join org o on o.id = b.org_id
           left join token k on k.org_id = b.org_id and k.id = b.token_id
           left join service_account a on a.org_id = b.org_id and a.id = b.account_id
           left join app_user u on u.id = b.user_id
           left join model m on m.org_id = b.org_id and m.id = b.model_id
           left join provider v on v.org_id = b.org_id and v.id = b.provider_id
           left join team t on t.org_id = b.org_id and t.id = coalesce(b.team_id, k.team_id, a.team_id)
           left join project p on p.org_id = b.org_id
               and p.id = coalesce(b.project_id, k.project_id, a.project_id)
           where b.org_id = $1
             and (coalesce(b.project_id, k.project_id, a.project_id) = any ($3)
               or (coalesce(b.team_id, k.team_id, a.team_id) = any ($3)
                   or $2 and (coalesce(b.team_id, k.team_id, a.team_id) <> all ($7)) is not false)
                 and (coalesce(b.project_id, k.project_id, a.project_id) <> all ($7)) is not false)
             and ($4::uuid is null or b.id = $4)
             and ($5::uuid is null or b.id > $5)
           order by b.id
           limit $6"#,
        org as _,
        filter.within.org,
        &filter.within.open,
        filter.only as _,
        filter.after as _,
        filter.at_most,
        &filter.within.closed,
    )
    .fetch_all(conn)
    .await
}

/// One budget, wherever it is.
pub(crate) async fn one(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
) -> Result<Option<Stored>, Problem> {
    let filter = Filter { within: &Places::ANYWHERE, only: Some(id), after: None, at_most: None };
    let found = select(conn, org, filter).await.map_err(ralex_store::problem)?;
    Ok(found.into_iter().next())
}

/// Locks a budget against other changes and against new periods of it.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select id from budget where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

pub(crate) async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
    (limit, hard): (Money, bool),
    degrade_at: Option<i16>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update budget set spend_limit = $3, hard = $4, degrade_at = $5
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        limit as _,
        hard,
        degrade_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a budget and its periods.
pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from budget where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// A period's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub spent: Money,
    pub held: Money,
    pub overrun: Money,
    pub leased: Money,
    /// Part of what is spent or overrun that is not of calls.
    pub adjusted: Money,
    pub refused: i64,
    /// What is in force beyond the limit.
    pub increase: Money,
    /// What went on to it from the period before.
    pub carried: Money,
}

/// The counters of the periods that have a row: of one for each budget, or of a window's days.
pub(crate) async fn counters(
    conn: &mut PgConnection,
    org: OrgId,
    budgets: &[Uuid],
    spans: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Result<HashMap<BudgetId, Counters>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select p.budget_id as "budget: BudgetId", sum(p.spent)::bigint as "spent!: Money",
               sum(p.held)::bigint as "held!: Money", sum(p.overrun)::bigint as "overrun!: Money",
               sum(p.refused)::bigint as "refused!", sum(p.leased)::bigint as "leased!: Money",
               sum(case when p.increase_until > now() then p.increase else 0 end)::bigint
                   as "increase!: Money",
               sum(p.carried)::bigint as "carried!: Money",
               sum(coalesce((select sum(a.amount) from budget_adjustment a
                   where a.org_id = p.org_id and a.budget_id = p.budget_id
                     and a.starts_at = p.starts_at), 0))::bigint as "adjusted!: Money"
           from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[])
               as k (budget_id, since, starts_at)
           join budget_period p on p.org_id = $1 and p.budget_id = k.budget_id
               and p.starts_at between k.since and k.starts_at
           group by p.budget_id"#,
        org as _,
        budgets,
        &spans.iter().map(|(since, _)| *since).collect::<Vec<_>>(),
        &spans.iter().map(|(_, starts_at)| *starts_at).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    let counters = rows.into_iter().map(|row| {
        let counters = Counters {
            spent: row.spent,
            held: row.held,
            overrun: row.overrun,
            leased: row.leased,
            adjusted: row.adjusted,
            refused: row.refused,
            increase: row.increase,
            carried: row.carried,
        };
        (row.budget, counters)
    });
    Ok(counters.collect())
}

/// A period that is not over, locked.
#[derive(Debug)]
pub(crate) struct Current {
    pub starts_at: DateTime<Utc>,
    pub spent: Money,
    pub held: Money,
    pub leased: Money,
    pub overrun: Money,
    pub alerted: i32,
    /// What it has beyond the limit, and until when.
    pub increase: Money,
    pub until: Option<DateTime<Utc>>,
    /// What went on to it from the period before.
    pub carried: Money,
    /// What the days before it in a rolling window have taken, when that was last looked at.
    pub before_it: Money,
}

/// Periods that are not over: the current one, and the next where another node's clock is ahead.
pub(crate) async fn lock_current(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
    now: DateTime<Utc>,
) -> Result<Vec<Current>, sqlx::Error> {
    sqlx::query_as!(
        Current,
        r#"select starts_at, spent as "spent: Money", held as "held: Money",
               overrun as "overrun: Money", leased as "leased: Money", alerted,
               case when increase_until > now() then increase else 0 end as "increase!: Money",
               case when increase_until > now() then increase_until end as "until?",
               carried as "carried: Money", coalesce(before_it, 0) as "before_it!: Money"
           from budget_period
           where org_id = $1 and budget_id = $2 and ends_at > $3
           order by starts_at
           for no key update"#,
        org as _,
        id as _,
        now,
    )
    .fetch_all(conn)
    .await
}

/// What a period is to have from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub starts_at: DateTime<Utc>,
    /// With the increase.
    pub limit: Money,
    pub hard: bool,
    pub alerted: i32,
    pub increase: Money,
    pub until: Option<DateTime<Utc>>,
    /// Without the increase.
    pub allowance: Money,
}

pub(crate) async fn update_period(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
    terms: Terms,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update budget_period
         set spend_limit = $4, hard = $5, alerted = $6, increase = $7, increase_until = $8,
             allowance = $9
         where org_id = $1 and budget_id = $2 and starts_at = $3",
        org as _,
        id as _,
        terms.starts_at,
        terms.limit as _,
        terms.hard,
        terms.alerted,
        terms.increase as _,
        terms.until,
        terms.allowance as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
