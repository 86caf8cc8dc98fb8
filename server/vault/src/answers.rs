//! Answers to writes that carried an `Idempotency-Key`, kept sealed for a day, so that the same
//! request sent again gets the same answer and does nothing.
//!
//! They are sealed because an answer may hold a secret that is shown once.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{Code, Problem};
use ralex_store::problem;

use crate::cipher::{Identity, KeyBytes, NONCE, decrypt, wrap};
use crate::{Vault, sql};

/// The name of the deployment's own key that seals answers.
const SEALING_KEY: &str = "idempotent-answers";
const REMEMBERED: TimeDelta = TimeDelta::hours(24);
/// A request that has not ended after this long died with its server.
const ABANDONED: TimeDelta = TimeDelta::minutes(5);

/// One request, as its sender named it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The session or the token: two callers may choose the same key.
    pub caller: String,
    pub key: String,
    /// A digest of method, path and body.
    pub request: Vec<u8>,
    /// Whether whoever sends it proved a short while ago who they are.
    pub proven: bool,
}

/// What is known of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it is to be done, and then finished or forgotten.
    New,
    /// It was done; this was the answer. `proven` is whether it was given upon a fresh proof.
    Answered { status: u16, body: Vec<u8>, proven: bool },
}

impl Vault {
    /// Notes that a request begins, unless it was answered before.
    ///
    /// # Errors
    /// `idempotency_key_reused` where the key came with another request, `conflict` while the
    /// first one is still under way.
    pub async fn begin_attempt(
        &self,
        attempt: &Attempt,
        now: DateTime<Utc>,
    ) -> Result<Known, Problem> {
        let mut tx = self.0.db.system("look for an answer given before").await?;
        let (abandoned, forgotten) = (now - ABANDONED, now - REMEMBERED);
        sql::answers::forget_answers(&mut tx, forgotten).await.map_err(problem)?;
        let begun = sql::answers::begin_answer(&mut tx, attempt, now, abandoned, forgotten)
            .await
            .map_err(problem)?;
        if begun {
            tx.commit().await.map_err(problem)?;
            return Ok(Known::New);
        }
        let row = sql::answers::answer(&mut tx, attempt).await.map_err(problem)?;
        let Some(row) = row else { return Err(under_way()) };
        if row.request_hash != attempt.request {
            let detail = "This Idempotency-Key came before with another request. Use a fresh one.";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        let (Some(status), Some(sealed)) = (row.status, row.answer) else {
            return Err(under_way());
        };
        let key = self.internal_key(SEALING_KEY).await?;
        let body = open(&key, attempt, &sealed)?;
        let status = u16::try_from(status).unwrap_or(500);
        Ok(Known::Answered { status, body, proven: row.proven })
    }

    /// Keeps the answer of a request that did what it was to do.
    pub async fn finish_attempt(
        &self,
        attempt: &Attempt,
        status: u16,
        body: &[u8],
    ) -> Result<(), Problem> {
        let key = self.internal_key(SEALING_KEY).await?;
        let sealed = wrap(&key, &identity(attempt), body).map_err(|_| broken())?;
        let mut tx = self.0.db.system("keep an answer").await?;
        sql::answers::finish_answer(&mut tx, attempt, i32::from(status), &sealed)
            .await
            .map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Forgets a request that did nothing, so that it can be sent again.
    pub async fn forget_attempt(&self, attempt: &Attempt) -> Result<(), Problem> {
        let mut tx = self.0.db.system("forget a request that failed").await?;
        sql::answers::forget_answer(&mut tx, attempt).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

fn identity(attempt: &Attempt) -> Identity {
    Identity::of("rlxv1/answer")
        .with(attempt.caller.as_bytes())
        .with(attempt.key.as_bytes())
        .with(&attempt.request)
}

fn open(key: &KeyBytes, attempt: &Attempt, sealed: &[u8]) -> Result<Vec<u8>, Problem> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(broken)?;
    let plain = decrypt(key, nonce, identity(attempt).bytes(), sealed).map_err(|_| broken())?;
    Ok(plain.to_vec())
}

fn under_way() -> Problem {
    let detail = "The first request with this Idempotency-Key is still under way.";
    Problem::new(Code::Conflict, detail).with_retry_after(1)
}

fn broken() -> Problem {
    Problem::new(Code::Internal, "A kept answer could not be opened.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ralex_access::{Access, Policies};
    use ralex_kernel::{Clock, DeploymentId};
    use ralex_store::testing::Database;

    use super::*;
    use crate::Seal;

    fn attempt(key: &str, request: &[u8]) -> Attempt {
        let (caller, key) = ("session:ann".to_owned(), key.to_owned());
        Attempt { caller, key, request: request.to_vec(), proven: true }
    }

    async fn vault(database: &Database) -> Vault {
        let policies = Policies::load(None).unwrap();
        let access = Access::open(database.db(), policies, Clock::system()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::in_folder(folder.path());
        Vault::open(database.db(), Arc::new(access), DeploymentId::generate(), seal).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_request_gets_the_same_answer_and_another_one_is_refused() {
        let database = Database::fresh().await;
        let vault = vault(&database).await;
        let (one, now) = (attempt("k", b"body"), Utc::now());
        assert_eq!(vault.begin_attempt(&one, now).await.unwrap(), Known::New);
        assert_eq!(vault.begin_attempt(&one, now).await.unwrap_err().code, Code::Conflict);
        vault.finish_attempt(&one, 201, b"{\"token\":\"rlx_secret\"}").await.unwrap();
        let known = vault.begin_attempt(&one, now).await.unwrap();
        let body = b"{\"token\":\"rlx_secret\"}".to_vec();
        assert_eq!(known, Known::Answered { status: 201, body, proven: true });
        let other = vault.begin_attempt(&attempt("k", b"other"), now).await.unwrap_err();
        assert_eq!(other.code, Code::IdempotencyKeyReused);
        let later = now + REMEMBERED + TimeDelta::seconds(1);
        assert_eq!(vault.begin_attempt(&one, later).await.unwrap(), Known::New);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_is_too_old_is_not_given_though_its_row_could_not_be_cleared_away() {
        let database = Database::fresh().await;
        let vault = vault(&database).await;
        let (one, now) = (attempt("k", b"body"), Utc::now());
        vault.begin_attempt(&one, now).await.unwrap();
        vault.finish_attempt(&one, 201, b"{}").await.unwrap();
        let db = database.db();
        let mut holder = db.system("hold the row as another request would").await.unwrap();
        sql::answers::finish_answer(&mut holder, &one, 201, b"held").await.unwrap();
        let waiting = {
            let (vault, one) = (vault.clone(), one.clone());
            let later = now + REMEMBERED + TimeDelta::seconds(1);
            tokio::spawn(async move { vault.begin_attempt(&one, later).await })
        };
        database.until_someone_waits_for_a_lock().await;
        drop(holder);
        assert_eq!(waiting.await.unwrap().unwrap(), Known::New);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_at_once_only_one_begins() {
        let database = Database::fresh().await;
        let vault = vault(&database).await;
        let now = Utc::now();
        let racing = (0..20).map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.begin_attempt(&attempt("k", b"body"), now).await })
        });
        let mut begun = 0;
        for task in racing.collect::<Vec<_>>() {
            begun += u32::from(task.await.unwrap().is_ok());
        }
        assert_eq!(begun, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_did_nothing_can_be_sent_again() {
        let database = Database::fresh().await;
        let vault = vault(&database).await;
        let (one, now) = (attempt("k", b"body"), Utc::now());
        vault.begin_attempt(&one, now).await.unwrap();
        vault.forget_attempt(&one).await.unwrap();
        assert_eq!(vault.begin_attempt(&one, now).await.unwrap(), Known::New);
        // One whose server died is taken up again after a while.
        let later = now + ABANDONED + TimeDelta::seconds(1);
        assert_eq!(vault.begin_attempt(&one, later).await.unwrap(), Known::New);
    }
}
