//! Passkeys for the break-glass access: a signature that was asked for just one act counts for it alone.
//!
//! Nothing else stands in for it: no code of an app, no password, and no proof that a session had before.

use ralex_api::passkeys::{PasskeyAnswer, PasskeyCeremony};
use ralex_kernel::{BreakGlassId, Caller, OrgId, Problem, SessionId, UserId};
use ralex_store::problem;
use uuid::Uuid;

use super::ceremony::Purpose;
use super::proof::own_session;
use crate::{Arrival, Identity};

/// What somebody wants to do with the break-glass access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlassAct {
    /// Ask for it to be opened in an organisation.
    Open(OrgId),
    /// Agree to what somebody else has asked for.
    Confirm(BreakGlassId),
}

impl GlassAct {
    pub(super) const fn purpose(self) -> &'static str {
        match self {
            Self::Open(_) => "glass_open",
            Self::Confirm(_) => "glass_confirm",
        }
    }

    pub(super) const fn about(self) -> Uuid {
        match self {
            Self::Open(org) => org.uuid(),
            Self::Confirm(opening) => opening.uuid(),
        }
    }
}

/// That a person signed for one act a moment ago, in a session. Nothing else makes it.
#[derive(Debug)]
pub struct GlassProof {
    user: UserId,
    session: SessionId,
    act: GlassAct,
}

impl GlassProof {
    pub const fn user(&self) -> UserId {
        self.user
    }

    pub const fn session(&self) -> SessionId {
        self.session
    }

    pub const fn act(&self) -> GlassAct {
        self.act
    }
}

impl Identity {
    /// What an authenticator is asked to sign for an act.
    pub async fn begin_glass_proof(
        &self,
        caller: &Caller,
        act: GlassAct,
        arrival: &Arrival,
    ) -> Result<PasskeyCeremony, Problem> {
        let (user, session) = own_session(caller)?;
        let mut tx = self.db.system("ask for a passkey for the break-glass access").await?;
        let purpose = Purpose::Glass(user, session, act);
        let ceremony = self.ask_assertion(&mut tx, purpose, Some(user), arrival).await?;
        tx.commit().await.map_err(problem)?;
        Ok(ceremony)
    }

    /// Takes the signature, which counts once.
    ///
    /// # Errors
    /// `invalid_request` where it is wrong, was asked for something else, was given before or took too
    /// long.
    pub async fn prove_for_glass(
        &self,
        caller: &Caller,
        act: GlassAct,
        answer: &PasskeyAnswer,
        arrival: &Arrival,
    ) -> Result<GlassProof, Problem> {
        let (user, session) = own_session(caller)?;
        let purpose = Purpose::Glass(user, session, act);
        let (tx, _) = self.prove_passkey(user, (purpose, answer), arrival).await?;
        tx.commit().await.map_err(problem)?;
        Ok(GlassProof { user, session, act })
    }
}
