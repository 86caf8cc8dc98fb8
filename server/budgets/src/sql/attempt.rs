//! Queries on `call_attempt`: the tries of calls, written when they are settled.

use ralex_kernel::{CallId, OrgId, SecretId};
use sqlx::PgConnection;

use crate::settle::{Attempt, Settlement};

/// Writes the tries of many calls. A late settlement of a call that was counted as lost comes once
/// too, so no row is there yet.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    settled: &[&Settlement],
) -> Result<(), sqlx::Error> {
    let rows: Vec<(OrgId, CallId, &Attempt)> = settled
        .iter()
        .flat_map(|call| call.told.attempts.iter().map(|one| (call.org, call.call, one)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let small = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let all = || rows.iter().map(|(_, _, one)| *one);
    sqlx::query!(
        "insert into call_attempt (org_id, call_id, n, model, provider, upstream_model, secret_id,
             cause, outcome, status, input_tokens, output_tokens, cost, started_at, duration_ms, note)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::text[],
             $7::uuid[], $8::text[], $9::text[], $10::int[], $11::bigint[], $12::bigint[],
             $13::bigint[], $14::timestamptz[], $15::int[], $16::text[])",
        &rows.iter().map(|(org, _, _)| org.uuid()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, call, _)| call.uuid()).collect::<Vec<_>>(),
        &all().map(|one| small(one.n)).collect::<Vec<_>>(),
        &all().map(|one| one.model.as_str()).collect::<Vec<_>>() as _,
        &all().map(|one| one.provider.as_str()).collect::<Vec<_>>() as _,
        &all().map(|one| one.upstream_model.as_str()).collect::<Vec<_>>() as _,
        &all().map(|one| one.secret.map(SecretId::uuid)).collect::<Vec<_>>() as _,
        &all().map(|one| one.cause).collect::<Vec<_>>() as _,
        &all().map(|one| one.outcome).collect::<Vec<_>>() as _,
        &all().map(|one| one.status.map(i32::from)).collect::<Vec<_>>() as _,
        &all().map(|one| signed(one.input_tokens)).collect::<Vec<_>>(),
        &all().map(|one| signed(one.output_tokens)).collect::<Vec<_>>(),
        &all().map(|one| one.cost.as_nanos()).collect::<Vec<_>>(),
        &all().map(|one| one.started_at).collect::<Vec<_>>(),
        &all().map(|one| small(one.duration_ms)).collect::<Vec<_>>(),
        &all().map(|one| one.note.as_deref()).collect::<Vec<_>>() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}
