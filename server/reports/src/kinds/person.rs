//! Data-subject pack: all that is kept about one person, for them or for who has to answer them.

use ralex_kernel::{Code, Problem};
use ralex_store::problem;

use crate::document::{Cell, Document, Table};
use crate::sql::person::{self, Account};
use crate::sql::{events, people};
use crate::work::{EVENT_COLUMNS, Work, event_row};

const ROLES: &[(&str, &str)] = &[
    ("role", "Role"),
    ("team", "Team"),
    ("project", "Project"),
    ("effect", "Effect"),
    ("since", "Since"),
    ("expires_at", "Until"),
];
const TOKENS: &[(&str, &str)] = &[
    ("name", "Token"),
    ("created_at", "Made"),
    ("expires_at", "Until"),
    ("last_use_at", "Last use"),
    ("revoked_at", "Revoked"),
];
const SESSIONS: &[(&str, &str)] = &[
    ("created_at", "Logged in"),
    ("last_use_at", "Last use"),
    ("expires_at", "Until"),
    ("ended_at", "Ended"),
    ("address", "Address"),
    ("user_agent", "Browser"),
];
const CALLS: &[(&str, &str)] = &[
    ("started_at", "When"),
    ("model", "Model"),
    ("provider", "Provider"),
    ("state", "State"),
    ("task_type", "Task"),
    ("team", "Team"),
    ("project", "Project"),
    ("tags", "Tags"),
    ("dialect", "Dialect"),
    ("input_tokens", "Tokens in"),
    ("output_tokens", "Tokens out"),
    ("cost", "Cost"),
    ("id", "Call"),
];
const APPROVALS: &[(&str, &str)] = &[
    ("asked_at", "Asked"),
    ("part", "As"),
    ("model", "Model"),
    ("state", "State"),
    ("decided_at", "Decided"),
    ("reason", "Reason"),
];
const ACCESS: &[(&str, &str)] = &[
    ("asked_at", "Asked"),
    ("part", "As"),
    ("role", "Role"),
    ("state", "State"),
    ("expires_at", "Until"),
    ("reason", "Reason"),
];
const FILES: &[(&str, &str)] = &[
    ("created_at", "When"),
    ("filename", "Name"),
    ("purpose", "Purpose"),
    ("provider", "Kept by"),
    ("bytes", "Bytes"),
    ("state", "State"),
];

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    work.at(5, "Finds the person").await?;
    let account = find(work).await?;
    let mut document = Document {
        about: format!(
            "What Ralex keeps about {} ({}) in this organisation, and about their account: the data of \
             articles 15 and 20 of the GDPR, as far as it is here. Prompts and answers are not kept by \
             Ralex; what providers keep is theirs to tell.",
            account.name, account.email
        ),
        ..Document::default()
    };
    facts(&mut document, &account);
    account_tables(work, &account, &mut document).await?;
    work.at(40, "Reads calls").await?;
    use_tables(work, &account, &mut document).await?;
    document.tables.push(access_table(work, &account).await?);
    work.at(75, "Reads the audit log").await?;
    document.tables.push(log_table(work, &account).await?);
    let counts: Vec<_> =
        document.tables.iter().map(|it| (it.key, it.title, it.rows.len())).collect();
    for (key, title, count) in counts {
        document.fact(key, title, Cell::count(count as u64));
    }
    document.notes = vec![
        "Never in here: passwords, tokens and keys, of which only hashes are kept, and anything about \
         anybody else beyond who did something to this person."
            .to_owned(),
        "Sessions and personal tokens are of the account, which may belong to several organisations."
            .to_owned(),
        "The audit log is kept for as long as the organisation's retention says; what was pruned is \
         not in here."
            .to_owned(),
    ];
    document.notes.extend(super::pruned(work, "They are not in here.").await?);
    Ok(document)
}

async fn find(work: &Work<'_>) -> Result<Account, Problem> {
    let name = work.frame.filters.person.clone().unwrap_or_default();
    let mut tx = work.system().await?;
    let found = person::find(&mut tx, work.org(), &name).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    found.ok_or_else(|| {
        let detail = "Nobody of this e-mail address or id is or was in this organisation.";
        Problem::new(Code::NotFound, detail)
    })
}

fn facts(document: &mut Document, account: &Account) {
    document.fact("id", "Id", Cell::text(account.id.to_string()));
    document.fact("email", "E-mail", Cell::text(&account.email));
    document.fact("name", "Name", Cell::text(&account.name));
    document.fact("account_since", "Account since", Cell::Time(account.created_at));
    document.fact("member_since", "In the organisation since", Cell::time(account.joined_at));
    document.fact("disabled_at", "Disabled", Cell::time(account.disabled_at));
}

async fn account_tables(
    work: &mut Work<'_>,
    account: &Account,
    document: &mut Document,
) -> Result<(), Problem> {
    let org = work.org();
    let mut tx = work.tenant().await?;
    let bindings = people::bindings(&mut tx, org, None).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let mut table = Table::new("roles", "Roles", ROLES, "Rights that the person holds now.");
    for binding in bindings.into_iter().filter(|it| it.subject_id == account.id) {
        let row = vec![
            Cell::text(binding.role),
            Cell::maybe(binding.team),
            Cell::maybe(binding.project),
            Cell::text(binding.effect),
            Cell::Time(binding.created_at),
            Cell::time(binding.expires_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let mut tx = work.system().await?;
    let from = work.frame.from;
    let tokens =
        people::personal_tokens(&mut tx, work.org(), &[account.id], from).await.map_err(problem)?;
    let sessions = person::sessions(&mut tx, account.id, work.span()).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let about = "The person's own tokens; never their secrets.";
    let mut table = Table::new("tokens", "Personal tokens", TOKENS, about);
    for token in tokens {
        let row = vec![
            Cell::text(token.name),
            Cell::Time(token.created_at),
            Cell::time(token.expires_at),
            Cell::time(token.used_at),
            Cell::time(token.revoked_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let mut table = Table::new("sessions", "Sessions", SESSIONS, "Logins to the console.");
    for session in sessions {
        let row = vec![
            Cell::Time(session.created_at),
            Cell::Time(session.used_at),
            Cell::Time(session.expires_at),
            Cell::time(session.revoked_at),
            Cell::maybe(session.address),
            Cell::maybe(session.user_agent),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    Ok(())
}

async fn use_tables(
    work: &mut Work<'_>,
    account: &Account,
    document: &mut Document,
) -> Result<(), Problem> {
    let (org, span) = (work.org(), work.span());
    let mut tx = work.tenant().await?;
    let calls = person::calls(&mut tx, org, account.id, span).await.map_err(problem)?;
    work.within(calls.len())?;
    let about =
        "Model calls that the person made: what is kept of each. No prompts and no answers.";
    let mut table = Table::new("calls", "Model calls", CALLS, about);
    for call in calls {
        let row = vec![
            Cell::Time(call.started_at),
            Cell::text(call.model),
            Cell::text(call.provider),
            Cell::text(call.state),
            Cell::maybe(call.task_type),
            Cell::maybe(call.team),
            Cell::maybe(call.project),
            Cell::text(call.tags.join(" ")),
            Cell::text(call.dialect),
            Cell::Count(call.input_tokens),
            Cell::Count(call.output_tokens),
            Cell::Money(call.cost),
            Cell::text(call.id.to_string()),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let about = "What the person asked to have approved, or decided about.";
    let mut table = Table::new("approvals", "Approvals", APPROVALS, about);
    for approval in person::approvals(&mut tx, org, account.id, span).await.map_err(problem)? {
        let row = vec![
            Cell::Time(approval.asked_at),
            Cell::text(if approval.asked { "asked" } else { "decided" }),
            Cell::text(approval.model),
            Cell::text(approval.state),
            Cell::time(approval.decided_at),
            Cell::maybe(approval.reason),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    let about =
        "Files that the person gave a provider to keep; their contents are with the provider.";
    let mut table = Table::new("files", "Files", FILES, about);
    for file in person::files(&mut tx, org, account.id, span).await.map_err(problem)? {
        let row = vec![
            Cell::Time(file.created_at),
            Cell::text(file.filename),
            Cell::text(file.purpose),
            Cell::text(file.provider),
            Cell::Count(file.bytes),
            Cell::text(file.state),
        ];
        table.push(&mut work.room, row)?;
    }
    tx.rollback().await.map_err(problem)?;
    document.tables.push(table);
    Ok(())
}

/// Roles that they asked to hold for a while, and what they decided about others'.
async fn access_table(work: &mut Work<'_>, account: &Account) -> Result<Table, Problem> {
    let about = "Roles that the person asked to hold for a while, or decided about.";
    let mut table = Table::new("access_requests", "Access requests", ACCESS, about);
    let mut tx = work.tenant().await?;
    let found = person::access(&mut tx, work.org(), account.id, work.span()).await;
    tx.rollback().await.map_err(problem)?;
    for request in found.map_err(problem)? {
        let row = vec![
            Cell::Time(request.asked_at),
            Cell::text(request.part),
            Cell::text(request.role),
            Cell::text(request.state),
            Cell::time(request.expires_at),
            Cell::maybe(request.reason),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

async fn log_table(work: &mut Work<'_>, account: &Account) -> Result<Table, Problem> {
    let (org, span) = (work.org(), work.span());
    let mut tx = work.tenant().await?;
    let mut targets = person::binding_targets(&mut tx, org, account.id).await.map_err(problem)?;
    targets.push(format!("user:{}", account.id));
    let told = events::of_person(&mut tx, org, account.id, &targets, span).await;
    let told = told.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    work.within(told.len())?;
    let about = "What the person did, and what was done to them, as the audit log tells it; their calls \
                 have a table of their own.";
    let mut table = Table::new("events", "Audit events", EVENT_COLUMNS, about);
    for told in &told {
        table.push(&mut work.room, event_row(told))?;
    }
    Ok(table)
}
