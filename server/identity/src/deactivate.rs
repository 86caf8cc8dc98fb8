//! Accounts closed on the whole deployment, by an operator: for somebody who has left every organisation at
//! once, or whose account is in the wrong hands.
//!
//! What always holds: within a second nothing is open to the account on any server, in no organisation; what
//! was ended does not come back when the account may be used again; and no organisation is left without an owner.

use ralex_api::Page;
use ralex_api::identity::User;
use ralex_api::operators::{AccountDeactivation, DeactivateAccount, DeactivatedAccount};
use ralex_api::page::PageQuery;
use ralex_audit::{Event, OperatorEvent};
use ralex_kernel::{Code, OrgId, Problem, UserId};
use ralex_store::{System, problem};

use crate::operator::Operating;
use crate::sql::deactivate::{self as sql, Row};
use crate::{Identity, managed, stored};

impl Identity {
    /// Accounts that operators have closed, by their ids.
    pub async fn deactivated_accounts(
        &self,
        _: Operating<'_>,
        page: &PageQuery,
    ) -> Result<Page<DeactivatedAccount>, Problem> {
        let mut tx = self.db.system("list closed accounts").await?;
        let size = page.size();
        let rows = sql::all(&mut tx, page.after()?, size + 1).await.map_err(problem)?;
        let items = rows.into_iter().map(account).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |it: &DeactivatedAccount| it.user.id.to_string()))
    }

    /// Closes an account, with its sessions, its tokens and what it began, and makes its person an operator no
    /// more.
    ///
    /// # Errors
    /// `invalid_request` where nobody has that address, or it is the operator's own; `conflict` where an
    /// organisation would be left without an owner.
    pub async fn deactivate_account(
        &self,
        by: Operating<'_>,
        asked: DeactivateAccount,
    ) -> Result<AccountDeactivation, Problem> {
        let reason = managed::checked(&asked.reason)?.to_owned();
        let now = self.clock.now();
        let mut tx = self.db.system("close an account").await?;
        let operators = crate::sql::operator::lock(&mut tx).await.map_err(problem)?;
        let found = crate::sql::user::find_account(&mut tx, &asked.email.key()).await;
        let known = found.map_err(problem)?.ok_or_else(|| {
            Problem::field("email", "is nobody's here, or of an account that is closed already")
        })?;
        let user = known.id;
        if user == by.user() {
            return Err(Problem::field("email", "is your own address; another operator has to"));
        }
        let orgs = self.orgs_without(&mut tx, user).await?;
        let was_operator = operators.contains(&user);
        if was_operator {
            crate::sql::operator::delete(&mut tx, user).await.map_err(problem)?;
        }
        let sessions = crate::sql::session::revoke_others(&mut tx, user, None, now, None).await;
        let sessions_ended = count(sessions.map_err(problem)?.len());
        let tokens_ended = sql::end_tokens(&mut tx, user, now).await.map_err(problem)?;
        let tokens_ended = u32::try_from(tokens_ended).unwrap_or(u32::MAX);
        sql::end_what_waits(&mut tx, user).await.map_err(problem)?;
        if was_operator {
            let event = Event::Operator(OperatorEvent::Removed { user });
            self.record_everywhere(&mut tx, by.caller(), user, &event).await?;
        }
        let event = OperatorEvent::AccountDeactivated {
            user,
            reason: reason.clone(),
            sessions_ended,
            tokens_ended,
        };
        self.record_everywhere(&mut tx, by.caller(), user, &Event::Operator(event)).await?;
        if !sql::close(&mut tx, user, (by.user(), &reason), now).await.map_err(problem)? {
            let detail = "Somebody closed this account at this moment.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        self.commit_all(tx, &orgs).await?;
        let row = Row {
            id: user,
            email: known.email,
            name: known.name,
            at: now,
            reason,
            by: Some(by.user()),
        };
        Ok(AccountDeactivation {
            account: account(row)?,
            sessions_ended,
            tokens_ended,
            was_operator,
        })
    }

    /// Lets an account that an operator closed be used again, by a new login.
    ///
    /// # Errors
    /// `not_found` where no operator closed it.
    pub async fn reactivate_account(&self, by: Operating<'_>, user: UserId) -> Result<(), Problem> {
        let mut tx = self.db.system("open a closed account").await?;
        if !sql::open(&mut tx, user).await.map_err(problem)? {
            return Err(Problem::not_found("closed account"));
        }
        let event = Event::Operator(OperatorEvent::AccountReactivated { user });
        let orgs = self.record_everywhere(&mut tx, by.caller(), user, &event).await?;
        self.commit_all(tx, &orgs).await
    }

    /// The organisations of somebody, each of which can do without them.
    async fn orgs_without(&self, tx: &mut System, user: UserId) -> Result<Vec<OrgId>, Problem> {
        let mut orgs = crate::sql::user::orgs_of(tx, user).await.map_err(problem)?;
        // One order for all, so that two such changes at once cannot wait for each other.
        orgs.sort_unstable_by_key(|org| org.id);
        for org in &orgs {
            let Err(why) = self.access.may_do_without(tx, org.id, user).await else { continue };
            if !matches!(why.code, Code::LastOwner | Code::Conflict) {
                return Err(why);
            }
            let detail = format!(
                "The organisation {} cannot do without this person: {} Until then, suspending the \
                 organisation closes it to everybody.",
                org.slug, why.detail
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
        Ok(orgs.into_iter().map(|org| org.id).collect())
    }

    /// Ends a change of several organisations.
    async fn commit_all(&self, mut tx: System, orgs: &[OrgId]) -> Result<(), Problem> {
        for org in orgs {
            self.access.bump(&mut tx, *org).await?;
        }
        tx.commit().await.map_err(problem)?;
        for org in orgs {
            // What is committed is done; a node that cannot read it now closes by itself.
            let _ = self.access.refresh(*org).await;
        }
        Ok(())
    }
}

fn account(row: Row) -> Result<DeactivatedAccount, Problem> {
    let Row { id, email, name, at, reason, by } = row;
    let user = User { id, email: stored(&email)?, name: stored(&name)? };
    Ok(DeactivatedAccount { user, at, reason, by })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
