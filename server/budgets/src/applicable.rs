//! Which budgets a call counts against, answered from memory.
//!
//! An organisation's budgets are read once for each version of its policies, by one query however
//! many calls wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ralex_access::Places;
use ralex_kernel::period::{Bounds, days_before};
use ralex_kernel::{
    BudgetId, Caller, Code, Money, OrgId, Period, Problem, ProjectId, ScopePath, ServiceAccountId,
    TeamId, TokenId, UserId, YearStart,
};
use ralex_store::{Db, problem};

use crate::Budgets;
use crate::charge::{Charge, Only};
use crate::sql;
use crate::sql::budget::{Filter, Stored};

const ORGS: u64 = 10_000;
/// Old versions are never asked for again and fall out.
const IDLE: Duration = Duration::from_mins(10);

pub(crate) type Cache = moka::future::Cache<(OrgId, i64), Arc<Known>>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(ORGS).time_to_idle(IDLE).build()
}

/// An organisation's budgets by what they hang on.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<Place, Vec<Entry>>);

/// What budgets and rate limits hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Org,
    Team(TeamId),
    Project(ProjectId),
    Account(ServiceAccountId),
    Token(TokenId),
    User(UserId),
}

/// Whose calls alone a budget or rate limit counts, where it does not go by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    User(UserId),
    Account(ServiceAccountId),
    Token(TokenId),
}

impl Whose {
    /// What the columns of a row say, of which one at most is not null.
    pub fn of(
        user: Option<UserId>,
        account: Option<ServiceAccountId>,
        token: Option<TokenId>,
    ) -> Option<Self> {
        let (user, account) = (user.map(Self::User), account.map(Self::Account));
        user.or(account).or(token.map(Self::Token))
    }
}

/// Who spends, as far as budgets go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spender<'a> {
    pub at: ScopePath,
    pub token: Option<TokenId>,
    /// The service account that the token is of.
    pub account: Option<ServiceAccountId>,
    /// The person that a call is made by, through a session or a token of their own.
    pub user: Option<UserId>,
    /// The run that a call is part of, as its caller names it.
    pub run: Option<&'a str>,
}

impl<'a> Spender<'a> {
    /// Whoever it is, at a place.
    #[cfg(test)]
    pub const fn anybody(at: ScopePath) -> Self {
        Self { at, token: None, account: None, user: None, run: None }
    }

    pub const fn of(caller: &Caller, at: ScopePath, run: Option<&'a str>) -> Self {
        Self {
            at,
            token: caller.credential.token(),
            account: caller.subject.service_account(),
            user: caller.subject.user(),
            run,
        }
    }
}

#[derive(Debug)]
struct Entry {
    budget: BudgetId,
    scope: Arc<str>,
    only: Option<Only>,
    period: Period,
    zone: Tz,
    year: YearStart,
    limit: Money,
    hard: bool,
    degrade_at: Option<u8>,
    days: Option<u16>,
    follows: bool,
}

impl Budgets {
    /// The budgets that a call may count against, in their periods of `now`: those of the
    /// organisation first, then of the team, the project, the service account, the token and the
    /// person. Those of one model or provider come last, whichever it is: a call may be tried at
    /// several. Those per run count a call that names the run that it is part of, and no other.
    pub async fn applicable(
        &self,
        org: OrgId,
        spender: &Spender<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Charge>, Problem> {
        let key = (org, self.access.version(org));
        let known = self
            .known
            .try_get_with(key, load(&self.db, org))
            .await
            .map_err(|problem| Problem::clone(&problem))?;
        let run =
            if known.counts_runs(spender) { self.run(org, spender, now).await? } else { None };
        let charges = known.charges(spender, run, now);
        for charge in charges.iter().filter(|charge| charge.follows) {
            self.begin(charge.key(org), now).await?;
        }
        Ok(charges)
    }
}

async fn load(db: &Db, org: OrgId) -> Result<Arc<Known>, Problem> {
    let mut tx = db.tenant(org).await?;
    let filter = Filter { within: &Places::ANYWHERE, only: None, after: None, at_most: None };
    let stored = sql::budget::select(&mut tx, org, filter).await.map_err(problem)?;
    Known::of(stored).map(Arc::new)
}

impl Known {
    fn of(stored: Vec<Stored>) -> Result<Self, Problem> {
        let mut known = Self::default();
        for budget in stored {
            let entry = Entry {
                budget: budget.id,
                zone: zone(&budget.time_zone)?,
                scope: budget.counted().into(),
                only: budget.only(),
                period: budget.period,
                year: budget.year_start(),
                limit: budget.limit,
                hard: budget.hard,
                degrade_at: budget.degrade_at.and_then(|percent| u8::try_from(percent).ok()),
                days: budget.days.and_then(|days| u16::try_from(days).ok()),
                follows: budget.follows(),
            };
            let place = Place::of((budget.team, budget.project), budget.whose());
            known.0.entry(place).or_default().push(entry);
        }
        Ok(known)
    }

    fn entries(&self, spender: &Spender<'_>) -> impl Iterator<Item = &Entry> {
        Place::all_of(spender).filter_map(|place| self.0.get(&place)).flatten()
    }

    fn counts_runs(&self, spender: &Spender<'_>) -> bool {
        spender.run.is_some() && self.entries(spender).any(|entry| entry.period == Period::Run)
    }

    fn charges(
        &self,
        spender: &Spender<'_>,
        run: Option<Bounds>,
        now: DateTime<Utc>,
    ) -> Vec<Charge> {
        let charges = self.entries(spender).filter_map(|entry| entry.charge(run, now));
        let mut charges: Vec<Charge> = charges.collect();
        charges.sort_by_key(|charge| charge.only.is_some());
        charges
    }
}

impl Place {
    /// Where a caller spends: from the organisation down, and then by whom it is.
    pub fn all_of(spender: &Spender<'_>) -> impl Iterator<Item = Self> + use<> {
        let Spender { at, token, account, user, .. } = *spender;
        let places = [
            Some(Self::Org),
            at.team().map(Self::Team),
            at.project().map(Self::Project),
            account.map(Self::Account),
            token.map(Self::Token),
            user.map(Self::User),
        ];
        places.into_iter().flatten()
    }

    pub fn of((team, project): (Option<TeamId>, Option<ProjectId>), whose: Option<Whose>) -> Self {
        match (whose, project, team) {
            (Some(Whose::User(user)), _, _) => Self::User(user),
            (Some(Whose::Account(account)), _, _) => Self::Account(account),
            (Some(Whose::Token(token)), _, _) => Self::Token(token),
            (None, Some(project), _) => Self::Project(project),
            (None, None, Some(team)) => Self::Team(team),
            (None, None, None) => Self::Org,
        }
    }
}

impl Entry {
    /// Nothing of a budget per run where there is none.
    fn charge(&self, run: Option<Bounds>, now: DateTime<Utc>) -> Option<Charge> {
        let bounds = match self.period {
            Period::Run => run?,
            period => period.bounds(self.zone, self.year, now),
        };
        Some(Charge {
            budget: self.budget,
            scope: Arc::clone(&self.scope),
            only: self.only,
            period: self.period,
            starts_at: bounds.starts_at,
            ends_at: bounds.ends_at,
            since: self.days.map_or(bounds.starts_at, |days| {
                days_before(self.zone, now, days.saturating_sub(1))
            }),
            follows: self.follows,
            limit: self.limit,
            hard: self.hard,
            degrade_at: self.degrade_at,
        })
    }
}

/// A zone as the database has it, which was checked when it was written.
pub(crate) fn zone(name: &str) -> Result<Tz, Problem> {
    name.parse().map_err(|_| Problem::new(Code::Internal, "A stored time zone is not known."))
}
