//! Every query of exports.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use ralex_store::{System, Tenant};

/// An organisation as its archive is named after it.
pub(crate) struct OrgRow {
    pub slug: String,
    pub name: String,
    /// The moment that the snapshot shows.
    pub at: DateTime<Utc>,
}

pub(crate) struct RecipientRow {
    pub recipient: String,
    pub added_at: DateTime<Utc>,
    pub added_by: Option<UserId>,
}

/// A row as a line of JSON, with the place to go on after.
pub(crate) struct Line {
    pub line: String,
    pub key: Vec<String>,
}

pub(crate) async fn recipients(
    tenant: &mut Tenant,
    org: OrgId,
) -> Result<Vec<RecipientRow>, sqlx::Error> {
    sqlx::query_as!(
        RecipientRow,
        r#"select recipient, added_at, added_by as "added_by: UserId" from org_export_recipient
           where org_id = $1 order by added_at, recipient"#,
        org as _,
    )
    .fetch_all(&mut **tenant)
    .await
}

/// The same as an operator's export asks, who sees nothing else of them.
pub(crate) async fn recipients_of(
    system: &mut System,
    org: OrgId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select recipient from org_export_recipient where org_id = $1 order by recipient",
        org as _,
    )
    .fetch_all(&mut **system)
    .await
}

/// Those that stay keep who added them, and when.
pub(crate) async fn set_recipients(
    tenant: &mut Tenant,
    org: OrgId,
    recipients: &[String],
    by: Option<UserId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from org_export_recipient where org_id = $1 and recipient <> all ($2)",
        org as _,
        recipients,
    )
    .execute(&mut **tenant)
    .await?;
    sqlx::query!(
        "insert into org_export_recipient (org_id, recipient, added_by)
         select $1, it, $3 from unnest($2::text[]) as it
         on conflict (org_id, recipient) do nothing",
        org as _,
        recipients,
        by as _,
    )
    .execute(&mut **tenant)
    .await?;
    Ok(())
}

/// Takes the one turn of an organisation until the snapshot ends, however it ends; false where another
/// export has it.
pub(crate) async fn take_turn(snapshot: &mut System, org: OrgId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended('ralex export ' || $1::uuid::text, 0)) as "free!""#,
        org as _,
    )
    .fetch_one(&mut **snapshot)
    .await
}

/// A reader may be slow, so the snapshot may wait for longer than other transactions.
pub(crate) async fn be_patient(snapshot: &mut System, patience: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select set_config('idle_in_transaction_session_timeout', $1, true)", patience)
        .fetch_one(&mut **snapshot)
        .await?;
    Ok(())
}

pub(crate) async fn org(snapshot: &mut System, org: OrgId) -> Result<Option<OrgRow>, sqlx::Error> {
    sqlx::query_as!(
        OrgRow,
        r#"select slug, name, now() as "at!" from org where id = $1"#,
        org as _,
    )
    .fetch_optional(&mut **snapshot)
    .await
}

/// The tables that have rows for an export.
pub(crate) async fn tables(snapshot: &mut System) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c join pg_policy p on p.polrelid = c.oid
           where p.polname = 'exporting' and c.relnamespace = 'public'::regnamespace
           order by c.relname"#
    )
    .fetch_all(&mut **snapshot)
    .await
}

/// A page of an organisation's rows, after a place in them.
pub(crate) async fn page(
    snapshot: &mut System,
    (table, org): (&str, OrgId),
    after: Option<&[String]>,
    (rows, characters): (i32, i64),
) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as!(
        Line,
        r#"select line as "line!", key as "key!" from org_export_page($1, $2, $3, $4, $5)"#,
        table,
        org as _,
        after,
        rows,
        characters,
    )
    .fetch_all(&mut **snapshot)
    .await
}
