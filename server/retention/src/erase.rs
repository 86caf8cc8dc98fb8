//! Erasure: what is personal of somebody who has left is destroyed, when two people agree.
//!
//! What the audit log tells of a person beyond their id is sealed under a key of their own
//! (`audit`'s `personal`). The key goes, and with it everything that it sealed, in copies of the
//! database from then on as well; leaves, hashes, proofs and receipts stay what they are. A hold
//! wins: while there is one nobody is erased, and what another organisation that is held may need of
//! the account stays.

use ralex_access::Scope;
use ralex_api::erasure::{ErasedAccount, ErasedKey, ErasedKeyKind, ErasedRows};
use ralex_api::retention::AuditRequest;
use ralex_audit::personal::names_of;
use ralex_audit::{DestroyedKey, Event, LogEvent, hold_still, record};
use ralex_kernel::{AuditRequestId, Code, Email, OrgId, Problem, UserId};
use ralex_store::problem;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::Retention;
use crate::request::{decided_already, one, shown};
use crate::sql::erase::{self, Erasure, Person};
use crate::sql::{self, Stored};

/// What was destroyed, as the database keeps it for the certificate.
#[derive(Serialize, Deserialize)]
pub(crate) struct Destroyed {
    pub keys: Vec<ErasedKey>,
    pub removed: Vec<ErasedRows>,
    pub account: ErasedAccount,
}

impl Retention {
    /// Whom a request is about, if they may be erased as things stand.
    pub(crate) async fn erasable(
        &self,
        org: OrgId,
        word: Option<&str>,
        reason: &str,
    ) -> Result<UserId, Problem> {
        let word = word.map(str::trim).filter(|word| !word.is_empty());
        let Some(word) = word else { return Err(Problem::field("person", "is needed")) };
        let id = word.strip_prefix("user:").unwrap_or(word).parse().ok();
        let email = word.parse::<Email>().ok().map(|email| email.key());
        let mut tx = self.0.db.system("find who is to be erased").await?;
        let found = erase::find(&mut tx, org, id, email).await.map_err(problem)?;
        let Some(person) = found else {
            let rule = "is or was nobody of this organisation; give an id or an e-mail address";
            return Err(Problem::field("person", rule));
        };
        must_not_be_held(&mut tx, org).await?;
        must_have_left(&mut tx, org, &person).await?;
        must_not_name(&person, reason)?;
        tx.rollback().await.map_err(problem)?;
        Ok(person.id)
    }

    /// Tells who would be erased: whoever has left is nobody to the organisation any more, and who
    /// decides has to know.
    pub(crate) async fn name(&self, org: OrgId, requests: &mut [Stored]) -> Result<(), Problem> {
        let waits = |it: &&mut Stored| it.subject.is_some() && it.state == "pending";
        let mut waiting: Vec<&mut Stored> = requests.iter_mut().filter(waits).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut tx = self.0.db.system("tell who is to be erased").await?;
        for request in &mut waiting {
            let id = request.subject.map(UserId::uuid);
            let found = erase::find(&mut tx, org, id, None).await.map_err(problem)?;
            request.person = found.map(|person| person.email);
        }
        tx.rollback().await.map_err(problem)
    }

    /// Erases whom a request is about, which somebody else approves with this: all of it in one
    /// transaction, or nothing.
    pub(crate) async fn erase(
        &self,
        scope: &Scope,
        id: AuditRequestId,
        by: UserId,
        reason: String,
    ) -> Result<AuditRequest, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.system("erase a person").await?;
        // Nobody sets a hold between the look and the commit.
        hold_still(&mut tx, org).await.map_err(problem)?;
        let stored = one(&mut tx, org, id).await?;
        self.0.access.agree(&mut tx, scope, stored.asked_by).await?;
        let subject = stored.subject.map(UserId::uuid);
        let found = erase::find(&mut tx, org, subject, None).await.map_err(problem)?;
        let person = found.ok_or_else(|| Problem::not_found("person"))?;
        must_not_be_held(&mut tx, org).await?;
        must_have_left(&mut tx, org, &person).await?;
        must_not_name(&person, &reason)?;
        if !sql::decide(&mut tx, org, id, by, "approved").await.map_err(problem)? {
            return Err(decided_already());
        }
        let (destroyed, keys) = destroy(&mut tx, org, &person).await.map_err(problem)?;
        let mentions = erase::mentions(&mut tx, org, person.id, &person.email).await;
        let mentions = mentions.map_err(problem)?;
        let event = LogEvent::Erased {
            request: id,
            person: person.id,
            asked_by: stored.asked_by,
            keys,
            account_removed: destroyed.account == ErasedAccount::Removed,
            reason,
        };
        let event = record(&mut tx, scope.author(), Event::Log(event)).await.map_err(problem)?;
        let written = serde_json::to_value(&destroyed).map_err(|_| {
            Problem::new(Code::Internal, "What was destroyed could not be written down.")
        })?;
        let row = Erasure { id, user: person.id, event, destroyed: &written, mentions };
        erase::insert(&mut tx, org, &row).await.map_err(problem)?;
        let decided = shown(one(&mut tx, org, id).await?, false)?;
        // Whatever a node holds in memory of the organisation's keys is old from here on.
        self.0.access.commit(tx, org).await?;
        metrics::counter!("ralex_audit_erasures_total").increment(1);
        Ok(decided)
    }
}

async fn destroy(
    conn: &mut PgConnection,
    org: OrgId,
    person: &Person,
) -> Result<(Destroyed, Vec<DestroyedKey>), sqlx::Error> {
    let email: Result<Email, _> = person.email.parse();
    let contact = match &email {
        Ok(email) => names_of(org, email)?,
        Err(_) => person.id.uuid(),
    };
    let email_key = person.email.trim().to_lowercase();
    let gone = erase::destroy(conn, org, person.id, contact).await?;
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    let keys = gone.iter().map(|key| ErasedKey {
        id: key.id.to_string(),
        kind: if key.kind == "user" { ErasedKeyKind::Person } else { ErasedKeyKind::Contact },
        fingerprint: key.fingerprint.clone(),
        disclosures: count(key.disclosures),
    });
    let mut removed = erase::remove_mentions(conn, org, person, &email_key).await?.to_vec();
    let account = if person.is_needed { ErasedAccount::Kept } else { ErasedAccount::Removed };
    if account == ErasedAccount::Removed {
        removed.extend(erase::remove_account(conn, person.id, &email_key).await?);
    }
    let removed = removed.into_iter().map(|(what, count)| {
        let what = what.to_owned();
        ErasedRows { what, count }
    });
    let destroyed = Destroyed { keys: keys.collect(), removed: removed.collect(), account };
    let told = gone.into_iter().map(|key| DestroyedKey {
        key: key.id,
        fingerprint: key.fingerprint,
        disclosures: count(key.disclosures),
    });
    Ok((destroyed, told.collect()))
}

/// A hold wins, and says so.
async fn must_not_be_held(conn: &mut PgConnection, org: OrgId) -> Result<(), Problem> {
    let holds = sql::holds(conn, org).await.map_err(problem)?;
    holds.first().map_or(Ok(()), |hold| {
        let detail = format!(
            "The log is held, and a hold wins over erasure, so nobody is erased until it is \
             lifted: {}",
            hold.reason
        );
        Err(Problem::new(Code::Conflict, detail))
    })
}

/// Whoever is still reached would leave traces again at once.
async fn must_have_left(
    conn: &mut PgConnection,
    org: OrgId,
    person: &Person,
) -> Result<(), Problem> {
    let refused = |detail: String| Err(Problem::new(Code::Conflict, detail));
    if person.is_member {
        return refused("This person is still a member; remove them first.".to_owned());
    }
    let email_key = person.email.trim().to_lowercase();
    let reached = erase::reached_by(conn, org, &email_key).await.map_err(problem)?;
    if !reached.is_empty() {
        let reached = reached.join(", ");
        return refused(format!(
            "This person is still written to; take them out first: {reached}."
        ));
    }
    if person.erased && person.email.ends_with("@erased.invalid") {
        return refused("This person is erased already.".to_owned());
    }
    Ok(())
}

/// What is said about an erasure is recorded for good.
fn must_not_name(person: &Person, reason: &str) -> Result<(), Problem> {
    let reason = reason.to_lowercase();
    let names = [&person.email, &person.name].map(|name| name.trim().to_lowercase());
    if names.iter().any(|name| name.chars().count() > 2 && reason.contains(name)) {
        let rule = "must not name the person, since it is kept; say why without it";
        return Err(Problem::field("reason", rule));
    }
    Ok(())
}
