//! Joining: whoever has an account is asked before they belong to one more organisation.
//!
//! What always holds: an address is no proof of being who has the account with it, since somebody else may
//! have made that account and kept what opens it. So the membership is closed, as a suspended one is, until
//! whoever has the account opens a link that went to the address, and says yes in a session or by a token of
//! that account and no other. Nobody says it for them, and the link alone opens nothing.

use ralex_api::links::{AnswerInvitation, InvitationAnswered};
use ralex_audit::{AccountEvent, Author, Event};
use ralex_kernel::{Caller, Code, OrgId, Problem, UserId};
use ralex_store::{System, problem};

use crate::link::{Link, gone};
use crate::suspend::Word;
use crate::{Arrival, Identity, sql};

impl Identity {
    /// Whether an account's person has to be asked. Who has no way in yet and belongs nowhere else is as new:
    /// the link that they get ends all that somebody else could have kept.
    pub(crate) async fn is_asked(
        &self,
        tx: &mut System,
        user: UserId,
        org: OrgId,
    ) -> Result<bool, Problem> {
        let unused = sql::link::is_unused(tx, user).await.map_err(problem)?;
        Ok(!unused || sql::link::is_elsewhere(tx, user, org).await.map_err(problem)?)
    }

    /// Closes a membership that was just made until its person says yes, and makes the link by which they do.
    pub(crate) async fn await_acceptance(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
    ) -> Result<Link, Problem> {
        let (whose, now) = ((author.org, user), self.clock.now());
        sql::user::suspend(tx, whose, Word::Invitation.as_str(), now).await.map_err(problem)?;
        self.ask_to_join(tx, author, user).await
    }

    /// Writes what somebody says to the invitation of an organisation: yes opens it to them, no ends the
    /// membership with what they were to hold.
    ///
    /// # Errors
    /// `forbidden` for everybody but who has the account that was invited, `not_found` for a link that was
    /// used or has ended.
    pub async fn answer_invitation(
        &self,
        caller: &Caller,
        said: &AnswerInvitation,
        arrival: &Arrival,
    ) -> Result<InvitationAnswered, Problem> {
        let user = crate::holder(caller)?;
        if caller.by_device {
            let detail = "A token that came of a typed code does not answer for you. Use a session, or a \
                          token that was made in one.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let mut tx = self.db.system("look at an invitation").await?;
        let org = self.invited_to(&mut tx, (user, said), arrival).await?;
        drop(tx);
        let mut tx = self.db.system("answer an invitation").await?;
        // Changes of one organisation wait for each other, here before the link is held.
        self.access.bump(&mut tx, org).await?;
        self.invited_to(&mut tx, (user, said), arrival).await?;
        let author = Author::of(caller, org);
        if said.accept {
            sql::link::end_join(&mut tx, user, org).await.map_err(problem)?;
            let by = Word::Invitation.as_str();
            sql::user::resume(&mut tx, (org, user), by).await.map_err(problem)?;
            let event = Event::Account(AccountEvent::Joined { user });
            ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
        } else {
            let event = Event::Account(AccountEvent::Declined { user });
            ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
            // With the membership goes the link.
            self.unprovision(&mut tx, &author, user).await?;
        }
        self.access.commit(tx, org).await?;
        Ok(InvitationAnswered { org: self.org(org).await?.slug, accepted: said.accept })
    }

    /// The organisation that a link asks this person to belong to.
    async fn invited_to(
        &self,
        tx: &mut System,
        (user, said): (UserId, &AnswerInvitation),
        arrival: &Arrival,
    ) -> Result<OrgId, Problem> {
        let row = self.usable(tx, &said.link, arrival).await?;
        let Some(org) = row.org else {
            let detail = "By this link a password is chosen: POST /api/v1/auth/link/password.";
            return Err(Problem::new(Code::Conflict, detail));
        };
        if row.user != user {
            let detail = format!(
                "This invitation is for {}. Sign in with that account to answer it.",
                row.email
            );
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if sql::user::awaits(tx, org, user).await.map_err(problem)? { Ok(org) } else { Err(gone()) }
    }
}
