//! Passkeys of one's own: made, named and removed.
//!
//! Each is asked to know its owner and to be found without a name, so that it alone can open a
//! session. What authenticator it is nobody asks: whoever holds it says so by using it.

use ralex_api::factors::Method;
use ralex_api::passkeys::{
    NewPasskey, Passkey, PasskeyAdded, PasskeyCeremony, PasskeyOffer, RenamePasskey,
};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, PasskeyId, Problem, UserId};
use ralex_store::{System, problem};
use webauthn_rs::prelude::{PasskeyRegistration, RegisterPublicKeyCredential};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::broken;
use super::ceremony::Purpose;
use super::proof::own_session;
use crate::sql::{factor, passkey as sql, session, user as people};
use crate::{Arrival, Identity};

/// More than anybody has devices.
const MOST: usize = 20;

impl Identity {
    /// Whether people can have passkeys here, and why not.
    pub fn passkey_offer(&self) -> PasskeyOffer {
        let missing = self.relying.missing();
        PasskeyOffer { offered: missing.is_none(), reason: missing.map(str::to_owned) }
    }

    /// What an authenticator is asked to make a passkey with.
    ///
    /// # Errors
    /// `conflict` where passkeys are not offered or there are enough.
    pub async fn begin_passkey(
        &self,
        caller: &Caller,
        arrival: &Arrival,
    ) -> Result<PasskeyCeremony, Problem> {
        crate::holder(caller)?;
        let (user, session) = own_session(caller)?;
        let webauthn = self.relying.offered()?;
        let mut tx = self.db.system("ask an authenticator for a passkey").await?;
        let account = people::account(&mut tx, user).await.map_err(problem)?;
        let account = account.ok_or_else(|| Problem::not_found("account"))?;
        let own = sql::list(&mut tx, user).await.map_err(problem)?;
        if own.len() >= MOST {
            let detail =
                format!("You have {MOST} passkeys already. Remove one that you do not use.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let known = own.into_iter().map(|row| row.credential_id).collect();
        let (mut asked, state) = webauthn
            .start_passkey_registration(user.uuid(), &account.email, &account.name, Some(known))
            .map_err(|_| broken())?;
        // The library leaves it to whoever logs people in without their names.
        if let Some(wished) = &mut asked.public_key.authenticator_selection {
            wished.resident_key = Some(ResidentKeyRequirement::Required);
            wished.require_resident_key = true;
        }
        let purpose = Purpose::Register(user, session);
        let ceremony = self.ask(&mut tx, purpose, arrival, (&asked, &state)).await?;
        tx.commit().await.map_err(problem)?;
        Ok(ceremony)
    }

    /// Adds the passkey that an authenticator made.
    ///
    /// # Errors
    /// `conflict` where none was asked for in this session or it took too long, `already_exists` for
    /// one that is registered.
    pub async fn add_passkey(
        &self,
        caller: &Caller,
        new: &NewPasskey,
    ) -> Result<PasskeyAdded, Problem> {
        crate::holder(caller)?;
        let (user, session) = own_session(caller)?;
        let webauthn = self.relying.offered()?;
        let mut tx = self.db.system("take what an authenticator made").await?;
        let purpose = Purpose::Register(user, session);
        let state = self.take_question(&mut tx, purpose, &new.ceremony).await?;
        tx.commit().await.map_err(problem)?;
        let state: PasskeyRegistration = state.ok_or_else(not_begun)?;
        let made: RegisterPublicKeyCredential =
            serde_json::from_value(new.credential.clone()).map_err(|_| unreadable())?;
        let credential = webauthn.finish_passkey_registration(&made, &state).map_err(|why| {
            tracing::debug!("an authenticator did not make what it was asked for: {why}");
            Problem::field("credential", "is not what the authenticator was asked for")
        })?;
        let mut tx = self.db.system("add a passkey").await?;
        let first = !factor::has_factor(&mut tx, user).await.map_err(problem)?;
        let (id, now) = (PasskeyId::generate(), self.clock.now());
        let name = new.name.as_str();
        let row = sql::NewRow { id, user, credential: &credential, name, now };
        if !sql::insert(&mut tx, &row).await.map_err(problem)? {
            let detail = "This passkey is registered already.";
            return Err(Problem::new(Code::AlreadyExists, detail));
        }
        let sessions_ended =
            self.count_for_session(&mut tx, caller, Method::Passkey, first).await?;
        let event = FactorEvent::PasskeyAdded { user, passkey: id, sessions_ended };
        self.record_everywhere(&mut tx, caller, user, &Event::Factor(event)).await?;
        let mut recovery_codes = None;
        if first {
            recovery_codes = Some(self.replace_codes(&mut tx, caller, user).await?);
        }
        tx.commit().await.map_err(problem)?;
        let name = new.name.clone();
        let passkey = Passkey { id, name, added_at: now, last_used_at: None };
        Ok(PasskeyAdded { passkey, recovery_codes })
    }

    pub async fn rename_passkey(
        &self,
        caller: &Caller,
        id: PasskeyId,
        change: &RenamePasskey,
    ) -> Result<(), Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("rename a passkey").await?;
        if !sql::rename(&mut tx, user, id, change.name.as_str()).await.map_err(problem)? {
            return Err(Problem::not_found("passkey"));
        }
        let event = Event::Factor(FactorEvent::PasskeyRenamed { user, passkey: id });
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        tx.commit().await.map_err(problem)
    }

    /// Removes a passkey, and with it the sessions that it alone opened, be it the one that asks.
    pub async fn remove_passkey(&self, caller: &Caller, id: PasskeyId) -> Result<(), Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("remove a passkey").await?;
        if !sql::hold(&mut tx, user, id).await.map_err(problem)? {
            return Err(Problem::not_found("passkey"));
        }
        let ended = session::revoke_opened_by(&mut tx, id, self.clock.now()).await;
        let sessions_ended = u32::try_from(ended.map_err(problem)?).unwrap_or(u32::MAX);
        sql::delete(&mut tx, user, id).await.map_err(problem)?;
        self.forget_useless_codes(&mut tx, user).await?;
        let event = FactorEvent::PasskeyRemoved { user, passkey: id, sessions_ended };
        self.record_everywhere(&mut tx, caller, user, &Event::Factor(event)).await?;
        tx.commit().await.map_err(problem)
    }

    pub(super) async fn passkeys(
        &self,
        tx: &mut System,
        user: UserId,
    ) -> Result<Vec<Passkey>, Problem> {
        let rows = sql::list(tx, user).await.map_err(problem)?;
        let told = rows.into_iter().map(|row| {
            Ok(Passkey {
                id: row.id,
                name: crate::stored(&row.name)?,
                added_at: row.created_at,
                last_used_at: row.last_used_at,
            })
        });
        told.collect()
    }
}

pub(super) fn unreadable() -> Problem {
    Problem::field("credential", "is not the JSON form of a credential, as a browser gives it")
}

fn not_begun() -> Problem {
    let detail = "No passkey is being made in this session, or it took too long. Begin anew: \
                  POST /api/v1/auth/passkeys.";
    Problem::new(Code::Conflict, detail)
}
