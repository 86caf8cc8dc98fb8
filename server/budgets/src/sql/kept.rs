//! Queries on `kept_id`: what providers keep of calls, written when those are settled.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::settle::Settlement;

/// Writes the ids that answers named, so that they are only named again where they were given.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    settled: &[&Settlement],
) -> Result<(), sqlx::Error> {
    let all = || settled.iter().flat_map(|one| one.told.kept.iter().map(move |id| (one, id)));
    let ids: Vec<&str> = all().map(|(_, id)| id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (orgs, calls): (Vec<Uuid>, Vec<Uuid>) =
        all().map(|(one, _)| (one.org.uuid(), one.call.uuid())).unzip();
    sqlx::query!(
        "insert into kept_id (org_id, call_id, id)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[])
         on conflict do nothing",
        &orgs,
        &calls,
        &ids as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
