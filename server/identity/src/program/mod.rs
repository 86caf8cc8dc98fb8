//! Programs that a person lets act for them: `ralex login`.
//!
//! A program is a public client (RFC 6749, 2.1): what it says of itself is shown to the person and
//! proves nothing. It has a token only of who said yes in a session and proved a short while ago who
//! they are; the token is one of their personal ones, counts where that session does, and is listed
//! and ended with the others. A code is good for one token, and shown a second time it ends that one.

mod device;
mod loopback;

use chrono::TimeDelta;
use ralex_api::oauth::{OAuthError, TokenGranted};
use ralex_audit::Event;
use ralex_kernel::{Caller, Credential, Name, Problem, Secret, Subject, TokenId, UserId};
use ralex_store::{System, problem};

use crate::sql::program as sql;
use crate::token::{Limits, Wanted};
use crate::{Arrival, Identity};

pub use loopback::Redirect;

/// How long a program's token lives.
const LIFETIME: TimeDelta = TimeDelta::days(90);
const UNNAMED: &str = "ralex login";

/// Why a program has no token (RFC 6749, 5.2; RFC 8628, 3.5).
#[derive(Debug)]
pub enum Refused {
    /// The code is unknown, spent or too old, or what is shown with it is not what it was made for.
    Grant,
    /// The person has not answered yet.
    Pending,
    /// The program asks more often than it may.
    TooFast,
    /// The person said no.
    Denied,
    /// The code is too old.
    Expired,
    /// Nothing about the program: the server could not.
    Failed(Problem),
}

/// How a program's question came before the person.
#[derive(Clone, Copy, Debug)]
enum Way {
    Browser,
    Typed,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Refused {
    /// As the standard words it; nothing where it is no word of the standard.
    pub fn error(&self) -> Option<OAuthError> {
        let (error, description) = match self {
            Self::Grant => ("invalid_grant", "The code is unknown, was used, or is too old."),
            Self::Pending => ("authorization_pending", "Nobody has answered yet."),
            Self::TooFast => ("slow_down", "Ask five seconds less often."),
            Self::Denied => ("access_denied", "The person said no."),
            Self::Expired => ("expired_token", "The code is too old. Begin again."),
            Self::Failed(_) => return None,
        };
        Some(OAuthError { error: error.to_owned(), error_description: description.to_owned() })
    }
}

impl Identity {
    /// Tells every organisation of a person what they said to a program, which may end as a token
    /// that counts there.
    async fn record_answer(
        &self,
        tx: &mut System,
        (caller, user): (&Caller, UserId),
        name: &str,
        way: Way,
        approved: bool,
    ) -> Result<(), Problem> {
        let name = name.to_owned();
        let by = match way {
            Way::Browser => "browser",
            Way::Typed => "typed_code",
        };
        let event = if approved {
            Event::ProgramApproved { user, name, by }
        } else {
            Event::ProgramDenied { user, name, by }
        };
        self.record_everywhere(tx, caller, user, &event).await.map(drop)
    }

    /// Spends a code for a token of the person who said yes.
    async fn grant(
        &self,
        tx: &mut System,
        login: &sql::Login,
        arrival: &Arrival,
        by_device: bool,
    ) -> Result<TokenGranted, Refused> {
        let user = login.user.ok_or(Refused::Grant)?;
        let credential = Credential::Internal;
        let caller = arrival.signed_on(Subject::User(user), credential, login.sign_on());
        let name = login.name.parse().map_err(|_| Refused::Grant)?;
        let expires_at = Some(self.clock.now() + LIFETIME);
        let limits = Limits { models: None, permissions: None, addresses: None };
        let new = Wanted { name, limits, expires_at, by_device };
        let made = self.make_personal_token(tx, (&caller, user), new).await?;
        sql::spend(tx, login.id, made.id).await.map_err(problem)?;
        Ok(TokenGranted {
            access_token: made.token,
            token_type: "Bearer".to_owned(),
            expires_in: LIFETIME.num_seconds(),
        })
    }

    /// A code that comes a second time was seen by somebody else, the first time or now. Who has the
    /// token cannot be told, so it ends (RFC 6749, 4.1.2).
    async fn end_spent(
        &self,
        tx: System,
        login: &sql::Login,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        // The lock on the code goes first, since the token's end is a transaction of its own.
        tx.rollback().await.map_err(problem)?;
        let (Some(user), Some(token)) = (login.user, login.token) else { return Ok(()) };
        self.end_personal_token(&arrival.caller(Subject::User(user), Credential::Internal), token)
            .await
    }

    async fn end_personal_token(&self, caller: &Caller, token: TokenId) -> Result<(), Problem> {
        match self.revoke_personal_token(caller, token).await {
            // It has ended already.
            Err(problem) if problem.code == ralex_kernel::Code::NotFound => Ok(()),
            done => done,
        }
    }

    /// Ends the personal token that a program shows (RFC 7009). One that opens nothing is no error.
    pub async fn give_up_token(&self, token: &Secret, arrival: &Arrival) -> Result<(), Problem> {
        let Some(signed_in) = self.resolve_token(token.expose(), arrival).await? else {
            return Ok(());
        };
        let Credential::PersonalToken(id) = signed_in.caller.credential else { return Ok(()) };
        self.end_personal_token(&signed_in.caller, id).await
    }
}

/// What a program says that it runs on, as a token may be called; what cannot be a name is none.
fn name_of(said: Option<&str>) -> String {
    let cut: Option<String> = said.map(|text| text.trim().chars().take(60).collect());
    let name = cut.and_then(|text| text.parse::<Name>().ok());
    name.map_or_else(|| UNNAMED.to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_name_is_none() {
        assert_eq!(name_of(Some(" ann@laptop ")), "ann@laptop");
        for said in [None, Some(""), Some(" "), Some("a\u{202e}b"), Some("\n")] {
            assert_eq!(name_of(said), UNNAMED, "{said:?}");
        }
        assert_eq!(name_of(Some(&"x".repeat(500))).len(), 60);
    }
}
