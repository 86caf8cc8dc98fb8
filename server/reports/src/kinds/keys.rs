//! Key lifecycle: which keys there are, how old, how often used and rotated, and by whom.

use std::collections::HashMap;

use ralex_kernel::Problem;
use ralex_store::{Tenant, problem};
use uuid::Uuid;

use crate::document::{Cell, Document, Table};
use crate::sql::events::Told;
use crate::sql::keys::{self, Use};
use crate::work::{EVENT_COLUMNS, Work};

const SECRETS: &[(&str, &str)] = &[
    ("name", "Key"),
    ("provider", "Provider"),
    ("origin", "Sent only to"),
    ("version", "Version"),
    ("fingerprint", "Fingerprint"),
    ("created_at", "Entered"),
    ("rotated_at", "Version since"),
    ("age_days", "Age, days"),
    ("versions", "Versions kept"),
    ("calls", "Calls in period"),
    ("last_use_at", "Last use in period"),
    ("id", "Id"),
];
const VERSIONS: &[(&str, &str)] = &[
    ("key", "Key"),
    ("version", "Version"),
    ("state", "State"),
    ("fingerprint", "Fingerprint"),
    ("sealed_under", "Organisation key"),
    ("created_at", "Since"),
];
const SEALING: &[(&str, &str)] =
    &[("purpose", "Purpose"), ("version", "Version"), ("known_by", "Known by"), ("since", "Since")];
const TOKENS: &[(&str, &str)] = &[
    ("team", "Team"),
    ("live", "In force"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
    ("never_used", "Never used"),
    ("without_end", "Without end"),
    ("oldest", "Oldest in force"),
];

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    work.at(10, "Reads keys and their use").await?;
    let mut document = Document {
        about: "Which keys this organisation's vault holds, how old they are, how often they were used \
                and rotated, and who did what with them. No value of a key is in here: the vault has no \
                operation that shows one."
            .to_owned(),
        ..Document::default()
    };
    let mut tx = work.tenant().await?;
    holdings(work, &mut tx, &mut document).await?;
    work.at(50, "Reads what was done with them").await?;
    events(work, &mut tx, &mut document).await?;
    document.tables.push(tokens(work, &mut tx).await?);
    tx.rollback().await.map_err(problem)?;
    document.tables.push(sealing(work).await?);
    document.notes.push(
        "Reveals: none are possible. A key leaves the vault only inside a request to \
                         the origin that it is bound to, and every such use is a call on record."
            .to_owned(),
    );
    let note = "Uses of keys in those are not counted.";
    document.notes.extend(super::pruned(work, note).await?);
    Ok(document)
}

/// The keys in the vault, and the versions of each.
async fn holdings(
    work: &mut Work<'_>,
    tx: &mut Tenant,
    document: &mut Document,
) -> Result<(), Problem> {
    let (org, span) = (work.org(), work.span());
    let secrets = keys::secrets(tx, org).await.map_err(problem)?;
    let uses = keys::uses(tx, org, span).await.map_err(problem)?;
    let uses: HashMap<Uuid, Use> = uses.into_iter().map(|it| (it.secret, it)).collect();
    let mut table = Table::new("keys", "Provider keys", SECRETS, "Every key in the vault.");
    for secret in &secrets {
        let used = uses.get(&secret.id);
        let age = secret.rotated_at.map(|at| (span.1 - at).num_days().max(0));
        let row = vec![
            Cell::text(&secret.name),
            Cell::text(&secret.provider),
            Cell::text(&secret.origin),
            secret.version.map_or(Cell::Empty, |it| Cell::Count(it.into())),
            Cell::maybe(secret.fingerprint.clone()),
            Cell::Time(secret.created_at),
            Cell::time(secret.rotated_at),
            age.map_or(Cell::Empty, Cell::Count),
            Cell::Count(secret.versions),
            Cell::Count(used.map_or(0, |it| it.calls)),
            Cell::time(used.map(|it| it.last_at)),
            Cell::text(secret.id.to_string()),
        ];
        table.push(&mut work.room, row)?;
    }
    let oldest = secrets.iter().filter_map(|it| it.rotated_at).min();
    document.fact("keys", "Provider keys", Cell::count(secrets.len() as u64));
    document.fact("oldest", "Oldest version in use since", Cell::time(oldest));
    document.tables.push(table);
    let mut table = Table::new("versions", "Versions", VERSIONS, "Every version that is kept.");
    for version in keys::versions(tx, org).await.map_err(problem)? {
        let row = vec![
            Cell::text(version.name),
            Cell::Count(version.version.into()),
            Cell::text(version.state),
            Cell::text(version.fingerprint),
            Cell::Count(version.org_key_version.into()),
            Cell::Time(version.created_at),
        ];
        table.push(&mut work.room, row)?;
    }
    document.tables.push(table);
    Ok(())
}

async fn tokens(work: &mut Work<'_>, tx: &mut Tenant) -> Result<Table, Problem> {
    let mut table = Table::new("tokens", "Team tokens", TOKENS, "How many tokens each team has.");
    for tokens in keys::tokens(tx, work.org(), work.frame.to).await.map_err(problem)? {
        let row = vec![
            Cell::text(tokens.team),
            Cell::Count(tokens.live),
            Cell::Count(tokens.expired),
            Cell::Count(tokens.revoked),
            Cell::Count(tokens.never_used),
            Cell::Count(tokens.without_end),
            Cell::time(tokens.oldest),
        ];
        table.push(&mut work.room, row)?;
    }
    Ok(table)
}

async fn events(
    work: &mut Work<'_>,
    tx: &mut Tenant,
    document: &mut Document,
) -> Result<(), Problem> {
    let actions = ["secret.created", "secret.rotated", "secret.updated", "secret.deleted"];
    let about = "What was done with provider keys within the period, from the audit log.";
    let table = Table::new("changes", "Changes of keys", EVENT_COLUMNS, about);
    let table = work.events(tx, &actions, table, |_| true).await?;
    let rotated = |row: &&Vec<Cell>| row.get(3) == Some(&Cell::text("secret.rotated"));
    let rotations = table.rows.iter().filter(rotated).count();
    document.fact("rotations", "Rotations within the period", Cell::count(rotations as u64));
    document.tables.push(table);
    let about = "Requests about keys that were refused within the period; floods are counted in the \
                 log, not listed one by one.";
    let table = Table::new("denials", "Denials", EVENT_COLUMNS, about);
    let of_keys = |told: &Told| {
        let detail = told.detail();
        detail["permission"].as_str().is_some_and(|name| name.starts_with("secret."))
    };
    let table = work.events(tx, &["access.denied"], table, of_keys).await?;
    document.fact("denials", "Denials within the period", Cell::count(table.rows.len() as u64));
    document.tables.push(table);
    Ok(())
}

async fn sealing(work: &mut Work<'_>) -> Result<Table, Problem> {
    let about = "Keys that seal the vault, sign the audit log and prove who sends its copies: the \
                 deployment's, and this organisation's own.";
    let mut table = Table::new("sealing", "Keys that seal and sign", SEALING, about);
    let mut tx = work.system().await?;
    for key in keys::sealing(&mut tx, work.org()).await.map_err(problem)? {
        let row = vec![
            Cell::text(key.purpose),
            Cell::Count(key.version.into()),
            Cell::maybe(key.known_by),
            Cell::Time(key.created_at),
        ];
        table.push(&mut work.room, row)?;
    }
    tx.rollback().await.map_err(problem)?;
    Ok(table)
}
