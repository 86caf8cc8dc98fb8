//! Provisioning: memberships that an organisation's directory begins and ends.
//!
//! An address is no proof of being who has an account with it. So a directory makes accounts, takes up the
//! ones that it made before, and is linked to a member who comes in by the organisation's own provider;
//! whoever is anybody else to Ralex is left alone.

use ralex_audit::{Author, Event};
use ralex_kernel::{Code, Email, Name, OrgId, Problem, UserId};
use ralex_store::{System, problem};
use sqlx::PgConnection;

use crate::{Identity, sql};

impl Identity {
    /// Makes a person a member of the author's organisation, whom its directory tells of.
    ///
    /// # Errors
    /// `already_exists` where the address is that of an account that is not the directory's to speak of.
    pub async fn provision(
        &self,
        tx: &mut System,
        author: &Author,
        email: &Email,
        name: &Name,
    ) -> Result<UserId, Problem> {
        let org = author.org;
        // Changes of one organisation wait for each other, so that nobody becomes a member meanwhile.
        self.access.bump(tx, org).await?;
        let user = UserId::generate();
        if sql::provision::insert_account(tx, (org, user), email, name).await.map_err(problem)? {
            sql::user::insert_member(tx, org, user).await.map_err(problem)?;
            let event = Event::MemberAdded { user, email: email.clone() };
            ralex_audit::record(tx, author, event).await.map_err(problem)?;
            return Ok(user);
        }
        let found = sql::provision::account(tx, org, &email.key()).await.map_err(problem)?;
        let found = found.ok_or_else(|| taken("was taken at this moment; try again"))?;
        match (found.is_member, found.is_linked, found.is_own) {
            (true, true, _) | (true, _, true) => Ok(found.id),
            (true, false, false) => Err(taken(
                "belongs to a member who does not come in by this organisation's single sign-on. Link \
                 them first (POST /api/v1/orgs/{org}/sso/providers/{provider}/links, or in their own \
                 profile), then provision them again",
            )),
            (false, _, true) => {
                sql::user::insert_member(tx, org, found.id).await.map_err(problem)?;
                let event = Event::MemberAdded { user: found.id, email: email.clone() };
                ralex_audit::record(tx, author, event).await.map_err(problem)?;
                Ok(found.id)
            }
            (false, _, false) => Err(taken(
                "belongs to an account that this directory has not made, and nobody takes one over by \
                 an address. Add the person as a member and link them to the organisation's single \
                 sign-on, then provision them again",
            )),
        }
    }

    /// Ends a membership that a directory tells of, with everything that it gave.
    ///
    /// # Errors
    /// `last_owner` where no owner would be left.
    pub async fn unprovision(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
    ) -> Result<(), Problem> {
        let bindings = self.access.end_all(tx, author, user).await?;
        self.end_confined(tx, author, user).await?;
        if !sql::user::delete_member(tx, author.org, user).await.map_err(problem)? {
            return Err(Problem::not_found("member"));
        }
        let event = Event::MemberRemoved { user, bindings };
        ralex_audit::record(tx, author, event).await.map_err(problem)?;
        Ok(())
    }

    /// The member whom an organisation's directory made an account for, with this address, and who has not
    /// come yet. They are nobody elsewhere and have no password, so there is no other way in to them.
    pub async fn awaited(
        &self,
        tx: &mut System,
        org: OrgId,
        email: &Email,
    ) -> Result<Option<UserId>, Problem> {
        sql::provision::awaited(tx, org, &email.key()).await.map_err(problem)
    }
}

impl Identity {
    /// Everybody whom an organisation's directory made an account for and who has not come yet.
    pub async fn all_awaited(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
    ) -> Result<Vec<UserId>, Problem> {
        sql::provision::all_awaited(conn, org).await.map_err(problem)
    }
}

fn taken(why: &str) -> Problem {
    Problem::new(Code::AlreadyExists, format!("This address {why}."))
}
