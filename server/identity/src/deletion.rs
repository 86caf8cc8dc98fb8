//! Organisations that are deleted: by two operators where there are two, and after a while.
//!
//! One asks and nothing is closed; another one confirms, and from then on it is closed and goes when its
//! time is over. An operator without any other who counts goes on alone. The database itself sees to it that
//! nothing goes before its time (`org_erase`).

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::operators::{
    CONFIRM_DAYS, ConfirmDeletion, DeleteOrg, GRACE_DAYS, GRACE_DAYS_MAX, GRACE_DAYS_MIN,
    ManagedOrg,
};
use ralex_audit::OperatorEvent;
use ralex_kernel::{Code, OrgId, Problem, UserId};
use ralex_store::{System, problem};

use crate::Identity;
use crate::managed::{checked, find};
use crate::operator::Operating;
use crate::sql::operator::{self as sql, Deletion, Wanted};

/// How long another operator has to confirm it.
pub(crate) const CONFIRM_WITHIN: TimeDelta = TimeDelta::days(CONFIRM_DAYS as i64);
/// For how long it counts that an operator was removed.
const REMOVED_LATELY: TimeDelta = TimeDelta::days(7);

impl Identity {
    /// Asks another operator to agree that an organisation is deleted after a while; has it deleted where there
    /// is no other one who counts.
    ///
    /// # Errors
    /// `conflict` while its audit log is held, where somebody asked already or it waits to be deleted, and for
    /// who is alone because an operator was removed a moment ago.
    pub async fn delete_org(
        &self,
        by: Operating<'_>,
        word: &str,
        how: &DeleteOrg,
    ) -> Result<ManagedOrg, Problem> {
        let reason = checked(&how.reason)?;
        let days = how.grace_days.unwrap_or(GRACE_DAYS);
        if !(GRACE_DAYS_MIN..=GRACE_DAYS_MAX).contains(&days) {
            let rule = format!("must be from {GRACE_DAYS_MIN} to {GRACE_DAYS_MAX}");
            return Err(Problem::field("grace_days", rule));
        }
        let (user, now) = (by.user(), self.clock.now());
        let mut tx = self.db.system("have an organisation deleted").await?;
        // Nobody becomes an operator or stops being one meanwhile.
        sql::lock(&mut tx).await.map_err(problem)?;
        let org = find(&mut tx, word).await?;
        must_not_be_held(&mut tx, org).await?;
        if waiting(&mut tx, org, now).await?.is_some() {
            let detail = "An operator has asked for this already. Another one confirms it, or either \
                          withdraws it.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if sql::has_second(&mut tx, user, now).await.map_err(problem)? {
            let days_asked = i32::try_from(days).unwrap_or(i32::MAX);
            let it = Wanted { at: now, by: user, reason: reason.to_owned(), days: days_asked };
            if !sql::want(&mut tx, org, &it).await.map_err(problem)? {
                return Err(waits_already());
            }
            let reason = reason.to_owned();
            let event = OperatorEvent::DeletionAsked { org, reason, grace_days: days };
            return self.done(tx, by, org, event).await;
        }
        must_be_alone_for_long(&mut tx, now).await?;
        let it = Wanted { at: now, by: user, reason: reason.to_owned(), days: 0 };
        self.set_deletion(tx, by, org, (&it, days, None)).await
    }

    /// Agrees that an organisation is deleted, as another operator has asked.
    ///
    /// # Errors
    /// `forbidden` for who asked and for who does not count beside them, `conflict` where it is not what was
    /// asked for.
    pub async fn confirm_org_deletion(
        &self,
        by: Operating<'_>,
        word: &str,
        seen: &ConfirmDeletion,
    ) -> Result<ManagedOrg, Problem> {
        let (user, now) = (by.user(), self.clock.now());
        let mut tx = self.db.system("confirm that an organisation is deleted").await?;
        let all = sql::lock(&mut tx).await.map_err(problem)?;
        let org = find(&mut tx, word).await?;
        must_not_be_held(&mut tx, org).await?;
        let Some(wanted) = waiting(&mut tx, org, now).await? else {
            let detail = format!(
                "Nobody asked in the last {CONFIRM_DAYS} days that this organisation is deleted."
            );
            return Err(Problem::new(Code::Conflict, detail));
        };
        if wanted.at != seen.asked_at {
            let detail = "It was asked for anew meanwhile. Read it again, and confirm that.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if wanted.by == user {
            let detail = "Nobody confirms what they asked for themselves. Ask another operator.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if !all.contains(&wanted.by) {
            let detail = "Whoever asked is no operator any more. Withdraw it, and ask anew.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if !sql::counts(&mut tx, (user, wanted.by), now).await.map_err(problem)? {
            let detail = "You do not count beside whoever asked yet: you became an operator in the last \
                          24 hours, or they made you one, or your account, in the last 7 days. Leave it \
                          to another operator.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let days = u32::try_from(wanted.days).unwrap_or(GRACE_DAYS);
        self.set_deletion(tx, by, org, (&wanted, days, Some(user))).await
    }

    /// Has an organisation not deleted after all. Where it was suspended before, it still is.
    ///
    /// # Errors
    /// `conflict` where nobody asked for it and it does not wait to be deleted, or its time is over.
    pub async fn keep_org(&self, by: Operating<'_>, word: &str) -> Result<ManagedOrg, Problem> {
        let mut tx = self.db.system("keep an organisation").await?;
        let org = find(&mut tx, word).await?;
        let now = self.clock.now();
        if let Some(wanted) = waiting(&mut tx, org, now).await? {
            sql::withdraw(&mut tx, org).await.map_err(problem)?;
            let event = OperatorEvent::DeletionWithdrawn { org, asked_by: wanted.by };
            return self.done(tx, by, org, event).await;
        }
        if !sql::keep(&mut tx, org, now).await.map_err(problem)? {
            let detail = "This organisation does not wait to be deleted, or its time is over.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        self.done(tx, by, org, OperatorEvent::Kept { org }).await
    }

    /// Closes it, and has it go after so many days.
    async fn set_deletion(
        &self,
        mut tx: System,
        by: Operating<'_>,
        org: OrgId,
        (wanted, days, confirmed_by): (&Wanted, u32, Option<UserId>),
    ) -> Result<ManagedOrg, Problem> {
        let after = self.clock.now() + TimeDelta::days(i64::from(days));
        let it = Deletion {
            asked_by: wanted.by,
            asked_at: wanted.at,
            reason: &wanted.reason,
            after,
            confirmed_by,
        };
        if !sql::set_deletion(&mut tx, org, &it).await.map_err(problem)? {
            return Err(waits_already());
        }
        let event = OperatorEvent::DeletionSet {
            org,
            reason: wanted.reason.clone(),
            delete_after: after,
            asked_by: confirmed_by.map(|_| wanted.by),
        };
        self.done(tx, by, org, event).await
    }
}

/// What another operator can still confirm.
async fn waiting(
    tx: &mut System,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Option<Wanted>, Problem> {
    let wanted = sql::wanted(tx, org).await.map_err(problem)?;
    Ok(wanted.filter(|wanted| now < wanted.at + CONFIRM_WITHIN))
}

async fn must_not_be_held(tx: &mut System, org: OrgId) -> Result<(), Problem> {
    if sql::is_held(tx, org).await.map_err(problem)? {
        let detail = "The audit log of this organisation is held, so nothing of it is deleted. Its \
                      own people have to lift the hold first.";
        return Err(Problem::new(Code::Conflict, detail));
    }
    Ok(())
}

/// Nobody makes themselves the only one to decide alone.
async fn must_be_alone_for_long(tx: &mut System, now: DateTime<Utc>) -> Result<(), Problem> {
    let last = sql::last_removal(tx).await.map_err(problem)?;
    let Some(until) = last.map(|last| last + REMOVED_LATELY).filter(|until| now < *until) else {
        return Ok(());
    };
    let detail = format!(
        "An operator was removed in the last 7 days, so nobody has an organisation deleted alone before \
         {}. Until then it takes another operator: one who has been one for a day.",
        until.format("%Y-%m-%d %H:%M UTC")
    );
    Err(Problem::new(Code::Conflict, detail))
}

fn waits_already() -> Problem {
    Problem::new(Code::Conflict, "This organisation waits to be deleted already.")
}
