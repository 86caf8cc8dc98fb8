//! Suspension: a member to whom the organisation is closed until they are let back in.
//!
//! One transaction ends all that opened the organisation to them, and nothing of it opens again when they
//! come back: what they may do then is what they were given, by a session of a new login.

use ralex_access::Scope;
use ralex_api::identity::Member;
use ralex_audit::{Author, Event};
use ralex_kernel::{Code, Problem, UserId};
use ralex_store::{System, problem};

use crate::{Identity, sql};

/// What was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub sessions: u32,
    pub tokens: u32,
}

/// Who keeps a member out. None lets in whom another keeps out: an administrator who suspends
/// somebody is not undone by the directory's next update, nor the directory by an administrator, nor do
/// they say yes in the place of the member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Person,
    Directory,
    /// The member, who has yet to say that they belong here.
    Invitation,
}

impl Word {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Directory => "directory",
            Self::Invitation => "invitation",
        }
    }
}

impl Identity {
    /// Suspends a member on behalf of somebody who could remove them. To do it again is no error.
    ///
    /// # Errors
    /// `conflict` for oneself, `last_owner` where no owner would be left.
    pub async fn suspend_member(&self, scope: &Scope, user: UserId) -> Result<Member, Problem> {
        if scope.caller().subject.user() == Some(user) {
            let detail = "Nobody suspends themselves; somebody else has to.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let mut tx = self.db.system("suspend a member").await?;
        self.access.may_suspend(&mut tx, scope, user).await?;
        self.suspend(&mut tx, scope.author(), user, Word::Person).await?;
        self.access.commit(tx, scope.org()).await?;
        self.member(scope, user).await
    }

    /// Lets a member back in, on behalf of somebody who could give them all that they hold.
    ///
    /// # Errors
    /// `conflict` where the organisation's directory keeps them out, or they have yet to say yes themselves.
    pub async fn resume_member(&self, scope: &Scope, user: UserId) -> Result<Member, Problem> {
        let org = scope.org();
        let mut tx = self.db.system("let a member back in").await?;
        self.access.may_resume(&mut tx, scope, user).await?;
        self.resume(&mut tx, scope.author(), user, Word::Person).await?;
        // What a directory said that nobody hears any more, a person takes back.
        if !sql::user::is_provisioned(&mut tx, org, user).await.map_err(problem)? {
            self.resume(&mut tx, scope.author(), user, Word::Directory).await?;
        }
        self.access.commit(tx, org).await?;
        let member = self.member(scope, user).await?;
        if member.awaits_acceptance {
            let detail = "This person has yet to say that they belong here, and nobody says it for them. \
                          Invite them again: POST /api/v1/orgs/{org}/members/{user}/invite.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if member.suspended_at.is_none() {
            return Ok(member);
        }
        let detail = "Your organisation's directory (SCIM) has deactivated this person. Activate them \
                      there; here, nobody keeps them out any more.";
        Err(Problem::new(Code::Conflict, detail))
    }

    /// Closes the author's organisation to a member: what every way to suspend somebody comes to. The
    /// caller checks that an owner is left, and ends with [`ralex_access::Access::commit`]. False where
    /// this party had said so before.
    pub async fn suspend(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
        by: Word,
    ) -> Result<bool, Problem> {
        let (whose, now) = ((author.org, user), self.clock.now());
        let done = sql::user::suspend(tx, whose, by.as_str(), now).await.map_err(problem)?;
        let ended = self.end_confined(tx, author, user).await?;
        if done {
            let Ended { sessions, tokens } = ended;
            let event =
                Event::MemberSuspended { user, sessions_ended: sessions, tokens_ended: tokens };
            ralex_audit::record(tx, author, event).await.map_err(problem)?;
        }
        Ok(done)
    }

    /// Takes one party's word back, which opens the author's organisation to a member where the other
    /// party does not keep them out. False where it had not said so.
    pub async fn resume(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
        by: Word,
    ) -> Result<bool, Problem> {
        let whose = (author.org, user);
        let still = sql::user::resume(tx, whose, by.as_str()).await.map_err(problem)?;
        let Some(still_suspended) = still else { return Ok(false) };
        let event = Event::MemberResumed { user, still_suspended };
        ralex_audit::record(tx, author, event).await.map_err(problem)?;
        Ok(true)
    }

    /// Ends a person's sessions and tokens that count in the author's organisation only. Those that count
    /// elsewhere too are not this organisation's to end; they open nothing here. What no program has fetched
    /// yet is no token, and ends in any case: whoever is out says yes to nothing here.
    pub async fn end_confined(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
    ) -> Result<Ended, Problem> {
        let whose = (author.org, user);
        // First, so that a token which is being fetched at this moment is there to be ended.
        sql::program::end_approved(tx, user, Some(author.org)).await.map_err(problem)?;
        let (sessions, tokens) =
            sql::session::revoke_confined(tx, whose, self.clock.now()).await.map_err(problem)?;
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Ended { sessions: count(sessions), tokens: count(tokens) })
    }
}
