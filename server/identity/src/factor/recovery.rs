//! Recovery codes: for the day on which the authenticator app or the passkeys are lost.

use ralex_api::factors::RecoveryCodes;
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Problem, UserId};
use ralex_store::{System, problem};
use rand::RngExt;

use crate::Identity;
use crate::sql::factor as sql;

const CODES: u32 = 10;
/// Letters and digits that are not mistaken for each other when copied by hand.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Twelve of them are 59 bits, and every try is counted.
const LENGTH: usize = 12;
const GROUP: usize = 4;

impl Identity {
    /// Makes new recovery codes; those from before stop working.
    pub async fn renew_recovery_codes(&self, caller: &Caller) -> Result<RecoveryCodes, Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("make recovery codes").await?;
        if !sql::has_factor(&mut tx, user).await.map_err(problem)? {
            let detail = "Recovery codes stand in for an authenticator app or a passkey, and you have \
                          none. Set one up first: POST /api/v1/auth/totp or \
                          POST /api/v1/auth/passkeys.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let codes = self.replace_codes(&mut tx, caller, user).await?;
        tx.commit().await.map_err(problem)?;
        Ok(codes)
    }

    pub(super) async fn replace_codes(
        &self,
        tx: &mut System,
        caller: &Caller,
        user: UserId,
    ) -> Result<RecoveryCodes, Problem> {
        let codes: Vec<_> = (0..CODES).map(|_| code()).collect();
        let digests: Vec<_> =
            codes.iter().map(|code| self.factor_keys.recovery_digest(user, &plain(code))).collect();
        sql::delete_recovery_codes(tx, user).await.map_err(problem)?;
        sql::insert_recovery_codes(tx, user, &digests, self.clock.now()).await.map_err(problem)?;
        let event = FactorEvent::CodesCreated { user, codes: CODES };
        self.record_everywhere(tx, caller, user, &Event::Factor(event)).await?;
        Ok(RecoveryCodes { codes })
    }
}

/// A code as it is compared: people type it with other letters, spaces and lines.
pub(super) fn plain(text: &str) -> String {
    let counts = |c: &char| c.is_ascii_alphanumeric();
    text.chars().filter(counts).map(|c| c.to_ascii_lowercase()).take(2 * LENGTH).collect()
}

fn code() -> String {
    let mut random = rand::rng();
    let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
    for at in 0..LENGTH {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed_and_never_as_an_apps() {
        let code = code();
        assert_eq!(code.len(), 14);
        assert_eq!(code.matches('-').count(), 2);
        let typed = format!(" {} ", code.to_uppercase().replace('-', " "));
        assert_eq!(plain(&typed), plain(&code));
        assert_eq!(plain(&code).len(), LENGTH);
        assert!(!super::super::totp::is_code(&code));
    }
}
