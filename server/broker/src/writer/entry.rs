//! What one batch writes for each of its calls: rows, events, and the answers to those who wait.

use ralex_audit::{Answered, CallClosed, CallOpened, Entry, Event, Tried};
use ralex_budgets::{
    Attempt, Counted, Decision, Ending, Extended, Extension, HoldOutcome, OpenCall, Refusal,
    SettleOutcome, Settlement, Tokens, Told,
};
use ralex_kernel::{BudgetId, Code, Money};

use super::{Closing, Extending, Opened, Opening, Otherwise, Then, Unrecorded, not_recorded};

pub(super) fn extended(extending: &Extending, done: &Extended) -> Option<Entry> {
    let Extended::Held { held } = *done else { return None };
    let Extension { call, amount, .. } = extending.extension;
    let event = Event::CallExtended { call, added: amount, held };
    Some(Entry::new(extending.author.clone(), event))
}

/// Closes a call from which nothing was sent, at no cost.
pub(super) fn unwanted(opening: Opening, ending: Ending, problem: Option<Code>) -> Closing {
    let settlement = Settlement {
        org: opening.hold.org,
        call: opening.hold.call,
        ending,
        tokens: Tokens::default(),
        cost: Money::ZERO,
        apart: Vec::new(),
        problem,
        first_byte_ms: None,
        duration_ms: 0,
        told: Told::default(),
    };
    Closing { settlement, author: opening.author, looks: 0 }
}

pub(super) fn row(opening: &Opening, held: Option<&HoldOutcome>) -> OpenCall {
    let decision = match held {
        Some(HoldOutcome::Held { periods }) => {
            Decision::Open { held: opening.hold.amount, periods: periods.clone() }
        }
        Some(HoldOutcome::Beyond { periods }) => {
            Decision::Open { held: Money::ZERO, periods: periods.clone() }
        }
        Some(HoldOutcome::Refused(_) | HoldOutcome::Later(_)) => {
            Decision::Refused { problem: Code::BudgetExhausted }
        }
        None => Decision::Refused { problem: opening.refused.unwrap_or(Code::Internal) },
    };
    OpenCall { decision, ..opening.row.clone() }
}

pub(super) fn decided(opening: &Opening, held: Option<&HoldOutcome>) -> Entry {
    let event = match held {
        Some(HoldOutcome::Held { .. }) => Event::CallOpened(opening.intent.clone()),
        Some(HoldOutcome::Beyond { .. }) => {
            Event::CallOpened(CallOpened { held: Money::ZERO, ..opening.intent.clone() })
        }
        Some(HoldOutcome::Refused(refusal)) => {
            refused(opening, Code::BudgetExhausted, Some(refusal))
        }
        Some(HoldOutcome::Later(_)) => refused(opening, Code::BudgetExhausted, None),
        None => refused(opening, opening.refused.unwrap_or(Code::Internal), None),
    };
    Entry::new(opening.author.clone(), event)
}

pub(super) fn refused(opening: &Opening, code: Code, refusal: Option<&Refusal>) -> Event {
    Event::CallRefused {
        call: opening.hold.call,
        model: opening.row.asked.clone(),
        dialect: opening.row.dialect,
        code: code.as_str(),
        budget: refusal.map(|refusal| refusal.budget),
        call_rules: opening.intent.call_rules.clone(),
    }
}

/// The outcome's record; nothing where the call had been settled before, or never opened.
pub(super) fn closed((closing, outcome): (&Closing, &SettleOutcome)) -> Option<Entry> {
    match outcome.counted {
        Counted::Already | Counted::Unknown => return None,
        Counted::Settled | Counted::Corrected => {}
    }
    let settlement = &closing.settlement;
    let event = Event::CallClosed(CallClosed {
        call: settlement.call,
        state: settlement.ending.as_str(),
        problem: settlement.problem.map(Code::as_str),
        input_tokens: settlement.tokens.input,
        output_tokens: settlement.tokens.output,
        cache_read_tokens: settlement.tokens.cache_read,
        cache_write_tokens: settlement.tokens.cache_write,
        estimated: settlement.tokens.estimated,
        cost: settlement.cost,
        duration_ms: settlement.duration_ms,
        answered: settlement.told.answered.as_deref().map(|answered| Answered {
            model: answered.model.clone(),
            provider: answered.provider.clone(),
            upstream_model: answered.upstream_model.clone(),
            input_price: answered.prices.input,
            output_price: answered.prices.output,
        }),
        attempts: settlement.told.attempts.iter().map(tried).collect(),
        cached: settlement.told.cached.map(|cached| cached.kind),
        cached_from: settlement.told.cached.map(|cached| cached.from),
    });
    Some(Entry::new(closing.author.clone(), event))
}

pub(super) fn tried(attempt: &Attempt) -> Tried {
    Tried {
        model: attempt.model.clone(),
        provider: attempt.provider.clone(),
        secret: attempt.secret,
        cause: attempt.cause,
        outcome: attempt.outcome,
        status: attempt.status,
        cost: attempt.cost,
    }
}

pub(super) fn answer(opening: &Opening, held: HoldOutcome) -> Opened {
    let then = elsewhere(opening, &held).map(|budget| Box::new(Then::Elsewhere(budget)));
    match held {
        HoldOutcome::Held { .. } | HoldOutcome::Beyond { .. } => Ok(()),
        HoldOutcome::Refused(refusal) => Err(Unrecorded { problem: refusal.problem(), then }),
        HoldOutcome::Later(_) => Err(not_recorded().into()),
    }
}

/// The budget for which a call that is not held is to be opened again, elsewhere or for less.
pub(super) fn elsewhere(opening: &Opening, held: &HoldOutcome) -> Option<BudgetId> {
    match held {
        HoldOutcome::Refused(refusal) => {
            let again = match opening.otherwise {
                Otherwise::Refused => false,
                Otherwise::Elsewhere => refusal.only.is_some(),
                Otherwise::Shorter => true,
            };
            again.then_some(refusal.budget)
        }
        HoldOutcome::Held { .. } | HoldOutcome::Beyond { .. } | HoldOutcome::Later(_) => None,
    }
}
