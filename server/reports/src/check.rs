//! Checks: what the system itself can tell about its controls at this moment, and what it cannot.
//!
//! A check never says that a control is met. It says what is so, and what nothing here can show.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::reports::CheckState;
use ralex_api::sinks::SinkState;
use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use serde::Deserialize;

use crate::Inner;
use crate::document::Cell;
use crate::sql::{events, health};

/// A key that was not rotated for longer than this is worth a look.
const OLD_KEY: TimeDelta = TimeDelta::days(365);
/// A clock further from the database's own than this is.
const SKEW: TimeDelta = TimeDelta::seconds(5);
/// A log without a newer signed head for so long, while events wait.
const LATE_HEAD: TimeDelta = TimeDelta::minutes(15);
/// A break-glass access that nobody tried for longer than this may not work.
const DRILL_EVERY: TimeDelta = TimeDelta::days(92);
/// So far back its uses are told.
const GLASS_LOOK_BACK: TimeDelta = TimeDelta::days(365);

/// What can be checked. The file of a framework names checks by these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Check {
    SignedLog,
    Sinks,
    Witness,
    Retention,
    Isolation,
    Clock,
    KeyAge,
    TokenEnds,
    Guardrails,
    Budgets,
    Owners,
    Mfa,
    Sso,
    Backup,
    EmergencyAccess,
    Erasure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub check: Check,
    pub state: CheckState,
    pub detail: String,
}

/// What was found of an organisation.
pub(crate) struct Findings {
    all: Vec<Finding>,
    /// The least number of days that any class of events is kept; for ever where it is none.
    kept: Option<u32>,
}

impl Check {
    pub const ALL: [Self; 16] = [
        Self::SignedLog,
        Self::Sinks,
        Self::Witness,
        Self::Retention,
        Self::Isolation,
        Self::Clock,
        Self::KeyAge,
        Self::TokenEnds,
        Self::Guardrails,
        Self::Budgets,
        Self::Owners,
        Self::Mfa,
        Self::Sso,
        Self::Backup,
        Self::EmergencyAccess,
        Self::Erasure,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedLog => "Audit log signed",
            Self::Sinks => "Copies of the audit log",
            Self::Witness => "Witness of the audit log",
            Self::Retention => "Retention of the audit log",
            Self::Isolation => "Wall between organisations",
            Self::Clock => "Clock against the database",
            Self::KeyAge => "Age of provider keys",
            Self::TokenEnds => "Ends of team tokens",
            Self::Guardrails => "Guardrails",
            Self::Budgets => "Hard budgets",
            Self::Owners => "Owners",
            Self::Mfa => "Multi-factor authentication",
            Self::Sso => "Single sign-on",
            Self::Backup => "Backups and restore drills",
            Self::EmergencyAccess => "Emergency access",
            Self::Erasure => "Erasure of a person",
        }
    }

    /// Where Ralex does nothing, and somebody else has to.
    const fn absent(self) -> Option<&'static str> {
        match self {
            Self::Backup => Some(
                "Not provided: backups and drills are the operator's, with the tools of PostgreSQL.",
            ),
            Self::SignedLog
            | Self::Sinks
            | Self::Witness
            | Self::Retention
            | Self::Isolation
            | Self::Clock
            | Self::KeyAge
            | Self::TokenEnds
            | Self::Guardrails
            | Self::Budgets
            | Self::Owners
            | Self::Mfa
            | Self::Sso
            | Self::EmergencyAccess
            | Self::Erasure => None,
        }
    }
}

fn good(check: Check, detail: impl Into<String>) -> Finding {
    Finding { check, state: CheckState::Good, detail: detail.into() }
}

fn attention(check: Check, detail: impl Into<String>) -> Finding {
    Finding { check, state: CheckState::Attention, detail: detail.into() }
}

fn either(is_good: bool, check: Check, detail: String) -> Finding {
    if is_good { good(check, detail) } else { attention(check, detail) }
}

impl Findings {
    pub async fn look(inner: &Inner, org: OrgId) -> Result<Self, Problem> {
        let now = Utc::now();
        let mut all = vec![
            signed_log(inner, org, now).await?,
            sinks(inner, org).await?,
            witness(inner, org).await?,
            isolation(inner, org).await?,
            clock(inner).await?,
        ];
        let mut tx = inner.db.tenant(org).await?;
        let glance = health::glance(&mut tx, org).await.map_err(problem)?;
        let signs_on = health::sign_on(&mut tx, org).await.map_err(problem)?;
        let glass = health::break_glass(&mut tx, org, now - GLASS_LOOK_BACK).await;
        let glass = glass.map_err(problem)?;
        let kept = health::retention(&mut tx, org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let kept = kept.iter().filter_map(|it| u32::try_from(it.days).ok()).min();
        all.push(key_age(&glance, now));
        all.push(token_ends(&glance));
        all.push(guardrails(&glance));
        let detail = format!("{} hard budgets refuse what would pass them.", glance.hard_budgets);
        all.push(either(glance.hard_budgets > 0, Check::Budgets, detail));
        let detail = format!("{} of {} people are owners.", glance.owners, glance.members);
        all.push(either(glance.owners > 1, Check::Owners, detail));
        all.push(second_factors(inner, org).await?);
        all.push(sign_on(&signs_on));
        all.push(emergency(&glass, now));
        let detail = "A person can be erased: their keys are destroyed, on the word of two people, and \
                      what stays in the log proves it.";
        all.push(good(Check::Erasure, detail));
        all.extend(Check::ALL.into_iter().filter_map(|check| {
            let detail = check.absent()?.to_owned();
            Some(Finding { check, state: CheckState::NotProvided, detail })
        }));
        let mut found = Self { all, kept };
        found.all.push(found.retention(None));
        found.all.sort_by_key(|finding| finding.check);
        Ok(found)
    }

    pub fn all(&self) -> &[Finding] {
        &self.all
    }

    /// What was found of one check; of retention, whether events are kept for so many days.
    pub fn of(&self, check: Check, days: Option<u32>) -> Option<Finding> {
        if check == Check::Retention {
            return Some(self.retention(days));
        }
        self.all.iter().find(|finding| finding.check == check).cloned()
    }

    fn retention(&self, wanted: Option<u32>) -> Finding {
        let needs =
            wanted.map_or(String::new(), |days| format!(" At least {days} days are asked for."));
        match self.kept {
            None => good(Check::Retention, format!("Everything is kept for ever.{needs}")),
            Some(days) => {
                let detail =
                    format!("The class that is kept shortest is kept for {days} days.{needs}");
                either(days >= wanted.unwrap_or(0), Check::Retention, detail)
            }
        }
    }
}

async fn signed_log(inner: &Inner, org: OrgId, now: DateTime<Utc>) -> Result<Finding, Problem> {
    let mut tx = inner.db.system("look at the signed head of an audit log").await?;
    let head = events::head(&mut tx, org).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let status = inner.audit.status();
    if status.refused.iter().any(|refused| refused.org == org) || status.broken.is_some() {
        let detail = "The log is not what was written, so no further head of it is signed.";
        return Ok(attention(Check::SignedLog, detail));
    }
    let Some(head) = head else {
        return Ok(attention(Check::SignedLog, "There is no signed head yet."));
    };
    let late = status.pending > 0 && now - head.signed_at > LATE_HEAD;
    let detail = format!(
        "The newest signed head holds {} leaves and was signed at {}; {} events of the deployment wait \
         for a place.",
        head.tree_size,
        Cell::Time(head.signed_at).shown(),
        status.pending
    );
    Ok(either(!late, Check::SignedLog, detail))
}

async fn sinks(inner: &Inner, org: OrgId) -> Result<Finding, Problem> {
    let sinks = inner.sinks.list(org).await?;
    if sinks.is_empty() {
        let detail = "The log is sent nowhere else; a copy that the operators of Ralex cannot reach is \
                      what shows a rewritten one.";
        return Ok(attention(Check::Sinks, detail));
    }
    let ill: Vec<String> = sinks
        .iter()
        .filter(|sink| sink.state != SinkState::Active)
        .map(|sink| format!("{} is {}", sink.name, sink.state))
        .collect();
    let behind: u64 = sinks.iter().map(|sink| sink.behind).sum();
    let told = format!("{} sinks, {behind} records behind in all", sinks.len());
    let detail =
        if ill.is_empty() { format!("{told}.") } else { format!("{told}; {}.", ill.join(", ")) };
    Ok(either(ill.is_empty(), Check::Sinks, detail))
}

async fn witness(inner: &Inner, org: OrgId) -> Result<Finding, Problem> {
    let keys = inner.audit.keys(org).await?;
    if let Some(witness) = keys.witnesses.iter().find(|witness| witness.conflict.is_some()) {
        let detail =
            format!("{} has seen another history than the one that is here.", witness.name);
        return Ok(attention(Check::Witness, detail));
    }
    let newest = keys.witnesses.iter().filter_map(|witness| witness.cosigned_at).max();
    Ok(match newest {
        Some(at) => {
            let at = Cell::Time(at).shown();
            good(Check::Witness, format!("A witness signed last at {at}."))
        }
        None => attention(Check::Witness, "No witness has signed; none is named, or none answers."),
    })
}

async fn second_factors(inner: &Inner, org: OrgId) -> Result<Finding, Problem> {
    let mut tx = inner.db.system("count the second factors of an organisation's people").await?;
    let told = health::second_factors(&mut tx, org).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let asked = if told.required {
        "the organisation asks everybody for one, and opens nothing to who has none"
    } else {
        "the organisation does not ask for one"
    };
    let detail = format!("{} of {} people have a second factor; {asked}.", told.have, told.members);
    let is_good = told.required || told.have == told.members;
    Ok(either(is_good, Check::Mfa, detail))
}

/// A provider that people may come in by is a convenience; one that they have to is a control.
fn sign_on(told: &health::SignOn) -> Finding {
    let detail = match (&told.enforced, &told.break_glass) {
        (Some(provider), Some(break_glass)) => format!(
            "Nobody comes in but by {provider}; should it fail, {break_glass} may. It knows {} of {} \
             people.",
            told.known, told.members
        ),
        _ if told.providers == 0 => "No identity provider is set up.".to_owned(),
        _ => format!(
            "Identity providers that are set up: {}; {} of {} people are known to one, and may also come in \
             by a password.",
            told.providers, told.known, told.members
        ),
    };
    either(told.enforced.is_some(), Check::Sso, detail)
}

/// Whether there is a way in for an emergency that works, and whether each use of it was looked at.
fn emergency(told: &health::BreakGlass, now: DateTime<Utc>) -> Finding {
    let used = format!(
        "In the last 365 days it was opened {} times, of which {} are reviewed.",
        told.openings, told.reviewed
    );
    let Some(armed_at) = told.armed_at else {
        let detail = format!("The break-glass access is not armed: nobody may open it. {used}");
        return attention(Check::EmergencyAccess, detail);
    };
    let tried = told.last_drill_at.max(told.last_opened_at);
    let drill = match told.last_drill_at {
        Some(at) => format!("The last drill was at {}.", Cell::Time(at).shown()),
        None => "It was never drilled.".to_owned(),
    };
    let is_tried = now - tried.unwrap_or(armed_at) <= DRILL_EVERY;
    let late = if is_tried { "" } else { " It was not tried for more than 92 days." };
    let detail = format!(
        "The break-glass access is armed with {} people since {}. {drill}{late} {used}",
        told.people,
        Cell::Time(armed_at).shown()
    );
    let is_good = is_tried && told.unreviewed == 0;
    either(is_good, Check::EmergencyAccess, detail)
}

async fn isolation(inner: &Inner, org: OrgId) -> Result<Finding, Problem> {
    let mut tx = inner.db.system("check the walls between organisations").await?;
    let (tables, open) = health::walls(&mut tx).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let mut tx = inner.db.tenant(org).await?;
    let strangers = health::strangers(&mut tx, org).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let detail = if !open.is_empty() {
        format!("Without row level security: {}.", open.join(", "))
    } else if strangers > 0 {
        format!("A transaction of this organisation sees {strangers} rows of others.")
    } else {
        format!(
            "Row level security is forced on all {tables} tables, and no row of others is seen."
        )
    };
    Ok(either(open.is_empty() && strangers == 0, Check::Isolation, detail))
}

async fn clock(inner: &Inner) -> Result<Finding, Problem> {
    let mut tx = inner.db.system("compare clocks").await?;
    let (before, began) = (Utc::now(), Instant::now());
    let there = health::now(&mut tx).await.map_err(problem)?;
    let half = TimeDelta::from_std(began.elapsed() / 2).unwrap_or_default();
    tx.rollback().await.map_err(problem)?;
    let skew = (there - (before + half)).abs();
    let detail =
        format!("This server's clock and the database's are {} ms apart.", skew.num_milliseconds());
    Ok(either(skew <= SKEW, Check::Clock, detail))
}

fn key_age(glance: &health::Glance, now: DateTime<Utc>) -> Finding {
    let Some(oldest) = glance.oldest_key else {
        return good(Check::KeyAge, "The vault holds no keys.");
    };
    let days = (now - oldest).num_days().max(0);
    let detail = format!("{} keys; the oldest version in use is {days} days old.", glance.keys);
    either(now - oldest <= OLD_KEY, Check::KeyAge, detail)
}

fn token_ends(glance: &health::Glance) -> Finding {
    let (endless, all) = (glance.tokens_without_end, glance.tokens);
    let detail = format!("{endless} of {all} team tokens have no end.");
    either(endless == 0, Check::TokenEnds, detail)
}

fn guardrails(glance: &health::Glance) -> Finding {
    let (on, stop) = (glance.guardrails, glance.guardrails_that_stop);
    let detail = format!("{on} guardrails are on, of which {stop} redact, ask or block.");
    either(on > 0, Check::Guardrails, detail)
}
