//! Changes that can take two people: what would be done, and what that rests on.
//!
//! Each says how things stood when it was asked for. Who confirms does the very same anew, and only
//! where that comes out as the same change it is done.

use chrono::{DateTime, Utc};
use ralex_api::changes::{ChangeDetail, ChangeRequest, GuardedAction};
use ralex_kernel::{BudgetId, Money, SecretId, SsoProviderId, UserId};
use serde::{Deserialize, Serialize};

use crate::four_eyes::Rules;
use crate::policies::OWNER;

/// What became of something that may take two people.
#[derive(Clone, Debug)]
pub enum Done<T> {
    Now(T),
    /// Nothing was done: a second person has to confirm it.
    Waits(Box<ChangeRequest>),
}

impl<T> Done<T> {
    /// The same of something else.
    pub fn map<U>(self, now: impl FnOnce(T) -> U) -> Done<U> {
        match self {
            Self::Now(value) => Done::Now(now(value)),
            Self::Waits(request) => Done::Waits(request),
        }
    }

    /// What there is now; nothing while it waits.
    pub fn now(self) -> Option<T> {
        match self {
            Self::Now(value) => Some(value),
            Self::Waits(_) => None,
        }
    }
}

/// What a budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetTerms {
    pub limit: Money,
    pub hard: bool,
}

/// How the break-glass access is armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlassTerms {
    /// In the order of their ids.
    pub people: Vec<UserId>,
    pub role: String,
    /// Written out, in the order in which permissions are shown.
    pub permissions: Vec<String>,
    pub longest_minutes: u32,
}

/// How single sign-on is insisted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOnTerms {
    pub provider: SsoProviderId,
    pub slug: String,
    /// The owner who comes in if it fails.
    pub break_glass: UserId,
}

/// Something that can take two people. It names people by their ids, and holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    SecretDelete {
        secret: SecretId,
        name: String,
        version: u32,
    },
    BudgetUpdate {
        budget: BudgetId,
        scope: String,
        before: BudgetTerms,
        after: BudgetTerms,
        degrade_at: Option<u8>,
    },
    BudgetIncrease {
        budget: BudgetId,
        scope: String,
        limit: Money,
        amount: Money,
        until: DateTime<Utc>,
        reason: String,
    },
    BudgetDelete {
        budget: BudgetId,
        scope: String,
        before: BudgetTerms,
    },
    OwnerGive {
        user: UserId,
        /// `owner`, or one of the organisation's own that allows as much.
        #[serde(default = "owner")]
        role: String,
        not_before: Option<DateTime<Utc>>,
        expires_at: Option<DateTime<Utc>>,
    },
    SecondFactorOff {
        device_login: Option<bool>,
    },
    SignOnOff {
        provider: SsoProviderId,
    },
    SignOnMove {
        before: SignOnTerms,
        after: SignOnTerms,
    },
    BreakGlassArm {
        before: Option<GlassTerms>,
        /// Nothing where it is disarmed.
        after: Option<GlassTerms>,
    },
    FourEyes {
        before: Rules,
        after: Rules,
    },
}

impl Change {
    pub const fn action(&self) -> GuardedAction {
        match self {
            Self::SecretDelete { .. } => GuardedAction::SecretDelete,
            Self::BudgetUpdate { .. } | Self::BudgetIncrease { .. } | Self::BudgetDelete { .. } => {
                GuardedAction::BudgetRaise
            }
            Self::OwnerGive { .. } => GuardedAction::OwnerGive,
            Self::SecondFactorOff { .. } | Self::SignOnOff { .. } | Self::SignOnMove { .. } => {
                GuardedAction::SignInLoosen
            }
            Self::BreakGlassArm { .. } => GuardedAction::BreakGlassArm,
            Self::FourEyes { .. } => GuardedAction::FourEyesLoosen,
        }
    }

    /// What it is done to, as `kind:id`.
    pub fn target(&self) -> String {
        match self {
            Self::SecretDelete { secret, .. } => format!("secret:{secret}"),
            Self::BudgetUpdate { budget, .. }
            | Self::BudgetIncrease { budget, .. }
            | Self::BudgetDelete { budget, .. } => format!("budget:{budget}"),
            Self::OwnerGive { user, .. } => format!("user:{user}"),
            Self::SecondFactorOff { .. } => "sign_in:second_factor".to_owned(),
            Self::SignOnOff { provider }
            | Self::SignOnMove { after: SignOnTerms { provider, .. }, .. } => {
                format!("sso_provider:{provider}")
            }
            Self::BreakGlassArm { .. } => "break_glass:settings".to_owned(),
            Self::FourEyes { .. } => "four_eyes:settings".to_owned(),
        }
    }

    /// Whether it takes two people by these rules.
    pub(crate) fn takes_two(&self, rules: &Rules) -> bool {
        // The rules are those of before also where this very transaction has changed them.
        let rules = if let Self::FourEyes { before, .. } = self { before } else { rules };
        if !rules.has(self.action()) {
            return false;
        }
        let above = |limit: Money| rules.budget_limit.is_none_or(|most| limit > most);
        match self {
            Self::BudgetUpdate { before, after, .. } => {
                (before.hard && !after.hard) || (after.limit > before.limit && above(after.limit))
            }
            Self::BudgetIncrease { limit, amount, .. } => {
                limit.checked_add(*amount).is_none_or(above)
            }
            // What only tells that it was passed stops nothing, and neither does its end.
            Self::BudgetDelete { before, .. } => before.hard,
            Self::FourEyes { before, after } => after.loosens(before),
            Self::SecretDelete { .. }
            | Self::OwnerGive { .. }
            | Self::SecondFactorOff { .. }
            | Self::SignOnOff { .. }
            | Self::SignOnMove { .. }
            | Self::BreakGlassArm { .. } => true,
        }
    }

    /// What would be done, in a sentence and in parts. `user` is whom it is about.
    pub(crate) fn told(&self, user: Option<&str>, place: &str) -> (String, Vec<ChangeDetail>) {
        match self {
            Self::SecretDelete { name, version, .. } => (
                format!(
                    "Destroy the provider key \u{201c}{name}\u{201d} with all of its versions."
                ),
                vec![detail("Versions", Some(version.to_string()), None)],
            ),
            Self::BudgetUpdate { scope, before, after, .. } => (
                format!("Change what the budget of {scope} allows."),
                vec![
                    detail("Limit", Some(before.limit.to_string()), Some(after.limit.to_string())),
                    detail("Enforced", Some(yes(before.hard)), Some(yes(after.hard))),
                ],
            ),
            Self::BudgetIncrease { scope, limit, amount, until, reason, .. } => {
                let more = limit.checked_add(*amount).unwrap_or(*limit);
                let until = until.format("%Y-%m-%d %H:%M UTC").to_string();
                let details = vec![
                    detail("Limit for a while", Some(limit.to_string()), Some(more.to_string())),
                    detail("Until", None, Some(until)),
                    detail("Reason", None, Some(reason.clone())),
                ];
                (format!("Give the budget of {scope} more for its current period."), details)
            }
            Self::BudgetDelete { scope, before, .. } => (
                format!("Delete the budget of {scope}."),
                vec![detail("Limit", Some(before.limit.to_string()), None)],
            ),
            Self::OwnerGive { user: id, role, not_before, expires_at } => {
                let who = user.map_or_else(|| format!("user:{id}"), str::to_owned);
                let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
                let from = not_before.map(|at| detail("From", None, Some(time(at))));
                let end = expires_at.map(|at| detail("Until", None, Some(time(at))));
                let role = detail("Role", None, Some(format!("{role} ({place})")));
                let details = [Some(role), from, end].into_iter().flatten().collect();
                (format!("Make {who} an owner."), details)
            }
            Self::SecondFactorOff { .. } => (
                "Stop asking everybody for a second factor.".to_owned(),
                vec![detail("Second factor", Some("required".into()), Some("optional".into()))],
            ),
            Self::SignOnOff { .. } => (
                "Stop insisting on single sign-on.".to_owned(),
                vec![detail("Single sign-on", Some("required".into()), Some("optional".into()))],
            ),
            Self::SignOnMove { before, after } => sign_on_told(before, after),
            Self::BreakGlassArm { before, after } => glass_told(before.as_ref(), after.as_ref()),
            Self::FourEyes { before, after } => (
                "Loosen what takes two people.".to_owned(),
                vec![
                    detail("Takes two people", Some(before.named()), Some(after.named())),
                    detail("Limit for one person", before.limit_told(), after.limit_told()),
                ],
            ),
        }
    }
}

/// What was asked for before other roles were looked at.
fn owner() -> String {
    OWNER.to_owned()
}

fn detail(name: &str, before: Option<String>, after: Option<String>) -> ChangeDetail {
    ChangeDetail { name: name.to_owned(), before, after }
}

fn sign_on_told(before: &SignOnTerms, after: &SignOnTerms) -> (String, Vec<ChangeDetail>) {
    let row = |name: &str, of: fn(&SignOnTerms) -> String| {
        detail(name, Some(of(before)), Some(of(after)))
    };
    let details = vec![
        row("Provider", |terms| terms.slug.clone()),
        row("May still come in by password", |terms| format!("user:{}", terms.break_glass)),
    ];
    ("Insist on single sign-on in another way.".to_owned(), details)
}

fn glass_told(
    before: Option<&GlassTerms>,
    after: Option<&GlassTerms>,
) -> (String, Vec<ChangeDetail>) {
    let sentence = if after.is_some() {
        "Say who may open the break-glass access, and what it gives."
    } else {
        "Switch the break-glass access off."
    };
    let row =
        |name: &str, of: fn(&GlassTerms) -> String| detail(name, before.map(of), after.map(of));
    let people = |terms: &GlassTerms| {
        let all: Vec<_> = terms.people.iter().map(|user| format!("user:{user}")).collect();
        all.join(", ")
    };
    let details = vec![
        row("People", people),
        row("Role", |terms| terms.role.clone()),
        row("Permissions", |terms| terms.permissions.join(", ")),
        row("Longest time", |terms| format!("{} minutes", terms.longest_minutes)),
    ];
    (sentence.to_owned(), details)
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.to_owned()
}
