//! Queries on second factors, which belong to people and to no organisation.

use chrono::{DateTime, Utc};
use ralex_kernel::UserId;
use sqlx::PgConnection;

pub struct TotpRow {
    pub secret: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The authenticator app of a person, also one that is only begun.
pub async fn find_totp(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<TotpRow>, sqlx::Error> {
    sqlx::query_as!(
        TotpRow,
        "select secret, created_at, confirmed_at, last_used_at from totp where user_id = $1",
        user as _,
    )
    .fetch_optional(conn)
    .await
}

/// True where a login asks for more than the password.
pub async fn has_factor(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from second_factor where user_id = $1) as "has!""#,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// Puts a secret in the place of one that is only begun; false where one is confirmed.
pub async fn begin_totp(
    conn: &mut PgConnection,
    user: UserId,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into totp (user_id, secret, created_at) values ($1, $2, $3)
         on conflict (user_id) do update set secret = $2, created_at = $3
         where totp.confirmed_at is null",
        user as _,
        sealed,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Confirms the very secret that was looked at; false where it is not there any more.
pub async fn confirm_totp(
    conn: &mut PgConnection,
    user: UserId,
    sealed: &[u8],
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update totp set confirmed_at = $4, last_used_at = $4, last_step = $3
         where user_id = $1 and secret = $2 and confirmed_at is null",
        user as _,
        sealed,
        step,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the code of a step; false for every other that brings the same or an older one.
pub async fn accept_step(
    conn: &mut PgConnection,
    user: UserId,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update totp set last_step = $2, last_used_at = $3
         where user_id = $1 and confirmed_at is not null and last_step < $2",
        user as _,
        step,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a confirmed app; false where there is none.
pub async fn delete_totp(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("delete from totp where user_id = $1 and confirmed_at is not null", user as _)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// What was removed of an account.
pub struct Removed {
    pub app: bool,
    pub passkeys: u32,
    pub recovery_codes: u32,
}

impl Removed {
    pub const fn any(&self) -> bool {
        self.app || self.passkeys > 0 || self.recovery_codes > 0
    }
}

/// Removes all that is asked for after a password, also what waits to be confirmed.
pub async fn delete_all(conn: &mut PgConnection, user: UserId) -> Result<Removed, sqlx::Error> {
    let removed = sqlx::query!(
        r#"with app as (delete from totp where user_id = $1 returning 1),
                codes as (delete from recovery_code where user_id = $1 returning used_at),
                keys as (delete from passkey where user_id = $1 returning 1),
                ceremonies as (delete from passkey_ceremony where user_id = $1)
           select exists (select from app) as "app!",
                  (select count(*) from keys) as "passkeys!",
                  (select count(*) from codes where used_at is null) as "recovery_codes!""#,
        user as _,
    )
    .fetch_one(conn)
    .await?;
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Removed {
        app: removed.app,
        passkeys: number(removed.passkeys),
        recovery_codes: number(removed.recovery_codes),
    })
}

pub async fn insert_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
    digests: &[Vec<u8>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into recovery_code (user_id, digest, created_at)
         select $1, digest, $3 from unnest($2::bytea[]) as given (digest)",
        user as _,
        digests,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Uses a code; false for one that is unknown or was used.
pub async fn use_recovery_code(
    conn: &mut PgConnection,
    user: UserId,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update recovery_code set used_at = $3
         where user_id = $1 and digest = $2 and used_at is null",
        user as _,
        digest,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn recovery_codes_left(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "left!" from recovery_code where user_id = $1 and used_at is null"#,
        user as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn delete_recovery_codes(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from recovery_code where user_id = $1", user as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Keeps a challenge, and throws away those of the person that are over.
pub async fn insert_challenge(
    conn: &mut PgConnection,
    user: UserId,
    digest: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from login_challenge where user_id = $1 and expires_at <= $2",
        user as _,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into login_challenge (digest, user_id, expires_at) values ($1, $2, $3)",
        digest,
        user as _,
        expires_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Which second factors somebody has.
pub struct Has {
    pub totp: bool,
    pub passkey: bool,
}

pub async fn methods(conn: &mut PgConnection, user: UserId) -> Result<Has, sqlx::Error> {
    sqlx::query_as!(
        Has,
        r#"select exists (select from totp
                          where user_id = $1 and confirmed_at is not null) as "totp!",
                  exists (select from passkey where user_id = $1) as "passkey!""#,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// Whose login waits for a second factor; nothing where it is over.
pub async fn find_challenge(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
    most_tries: i32,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select user_id as "user: UserId" from login_challenge
           where digest = $1 and expires_at > $2 and tries < $3"#,
        digest,
        now,
        most_tries,
    )
    .fetch_optional(conn)
    .await
}

/// Whose login waits for a second factor, having counted one more try; nothing where it is over.
pub async fn try_challenge(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
    most_tries: i32,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"update login_challenge set tries = tries + 1
           where digest = $1 and expires_at > $2 and tries < $3
           returning user_id as "user: UserId""#,
        digest,
        now,
        most_tries,
    )
    .fetch_optional(conn)
    .await
}

/// Ends a challenge; false where another was first.
pub async fn end_challenge(conn: &mut PgConnection, digest: &[u8]) -> Result<bool, sqlx::Error> {
    let done =
        sqlx::query!("delete from login_challenge where digest = $1", digest).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all logins of a person that wait, since what they began with is no longer so.
pub async fn end_challenges(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from login_challenge where user_id = $1", user as _)
        .execute(conn)
        .await
        .map(drop)
}
