//! Exports: the log as a file, read in pages so that its size does not matter.
//!
//! An export ends at a signed tree, and below a signed size nothing ever changes; so pages may be
//! read in transactions of their own, and a slow reader holds no connection.

use std::pin::Pin;

use futures_util::stream::{self, Stream};
use ralex_api::audit::{ExportFormat, ExportQuery};
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::{Tenant, problem};
use sqlx::PgConnection;

use crate::bundle::{Lines, Manifest};
use crate::filter::Filter;
use crate::leaf::written_time;
use crate::service::Audit;
use crate::table;
use crate::{Author, Event, record};

const PAGE: i64 = 1_000;

/// A bundle holds about so many checkpoints at most: enough to narrow down where leaves and their
/// hashes were rewritten together, few enough that verifying them takes no time.
const CHECKPOINTS: i64 = 2_000;

/// The parts of the file, in order.
pub type Parts = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Problem>> + Send>>;

/// An export that is ready to be sent.
pub struct Export {
    pub tree_size: u64,
    /// How many events it holds.
    pub count: u64,
    pub filtered: bool,
    pub parts: Parts,
}

pub(crate) struct Row {
    pub index: i64,
    pub hash: Vec<u8>,
    /// Absent where the filter leaves the event out, or where it is gone.
    pub leaf: Option<Vec<u8>>,
    pub actor_name: Option<String>,
}

struct Head {
    size: i64,
    note: String,
}

struct Progress {
    audit: Audit,
    org: OrgId,
    filter: Filter,
    head: Head,
    next: i64,
    writer: Writer,
    done: bool,
}

enum Writer {
    Bundle { lines: Lines, checkpointed: i64 },
    Table,
}

impl Audit {
    /// Exports the log of the author's organisation up to its newest signed head, which it first
    /// waits for. That the author took it is recorded before the first line leaves.
    pub async fn export(&self, author: &Author, query: &ExportQuery) -> Result<Export, Problem> {
        let org = author.org;
        self.flush(org).await?;
        let mut tenant = self.db().tenant(org).await?;
        let (actor, action) = (query.actor.as_deref(), query.action.as_deref());
        let filter = Filter::read(&mut tenant, actor, action, query.from, query.to).await?;
        let head = head(&mut tenant).await?;
        let count = count(&mut tenant, &filter, head.size).await.map_err(problem)?;
        let (tree_size, count) = (unsigned(head.size), unsigned(count));
        let filtered = !filter.is_empty();
        let event = Event::AuditExported { format: name(query.format), filtered, tree_size };
        record(&mut tenant, author, event).await.map_err(problem)?;
        tenant.commit().await.map_err(problem)?;

        let (writer, first) = match query.format {
            ExportFormat::Csv => (Writer::Table, table::header()?),
            ExportFormat::Jsonl => {
                let mut lines = self.begin_bundle(org, tree_size, count, filtered)?;
                let first = std::mem::take(&mut lines.text);
                (Writer::Bundle { lines, checkpointed: 0 }, first)
            }
        };
        let audit = self.clone();
        let progress = Progress { audit, org, filter, head, next: 0, writer, done: false };
        let rest = stream::try_unfold(progress, Progress::step);
        let parts = stream::StreamExt::chain(stream::iter([Ok(first)]), rest);
        Ok(Export { tree_size, count, filtered, parts: Box::pin(parts) })
    }

    fn begin_bundle(
        &self,
        org: OrgId,
        tree_size: u64,
        count: u64,
        filtered: bool,
    ) -> Result<Lines, Problem> {
        let manifest = Manifest {
            ralex_audit_bundle: 1,
            origin: &self.signer().origin(org),
            org: &org.to_string(),
            tree_size,
            first_index: 0,
            count,
            filtered,
            keys: vec![self.verifier().to_string()],
            exported_at: written_time(self.now()),
        };
        let sign = |text: &str| self.signer().sign_manifest(text);
        Lines::begin(&manifest, sign).map_err(|error| unwritable(&error))
    }
}

impl Progress {
    async fn step(mut self) -> Result<Option<(Vec<u8>, Self)>, Problem> {
        if self.done {
            return Ok(None);
        }
        let mut tenant = self.audit.db().tenant(self.org).await?;
        let rows = rows(&mut tenant, self.next, self.head.size, &self.filter).await;
        let rows = rows.map_err(problem)?;
        let part = match &mut self.writer {
            Writer::Table => table::rows(&rows)?,
            Writer::Bundle { lines, checkpointed } => {
                let spacing = (self.head.size / CHECKPOINTS).max(1);
                let until = rows.last().map_or(self.head.size, |last| last.index + 1);
                let from = (self.next, *checkpointed + spacing);
                let notes = checkpoints(&mut tenant, from, until, self.head.size).await;
                let mut notes = notes.map_err(problem)?.into_iter().peekable();
                for row in &rows {
                    lines.leaf(row.index, &row.hash, row.leaf.as_deref());
                    while let Some(note) = notes.next_if(|note| note.size <= row.index + 1) {
                        if note.size == row.index + 1 && note.size >= *checkpointed + spacing {
                            lines.checkpoint(&note.note);
                            *checkpointed = note.size;
                        }
                    }
                }
                self.done = rows.is_empty() || until >= self.head.size;
                if self.done {
                    lines.checkpoint(&self.head.note);
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

async fn head(tenant: &mut Tenant) -> Result<Head, Problem> {
    let org = tenant.org();
    sqlx::query_as!(
        Head,
        "select tree_size as size, note from audit_checkpoint
         where org_id = $1 order by tree_size desc limit 1",
        org as _
    )
    .fetch_optional(&mut **tenant)
    .await
    .map_err(problem)?
    .ok_or_else(|| {
        let detail = "This organisation's log has no signed head yet; try again in a moment.";
        Problem::new(Code::Unavailable, detail).with_retry_after(2)
    })
}

/// Signed heads below the newest, of sizes within the page.
async fn checkpoints(
    tenant: &mut Tenant,
    from: (i64, i64),
    until: i64,
    newest: i64,
) -> Result<Vec<Head>, sqlx::Error> {
    let org = tenant.org();
    sqlx::query_as!(
        Head,
        "select tree_size as size, note from audit_checkpoint
         where org_id = $1 and tree_size > $2 and tree_size >= $3 and tree_size <= $4
           and tree_size < $5
         order by tree_size",
        org as _,
        from.0,
        from.1,
        until,
        newest,
    )
    .fetch_all(&mut **tenant)
    .await
}

async fn count(tenant: &mut Tenant, filter: &Filter, size: i64) -> Result<i64, sqlx::Error> {
    let org = tenant.org();
    sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from audit_leaf l
           join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           where l.org_id = $1 and l.leaf_index < $2
             and ($3::text is null or e.actor_kind = $3)
             and ($4::uuid is null or e.actor_id = $4)
             and ($5::text is null or e.action = $5)
             and ($6::text is null or starts_with(e.action, $6))
             and ($7::timestamptz is null or e.occurred_at >= $7)
             and ($8::timestamptz is null or e.occurred_at < $8)"#,
        org as _,
        size,
        filter.actor_kind,
        filter.actor_id,
        filter.action,
        filter.action_prefix,
        filter.from,
        filter.to,
    )
    .fetch_one(&mut **tenant)
    .await
}

async fn rows(
    tenant: &mut Tenant,
    from: i64,
    size: i64,
    filter: &Filter,
) -> Result<Vec<Row>, sqlx::Error> {
    let org = tenant.org();
    let conn: &mut PgConnection = tenant;
    sqlx::query_as!(
        Row,
        r#"select l.leaf_index as index, l.leaf_hash as hash, coalesce(u.email, t.name) as actor_name,
                  case when ($4::text is null or e.actor_kind = $4)
                        and ($5::uuid is null or e.actor_id = $5)
                        and ($6::text is null or e.action = $6)
                        and ($7::text is null or starts_with(e.action, $7))
                        and ($8::timestamptz is null or e.occurred_at >= $8)
                        and ($9::timestamptz is null or e.occurred_at < $9)
                       then e.leaf end as "leaf?"
           from audit_leaf l
           left join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
           order by l.leaf_index limit $10"#,
        org as _,
        from,
        size,
        filter.actor_kind,
        filter.actor_id,
        filter.action,
        filter.action_prefix,
        filter.from,
        filter.to,
        PAGE,
    )
    .fetch_all(conn)
    .await
}

const fn name(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(crate) fn unwritable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %error, "an audit export cannot be written: {error}");
    Problem::new(Code::Internal, "The export could not be written; the log says more.")
}
