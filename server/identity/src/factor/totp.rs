//! Authenticator apps (RFC 6238): SHA-1, six digits, 30 seconds, as all of them expect.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use qrcode::{Color, EcLevel, QrCode as Drawn};
use ralex_api::factors::{ConfirmTotp, Method, NewTotp, QrCode, RecoveryCodes};
use ralex_audit::{Event, FactorEvent};
use ralex_kernel::{Caller, Code, Problem};
use ralex_store::problem;
use totp_rs::{Builder, Totp};

use super::{broken, wrong_code};
use crate::sql::{factor as sql, user as people};
use crate::{Arrival, Identity};

/// What apps show above the codes.
const ISSUER: &str = "Ralex";
/// A begun one that nobody confirmed in this time has to be begun anew.
const BEGUN_FOR: TimeDelta = TimeDelta::minutes(15);
/// White around a QR code, in modules, without which scanners do not see where it ends.
const QUIET: usize = 4;

impl Identity {
    /// Makes the secret of an authenticator app. It counts once a code of it came back.
    ///
    /// # Errors
    /// `conflict` where the person has an app: a second one would have to take its place unseen.
    pub async fn begin_totp(&self, caller: &Caller) -> Result<NewTotp, Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("set up an authenticator app").await?;
        let account = people::account(&mut tx, user).await.map_err(problem)?;
        let account = account.ok_or_else(|| Problem::not_found("account"))?;
        // A colon would end the account's name in the address that apps read.
        let name = account.email.replace(':', "_");
        let totp = Builder::new().with_issuer(Some(ISSUER)).with_account_name(name);
        let totp = totp.build().map_err(|_| broken())?;
        let uri = totp.to_url().map_err(|_| broken())?;
        let sealed = self.factor_keys.seal(user, totp.secret().as_bytes())?;
        if !sql::begin_totp(&mut tx, user, &sealed, self.clock.now()).await.map_err(problem)? {
            let detail = "You have an authenticator app already. Remove it first: \
                          DELETE /api/v1/auth/totp.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let event = Event::Factor(FactorEvent::Begun { user, factor: Method::Totp });
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        tx.commit().await.map_err(problem)?;
        let qr_code = drawn(&uri)?;
        Ok(NewTotp { secret: totp.secret().to_base32(), uri, qr_code })
    }

    /// Adds the app that was begun, by a first code of it. As the first second factor it ends all of
    /// the person's other sessions.
    pub async fn confirm_totp(
        &self,
        caller: &Caller,
        confirm: &ConfirmTotp,
        arrival: &Arrival,
    ) -> Result<RecoveryCodes, Problem> {
        let user = crate::holder(caller)?;
        let now = self.clock.now();
        let mut tx = self.db.system("count a try at an authenticator app").await?;
        self.count_try(&mut tx, user, arrival).await?;
        tx.commit().await.map_err(problem)?;
        let mut tx = self.db.system("add an authenticator app").await?;
        let first = !sql::has_factor(&mut tx, user).await.map_err(problem)?;
        let app = sql::find_totp(&mut tx, user).await.map_err(problem)?;
        let begun =
            |app: &sql::TotpRow| app.confirmed_at.is_none() && app.created_at + BEGUN_FOR > now;
        let app = app.filter(begun).ok_or_else(not_begun)?;
        let secret = self.factor_keys.open(user, &app.secret)?;
        let code = confirm.code.expose().trim();
        let step = step_of(&secret, code, now)?.ok_or_else(|| wrong_code("code"))?;
        // Another secret may have taken its place while this one was looked at.
        if !sql::confirm_totp(&mut tx, user, &app.secret, step, now).await.map_err(problem)? {
            return Err(not_begun());
        }
        self.forget_tries(&mut tx, user, arrival).await?;
        let sessions_ended = self.count_for_session(&mut tx, caller, Method::Totp, first).await?;
        let event = FactorEvent::Added { user, factor: Method::Totp, sessions_ended };
        self.record_everywhere(&mut tx, caller, user, &Event::Factor(event)).await?;
        let codes = self.replace_codes(&mut tx, caller, user).await?;
        tx.commit().await.map_err(problem)?;
        Ok(codes)
    }

    /// Removes the app, and the recovery codes where they stand in for nothing any more.
    pub async fn remove_totp(&self, caller: &Caller) -> Result<(), Problem> {
        let user = crate::holder(caller)?;
        let mut tx = self.db.system("remove an authenticator app").await?;
        if !sql::delete_totp(&mut tx, user).await.map_err(problem)? {
            return Err(Problem::not_found("authenticator app"));
        }
        self.forget_useless_codes(&mut tx, user).await?;
        let event = Event::Factor(FactorEvent::Removed { user, factor: Method::Totp });
        self.record_everywhere(&mut tx, caller, user, &event).await?;
        tx.commit().await.map_err(problem)
    }
}

/// True for what an app shows; anything else may be a recovery code.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The step that a code is of: this one, the one before or the one after.
pub(super) fn step_of(
    secret: &[u8],
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, Problem> {
    let time = u64::try_from(now.timestamp()).map_err(|_| broken())?;
    if !is_code(code) {
        return Ok(None);
    }
    let step = totp_of(secret)?.check(code, time);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn totp_of(secret: &[u8]) -> Result<Totp, Problem> {
    let totp = Builder::new().with_secret(secret.to_vec()).with_account_name(ISSUER);
    totp.build().map_err(|_| broken())
}

/// A QR code as one path: a square for every dark module.
fn drawn(text: &str) -> Result<QrCode, Problem> {
    let code = Drawn::with_error_correction_level(text, EcLevel::M).map_err(|_| broken())?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            write!(path, "M{x} {y}h1v1h-1z").map_err(|_| broken())?;
        }
    }
    let size = u32::try_from(width + 2 * QUIET).map_err(|_| broken())?;
    Ok(QrCode { size, path })
}

fn not_begun() -> Problem {
    let detail = "No authenticator app is being set up, or it took too long. Begin anew: \
                  POST /api/v1/auth/totp.";
    Problem::new(Code::Conflict, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1, the last six of eight digits.
    #[test]
    fn codes_agree_with_the_published_vectors() {
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = DateTime::from_timestamp(time, 0).unwrap();
            let step = step_of(b"12345678901234567890", code, now).unwrap();
            assert_eq!(step, Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own_and_no_further() {
        let found = |time: i64| {
            let now = DateTime::from_timestamp(time, 0).unwrap();
            step_of(b"12345678901234567890", "081804", now).unwrap()
        };
        let own = 1_111_111_109 / 30;
        for (time, expected) in [
            ((own - 2) * 30 + 29, None),
            ((own - 1) * 30, Some(own)),
            ((own + 1) * 30 + 29, Some(own)),
            ((own + 2) * 30, None),
        ] {
            assert_eq!(found(time), expected, "{time}");
        }
    }

    #[test]
    fn only_six_digits_are_a_code() {
        for text in ["", "12345", "1234567", "+12345", " 23456", "12345a", "١٢٣٤٥٦"] {
            assert!(!is_code(text), "{text}");
        }
        assert!(is_code("000000"));
    }

    #[test]
    fn a_qr_code_has_white_around_it() {
        let code = drawn("otpauth://totp/Ralex:ann%40example.com?secret=JBSWY3DPEHPK3PXP").unwrap();
        assert!(code.path.starts_with("M4 4h1v1h-1z"), "{}", &code.path[..40]);
        assert!(!code.path.contains(&format!("M{} ", code.size - 4)));
        assert!(code.path.contains(&format!("M{} 4h", code.size - 5)));
    }
}
