//! Rate limits as people set them: create, find, list, change, delete.

use std::collections::HashMap;

use ralex_access::{Scope, Sight};
use ralex_api::page::{Page, PageQuery};
use ralex_api::rate_limits::{Measure, NewRateLimit, RateLimit, UpdateRateLimit};
use ralex_audit::Event;
use ralex_kernel::{Code, OrgId, Problem, RateLimitId, TokenId};
use ralex_store::{OnConstraint, Tenant, problem};

use super::Rates;
use super::known::measure;
use crate::charge::Only;
use crate::sql::rate::{self as sql, Filter, New, Stored};
use crate::target::{self, Target};

/// An organisation has so many at most: each is locked by the calls that it counts.
const MOST: i64 = 1_000;
const MOST_UNITS: u64 = 1_000_000_000_000_000;
const USUAL_SECONDS: u32 = 60;
const LONGEST_SECONDS: u32 = 31 * 24 * 60 * 60;

impl Rates {
    /// Sets how much calls may take in any window. A scope may have several; all of them hold.
    pub async fn create(&self, scope: &Scope, new: NewRateLimit) -> Result<RateLimit, Problem> {
        let (org, id) = (scope.org(), RateLimitId::generate());
        let amount = amount(new.amount)?;
        let window = new.window_seconds.unwrap_or(USUAL_SECONDS);
        let window_seconds = seconds(window)?;
        let mut tx = self.db.tenant(org).await?;
        if sql::count(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail = format!("An organisation has {MOST} rate limits at most.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let target = Target::find(&self.db, &mut tx, scope, &new.scope).await?;
        let only = target::only(&mut tx, new.model.as_deref(), new.provider.as_deref()).await?;
        let row = New {
            id,
            team: target.team(),
            project: target.project(),
            token: target.token(),
            account: target.account(),
            user: target.user(),
            only,
            measure: new.measure.as_str(),
            amount,
            window_seconds,
        };
        let gone = || Problem::field("scope", "was deleted at this moment");
        sql::insert(&mut tx, org, row)
            .await
            .or_problem([("rate_limit_team", gone()), ("rate_limit_project", gone())])?;
        let stored = one(&mut tx, scope, id).await?;
        let event = Event::RateLimitCreated {
            rate_limit: id,
            scope: stored.scope.clone(),
            model: new.model,
            provider: new.provider,
            measure: new.measure.as_str(),
            amount: new.amount,
            window_seconds: window,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.shown(org, stored).await
    }

    pub async fn find(&self, sight: &impl Sight, id: RateLimitId) -> Result<RateLimit, Problem> {
        let mut tx = self.db.tenant(sight.org()).await?;
        let stored = one(&mut tx, sight, id).await?;
        drop(tx);
        self.shown(sight.org(), stored).await
    }

    /// The limits of places that may be seen, oldest first.
    pub async fn list(
        &self,
        sight: &impl Sight,
        page: &PageQuery,
    ) -> Result<Page<RateLimit>, Problem> {
        let (org, size, within) = (sight.org(), page.size(), sight.places());
        let filter =
            Filter { within: &within, only: None, after: page.after()?, at_most: Some(size + 1) };
        let mut tx = self.db.tenant(org).await?;
        let stored = sql::select(&mut tx, org, filter).await.map_err(problem)?;
        drop(tx);
        let unnamed = stored.iter().filter(|limit| limit.scope_name.is_none());
        let tokens = unnamed.filter_map(|limit| limit.token);
        let names = target::personal_token_names(&self.db, org, tokens).await?;
        let items = stored.into_iter().map(|limit| shown(limit, &names));
        let items = items.collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |limit: &RateLimit| limit.id.to_string()))
    }

    /// Changes how much is let through, from the next moment on.
    pub async fn update(
        &self,
        scope: &Scope,
        id: RateLimitId,
        change: UpdateRateLimit,
    ) -> Result<RateLimit, Problem> {
        let (org, amount) = (scope.org(), amount(change.amount)?);
        let mut tx = self.db.tenant(org).await?;
        one(&mut tx, scope, id).await?;
        let before = sql::update(&mut tx, org, id, amount).await.map_err(problem)?;
        let before = before.ok_or_else(not_found)?.unsigned_abs();
        let stored = one(&mut tx, scope, id).await?;
        let event = Event::RateLimitUpdated { rate_limit: id, amount: change.amount, before };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.shown(org, stored).await
    }

    pub async fn delete(&self, scope: &Scope, id: RateLimitId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let stored = one(&mut tx, scope, id).await?;
        if !sql::delete(&mut tx, org, id).await.map_err(problem)? {
            return Err(not_found());
        }
        let amount = stored.amount.unsigned_abs();
        let event = Event::RateLimitDeleted { rate_limit: id, scope: stored.counted(), amount };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
    }

    async fn shown(&self, org: OrgId, stored: Stored) -> Result<RateLimit, Problem> {
        let token = stored.token.filter(|_| stored.scope_name.is_none());
        let names = target::personal_token_names(&self.db, org, token.into_iter()).await?;
        shown(stored, &names)
    }
}

/// A limit that may be seen; others do not exist for whoever asks.
async fn one(tx: &mut Tenant, sight: &impl Sight, id: RateLimitId) -> Result<Stored, Problem> {
    let within = sight.places();
    let filter = Filter { within: &within, only: Some(id), after: None, at_most: None };
    let found = sql::select(tx, sight.org(), filter).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::not_found("rate limit")
}

fn amount(amount: u64) -> Result<i64, Problem> {
    let fits = (1..=MOST_UNITS).contains(&amount).then(|| i64::try_from(amount).ok()).flatten();
    fits.ok_or_else(|| Problem::field("amount", format!("must be from 1 to {MOST_UNITS}")))
}

fn seconds(window: u32) -> Result<i32, Problem> {
    let fits = (1..=LONGEST_SECONDS).contains(&window).then(|| i32::try_from(window).ok());
    let rule = || format!("must be from 1 to {LONGEST_SECONDS}, which is 31 days");
    fits.flatten().ok_or_else(|| Problem::field("window_seconds", rule()))
}

fn shown(stored: Stored, names: &HashMap<TokenId, String>) -> Result<RateLimit, Problem> {
    let measure: Measure = measure(&stored.measure)?;
    let gone = if stored.user.is_some() { "Somebody who left" } else { "A deleted token" };
    let token_name = stored.token.and_then(|token| names.get(&token).cloned());
    let (model, provider) = Only::named(stored.only(), stored.only_name);
    Ok(RateLimit {
        id: stored.id,
        scope: stored.scope,
        scope_name: stored.scope_name.or(token_name).unwrap_or_else(|| gone.into()),
        model,
        provider,
        measure,
        amount: stored.amount.unsigned_abs(),
        window_seconds: stored.window_seconds.unsigned_abs(),
        used: stored.taken.unsigned_abs(),
        refused: stored.refused.unsigned_abs(),
        last_refused_at: stored.last_refused_at,
        created_at: stored.created_at,
    })
}
