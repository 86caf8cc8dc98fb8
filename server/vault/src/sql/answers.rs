//! Queries on kept answers.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::answers::Attempt;

pub struct AnswerRow {
    pub request_hash: Vec<u8>,
    pub status: Option<i32>,
    pub answer: Option<Vec<u8>>,
    pub proven: bool,
}

/// Claims a key for a request; false where it is taken. One that was abandoned is free, and so is
/// one that is too old, whether or not it was cleared away yet.
pub async fn begin_answer(
    conn: &mut PgConnection,
    attempt: &Attempt,
    now: DateTime<Utc>,
    abandoned: DateTime<Utc>,
    forgotten: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into idempotency (caller, key, request_hash, created_at, proven)
         values ($1, $2, $3, $4, $7)
         on conflict (caller, key) do update
            set created_at = $4, request_hash = $3, proven = $7, status = null, answer = null
         where idempotency.created_at < $6
            or (idempotency.status is null and idempotency.created_at < $5)",
        attempt.caller,
        attempt.key,
        attempt.request,
        now,
        abandoned,
        forgotten,
        attempt.proven,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn answer(
    conn: &mut PgConnection,
    attempt: &Attempt,
) -> Result<Option<AnswerRow>, sqlx::Error> {
    sqlx::query_as!(
        AnswerRow,
        "select request_hash, status, answer, proven from idempotency where caller = $1 and key = $2",
        attempt.caller,
        attempt.key,
    )
    .fetch_optional(conn)
    .await
}

pub async fn finish_answer(
    conn: &mut PgConnection,
    attempt: &Attempt,
    status: i32,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update idempotency set status = $3, answer = $4 where caller = $1 and key = $2",
        attempt.caller,
        attempt.key,
        status,
        sealed,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn forget_answer(conn: &mut PgConnection, attempt: &Attempt) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from idempotency where caller = $1 and key = $2 and status is null",
        attempt.caller,
        attempt.key,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets some answers that are too old; whoever begins one clears away a few, and leaves those
/// that another one holds.
pub async fn forget_answers(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from idempotency where (caller, key) in
            (select caller, key from idempotency where created_at < $1 limit 100
             for update skip locked)",
        before,
    )
    .execute(conn)
    .await
    .map(drop)
}
