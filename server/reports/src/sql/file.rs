//! Files of reports, chunk by chunk.

use ralex_kernel::{OrgId, ReportId};
use sqlx::PgConnection;

use super::Result;
use crate::packed::Packed;

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    (format, file): (&str, &Packed),
) -> Result<()> {
    sqlx::query!(
        "insert into report_file (org_id, report_id, format, bytes, sha256)
         values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        format,
        i64::try_from(file.bytes).unwrap_or(i64::MAX),
        &file.sha256[..],
    )
    .execute(&mut *conn)
    .await?;
    for (n, chunk) in file.chunks.iter().enumerate() {
        sqlx::query!(
            "insert into report_chunk (org_id, report_id, format, n, data)
             values ($1, $2, $3, $4, $5)",
            org as _,
            id as _,
            format,
            i32::try_from(n).unwrap_or(i32::MAX),
            chunk,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Bytes and hash of a file.
pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    format: &str,
) -> Result<Option<(u64, Vec<u8>)>> {
    let row = sqlx::query!(
        "select bytes, sha256 from report_file
         where org_id = $1 and report_id = $2 and format = $3",
        org as _,
        id as _,
        format,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (u64::try_from(row.bytes).unwrap_or(0), row.sha256)))
}

pub(crate) async fn chunk(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    (format, n): (&str, i32),
) -> Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select data from report_chunk
         where org_id = $1 and report_id = $2 and format = $3 and n = $4",
        org as _,
        id as _,
        format,
        n,
    )
    .fetch_optional(conn)
    .await
}
