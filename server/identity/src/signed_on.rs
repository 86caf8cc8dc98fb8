//! Sessions that a provider vouches for, as single sign-on sees them: whose they are, and their end.

use ralex_kernel::{Caller, Credential, Problem, SessionId, SignOn, Subject, UserId};
use ralex_store::{System, problem};

use crate::suspend::Ended;
use crate::{Arrival, Identity, session, sql};

impl Identity {
    /// Ends the sessions by a provider's word: all, those of one person, or those that the provider
    /// knows by one name. Tells how many. They are over on every node at the next request.
    pub async fn end_signed_on(
        &self,
        tx: &mut System,
        by: SignOn,
        user: Option<UserId>,
        sid: Option<&str>,
    ) -> Result<u32, Problem> {
        let ended = sql::session::revoke_signed_on(tx, by, user, sid, self.clock.now()).await;
        Ok(u32::try_from(ended.map_err(problem)?).unwrap_or(u32::MAX))
    }

    /// Ends what a person came to by a provider's word, which means them no more: sessions, personal tokens,
    /// and what no program has fetched yet. Nothing of it comes back with another link.
    pub async fn end_linked(
        &self,
        tx: &mut System,
        by: SignOn,
        user: UserId,
    ) -> Result<Ended, Problem> {
        // First, so that a token which is being fetched at this moment is there to be ended.
        sql::program::end_signed_on(tx, by, user).await.map_err(problem)?;
        let now = self.clock.now();
        let tokens = sql::personal_token::revoke_signed_on(tx, by, user, now).await;
        let tokens = u32::try_from(tokens.map_err(problem)?).unwrap_or(u32::MAX);
        let sessions = self.end_signed_on(tx, by, Some(user), None).await?;
        Ok(Ended { sessions, tokens })
    }

    /// The person behind a session of their own, while it lives.
    pub async fn session_caller(
        &self,
        tx: &mut System,
        user: UserId,
        session: SessionId,
        arrival: &Arrival,
    ) -> Result<Option<Caller>, Problem> {
        let now = self.clock.now();
        let idle = now - session::IDLE;
        let alive = sql::session::is_live(tx, (user, session), now, idle).await;
        let credential = Credential::Session(session);
        Ok(alive.map_err(problem)?.then(|| arrival.caller(Subject::User(user), credential)))
    }
}
