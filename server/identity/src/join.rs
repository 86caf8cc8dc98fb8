//! Joining by single sign-on: an account without a password, for somebody whom a provider vouches for.

use ralex_audit::{Author, Event};
use ralex_kernel::{Email, Name, OrgId, Problem, UserId};
use ralex_store::{System, problem};

use crate::{Identity, sql};

impl Identity {
    /// Makes an account and a membership in one organisation; nothing where somebody has an account with
    /// that address already. An address is no proof of being that somebody, whoever vouches for it.
    pub async fn join(
        &self,
        tx: &mut System,
        org: OrgId,
        email: &Email,
        name: &Name,
    ) -> Result<Option<UserId>, Problem> {
        let user = UserId::generate();
        if !sql::user::insert_new(tx, user, email, name).await.map_err(problem)? {
            return Ok(None);
        }
        sql::user::insert_member(tx, org, user).await.map_err(problem)?;
        let event = Event::MemberAdded { user, email: email.clone() };
        ralex_audit::record(tx, &Author::system(org), event).await.map_err(problem)?;
        Ok(Some(user))
    }
}
