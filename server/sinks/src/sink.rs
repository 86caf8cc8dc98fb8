//! Sinks as people set them: make, list, change, give another secret, try, go on, delete.

use std::time::Instant;

use chrono::Utc;
use ralex_access::Scope;
use ralex_api::sinks::{
    AuditSink, NewAuditSink, ResumeAuditSink, SinkCredential, SinkFormat, SinkKind, SinkStart,
    SinkState, SinkTested, UpdateAuditSink,
};
use ralex_audit::{Event, SinkEvent, record};
use ralex_kernel::{Code, OrgId, Problem, SinkId};
use ralex_providers::Post;
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::delivery::{Outcome, Receiver};
use crate::sql::{self, Change, Due, New, Stored};
use crate::{Sinks, kind};

/// An organisation has so many at most.
const MOST: i64 = 20;
const USUAL_BATCH: u32 = 100;
const USUAL_FLUSH: u32 = 5;
/// Objects are worth waiting for: each costs money, and many small ones are slow to read.
const USUAL_FLUSH_OF_STORES: u32 = 60;
/// How long the secret of a webhook signs beside the one that comes after it.
const OVERLAP_HOURS: i32 = 24;
const LONGEST_REASON: usize = 500;

impl Sinks {
    pub async fn list(&self, org: OrgId) -> Result<Vec<AuditSink>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let stored = sql::list(&mut tx, org, None).await.map_err(problem)?;
        stored.into_iter().map(shown).collect()
    }

    pub async fn find(&self, org: OrgId, id: SinkId) -> Result<AuditSink, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        shown(one(&mut tx, org, id).await?)
    }

    /// Makes one. A secret that is made here is in the answer, and nowhere else ever again.
    pub async fn create(&self, scope: &Scope, new: NewAuditSink) -> Result<AuditSink, Problem> {
        let (org, id) = (scope.org(), SinkId::generate());
        let url = kind::address(new.kind, &new.url, &self.0.post)?;
        let format = kind::format(new.kind, new.format)?;
        let region = kind::region(new.kind, new.region, &url)?;
        let ca_pem = kind::authority(new.kind, new.ca_pem)?;
        let flush = if new.kind == SinkKind::S3 { USUAL_FLUSH_OF_STORES } else { USUAL_FLUSH };
        let flush_seconds = between("flush_seconds", new.flush_seconds.unwrap_or(flush), 0, 3_600)?;
        let batch_size = between("batch_size", new.batch_size.unwrap_or(USUAL_BATCH), 1, 1_000)?;
        let proof = kind::proof(new.kind, new.credential.as_ref())?;
        let sealed_secret = self.seal(org, id, &proof.plain)?;
        let mut tx = self.0.db.tenant(org).await?;
        if sql::count(&mut tx, org).await.map_err(problem)? >= MOST {
            let detail = format!("An organisation has {MOST} sinks at most.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let row = New {
            id,
            name: new.name.as_str(),
            kind: new.kind.as_str(),
            format: format.as_str(),
            url: &new.url,
            region: region.as_deref(),
            ca_pem: ca_pem.as_deref(),
            credential: proof.credential.as_deref(),
            sealed_secret: &sealed_secret,
            batch_size,
            flush_seconds,
            now: new.start == Some(SinkStart::Now),
        };
        let taken = Problem::new(Code::AlreadyExists, "There is a sink of this name.");
        let first =
            sql::insert(&mut tx, org, &row).await.or_problem([("audit_sink_name", taken)])?;
        let event = SinkEvent::Created {
            sink: id,
            name: new.name.clone(),
            kind: new.kind.as_str(),
            format: format.as_str(),
            host: url.host_str().unwrap_or_default().to_owned(),
            first_index: unsigned(first),
        };
        record(&mut tx, scope.author(), Event::Sink(event)).await.map_err(problem)?;
        let mut made = shown(one(&mut tx, org, id).await?)?;
        tx.commit().await.map_err(problem)?;
        made.secret = proof.shown;
        Ok(made)
    }

    pub async fn update(
        &self,
        scope: &Scope,
        id: SinkId,
        change: UpdateAuditSink,
    ) -> Result<AuditSink, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let stored = shown(one(&mut tx, org, id).await?)?;
        let moved = change.url.is_some();
        let text = change.url.unwrap_or(stored.url);
        let url = kind::address(stored.kind, &text, &self.0.post)?;
        let format = kind::format(stored.kind, change.format.or(Some(stored.format)))?;
        // What the new address says of itself counts, unless a person says otherwise.
        let named = if moved { Post::region(&url) } else { None };
        let named = named.filter(|_| stored.kind == SinkKind::S3);
        let region = change.region.or(named).or(stored.region);
        let region = kind::region(stored.kind, region, &url)?;
        let ca_pem = kind::authority(stored.kind, change.ca_pem.or(stored.ca_pem))?;
        let enabled = change.enabled.unwrap_or(stored.enabled);
        let batch = change.batch_size.unwrap_or(stored.batch_size);
        let flush = change.flush_seconds.unwrap_or(stored.flush_seconds);
        let row = Change {
            url: &text,
            format: format.as_str(),
            region: region.as_deref(),
            ca_pem: ca_pem.as_deref(),
            enabled,
            batch_size: between("batch_size", batch, 1, 1_000)?,
            flush_seconds: between("flush_seconds", flush, 0, 3_600)?,
        };
        sql::update(&mut tx, org, id, &row).await.map_err(problem)?;
        let event = SinkEvent::Updated {
            sink: id,
            format: format.as_str(),
            host: url.host_str().unwrap_or_default().to_owned(),
            batch_size: batch,
            flush_seconds: flush,
            enabled,
        };
        record(&mut tx, scope.author(), Event::Sink(event)).await.map_err(problem)?;
        let changed = shown(one(&mut tx, org, id).await?)?;
        tx.commit().await.map_err(problem)?;
        Ok(changed)
    }

    /// Another secret for the same sink, at the same place of the log.
    pub async fn change_secret(
        &self,
        scope: &Scope,
        id: SinkId,
        credential: &SinkCredential,
    ) -> Result<AuditSink, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let stored = shown(one(&mut tx, org, id).await?)?;
        let proof = kind::proof(stored.kind, Some(credential))?;
        let sealed = self.seal(org, id, &proof.plain)?;
        // Only a signature can be made with both.
        let overlap = if stored.kind == SinkKind::Webhook { OVERLAP_HOURS } else { 0 };
        let secret = (sealed.as_slice(), proof.credential.as_deref());
        sql::change_secret(&mut tx, org, id, secret, overlap).await.map_err(problem)?;
        let event = SinkEvent::SecretChanged { sink: id, credential: proof.credential.clone() };
        record(&mut tx, scope.author(), Event::Sink(event)).await.map_err(problem)?;
        let mut changed = shown(one(&mut tx, org, id).await?)?;
        tx.commit().await.map_err(problem)?;
        changed.secret = proof.shown;
        Ok(changed)
    }

    pub async fn delete(&self, scope: &Scope, id: SinkId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let gone = shown(one(&mut tx, org, id).await?)?;
        sql::delete(&mut tx, org, id).await.map_err(problem)?;
        let event = SinkEvent::Deleted { sink: id, name: gone.name, next_index: gone.next_index };
        record(&mut tx, scope.author(), Event::Sink(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Sends something that is no record, and tells what came of it.
    pub async fn test(&self, scope: &Scope, id: SinkId) -> Result<SinkTested, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let stored = one(&mut tx, org, id).await?;
        tx.rollback().await.map_err(problem)?;
        let receiver = Receiver::of_stored(org, stored)?;
        let began = Instant::now();
        let outcome = self.try_out(&receiver).await?;
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (delivered, detail) = match outcome {
            Outcome::Taken { status: 0 } => (true, "It took the message.".to_owned()),
            Outcome::Taken { status } => (true, format!("It answered with status {status}.")),
            Outcome::Failed { why, .. } | Outcome::Refused { why } => (false, why),
        };
        let mut tx = self.0.db.tenant(org).await?;
        let event = Event::Sink(SinkEvent::Tested { sink: id, delivered });
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(SinkTested { delivered, detail, duration_ms })
    }

    /// Goes on at once; without the record at the cursor, if that is what a person says.
    pub async fn resume(
        &self,
        scope: &Scope,
        id: SinkId,
        resume: ResumeAuditSink,
    ) -> Result<AuditSink, Problem> {
        let (org, reason) = (scope.org(), resume.reason);
        if reason.trim().is_empty() || reason.chars().count() > LONGEST_REASON {
            let rule = format!("must be a text of at most {LONGEST_REASON} characters");
            return Err(Problem::field("reason", rule));
        }
        let mut tx = self.0.db.tenant(org).await?;
        let stored = one(&mut tx, org, id).await?;
        let skip = resume.skip.map(i64::try_from).transpose();
        let skip = skip.map_err(|_| Problem::field("skip", "is larger than any index"))?;
        if !sql::resume(&mut tx, org, id, skip).await.map_err(problem)? {
            let rule = "must be the `next_index` of a sink that is parked";
            return Err(Problem::field("skip", rule));
        }
        let event = match resume.skip {
            Some(index) => SinkEvent::Skipped { sink: id, index, reason },
            None => SinkEvent::Resumed { sink: id, index: unsigned(stored.next_index), reason },
        };
        record(&mut tx, scope.author(), Event::Sink(event)).await.map_err(problem)?;
        let resumed = shown(one(&mut tx, org, id).await?)?;
        tx.commit().await.map_err(problem)?;
        Ok(resumed)
    }

    fn seal(&self, org: OrgId, id: SinkId, plain: &[u8]) -> Result<Vec<u8>, Problem> {
        self.sealed_for(org)?.seal(&[b"sink", id.uuid().as_bytes()], plain)
    }
}

impl Receiver {
    fn of_stored(org: OrgId, stored: Stored) -> Result<Self, Problem> {
        let (kind, format) = words(&stored.kind, &stored.format)?;
        Ok(Self {
            org,
            id: stored.id,
            kind,
            format,
            url: stored.url,
            region: stored.region,
            ca_pem: stored.ca_pem,
            sealed: stored.sealed_secret,
            previous: stored.previous_secret,
        })
    }

    pub(crate) fn of_due(due: &Due) -> Result<Self, Problem> {
        let (kind, format) = words(&due.kind, &due.format)?;
        Ok(Self {
            org: due.org_id,
            id: due.id,
            kind,
            format,
            url: due.url.clone(),
            region: due.region.clone(),
            ca_pem: due.ca_pem.clone(),
            sealed: due.sealed_secret.clone(),
            previous: due.previous_secret.clone(),
        })
    }
}

/// What the table holds as words; a newer server may have written others.
fn words(kind: &str, format: &str) -> Result<(SinkKind, SinkFormat), Problem> {
    SinkKind::named(kind).zip(SinkFormat::named(format)).ok_or_else(|| {
        Problem::new(Code::Internal, "This sink is of a kind that this server does not know.")
    })
}

async fn one(conn: &mut PgConnection, org: OrgId, id: SinkId) -> Result<Stored, Problem> {
    let found = sql::list(conn, org, Some(id)).await.map_err(problem)?;
    found.into_iter().next().ok_or_else(|| Problem::not_found("sink"))
}

fn shown(stored: Stored) -> Result<AuditSink, Problem> {
    let (kind, format) = words(&stored.kind, &stored.format)?;
    let state = match &stored {
        Stored { enabled: false, .. } => SinkState::Paused,
        Stored { parked_at: Some(_), .. } => SinkState::Parked,
        Stored { failures: 1.., .. } => SinkState::Failing,
        _ => SinkState::Active,
    };
    let waits = state == SinkState::Failing && stored.next_attempt_at > Utc::now();
    Ok(AuditSink {
        id: stored.id,
        name: stored.name,
        kind,
        format,
        url: stored.url,
        region: stored.region,
        ca_pem: stored.ca_pem,
        credential: stored.credential,
        secret_changed_at: stored.secret_changed_at,
        previous_until: stored.previous_until,
        state,
        enabled: stored.enabled,
        batch_size: narrow(stored.batch_size),
        flush_seconds: narrow(stored.flush_seconds),
        next_index: unsigned(stored.next_index),
        behind: unsigned(stored.size - stored.next_index),
        failures: narrow(stored.failures),
        failure: stored.failure,
        next_attempt_at: waits.then_some(stored.next_attempt_at),
        parked_at: stored.parked_at,
        delivered_at: stored.delivered_at,
        created_at: stored.created_at,
        secret: None,
    })
}

fn between(field: &str, value: u32, least: u32, most: u32) -> Result<i32, Problem> {
    if (least..=most).contains(&value) {
        return Ok(i32::try_from(value).unwrap_or(i32::MAX));
    }
    Err(Problem::field(field, format!("must be between {least} and {most}")))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn narrow(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
