//! What counts on a budget beside its calls: listed, and taken back by an entry of its own.

use std::collections::BTreeSet;

use ralex_access::{Scope, Sight};
use ralex_api::adjustments::{Adjustment, AdjustmentReason, ReverseAdjustment};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{AdjustmentEvent, Event};
use ralex_kernel::{AdjustmentId, BudgetId, Code, Money, Problem};
use ralex_store::{OnConstraint, Tenant, problem};

use crate::Budgets;
use crate::batch::crossed;
use crate::budget::one;
use crate::charge::PeriodKey;
use crate::recall::recall;
use crate::sql;
use crate::sql::adjust::{Filter, New, Stored};

const MOST_WORDS: usize = 500;

impl Budgets {
    /// What counts on a budget beside its calls, in all of its periods, newest first.
    pub async fn adjustments(
        &self,
        sight: &impl Sight,
        budget: BudgetId,
        page: &PageQuery,
    ) -> Result<Page<Adjustment>, Problem> {
        let (org, size) = (sight.org(), page.size());
        let mut tx = self.db.tenant(org).await?;
        one(&mut tx, sight, budget).await?;
        let filter = Filter { budget, only: None, before: page.after()?, at_most: size + 1 };
        let stored = sql::adjust::select(&mut tx, org, filter).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let items = stored.into_iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |entry: &Adjustment| entry.id.to_string()))
    }

    /// Takes an entry back, once, and returns the one that does so.
    pub async fn reverse(
        &self,
        scope: &Scope,
        budget: BudgetId,
        id: AdjustmentId,
        why: ReverseAdjustment,
    ) -> Result<Adjustment, Problem> {
        let (org, note) = (scope.org(), noted(&why.note)?);
        let mut tx = self.db.tenant(org).await?;
        one(&mut tx, scope, budget).await?;
        let entry = find(&mut tx, budget, id).await?;
        if entry.reverses.is_some() {
            let detail = "This entry takes another one back, and stays.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let key = PeriodKey { org, budget, starts_at: entry.starts_at };
        let mut ledger = sql::ledger::lock(&mut tx, None, [key]).await.map_err(problem)?;
        let wanted = Money::ZERO - entry.amount;
        let (amount, effect) = ledger.adjust(key, wanted);
        if amount != wanted {
            return Err(less_than(entry.amount));
        }
        let new = New {
            id: AdjustmentId::generate(),
            key,
            amount,
            reason: AdjustmentReason::Reversed.as_str(),
            reverses: Some(id),
            told: None,
            note,
            created_by: scope.author().actor_id(),
        };
        let already = Problem::new(Code::Conflict, "This entry was taken back already.");
        sql::adjust::insert(&mut tx, &new)
            .await
            .or_problem([("budget_adjustment_once", already)])?;
        sql::ledger::write(&mut tx, &ledger).await.map_err(problem)?;
        if amount.is_positive() {
            recall(&mut tx, &[key]).await.map_err(problem)?;
        }
        let note = note.to_owned();
        let event =
            AdjustmentEvent::Reversed { budget, adjustment: new.id, reverses: id, amount, note };
        ralex_audit::record(&mut tx, scope.author(), Event::Adjustment(event))
            .await
            .map_err(problem)?;
        let crossings = crossed(org, &effect.crossings).collect();
        ralex_audit::record_all(&mut tx, crossings).await.map_err(problem)?;
        if amount < Money::ZERO {
            self.may_lower(&mut tx, scope, &BTreeSet::from([key])).await?;
        }
        let made = find(&mut tx, budget, new.id).await?;
        tx.commit().await.map_err(problem)?;
        shown(made)
    }
}

async fn find(tx: &mut Tenant, budget: BudgetId, id: AdjustmentId) -> Result<Stored, Problem> {
    let (org, filter) = (tx.org(), Filter { budget, only: Some(id), before: None, at_most: 1 });
    let found = sql::adjust::select(tx, org, filter).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("adjustment"))
}

fn noted(note: &str) -> Result<&str, Problem> {
    let note = note.trim();
    if note.is_empty() {
        return Err(Problem::field("note", "is needed: say why, for the audit log"));
    }
    if note.chars().count() > MOST_WORDS {
        return Err(Problem::field("note", format!("is longer than {MOST_WORDS} characters")));
    }
    Ok(note)
}

fn less_than(amount: Money) -> Problem {
    let detail = format!(
        "Less than ${amount} counts as spent in that period, because another entry takes away \
         from it. Reverse that one first.",
    );
    Problem::new(Code::Conflict, detail)
}

fn shown(stored: Stored) -> Result<Adjustment, Problem> {
    let reason = AdjustmentReason::named(&stored.reason)
        .ok_or_else(|| Problem::new(Code::Internal, "A stored reason is not known."))?;
    Ok(Adjustment {
        id: stored.id,
        amount: stored.amount,
        reason,
        period_starts_at: stored.starts_at,
        node: stored.node,
        day: stored.day,
        provider: stored.provider,
        reverses: stored.reverses,
        reversed_by: stored.reversed_by,
        note: stored.note,
        created_by: stored.created_by,
        created_at: stored.created_at,
    })
}
