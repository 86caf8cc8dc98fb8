//! Asking the witnesses: a loop beside the sequencer that shows each of them what is new.
//!
//! Every node asks. A witness answers the same head as often as it is asked, and what it answers
//! is stored once, so nodes need not agree on who does it.

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ralex_store::Error;
use sqlx::PgConnection;
use tracing::{error, warn};

use crate::checkpoint::note_body;
use crate::nodes::{Log, roots};
use crate::proof;
use crate::service::Audit;
use crate::witness::{Courier, Reply, Witness};

/// How long a new head waits at most before the witnesses are asked.
const EVERY: Duration = Duration::from_secs(10);
/// The same head is cosigned again after this time, to say that it is still the newest.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// After a failure a witness is left alone for so long.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// Where a witness's answer is not what it should be, so much of it is told.
const TOLD: usize = 120;

/// What is known of one witness.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub seen_size: i64,
    pub asked_at: Option<DateTime<Utc>>,
    pub cosigned_at: Option<DateTime<Utc>>,
    pub failure: Option<String>,
    pub conflict: Option<String>,
}

struct Head {
    size: i64,
    note: String,
}

/// What came of asking.
enum Answer {
    Cosigned {
        line: String,
        time: u64,
    },
    /// It has seen a tree of another size.
    Seen(i64),
    /// It has seen something that this log does not continue.
    Conflict(String),
    Failed(String),
}

impl Audit {
    /// Asks the witnesses until `shutdown` is done.
    pub async fn run_witnesses(&self, shutdown: impl Future<Output = ()> + Send) {
        let work = async {
            loop {
                if let Err(error) = self.ask_witnesses().await {
                    warn!(error = ?error, "the witnesses of the audit log were not asked: {error}");
                }
                tokio::select! {
                    () = self.witness_wanted().notified() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        };
        if self.witnesses().list.is_empty() {
            return;
        }
        tokio::pin!(shutdown);
        tokio::select! {
            () = work => {}
            () = &mut shutdown => {}
        }
    }

    /// Shows the newest head to every witness that has not cosigned it lately.
    pub(crate) async fn ask_witnesses(&self) -> Result<(), Error> {
        let witnesses = self.witnesses().clone();
        let Some(courier) = witnesses.courier.as_deref() else { return Ok(()) };
        for witness in &witnesses.list {
            self.ask(witness, courier).await?;
        }
        Ok(())
    }

    async fn ask(&self, witness: &Witness, courier: &dyn Courier) -> Result<(), Error> {
        let mut tx = self.db().system("ask a witness").await?;
        let Some(head) = newest_head(&mut tx).await? else { return Ok(()) };
        let mut known = known(&mut tx, &witness.verifier()).await?.unwrap_or_default();
        if !is_due(&known, &head, self.now()) {
            return Ok(());
        }
        // A witness that was asked for the first time tells by its refusal what it has seen.
        for _ in 0..2 {
            let Some(request) = request(&mut tx, &head, known.seen_size).await? else {
                let why =
                    "its tree is larger than this one: this database is older than what was signed";
                return self.note(witness, &head, Answer::Conflict(why.to_owned())).await;
            };
            // No transaction stays open while a stranger is waited for.
            tx.rollback().await?;
            let url = format!("{}/add-checkpoint", witness.url());
            let reply = courier.post(&url, request).await;
            let answer = read(witness, &head, known.seen_size, reply);
            let Answer::Seen(size) = answer else { return self.note(witness, &head, answer).await };
            known.seen_size = size;
            tx = self.db().system("ask a witness again").await?;
        }
        tx.rollback().await?;
        let failure = "it names another size each time it is asked".to_owned();
        self.note(witness, &head, Answer::Failed(failure)).await
    }

    async fn note(&self, witness: &Witness, head: &Head, answer: Answer) -> Result<(), Error> {
        let name = witness.name();
        let (mut failure, mut conflict, mut cosignature) = (None, None, None);
        match answer {
            Answer::Cosigned { line, time } => {
                metrics::counter!("ralex_audit_cosignatures_total").increment(1);
                let time =
                    i64::try_from(time).ok().and_then(|time| DateTime::from_timestamp(time, 0));
                cosignature = Some((line, time.unwrap_or_else(|| self.now())));
                self.clear_conflict(name);
            }
            Answer::Seen(_) => {}
            Answer::Conflict(why) => {
                metrics::counter!("ralex_audit_witness_conflicts_total").increment(1);
                error!("the witness {name} has seen another history of the audit log: {why}");
                self.note_conflict(name, &why);
                conflict = Some(why);
            }
            Answer::Failed(why) => {
                metrics::counter!("ralex_audit_witness_failures_total").increment(1);
                warn!("the witness {name} did not cosign the audit log: {why}");
                failure = Some(why);
            }
        }
        let mut tx = self.db().system("note what a witness said").await?;
        let seen = cosignature.as_ref().map(|_| head.size);
        store_known(&mut tx, &witness.verifier(), seen, failure, conflict).await?;
        if let Some((line, time)) = cosignature {
            store_cosignature(&mut tx, head.size, &witness.verifier(), &line, time).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn is_due(known: &Known, head: &Head, now: DateTime<Utc>) -> bool {
    let failed = known.failure.is_some() || known.conflict.is_some();
    if failed && known.asked_at.is_some_and(|at| now - at < PAUSE) {
        return false;
    }
    failed || known.seen_size != head.size || known.cosigned_at.is_none_or(|at| now - at >= AGAIN)
}

/// The request; none where the witness has seen more than there is.
async fn request(
    conn: &mut PgConnection,
    head: &Head,
    seen: i64,
) -> Result<Option<String>, sqlx::Error> {
    if seen > head.size {
        return Ok(None);
    }
    let unsigned = |size: i64| u64::try_from(size).unwrap_or(0);
    let spans = proof::between(unsigned(seen), unsigned(head.size));
    let path = roots(conn, Log::Super, &spans).await?.unwrap_or_default();
    let mut text = format!("old {seen}\n");
    for hash in path {
        text.push_str(&STANDARD.encode(hash));
        text.push('\n');
    }
    Ok(Some(format!("{text}\n{}", head.note)))
}

fn read(witness: &Witness, head: &Head, seen: i64, reply: Result<Reply, String>) -> Answer {
    let reply = match reply {
        Ok(reply) => reply,
        Err(why) => return Answer::Failed(why),
    };
    let told: String = reply.body.chars().take(TOLD).collect();
    match reply.status {
        200 => {
            let body = note_body(&head.note);
            let mut lines = reply.body.split_inclusive('\n');
            let found = lines.find_map(|line| Some((line, witness.cosigned(body, line)?)));
            found.map_or_else(
                || Answer::Failed("its answer holds no signature of its key".to_owned()),
                |(line, time)| Answer::Cosigned { line: line.to_owned(), time },
            )
        }
        409 if reply.content_type.starts_with("text/x.tlog.size") => {
            match reply.body.trim_end().parse::<i64>() {
                Ok(size) if size > head.size => Answer::Conflict(format!(
                    "it has cosigned a tree of {size} where this one has {}: this database is \
                     older than what was signed",
                    head.size
                )),
                Ok(size) if size != seen && size >= 0 => Answer::Seen(size),
                Ok(_) | Err(_) => {
                    Answer::Conflict("it has seen another tree of the same size".to_owned())
                }
            }
        }
        409 => Answer::Conflict("it has seen another tree of the same size".to_owned()),
        422 => {
            Answer::Conflict("the tree that it has seen is not the beginning of this one".into())
        }
        403 | 404 => Answer::Failed(format!(
            "it does not know this log or its key (status {}); register both with its operator",
            reply.status
        )),
        status => Answer::Failed(format!("it answered with status {status}: {told}")),
    }
}

async fn newest_head(conn: &mut PgConnection) -> Result<Option<Head>, sqlx::Error> {
    sqlx::query_as!(
        Head,
        "select tree_size as size, note from audit_super_checkpoint
         order by tree_size desc limit 1"
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn known(
    conn: &mut PgConnection,
    verifier: &str,
) -> Result<Option<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        "select seen_size, asked_at, cosigned_at, failure, conflict from audit_witness
         where verifier = $1",
        verifier
    )
    .fetch_optional(conn)
    .await
}

async fn store_known(
    conn: &mut PgConnection,
    verifier: &str,
    seen: Option<i64>,
    failure: Option<String>,
    conflict: Option<String>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_witness (verifier, seen_size, asked_at, cosigned_at, failure, conflict)
         values ($1, coalesce($2::bigint, 0), now(), case when $2::bigint is not null then now() end, $3, $4)
         on conflict (verifier) do update set
             seen_size = greatest(audit_witness.seen_size, excluded.seen_size),
             asked_at = now(),
             cosigned_at = coalesce(excluded.cosigned_at, audit_witness.cosigned_at),
             failure = excluded.failure,
             conflict = case when $2::bigint is not null then null
                             else coalesce(excluded.conflict, audit_witness.conflict) end",
        verifier,
        seen,
        failure,
        conflict,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn store_cosignature(
    conn: &mut PgConnection,
    size: i64,
    witness: &str,
    line: &str,
    signed_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_cosignature (tree_size, witness, line, signed_at)
         values ($1, $2, $3, $4)
         on conflict (tree_size, witness) do update set
             line = excluded.line, signed_at = excluded.signed_at
         where audit_cosignature.signed_at < excluded.signed_at",
        size,
        witness,
        line,
        signed_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
