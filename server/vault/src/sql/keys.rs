//! The deployment's and organisations' keys, wrapped.

use ralex_kernel::OrgId;
use sqlx::PgConnection;

use super::{Result, stored, version};
use crate::keys::WrappedRoot;

/// Held while root key and seal are made: "RLXVAULT" as a number.
const ROOT_LOCK: i64 = 0x524c_5856_4155_4c54;

pub(crate) async fn lock_root(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1)", ROOT_LOCK).execute(conn).await?;
    Ok(())
}

pub(crate) async fn root_key(conn: &mut PgConnection) -> Result<Option<WrappedRoot>> {
    let row = sqlx::query!(
        "select version, wrapped, fingerprint from root_key order by version desc limit 1"
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| WrappedRoot {
        version: version(row.version),
        wrapped: row.wrapped,
        fingerprint: row.fingerprint,
    }))
}

pub(crate) async fn insert_root_key(conn: &mut PgConnection, root: &WrappedRoot) -> Result<()> {
    sqlx::query!(
        "insert into root_key (version, wrapped, fingerprint) values ($1, $2, $3)",
        stored(root.version)?,
        root.wrapped,
        root.fingerprint,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn value(conn: &mut PgConnection, name: &str) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("select blob from sealed_value where name = $1", name)
        .fetch_optional(conn)
        .await
}

pub(crate) async fn insert_value(
    conn: &mut PgConnection,
    name: &str,
    root_version: u32,
    blob: &[u8],
) -> Result<()> {
    sqlx::query!(
        "insert into sealed_value (name, root_version, blob) values ($1, $2, $3)
         on conflict (name) do nothing",
        name,
        stored(root_version)?,
        blob,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An organisation's key as it is stored.
pub(crate) struct WrappedOrgKey {
    pub version: u32,
    pub wrapped: Vec<u8>,
}

pub(crate) async fn org_keys(conn: &mut PgConnection, org: OrgId) -> Result<Vec<WrappedOrgKey>> {
    let rows = sqlx::query!(
        "select version, wrapped from org_key where org_id = $1 order by version desc",
        org as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WrappedOrgKey { version: version(row.version), wrapped: row.wrapped })
        .collect())
}

pub(crate) async fn newest_org_key(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<WrappedOrgKey>> {
    Ok(org_keys(conn, org).await?.into_iter().next())
}

pub(crate) async fn insert_org_key(
    conn: &mut PgConnection,
    org: OrgId,
    key_version: u32,
    root_version: u32,
    wrapped: &[u8],
) -> Result<()> {
    sqlx::query!(
        "insert into org_key (org_id, version, root_version, wrapped) values ($1, $2, $3, $4)
         on conflict (org_id, version) do nothing",
        org as _,
        stored(key_version)?,
        stored(root_version)?,
        wrapped,
    )
    .execute(conn)
    .await?;
    Ok(())
}
