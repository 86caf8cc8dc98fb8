//! Queries on passkeys and on what authenticators were asked. They belong to people and to no
//! organisation.

use chrono::{DateTime, Utc};
use ralex_kernel::{PasskeyId, SessionId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

pub struct PasskeyRow {
    pub id: PasskeyId,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub credential_id: Vec<u8>,
}

pub async fn list(conn: &mut PgConnection, user: UserId) -> Result<Vec<PasskeyRow>, sqlx::Error> {
    sqlx::query_as!(
        PasskeyRow,
        r#"select id as "id: PasskeyId", name, created_at, last_used_at, credential_id
           from passkey where user_id = $1 order by id"#,
        user as _,
    )
    .fetch_all(conn)
    .await
}

pub struct NewRow<'a> {
    pub id: PasskeyId,
    pub user: UserId,
    pub credential: &'a Passkey,
    pub name: &'a str,
    pub now: DateTime<Utc>,
}

/// False where the authenticator's passkey is registered already, whosever it is.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into passkey (id, user_id, credential_id, credential, name, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (credential_id) do nothing",
        new.id as _,
        new.user as _,
        &**new.credential.cred_id(),
        Json(new.credential) as _,
        new.name,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False where the person has no such passkey.
pub async fn rename(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
    name: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update passkey set name = $3 where user_id = $1 and id = $2",
        user as _,
        id as _,
        name,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Holds a passkey for its removal, so that no login by it can end in between; false where the person
/// has no such one.
pub async fn hold(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "select id from passkey where user_id = $1 and id = $2 for update",
        user as _,
        id as _,
    );
    Ok(found.fetch_optional(conn).await?.is_some())
}

pub async fn delete(
    conn: &mut PgConnection,
    user: UserId,
    id: PasskeyId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from passkey where user_id = $1 and id = $2", user as _, id as _)
        .execute(conn)
        .await
        .map(drop)
}

pub struct Held {
    pub id: PasskeyId,
    pub user: UserId,
    pub credential: Json<Passkey>,
}

/// The passkey of an authenticator's word, held until the transaction ends: its count of signatures is
/// compared and written as one.
pub async fn find(
    conn: &mut PgConnection,
    credential_id: &[u8],
) -> Result<Option<Held>, sqlx::Error> {
    sqlx::query_as!(
        Held,
        r#"select id as "id: PasskeyId", user_id as "user: UserId",
                  credential as "credential: Json<Passkey>"
           from passkey where credential_id = $1 for update"#,
        credential_id,
    )
    .fetch_optional(conn)
    .await
}

/// Notes that a passkey was used, and what its authenticator said of itself then.
pub async fn used(
    conn: &mut PgConnection,
    id: PasskeyId,
    credential: &Passkey,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update passkey set credential = $2, last_used_at = $3 where id = $1",
        id as _,
        Json(credential) as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What an answer is for, as its columns.
pub struct Bound<'a> {
    pub purpose: &'static str,
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub login: Option<&'a [u8]>,
    /// The one act that it is for, where it is not all of a kind.
    pub about: Option<Uuid>,
}

/// Keeps what an authenticator is asked, in the place of what was asked before for the same.
pub async fn begin(
    conn: &mut PgConnection,
    (digest, bound): (&[u8], &Bound<'_>),
    network: Option<&str>,
    state: &Value,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from passkey_ceremony
         where purpose = $1 and user_id = $2 and (session_id = $3 or login_digest = $4)",
        bound.purpose,
        bound.user as _,
        bound.session as _,
        bound.login,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into passkey_ceremony (digest, purpose, user_id, session_id, login_digest, network,
                                       state, expires_at, about)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        digest,
        bound.purpose,
        bound.user as _,
        bound.session as _,
        bound.login,
        network,
        state,
        expires_at,
        bound.about,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Takes what an authenticator was asked, which ends it; nothing where it was asked for something else
/// or somebody else, is over, or was taken.
pub async fn take(
    conn: &mut PgConnection,
    digest: &[u8],
    bound: &Bound<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from passkey_ceremony
         where digest = $1 and purpose = $2 and user_id is not distinct from $3
           and session_id is not distinct from $4 and login_digest is not distinct from $5
           and about is not distinct from $7 and expires_at > $6
         returning state",
        digest,
        bound.purpose,
        bound.user as _,
        bound.session as _,
        bound.login,
        now,
        bound.about,
    )
    .fetch_optional(conn)
    .await
}

/// How many were asked from one network without saying who they are, and have not answered.
pub async fn count_nameless(
    conn: &mut PgConnection,
    network: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from passkey_ceremony
           where network = $1 and expires_at > $2 and purpose = 'login'"#,
        network,
        now,
    )
    .fetch_one(conn)
    .await
}

/// Forgets those that nobody answered.
pub async fn sweep(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from passkey_ceremony where digest in (
             select digest from passkey_ceremony where expires_at <= $1
             order by expires_at limit 100 for update skip locked)",
        now
    )
    .execute(conn)
    .await
    .map(drop)
}
