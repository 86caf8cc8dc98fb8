//! Exports: usage as a table, and single calls however many there are.
//!
//! Calls are read page by page in transactions of their own, so memory is bounded and a slow reader
//! holds no connection.

use std::pin::Pin;

use chrono::{DateTime, Utc};
use futures_util::stream::{self, Stream};
use ralex_access::Sight;
use ralex_api::usage::{CallExportQuery, ExportedCall, GroupBy, UsageFormat, UsageQuery};
use ralex_kernel::{OrgId, Problem};
use ralex_store::{calls_from, problem};

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::range::Range;
use crate::sql::calls::{After, page};
use crate::sql::sums::sums;
use crate::table;

const PAGE: i64 = 1_000;

/// The parts of a file, in order.
pub type Parts = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Problem>> + Send>>;

/// Calls on their way out.
pub struct CallExport {
    /// How many there were when it began; what ends later is exported too.
    pub count: u64,
    /// Where records of the range were pruned: those of calls that began from this moment on are there.
    pub all_from: Option<DateTime<Utc>>,
    pub parts: Parts,
}

struct Progress {
    usage: Usage,
    org: OrgId,
    only: Only,
    after: After,
    to: DateTime<Utc>,
    format: UsageFormat,
    done: bool,
}

impl Usage {
    /// A report as a table.
    pub async fn table(&self, sight: &impl Sight, query: &UsageQuery) -> Result<Vec<u8>, Problem> {
        table::usage(&self.report(sight, query).await?)
    }

    /// The calls that ended, in the order in which they began.
    pub async fn export_calls(
        &self,
        sight: &impl Sight,
        query: &CallExportQuery,
    ) -> Result<CallExport, Problem> {
        let org = sight.org();
        let now = self.clock.now();
        let range = Range::of(query.from, query.to, now)?;
        let mut tx = self.db.tenant(org).await?;
        let only = Only::of(&mut tx, sight, &named(query)).await?;
        let all_from = calls_from(&mut tx, org).await.map_err(problem)?;
        let all_from = all_from.filter(|all_from| range.from < *all_from);
        // The sums still know those whose records are gone.
        let there =
            all_from.map_or(range, |from| Range::between(from.min(range.to), range.to, now));
        let ask = Ask::new(org, there, GroupBy::Day, only);
        let found = sums(&mut tx, &ask).await.map_err(problem)?;
        drop(tx);
        let count = found.iter().map(|sums| sums.calls + sums.refused).sum::<i64>();
        let head = match query.format {
            UsageFormat::Json => Vec::new(),
            UsageFormat::Csv => table::call_head()?,
        };
        let progress = Progress {
            usage: self.clone(),
            org,
            only: ask.only,
            after: After { at: range.from, id: None },
            to: range.to,
            format: query.format,
            done: false,
        };
        let rest = stream::try_unfold(progress, Progress::step);
        let parts = stream::StreamExt::chain(stream::iter([Ok(head)]), rest);
        let count = u64::try_from(count).unwrap_or(0);
        Ok(CallExport { count, all_from, parts: Box::pin(parts) })
    }
}

impl Progress {
    async fn step(mut self) -> Result<Option<(Vec<u8>, Self)>, Problem> {
        if self.done {
            return Ok(None);
        }
        let mut tx = self.usage.db.tenant(self.org).await?;
        let calls = page(&mut tx, self.org, &self.only, self.after, self.to, PAGE).await;
        let calls = calls.map_err(problem)?;
        drop(tx);
        self.done = i64::try_from(calls.len()).is_ok_and(|count| count < PAGE);
        if let Some(last) = calls.last() {
            self.after = After { at: last.started_at, id: Some(last.id) };
        }
        let part = match self.format {
            UsageFormat::Json => lines(&calls)?,
            UsageFormat::Csv => table::calls(calls)?,
        };
        Ok(Some((part, self)))
    }
}

fn lines(calls: &[ExportedCall]) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    for call in calls {
        serde_json::to_writer(&mut text, call).map_err(|error| table::unwritable(&error))?;
        text.push(b'\n');
    }
    Ok(text)
}

fn named(query: &CallExportQuery) -> UsageQuery {
    UsageQuery {
        team: query.team.clone(),
        project: query.project.clone(),
        user: query.user.clone(),
        service_account: query.service_account.clone(),
        token: query.token.clone(),
        provider: query.provider.clone(),
        model: query.model.clone(),
        task_type: query.task_type.clone(),
        tag: query.tag.clone(),
        ..UsageQuery::default()
    }
}
