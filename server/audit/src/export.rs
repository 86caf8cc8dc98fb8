//! Exports: the log as a file, read in pages so that its size does not matter.
//!
//! An export ends at a signed tree, and below a signed size nothing ever changes; so pages may be
//! read in transactions of their own, and a slow reader holds no connection.

mod part;
mod query;

use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, Stream};
use ralex_api::audit::{ExportFormat, ExportQuery};
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::{Tenant, problem};
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bundle::{Lines, Manifest};
use crate::filter::{Filter, Words};
use crate::formats::{Form, Told};
use crate::leaf::written_time;
use crate::personal::{Revealed, revealed};
use crate::pruned::{self, Pruned};
use crate::service::Audit;
use crate::signers::{Anchor, newest_anchor};
use crate::table;
use crate::tree::Hash;
use crate::witness::Witness;
use crate::{Author, Event, record};
use query::{count, rows};

const PAGE: i64 = 1_000;

/// A bundle holds about so many checkpoints at most: enough to narrow down where leaves and their
/// hashes were rewritten together, few enough that verifying them takes no time.
const CHECKPOINTS: i64 = 2_000;

/// How long an export waits for the log of logs, and for a witness.
const ANCHOR_PATIENCE: Duration = Duration::from_secs(3);

/// The parts of the file, in order.
pub type Parts = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Problem>> + Send>>;

/// An export that is ready to be sent.
pub struct Export {
    pub tree_size: u64,
    /// The signed root of that tree, in base64.
    pub root: String,
    /// How many events it holds, from where it begins.
    pub count: u64,
    pub filtered: bool,
    pub parts: Parts,
}

pub(crate) struct Row {
    pub index: i64,
    pub event: Uuid,
    pub hash: Vec<u8>,
    /// Absent where the filter leaves the event out, or where it is gone.
    pub leaf: Option<Vec<u8>>,
    pub actor_name: Option<String>,
}

struct Head {
    size: i64,
    note: String,
    key_version: i32,
}

impl Head {
    /// The third line of a signed note.
    fn root(&self) -> String {
        self.note.lines().nth(2).unwrap_or_default().to_owned()
    }
}

/// What a bundle says beside leaves and heads.
struct Frame {
    /// The versions of the keys that signed this log, first and last.
    keys: (u32, u32),
    /// Sizes at which another key took over.
    changes: Vec<i64>,
    anchor: Option<String>,
    /// How many events are gone.
    pruned: u64,
    /// Where it begins, and what the leaves before come to.
    first: i64,
    peaks: Vec<Hash>,
}

struct Progress {
    audit: Audit,
    org: OrgId,
    filter: Filter,
    head: Head,
    next: i64,
    pruned: Pruned,
    writer: Writer,
    done: bool,
}

enum Writer {
    Bundle {
        lines: Lines,
        checkpointed: i64,
        frame: Frame,
    },
    Table,
    Lines {
        form: Form,
        origin: String,
    },
    /// What the commitments of a bundle are about, in a file of its own.
    Disclosures,
}

impl Audit {
    /// Exports the log of the author's organisation up to its newest signed head, which it first
    /// waits for. That the author took it is recorded before the first line leaves.
    pub async fn export(&self, author: &Author, query: &ExportQuery) -> Result<Export, Problem> {
        self.read(author.org, query, Some(author)).await
    }

    /// All of a log as a part of something larger, of which its caller records who took it.
    pub async fn export_within(&self, org: OrgId, format: ExportFormat) -> Result<Export, Problem> {
        self.read(org, &ExportQuery { format, ..ExportQuery::default() }, None).await
    }

    /// Whether all that has been recorded of an organisation is in the deployment's log now; it waits
    /// a moment for that.
    pub async fn is_anchored(&self, org: OrgId) -> Result<bool, Problem> {
        let needed = self.flush(org).await?;
        Ok(self.await_anchor(org, needed).await?.is_some())
    }

    async fn read(
        &self,
        org: OrgId,
        query: &ExportQuery,
        author: Option<&Author>,
    ) -> Result<Export, Problem> {
        let mut tenant = self.db().tenant(org).await?;
        // Before the head is chosen, so that it has every event that tells of these.
        let pruned = pruned::pruned(&mut tenant, org).await.map_err(problem)?;
        tenant.rollback().await.map_err(problem)?;
        let needed = self.flush(org).await?;
        let anchor = self.await_anchor(org, needed).await?;
        let mut tenant = self.db().tenant(org).await?;
        let filter = Filter::read(&mut tenant, words(query)).await?;
        let head = head(&mut tenant, anchor.as_ref().map(|anchor| anchor.tree_size)).await?;
        let whole = query.format == ExportFormat::Jsonl;
        let next = first_index(query, head.size)?;
        let span = (next, head.size);
        let count = if filter.is_empty() {
            (head.size - next).max(0) - pruned.count_within(next, head.size)
        } else {
            count(&mut tenant, &filter, span, whole).await.map_err(problem)?
        };
        let (tree_size, count) = (unsigned(head.size), unsigned(count));
        let filtered = !filter.is_empty();
        if let Some(author) = author {
            let event = Event::AuditExported { format: query.format.as_str(), filtered, tree_size };
            record(&mut tenant, author, event).await.map_err(problem)?;
        }
        let root = head.root();
        tenant.commit().await.map_err(problem)?;

        let (writer, first) = match (query.format, Form::of(query.format)) {
            (_, Some(form)) => {
                let origin = self.signer().origin(org);
                (Writer::Lines { form, origin }, Vec::new())
            }
            (ExportFormat::Disclosures, None) => {
                let origin = self.signer().origin(org);
                let head = serde_json::json!({
                    "ralex_audit_disclosures": 1, "origin": origin, "tree_size": tree_size,
                });
                (Writer::Disclosures, format!("{head}\n").into_bytes())
            }
            // Who goes on with a table has its head already.
            (ExportFormat::Csv, None) if next > 0 => (Writer::Table, Vec::new()),
            (ExportFormat::Csv, None) => (Writer::Table, table::header()?),
            (_, None) => {
                let gone = unsigned(pruned.count_within(next, head.size));
                let frame = self.frame(org, (next, &head), anchor, gone).await?;
                let mut lines = self.begin_bundle(org, tree_size, (count, filtered), &frame)?;
                let first = std::mem::take(&mut lines.text);
                (Writer::Bundle { lines, checkpointed: next, frame }, first)
            }
        };
        let audit = self.clone();
        let progress = Progress { audit, org, filter, head, next, pruned, writer, done: false };
        let rest = stream::try_unfold(progress, Progress::step);
        let parts = stream::StreamExt::chain(stream::iter([Ok(first)]), rest);
        Ok(Export { tree_size, root, count, filtered, parts: Box::pin(parts) })
    }

    /// Waits a moment until a head of that size is in the log of logs and, where there are
    /// witnesses, one of them has seen it. Without that a bundle is as good, and proves less.
    async fn await_anchor(&self, org: OrgId, needed: i64) -> Result<Option<Anchor>, Problem> {
        let deadline = Instant::now() + ANCHOR_PATIENCE;
        loop {
            let mut tx = self.db().system("find an anchored head").await?;
            let anchor = newest_anchor(&mut tx, org).await.map_err(problem)?;
            let anchor = anchor.filter(|anchor| anchor.tree_size >= needed);
            let seen = match &anchor {
                Some(anchor) if !self.witnesses().list.is_empty() => {
                    is_cosigned(&mut tx, anchor).await.map_err(problem)?
                }
                Some(_) => true,
                None => false,
            };
            tx.rollback().await.map_err(problem)?;
            if seen || self.is_refused(org) || Instant::now() >= deadline {
                return Ok(anchor);
            }
            if anchor.is_some() {
                self.witness_wanted().notify_one();
            } else {
                self.wake();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn frame(
        &self,
        org: OrgId,
        (next, head): (i64, &Head),
        anchor: Option<Anchor>,
        pruned: u64,
    ) -> Result<Frame, Problem> {
        self.follow_keys().await?;
        let mut tx = self.db().system("tell which keys signed an audit log").await?;
        let last = u32::try_from(head.key_version).unwrap_or(0);
        let (first, peaks) = match next {
            0 => (first_key(&mut tx, org).await.map_err(problem)?, Vec::new()),
            size => self.beginning(&mut tx, org, size).await?,
        };
        let mut changes = Vec::new();
        for version in first + 1..=last {
            changes.extend(first_size_of(&mut tx, org, version).await.map_err(problem)?);
        }
        let anchor = match anchor.filter(|anchor| anchor.tree_size == head.size) {
            Some(anchor) => self.anchor_proof(&mut tx, &anchor, first, Some(last), false).await?,
            None => None,
        };
        Ok(Frame { keys: (first, last), changes, anchor, pruned, first: next, peaks })
    }

    fn begin_bundle(
        &self,
        org: OrgId,
        tree_size: u64,
        (count, filtered): (u64, bool),
        frame: &Frame,
    ) -> Result<Lines, Problem> {
        let signer = self.signer();
        let (first, last) = frame.keys;
        let witnesses = self.witnesses().list.iter().map(Witness::verifier);
        let manifest = Manifest {
            ralex_audit_bundle: 1,
            origin: &signer.origin(org),
            org: &org.to_string(),
            tree_size,
            first_index: unsigned(frame.first),
            peaks: frame.peaks.iter().map(|peak| STANDARD.encode(peak)).collect(),
            count,
            filtered,
            pruned: frame.pruned,
            keys: signer.verifiers(first, last).iter().map(ToString::to_string).collect(),
            exported_at: written_time(self.now()),
            anchored: frame.anchor.is_some(),
            witnesses: witnesses.filter(|_| frame.anchor.is_some()).collect(),
        };
        let sign = |text: &str| signer.sign_manifest(last, text);
        Lines::begin(&manifest, sign).map_err(|error| unwritable(&error))
    }
}

impl Progress {
    async fn step(mut self) -> Result<Option<(Vec<u8>, Self)>, Problem> {
        if self.done {
            return Ok(None);
        }
        let mut tenant = self.audit.db().tenant(self.org).await?;
        let span = (self.next, self.head.size);
        let whole = matches!(self.writer, Writer::Bundle { .. });
        let rows = rows(&mut tenant, span, &self.filter, whole).await;
        let rows = rows.map_err(problem)?;
        let newest = pruned::newest(&mut tenant, self.org).await.map_err(problem)?;
        if newest != self.pruned.newest {
            let detail = "Events were pruned meanwhile; export once more.";
            return Err(Problem::new(Code::Unavailable, detail).with_retry_after(2));
        }
        let part = match &mut self.writer {
            Writer::Table => {
                let revealed = reveal(&mut tenant, &rows).await.map_err(problem)?;
                table::rows(&rows, &revealed)?
            }
            Writer::Lines { form, origin } => {
                let revealed = reveal(&mut tenant, &rows).await.map_err(problem)?;
                lines(*form, &rows, &revealed, origin)?
            }
            Writer::Disclosures => {
                let revealed = reveal(&mut tenant, &rows).await.map_err(problem)?;
                disclosures(&rows, &revealed)
            }
            Writer::Bundle { lines, checkpointed, frame } => {
                let spacing = ((self.head.size - frame.first) / CHECKPOINTS).max(1);
                let until = rows.last().map_or(self.head.size, |last| last.index + 1);
                let from = (self.next, *checkpointed + spacing);
                let to = (until, self.head.size);
                let notes = checkpoints(&mut tenant, from, to, &frame.changes).await;
                let mut notes = notes.map_err(problem)?.into_iter().peekable();
                for row in &rows {
                    lines.leaf(row.index, &row.hash, row.leaf.as_deref());
                    while let Some(note) = notes.next_if(|note| note.size <= row.index + 1) {
                        let due = note.size >= *checkpointed + spacing
                            || frame.changes.contains(&note.size);
                        if note.size == row.index + 1 && due {
                            lines.checkpoint(&note.note);
                            *checkpointed = note.size;
                        }
                    }
                }
                self.done = rows.is_empty() || until >= self.head.size;
                if self.done {
                    lines.checkpoint(&self.head.note);
                    if let Some(anchor) = &frame.anchor {
                        lines.anchor(anchor);
                    }
                }
                std::mem::take(&mut lines.text)
            }
        };
        tenant.rollback().await.map_err(problem)?;
        self.next = rows.last().map_or(self.head.size, |last| last.index + 1);
        self.done = self.done || self.next >= self.head.size;
        Ok(Some((part, self)))
    }
}

/// The newest head, or the one that is anchored.
async fn head(tenant: &mut Tenant, anchored: Option<i64>) -> Result<Head, Problem> {
    let org = tenant.org();
    sqlx::query_as!(
        Head,
        "select tree_size as size, note, key_version from audit_checkpoint
         where org_id = $1 and tree_size <= $2 order by tree_size desc limit 1",
        org as _,
        anchored.unwrap_or(i64::MAX),
    )
    .fetch_optional(&mut **tenant)
    .await
    .map_err(problem)?
    .ok_or_else(|| {
        let detail = "This organisation's log has no signed head yet; try again in a moment.";
        Problem::new(Code::Unavailable, detail).with_retry_after(2)
    })
}

async fn is_cosigned(conn: &mut PgConnection, anchor: &Anchor) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists(select from audit_cosignature where tree_size > $1) as "seen!""#,
        anchor.index
    )
    .fetch_one(conn)
    .await
}

/// The version of the key that signed the log's first head.
async fn first_key(conn: &mut PgConnection, org: OrgId) -> Result<u32, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "select key_version from audit_checkpoint where org_id = $1 order by tree_size limit 1",
        org as _
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.and_then(|version| u32::try_from(version).ok()).unwrap_or(1))
}

async fn first_size_of(
    conn: &mut PgConnection,
    org: OrgId,
    version: u32,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select min(tree_size) from audit_checkpoint where org_id = $1 and key_version = $2",
        org as _,
        i32::try_from(version).unwrap_or(i32::MAX),
    )
    .fetch_one(conn)
    .await
}

/// Signed heads below the newest, of sizes within the page.
async fn checkpoints(
    tenant: &mut Tenant,
    (above, from): (i64, i64),
    (until, newest): (i64, i64),
    changes: &[i64],
) -> Result<Vec<Head>, sqlx::Error> {
    let org = tenant.org();
    sqlx::query_as!(
        Head,
        "select tree_size as size, note, key_version from audit_checkpoint
         where org_id = $1 and tree_size > $2 and (tree_size >= $3 or tree_size = any($6))
           and tree_size <= $4 and tree_size < $5
         order by tree_size",
        org as _,
        above,
        from,
        until,
        newest,
        changes,
    )
    .fetch_all(&mut **tenant)
    .await
}

/// What an export is filtered by.
fn words(query: &ExportQuery) -> Words<'_> {
    Words {
        actor: query.actor.as_deref(),
        action: query.action.as_deref(),
        target: query.target.as_deref(),
        outcome: query.outcome.as_deref(),
        from: query.from,
        to: query.to,
    }
}

/// Where an export begins.
fn first_index(query: &ExportQuery, size: i64) -> Result<i64, Problem> {
    let Some(after) = query.after else { return Ok(0) };
    if query.format == ExportFormat::Disclosures {
        return Err(Problem::field("after", "is not for disclosures; name another format"));
    }
    let next = i64::try_from(after).ok().and_then(|after| after.checked_add(1));
    let next = next.ok_or_else(|| Problem::field("after", "is larger than any index"))?;
    if query.format == ExportFormat::Jsonl && next >= size {
        let rule = format!("leaves nothing: the newest signed tree has {size} leaves");
        return Err(Problem::field("after", rule));
    }
    Ok(next)
}

/// What the commitments of a page are about.
async fn reveal(tenant: &mut Tenant, rows: &[Row]) -> Result<Revealed, sqlx::Error> {
    let org = tenant.org();
    let with_leaf = rows.iter().filter(|row| row.leaf.is_some());
    let events: Vec<Uuid> = with_leaf.map(|row| row.event).collect();
    revealed(tenant, org, &events).await
}

/// A line for each event that has any; those of events that a filter leaves out are left out too.
fn disclosures(rows: &[Row], revealed: &Revealed) -> Vec<u8> {
    let mut text = String::new();
    for row in rows.iter().filter(|row| row.leaf.is_some()) {
        let found = revealed.disclosures(row.event);
        if !found.is_empty() {
            let line = serde_json::json!({ "index": row.index, "disclosures": found });
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    text.into_bytes()
}

fn lines(form: Form, rows: &[Row], revealed: &Revealed, origin: &str) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    for told in rows.iter().filter_map(|row| Told::of(row, revealed)) {
        text.extend(form.line(&told, origin)?.into_bytes());
        text.push(b'\n');
    }
    Ok(text)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(crate) fn unwritable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "an audit export cannot be written: {error}");
    Problem::new(Code::Internal, "The export could not be written; the log says more.")
}
