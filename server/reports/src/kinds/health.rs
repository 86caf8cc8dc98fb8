//! Control health: whether the controls themselves work, and what nothing here can show.

use ralex_api::reports::CheckState;
use ralex_kernel::Problem;
use ralex_store::problem;

use crate::check::Findings;
use crate::document::{Cell, Document, Table};
use crate::sql::{events, health};
use crate::work::{EVENT_COLUMNS, Work};

const CHECKS: &[(&str, &str)] = &[("check", "Check"), ("state", "State"), ("detail", "What is so")];
const SINKS: &[(&str, &str)] = &[
    ("name", "Sink"),
    ("kind", "Kind"),
    ("address", "Address"),
    ("state", "State"),
    ("behind", "Records behind"),
    ("taken_at", "Last taken"),
    ("failure", "Last failure"),
    ("secret_since", "Secret since"),
];
const HEADS: &[(&str, &str)] = &[
    ("day", "Day"),
    ("tree_size", "Leaves"),
    ("signed_at", "Last head signed"),
    ("key", "Key version"),
];
const WITNESSES: &[(&str, &str)] = &[
    ("name", "Witness"),
    ("seen_size", "Size seen"),
    ("cosigned_at", "Signed last"),
    ("failure", "Failure"),
    ("conflict", "Conflict"),
];
const RETENTION: &[(&str, &str)] = &[("what", "What"), ("rule", "Rule"), ("since", "Since")];
const TRENDS: &[(&str, &str)] = &[("day", "Day"), ("event", "Event"), ("count", "Count")];
const BOOKS: &[(&str, &str)] = &[("finding", "What does not add up")];

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    let mut document = Document {
        about: "Whether the controls of this organisation worked, from measurements made by the system \
                itself when the report was made. Where Ralex provides nothing, it says so."
            .to_owned(),
        ..Document::default()
    };
    work.at(5, "Checks every leaf of the audit log").await?;
    verify_log(work, &mut document).await?;
    work.at(45, "Checks the books").await?;
    let books = books(work, &mut document).await?;
    work.at(60, "Looks at every control").await?;
    let found = Findings::look(work.inner, work.org()).await?;
    let ill = found.all().iter().filter(|it| it.state == CheckState::Attention).count();
    document.fact("attention", "Checks that need attention", Cell::count(ill as u64));
    let mut table = Table::new("checks", "Checks", CHECKS, "What each check found.");
    for finding in found.all() {
        let state = finding.state.as_str().replace('_', " ");
        let row =
            vec![Cell::text(finding.check.name()), Cell::text(state), Cell::text(&finding.detail)];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    sinks(work, &mut document).await?;
    log_tables(work, &mut document).await?;
    document.tables.push(books);
    work.at(80, "Counts failures and denials").await?;
    trends(work, &mut document).await?;
    Ok(document)
}

async fn verify_log(work: &Work<'_>, document: &mut Document) -> Result<(), Problem> {
    let mut tx = work.tenant().await?;
    match work.inner.audit.verify(&mut tx).await {
        Ok(checked) => {
            document.fact("log_good", "Every leaf is what was signed", Cell::Yes(checked.good));
            document.fact("log_summary", "Verification", Cell::text(checked.summary));
            document.fact("tree_size", "Leaves verified", Cell::count(checked.tree_size));
            document.fact("root", "Root", Cell::text(checked.root));
        }
        Err(why) => document.fact("log_summary", "Verification", Cell::text(why.detail)),
    }
    tx.rollback().await.map_err(problem)
}

async fn books(work: &mut Work<'_>, document: &mut Document) -> Result<Table, Problem> {
    let checked = ralex_budgets::verify(&work.inner.db, Some(work.org())).await?;
    document.fact("books_periods", "Budget periods compared", Cell::count(checked.periods));
    let off = checked.differences.len() as u64;
    document.fact("books_off", "Budget periods that do not add up", Cell::count(off));
    let about = "Every budget period is compared with its calls; what differs is listed.";
    let mut table = Table::new("books", "Books", BOOKS, about);
    for difference in &checked.differences {
        table.push(&mut work.room, vec![Cell::text(difference.to_string())])?;
    }
    Ok(table)
}

async fn sinks(work: &mut Work<'_>, document: &mut Document) -> Result<(), Problem> {
    let about = "Where the audit log is sent as it grows.";
    let mut table = Table::new("sinks", "Copies of the log", SINKS, about);
    for sink in work.inner.sinks.list(work.org()).await? {
        let row = vec![
            Cell::text(sink.name.as_str()),
            Cell::text(sink.kind.as_str()),
            Cell::text(sink.url),
            Cell::text(sink.state.as_str()),
            Cell::count(sink.behind),
            Cell::time(sink.delivered_at),
            Cell::maybe(sink.failure),
            Cell::Time(sink.secret_changed_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let about = "Servers of others that sign that the log only grew.";
    let mut table = Table::new("witnesses", "Witnesses", WITNESSES, about);
    for witness in work.inner.audit.keys(work.org()).await?.witnesses {
        let row = vec![
            Cell::text(witness.name),
            Cell::count(witness.seen_size),
            Cell::time(witness.cosigned_at),
            Cell::maybe(witness.failure),
            Cell::maybe(witness.conflict),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    Ok(())
}

async fn log_tables(work: &mut Work<'_>, document: &mut Document) -> Result<(), Problem> {
    let (org, span) = (work.org(), work.span());
    let mut tx = work.tenant().await?;
    let about = "The last signed head of each day of the period.";
    let mut table = Table::new("heads", "Signed heads", HEADS, about);
    for head in health::heads(&mut tx, org, span).await.map_err(problem)? {
        let row = vec![
            Cell::text(head.signed_at.format("%Y-%m-%d").to_string()),
            Cell::Count(head.tree_size),
            Cell::Time(head.signed_at),
            Cell::Count(head.key_version.into()),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let about = "How long the log says what it says, and what is held whatever that says. Classes that \
                 are not named are kept for ever.";
    let mut table = Table::new("retention", "Retention and holds", RETENTION, about);
    for kept in health::retention(&mut tx, org).await.map_err(problem)? {
        let row = vec![
            Cell::text(format!("events: {}", kept.class)),
            Cell::text(format!("{} days", kept.days)),
            Cell::Empty,
        ];
        table.push(&mut work.room, row)?;
    }
    for hold in health::holds(&mut tx, org).await.map_err(problem)? {
        let rule = hold.lifted_at.map_or_else(
            || "nothing is pruned".to_owned(),
            |at| format!("lifted {}", Cell::Time(at).shown()),
        );
        let what = Cell::text(format!("legal hold: {}", hold.reason));
        table.push(&mut work.room, vec![what, Cell::text(rule), Cell::Time(hold.set_at)])?;
    }
    document.tables.push(table);
    let about = "Changes of retention, holds, keys, sinks and exports within the period.";
    let table = Table::new("log_changes", "Changes of the record itself", EVENT_COLUMNS, about);
    let actions = [
        "audit.key_rotated",
        "audit.person_erased",
        "audit.pruned",
        "audit.retention_asked",
        "audit.retention_changed",
        "audit.retention_denied",
        "audit.exported",
        "org.export_begun",
        "sink.created",
        "sink.updated",
        "sink.deleted",
        "sink.parked",
        "sink.skipped",
    ];
    let table = work.events(&mut tx, &actions, table, |_| true).await?;
    document.tables.push(table);
    tx.rollback().await.map_err(problem)
}

async fn trends(work: &mut Work<'_>, document: &mut Document) -> Result<(), Problem> {
    let (org, span) = (work.org(), work.span());
    let mut tx = work.tenant().await?;
    let about = "Failed logins, denied requests and refused calls by the day; floods of denials are \
                 counted in one event, not one by one.";
    let mut table = Table::new("trends", "Failures and denials", TRENDS, about);
    let actions = ["login.failed", "access.denied", "call.refused"];
    let mut sums = [0_i64; 3];
    for day in events::daily(&mut tx, org, &actions, span).await.map_err(problem)? {
        if let Some(n) = actions.iter().position(|action| **action == day.action) {
            sums[n] += day.count;
        }
        let row = vec![Cell::text(day.day), Cell::text(day.action), Cell::Count(day.count)];
        table.push(&mut work.room, row)?;
    }
    tx.rollback().await.map_err(problem)?;
    document.fact("failed_logins", "Failed logins", Cell::Count(sums[0]));
    document.fact("denied", "Denied requests", Cell::Count(sums[1]));
    document.fact("refused_calls", "Refused calls", Cell::Count(sums[2]));
    document.tables.push(table);
    Ok(())
}
