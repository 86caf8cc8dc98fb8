//! Operators: who manages the organisations of a deployment.
//!
//! What always holds: being one opens nothing inside any organisation; it takes an account of one's own,
//! so nobody becomes one by the word of an organisation's provider; and there is always one left.

use ralex_api::identity::User;
use ralex_api::operators::{NewOperator, Operator, Operators};
use ralex_audit::{Event, OperatorEvent};
use ralex_kernel::{Caller, Code, Problem, UserId};
use ralex_store::problem;

use crate::{Identity, SignedIn, sql, stored};

/// The proof that somebody is an operator; [`Identity::operating`] makes it and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Operating<'a> {
    caller: &'a Caller,
    user: UserId,
}

impl Operating<'_> {
    /// Whose proof it is.
    pub const fn caller(&self) -> &Caller {
        self.caller
    }

    pub(crate) const fn user(&self) -> UserId {
        self.user
    }
}

impl Identity {
    /// The proof that the caller is an operator of this deployment.
    ///
    /// # Errors
    /// `forbidden` for everybody else, and for a credential that does not speak for the whole account.
    pub async fn operating<'a>(&self, caller: &'a Caller) -> Result<Operating<'a>, Problem> {
        let user = crate::holder(caller)?;
        if caller.by_device {
            let detail = "A token that came of a typed code does not count here. Use a session, or a \
                          token that was made in one.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let mut tx = self.db.system("tell whether somebody is an operator").await?;
        if sql::operator::is_operator(&mut tx, user).await.map_err(problem)? {
            return Ok(Operating { caller, user });
        }
        let detail = "Only operators of this deployment may do this. Ask one of them; the owner that the \
                      first start made is one.";
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// The same for who changes something: with a second factor where the deployment asks for one, and anew
    /// with a proof of who they are, where they can give one.
    ///
    /// # Errors
    /// `second_factor_required` without one; as [`Self::operating`] and [`Self::require_fresh_session`] else.
    pub async fn acting<'a>(&self, who: &'a SignedIn) -> Result<Operating<'a>, Problem> {
        let operating = self.operating(&who.caller).await?;
        if self.operators_need_factor && !who.caller.second_factor {
            let detail = "This deployment asks its operators for a second factor. Register one in your \
                          profile (POST /api/v1/auth/totp, or /api/v1/auth/passkeys) in a session; \
                          personal tokens work again from then on.";
            return Err(Problem::new(Code::SecondFactorRequired, detail));
        }
        self.require_fresh_session(who)?;
        Ok(operating)
    }

    /// All operators, in the order in which they became one.
    pub async fn operators(&self, _: Operating<'_>) -> Result<Operators, Problem> {
        let mut tx = self.db.system("list operators").await?;
        let rows = sql::operator::operators(&mut tx).await.map_err(problem)?;
        let items = rows.into_iter().map(operator).collect::<Result<_, Problem>>()?;
        Ok(Operators { items })
    }

    /// Makes somebody with an account an operator.
    ///
    /// # Errors
    /// `invalid_request` where nobody has that address, `already_exists` where they are one.
    pub async fn add_operator(
        &self,
        by: Operating<'_>,
        new: NewOperator,
    ) -> Result<Operator, Problem> {
        let mut tx = self.db.system("add an operator").await?;
        let found = sql::user::find_account(&mut tx, &new.email.key()).await.map_err(problem)?;
        let Some(account) = found else {
            let rule = "is nobody's here; add them to an organisation first";
            return Err(Problem::field("email", rule));
        };
        let user = account.id;
        if !sql::operator::insert(&mut tx, user, Some(by.user)).await.map_err(problem)? {
            let detail = format!("{} is an operator already.", new.email);
            return Err(Problem::new(Code::AlreadyExists, detail));
        }
        let event = Event::Operator(OperatorEvent::Added { user });
        self.record_everywhere(&mut tx, by.caller, user, &event).await?;
        let all = sql::operator::operators(&mut tx).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let row = all.into_iter().find(|row| row.id == user);
        operator(row.ok_or_else(|| Problem::not_found("operator"))?)
    }

    /// Takes it from somebody again. The last one stays.
    pub async fn remove_operator(&self, by: Operating<'_>, user: UserId) -> Result<(), Problem> {
        let mut tx = self.db.system("remove an operator").await?;
        let all = sql::operator::lock(&mut tx).await.map_err(problem)?;
        if !all.contains(&user) {
            return Err(Problem::not_found("operator"));
        }
        if all.len() == 1 {
            let detail =
                "This is the last operator of the deployment; make somebody else one first.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        sql::operator::delete(&mut tx, user).await.map_err(problem)?;
        let remembered = sql::operator::remember_removal(&mut tx, user, by.user, self.clock.now());
        remembered.await.map_err(problem)?;
        let event = Event::Operator(OperatorEvent::Removed { user });
        self.record_everywhere(&mut tx, by.caller, user, &event).await?;
        tx.commit().await.map_err(problem)
    }
}

fn operator(row: sql::operator::OperatorRow) -> Result<Operator, Problem> {
    let user = User { id: row.id, email: stored(&row.email)?, name: stored(&row.name)? };
    Ok(Operator { user, since: row.since, second_factor: row.second_factor })
}
