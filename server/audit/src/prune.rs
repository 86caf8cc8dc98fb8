//! Pruning: takes away what events say once they need not be kept any more, and never their hashes.
//!
//! Only the database's own function can remove events, and it keeps what must be kept whatever is
//! asked here. An event is hashed once more before it goes: what was altered stays, as evidence.

use chrono::{DateTime, Utc};
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::{System, problem};
use sqlx::PgConnection;

use crate::service::Audit;
use crate::tree::leaf_hash;
use crate::{Archived, ArchivedAs, Author, Event, LogEvent, record};

/// So many events go in one transaction.
const AT_ONCE: i64 = 2_000;
/// An event that tells of a removal names so many ranges at most.
const RANGES: usize = 1_000;
/// Keeps these advisory locks apart from those of other jobs.
const LOCK: i64 = 0x7261_6c65_7870_726e;

/// Which events may go: those from before a time.
#[derive(Clone, Debug, Default)]
pub struct PruneRules {
    /// By how their action begins; no time means for ever.
    pub named: Vec<(String, Option<DateTime<Utc>>)>,
    /// All others.
    pub others: Option<DateTime<Utc>>,
}

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunedNow {
    pub count: u64,
    /// The places of the first and the last.
    pub span: Option<(u64, u64)>,
    /// The names of the archives that have it.
    pub archives: Vec<String>,
}

/// Waits until nobody else prunes this log or decides whether it is held, and keeps others from it
/// until the transaction ends.
pub async fn hold_still(conn: &mut PgConnection, org: OrgId) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, $2))", org.to_string(), LOCK)
        .fetch_one(conn)
        .await?;
    Ok(())
}

struct Candidate {
    index: i64,
    hash: Vec<u8>,
    leaf: Vec<u8>,
}

impl Audit {
    /// Whether anything from a leaf on may go.
    pub async fn has_prunable(
        &self,
        org: OrgId,
        rules: &PruneRules,
        from: u64,
    ) -> Result<bool, Problem> {
        let mut tx = self.db().system("tell whether an audit log has anything to prune").await?;
        let (ceiling, _) = ceiling(&mut tx, org).await.map_err(problem)?;
        let span = (i64::try_from(from).unwrap_or(i64::MAX), ceiling);
        let found = candidates(&mut tx, org, rules, span, 1).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        Ok(!found.is_empty())
    }

    /// Takes away all that may go, some at a time, each in one transaction with the event that
    /// tells of it. Where there is an archive, only what is in it.
    pub async fn prune(
        &self,
        org: OrgId,
        rules: &PruneRules,
        archive: Option<&[Archived]>,
    ) -> Result<PrunedNow, Problem> {
        let mut all = PrunedNow::default();
        loop {
            let mut tx = self.db().system("prune an audit log").await?;
            hold_still(&mut tx, org).await.map_err(problem)?;
            let now = self.prune_some(&mut tx, org, rules, archive).await?;
            tx.commit().await.map_err(problem)?;
            let Some((first, last)) = now.span else { return Ok(all) };
            all.count += now.count;
            all.span = Some((all.span.map_or(first, |span| span.0), last));
            all.archives.extend(now.archives);
            all.archives.dedup();
        }
    }

    async fn prune_some(
        &self,
        tx: &mut System,
        org: OrgId,
        rules: &PruneRules,
        archive: Option<&[Archived]>,
    ) -> Result<PrunedNow, Problem> {
        let (ceiling, tree_size) = ceiling(tx, org).await.map_err(problem)?;
        let end = |files: &[Archived]| files.last().map_or(0, |last| last.tree_size);
        let held = archive.map(|files| i64::try_from(end(files)).unwrap_or(i64::MAX));
        let below = held.map_or(ceiling, |held| held.min(ceiling));
        let found = candidates(tx, org, rules, (0, below), AT_ONCE).await.map_err(problem)?;
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let mut indexes = Vec::new();
        for candidate in &found {
            if leaf_hash(&candidate.leaf).as_slice() != candidate.hash {
                let index = candidate.index;
                tracing::error!(org.id = %org, index, "leaf {index} of org {org} is not what was recorded, so nothing is pruned");
                let detail = format!(
                    "Event {index} is not what was recorded, so nothing is pruned. Verify the log."
                );
                return Err(Problem::new(Code::Conflict, detail));
            }
            let index = u64::try_from(candidate.index).unwrap_or(0);
            let full = ranges.len() == RANGES;
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                Some(_) | None if full => break,
                Some(_) | None => ranges.push((index, index)),
            }
            indexes.push(candidate.index);
        }
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Ok(PrunedNow::default());
        };
        let span = (first.0, last.1);
        let gone =
            sqlx::query_scalar!(r#"select audit_prune($1, $2) as "gone!""#, org as _, &indexes)
                .fetch_one(&mut **tx)
                .await
                .map_err(problem)?;
        if usize::try_from(gone) != Ok(indexes.len()) {
            let detail = "The database keeps some of what was to be pruned; nothing was.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let count = u64::try_from(gone).unwrap_or(0);
        let files = archive.unwrap_or_default().iter().filter(|it| it.holds_some(&ranges));
        let archives: Vec<ArchivedAs> = files
            .map(|it| ArchivedAs { name: it.name.clone(), sha256: it.sha256.clone() })
            .collect();
        let names = archives.iter().map(|it| it.name.clone()).collect();
        let (from, to) = span;
        let event = LogEvent::Pruned { from, to, count, tree_size, ranges, archives };
        record(tx, &Author::system(org), Event::Log(event)).await.map_err(problem)?;
        Ok(PrunedNow { count, span: Some(span), archives: names })
    }

    /// How far pruning may go at the moment, whatever the rules say.
    pub async fn prunable_below(&self, org: OrgId) -> Result<u64, Problem> {
        let mut tx = self.db().system("tell how far an audit log may be pruned").await?;
        let (ceiling, _) = ceiling(&mut tx, org).await.map_err(problem)?;
        Ok(u64::try_from(ceiling).unwrap_or(0))
    }

    /// How many events of the log are gone by now.
    pub async fn pruned_count(&self, org: OrgId) -> Result<u64, Problem> {
        let mut tx = self.db().tenant(org).await?;
        let pruned = crate::pruned::pruned(&mut tx, org).await.map_err(problem)?;
        Ok(pruned.count())
    }
}

/// Below what the log of logs holds and every sink has sent; and the size of that signed tree.
async fn ceiling(conn: &mut PgConnection, org: OrgId) -> Result<(i64, u64), sqlx::Error> {
    let row = sqlx::query!(
        r#"select coalesce((select max(tree_size) from audit_super_leaf where org_id = $1), 0) as "anchored!",
                  (select min(next_index) from audit_sink where org_id = $1) as sent"#,
        org as _
    )
    .fetch_one(conn)
    .await?;
    let ceiling = row.sent.map_or(row.anchored, |sent| sent.min(row.anchored));
    Ok((ceiling, u64::try_from(row.anchored).unwrap_or(0)))
}

async fn candidates(
    conn: &mut PgConnection,
    org: OrgId,
    rules: &PruneRules,
    (from, below): (i64, i64),
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let prefixes: Vec<String> = rules.named.iter().map(|(prefix, _)| prefix.clone()).collect();
    let before: Vec<Option<DateTime<Utc>>> = rules.named.iter().map(|(_, at)| *at).collect();
    sqlx::query_as!(
        Candidate,
        r#"select l.leaf_index as index, l.leaf_hash as hash, e.leaf
           from audit_leaf l
           join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           left join lateral (
               select r.before, true as named
               from unnest($3::text[], $4::timestamptz[]) as r (prefix, before)
               where starts_with(e.action, r.prefix) limit 1) as rule on true
           where l.org_id = $1 and l.leaf_index < $2 and l.leaf_index >= $7
             and e.action not like 'audit.%'
             and e.occurred_at < case when rule.named then rule.before else $5::timestamptz end
           order by l.leaf_index limit $6"#,
        org as _,
        below,
        &prefixes,
        &before as _,
        rules.others,
        limit,
        from,
    )
    .fetch_all(conn)
    .await
}
