//! Passwords: argon2id, hashed on a bounded pool so that a flood of logins cannot starve the rest.

mod queue;

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use queue::Queue;
use ralex_api::identity::{PASSWORD_MAX, PASSWORD_MIN};
use ralex_kernel::{Code, Problem, Secret};
use rand::RngExt;
use tokio::sync::Semaphore;

/// OWASP's floor for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes at a time; each takes its memory and about 40 ms of a core.
const AT_A_TIME: usize = 2;
/// Letters and digits that are not mistaken for each other when copied by hand.
const ONE_TIME_ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const ONE_TIME_LENGTH: usize = 20;

/// What a password is to a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    Wrong,
    Right,
    /// Right, and hashed in another way than passwords are today.
    Outdated,
}

impl Match {
    pub fn is_right(self) -> bool {
        self != Self::Wrong
    }
}

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    places: Arc<Semaphore>,
    queue: Queue,
    /// A hash of no one's password, so that an unknown account takes as long as a known one.
    decoy: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self, Problem> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| broken())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let decoy = hash_now(&argon2, "no account has this password")?;
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { argon2, places, queue: Queue::default(), decoy: decoy.into() })
    }

    pub async fn hash(&self, password: &Secret) -> Result<String, Problem> {
        let text = Secret::new(password.expose().to_owned());
        let argon2 = self.argon2.clone();
        self.run(move || hash_now(&argon2, text.expose())).await?
    }

    /// What `password` is to `hash`; without a hash it takes as long and is wrong.
    ///
    /// # Errors
    /// `throttled` while many others wait, from this network or from all.
    pub async fn verify(
        &self,
        password: &Secret,
        hash: Option<&str>,
        network: &str,
    ) -> Result<Match, Problem> {
        let _ticket = self.queue.enter(network)?;
        let text = Secret::new(password.expose().to_owned());
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.decoy).to_owned();
        let argon2 = self.argon2.clone();
        let matches = self.run(move || check_now(&argon2, text.expose(), &hash)).await?;
        Ok(if known { matches } else { Match::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.places.acquire().await.map_err(|_| broken())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| broken())
    }
}

/// A password that is used once and then replaced.
pub fn one_time() -> Secret {
    let mut random = rand::rng();
    let text = (0..ONE_TIME_LENGTH)
        .map(|_| char::from(ONE_TIME_ALPHABET[random.random_range(0..ONE_TIME_ALPHABET.len())]))
        .collect::<String>();
    Secret::new(text)
}

/// Refuses a password that is too weak, or holds the account's own address.
pub fn check_strength(password: &Secret, email_key: &str) -> Result<(), Problem> {
    let text = password.expose();
    if text.to_lowercase().contains(email_key) {
        return Err(Problem::field("new", "must not contain your e-mail address"));
    }
    let theirs: Vec<&str> = email_key.split(['@', '.']).collect();
    weakness(text, &theirs).map_or(Ok(()), |rule| Err(Problem::field("new", rule)))
}

/// What is wrong with a password that is too short, too long, or found with fewer than 10^8 guesses by
/// somebody who knows how people choose, and these words of theirs (Wheeler, "zxcvbn", USENIX Security
/// 2016). It repeats nothing of the password.
pub fn weakness(text: &str, theirs: &[&str]) -> Option<String> {
    if text.chars().count() < PASSWORD_MIN || text.len() > PASSWORD_MAX {
        return Some(format!("must have {PASSWORD_MIN} to {PASSWORD_MAX} characters"));
    }
    let guessed = zxcvbn::zxcvbn(text, &[theirs, &["ralex"]].concat());
    if guessed.score() >= zxcvbn::Score::Three {
        return None;
    }
    let why = guessed.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    let why = why.map(|it| format!(" {it}")).unwrap_or_default();
    Some(format!(
        "is too easy to guess.{why} Take some words that have nothing to do with each other"
    ))
}

fn hash_now(argon2: &Argon2<'_>, text: &str) -> Result<String, Problem> {
    let hash = argon2.hash_password(text.as_bytes()).map_err(|_| broken())?;
    Ok(hash.to_string())
}

fn check_now(argon2: &Argon2<'_>, text: &str, hash: &str) -> Match {
    let Ok(parsed) = PasswordHash::new(hash) else { return Match::Wrong };
    if argon2.verify_password(text.as_bytes(), &parsed).is_err() {
        return Match::Wrong;
    }
    let as_today = parsed.algorithm == Algorithm::Argon2id.ident()
        && parsed.version == Some(Version::V0x13.into())
        && Params::try_from(&parsed)
            .is_ok_and(|it| (it.m_cost(), it.t_cost(), it.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    if as_today { Match::Right } else { Match::Outdated }
}

fn broken() -> Problem {
    Problem::new(Code::Internal, "The password could not be processed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_passes_and_an_unknown_account_never_does() {
        let passwords = Passwords::new().unwrap();
        let secret = one_time();
        let hash = passwords.hash(&secret).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let is = async |text: &Secret, hash: Option<&str>| {
            passwords.verify(text, hash, "here").await.unwrap()
        };
        assert_eq!(is(&secret, Some(&hash)).await, Match::Right);
        assert_eq!(is(&one_time(), Some(&hash)).await, Match::Wrong);
        let decoy = Secret::new("no account has this password".to_owned());
        assert_eq!(is(&decoy, None).await, Match::Wrong);
    }

    #[tokio::test]
    async fn what_was_hashed_in_another_way_is_told() {
        let passwords = Passwords::new().unwrap();
        let secret = one_time();
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let older = Argon2::new(Algorithm::Argon2i, Version::V0x13, Params::DEFAULT);
        for then in [weak, older] {
            let hash = hash_now(&then, secret.expose()).unwrap();
            let is = passwords.verify(&secret, Some(&hash), "here").await.unwrap();
            assert_eq!(is, Match::Outdated, "{hash}");
            let is = passwords.verify(&one_time(), Some(&hash), "here").await.unwrap();
            assert_eq!(is, Match::Wrong, "{hash}");
        }
    }

    #[test]
    fn weak_passwords_are_refused() {
        let weak = |text: &str| check_strength(&Secret::new(text.to_owned()), "ann@x.com").is_err();
        assert!(weak("short"));
        assert!(weak("aaaaaaaaaaaaaaaa"));
        for common in ["password", "passwordpassword", "12345678", "Summer2026!", "password1234"] {
            assert!(weak(common), "{common}");
        }
        assert!(weak("ann@x.com2026!!"));
        assert!(weak(&"x1".repeat(200)));
        assert!(!weak("correct horse battery"));
    }
}
