//! What helps somebody in who has lost every second factor: an operator removes them.
//!
//! What always holds: whoever does that gets nothing by it. The password stays the person's own, all
//! sessions end, and an organisation that asks for a second factor stays closed to them until they have
//! registered another one. The person is told by mail, and the log of each of their organisations says who
//! did it and why.

use ralex_api::identity::User;
use ralex_api::operators::{FactorsReset, ResetFactors};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Email, Problem, UserId};
use ralex_store::{System, problem};
use tracing::warn;

use crate::operator::Operating;
use crate::sql::factor::Removed;
use crate::{Identity, managed, sql, stored};

impl Identity {
    /// Removes every second factor of an account, and ends its sessions.
    ///
    /// # Errors
    /// `invalid_request` where nobody has that address, or it is the operator's own; `conflict` where there
    /// is nothing to remove.
    pub async fn reset_factors(
        &self,
        by: Operating<'_>,
        asked: ResetFactors,
    ) -> Result<FactorsReset, Problem> {
        let reason = managed::checked(&asked.reason)?.to_owned();
        let mut tx = self.db.system("remove lost second factors").await?;
        let found = sql::user::find_account(&mut tx, &asked.email.key()).await.map_err(problem)?;
        let account = found.ok_or_else(|| Problem::field("email", "is nobody's here"))?;
        let user = account.id;
        if user == by.user() {
            let rule =
                "is your own address; remove your factors in your profile, or ask another operator";
            return Err(Problem::field("email", rule));
        }
        let (removed, sessions_ended) =
            self.take_factors(&mut tx, by.caller(), user, reason).await?;
        if !removed.any() {
            let detail = format!("{} has no second factor; a login asks for none.", asked.email);
            return Err(Problem::new(Code::Conflict, detail));
        }
        tx.commit().await.map_err(problem)?;
        let (email, name) = (stored::<Email>(&account.email)?, stored(&account.name)?);
        let told = self.tell_of_reset(&email).await;
        let user = User { id: user, email, name };
        let Removed { app, passkeys, recovery_codes } = removed;
        Ok(FactorsReset { user, app, passkeys, recovery_codes, sessions_ended, told })
    }

    /// Takes all of them away, ends all sessions and says how many these were.
    pub(crate) async fn take_factors(
        &self,
        tx: &mut System,
        by: &Caller,
        user: UserId,
        reason: String,
    ) -> Result<(Removed, u32), Problem> {
        // Before anything else, so that a login which is about to open a session has opened it.
        sql::password::lock(tx, user).await.map_err(problem)?;
        let removed = sql::factor::delete_all(tx, user).await.map_err(problem)?;
        sql::factor::end_challenges(tx, user).await.map_err(problem)?;
        let ended = sql::session::revoke_others(tx, user, None, self.clock.now(), None).await;
        let sessions_ended = u32::try_from(ended.map_err(problem)?.len()).unwrap_or(u32::MAX);
        let passkeys = removed.passkeys;
        let event = FactorEvent::Reset { user, reason, passkeys, sessions_ended };
        self.record_everywhere(tx, by, user, &Event::Factor(event)).await?;
        Ok((removed, sessions_ended))
    }

    async fn tell_of_reset(&self, to: &Email) -> bool {
        let text = "An operator of Ralex has removed the second factors of your account, as somebody who \
                    lost them asks for, and ended your sessions. Your password is as it was.\n\nIf you did \
                    not ask for that, tell your organisation's owners now.\n";
        let subject = "Your second factors were removed".to_owned();
        let sent = self.send(to, subject, text.to_owned()).await;
        if let Err(why) = &sent {
            warn!("nobody told a person that their second factors were removed: {why}");
        }
        sent.is_ok()
    }
}
