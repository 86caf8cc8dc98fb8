//! Letters: reports of schedules, handed to the operator's mail server for those who should have them.
//!
//! At least once: a letter that was taken just before this process died goes out again, under the
//! same id.

use ralex_api::reports::{ReportFormat, ReportKind};
use ralex_audit::{Author, Event, ReportEvent, record};
use ralex_kernel::{Email, Problem, ReportId};
use ralex_mail::{Attachment, Mail};
use ralex_store::{Leadership, problem};
use tokio::sync::Mutex;
use tracing::warn;

use crate::Reports;
use crate::document::Cell;
use crate::packed::unpack;
use crate::report::unknown;
use crate::sql::file;
use crate::sql::record::{self as sql, Letter};

/// What is larger is fetched by its readers themselves; mail servers refuse it.
const MOST_ATTACHED: u64 = 8 << 20;
/// So often a mail server is asked.
const MOST_TRIES: i32 = 8;

impl Reports {
    pub(crate) async fn mail(&self, lead: &Mutex<Leadership>) -> Result<(), Problem> {
        let mut tx = self.0.db.system("tell which reports are to be mailed").await?;
        let letters = sql::letters(&mut tx).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        for letter in letters {
            let (mail, attached) = self.written(&letter).await?;
            let sent = self.0.mailer.send(&mail).await;
            let mut tx = self.0.db.system("note that a report was mailed").await?;
            lead.lock().await.check(&mut tx).await?;
            let (org, id) = (letter.org, letter.id);
            match sent {
                Ok(()) => {
                    sql::mailed(&mut tx, org, id, ("sent", None, 0)).await.map_err(problem)?;
                    let event = ReportEvent::Mailed { report: id, recipients: mail.to, attached };
                    let author = Author::system(org);
                    record(&mut tx, &author, Event::Report(event)).await.map_err(problem)?;
                }
                Err(failure) => {
                    let over = failure.for_good
                        || !self.0.mailer.is_set_up()
                        || letter.tries + 1 >= MOST_TRIES;
                    let state = if over { "failed" } else { "waiting" };
                    let wait = 60_i32.saturating_mul(1 << letter.tries.clamp(0, 10));
                    warn!(report = %id, "report {id} could not be mailed: {}", failure.why);
                    let why = Some(failure.why.as_str());
                    sql::mailed(&mut tx, org, id, (state, why, wait)).await.map_err(problem)?;
                }
            }
            tx.commit().await.map_err(problem)?;
        }
        Ok(())
    }

    async fn written(&self, letter: &Letter) -> Result<(Mail, bool), Problem> {
        let kind = ReportKind::named(&letter.kind).ok_or_else(unknown)?;
        let day = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d").to_string();
        let (from, to) = (day(letter.from_at), day(letter.to_at));
        let attachment = self.attachment(letter).await?;
        let attached = attachment.is_some();
        let place =
            if attached { "It is attached as a PDF" } else { "It is too large to be attached" };
        let text = format!(
            "{} of {}, from {} to {}.\n\n{place}; the same rows as CSV and JSON, and the hashes that \
             prove them, are in Ralex under Reports, as report {}.\n",
            kind.title(),
            letter.org_name,
            Cell::Time(letter.from_at).shown(),
            Cell::Time(letter.to_at).shown(),
            letter.id,
        );
        let mail = Mail {
            to: letter.recipients.iter().filter_map(|it| it.parse::<Email>().ok()).collect(),
            subject: format!("{} of {}, {from} to {to}", kind.title(), letter.org_name),
            text,
            html: None,
            attachments: attachment.into_iter().collect(),
            id: Some(format!("report-{}", letter.id)),
        };
        Ok((mail, attached))
    }

    async fn attachment(&self, letter: &Letter) -> Result<Option<Attachment>, Problem> {
        let pdf = ReportFormat::Pdf.as_str();
        let mut tx = self.0.db.tenant(letter.org).await?;
        let found = file::find(&mut tx, letter.org, letter.id, pdf).await.map_err(problem)?;
        if found.is_none_or(|(bytes, _)| bytes > MOST_ATTACHED) {
            return Ok(None);
        }
        let mut content = Vec::new();
        for n in 0.. {
            let chunk = file::chunk(&mut tx, letter.org, letter.id, (pdf, n)).await;
            let Some(chunk) = chunk.map_err(problem)? else { break };
            content.extend(unpack(&chunk)?);
        }
        let name = name(letter.id, &letter.kind, ReportFormat::Pdf);
        let content_type = "application/pdf".to_owned();
        Ok(Some(Attachment { name, content_type, content }))
    }
}

/// What a file is called.
pub(crate) fn name(report: ReportId, kind: &str, format: ReportFormat) -> String {
    let ending = match format {
        ReportFormat::Pdf => "pdf",
        ReportFormat::Csv => "csv",
        ReportFormat::Json => "json",
        ReportFormat::Bundle => "jsonl",
    };
    format!("ralex-{}-{report}.{ending}", kind.replace('_', "-"))
}
