//! How far an organisation's calls were pruned: whoever reads single calls has to say so, instead of
//! taking those that are left for all.

use ralex_kernel::OrgId;
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};

/// All calls that began from this moment on are there; none where nothing was ever pruned.
pub async fn calls_from(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select before from call_pruned where org_id = $1", org as _)
        .fetch_optional(conn)
        .await
}
