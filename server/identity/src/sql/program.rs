//! Queries on the logins of programs, which belong to people and to no organisation.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, SignOn, SsoProviderId, TokenId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

pub struct NewLogin<'a> {
    pub name: &'a str,
    pub digest: &'a [u8],
    pub user_code: Option<&'a [u8]>,
    pub challenge: Option<&'a str>,
    pub redirect_uri: Option<&'a str>,
    /// Who said yes already.
    pub by: Option<(UserId, Option<SignOn>)>,
    pub network: &'a str,
    pub address: Option<String>,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Keeps a login, and forgets those that have ended.
pub async fn insert(conn: &mut PgConnection, new: NewLogin<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from program_login where expires_at < $1", new.now)
        .execute(&mut *conn)
        .await?;
    let sign_on = new.by.and_then(|(_, sign_on)| sign_on);
    sqlx::query!(
        "insert into program_login (id, name, digest, user_code, challenge, redirect_uri, state, user_id,
             sso_org_id, sso_provider_id, network, address, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, case when $7::uuid is null then 'waiting' else 'approved' end,
             $7, $8, $9, $10, $11, $12, $13)",
        Uuid::now_v7(),
        new.name,
        new.digest,
        new.user_code,
        new.challenge,
        new.redirect_uri,
        new.by.map(|(user, _)| user) as Option<UserId>,
        sign_on.map(|it| it.org) as Option<OrgId>,
        sign_on.map(|it| it.provider) as Option<SsoProviderId>,
        new.network,
        new.address,
        new.now,
        new.expires_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many programs of a network wait for somebody.
pub async fn waiting(
    conn: &mut PgConnection,
    network: &str,
    now: DateTime<Utc>,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "n!" from program_login
           where network = $1 and expires_at > $2 and state = 'waiting'"#,
        network,
        now,
    )
    .fetch_one(conn)
    .await
}

/// What a program's code stands for.
pub struct Login {
    pub id: Uuid,
    pub name: String,
    pub challenge: Option<String>,
    pub redirect_uri: Option<String>,
    pub state: String,
    pub user: Option<UserId>,
    pub sso_org: Option<OrgId>,
    pub sso_provider: Option<SsoProviderId>,
    pub token: Option<TokenId>,
    pub poll_seconds: i32,
    pub polled_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl Login {
    pub fn sign_on(&self) -> Option<SignOn> {
        Some(SignOn { org: self.sso_org?, provider: self.sso_provider? })
    }
}

/// The login of a code, locked, so that of two programs that show it one comes first.
pub async fn lock(conn: &mut PgConnection, digest: &[u8]) -> Result<Option<Login>, sqlx::Error> {
    sqlx::query_as!(
        Login,
        r#"select id, name, challenge, redirect_uri, state, user_id as "user: UserId",
                  sso_org_id as "sso_org: OrgId", sso_provider_id as "sso_provider: SsoProviderId",
                  token_id as "token: TokenId", poll_seconds, polled_at, expires_at
           from program_login where digest = $1 for update"#,
        digest,
    )
    .fetch_optional(conn)
    .await
}

/// Ends what a person said yes to and no program has fetched; where an organisation is named, all but what
/// counts in another one only.
pub async fn end_approved(
    conn: &mut PgConnection,
    user: UserId,
    within: Option<OrgId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from program_login where user_id = $1 and state = 'approved'
           and ($2::uuid is null or sso_org_id is null or sso_org_id = $2)",
        user as _,
        within as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The same of what counts by a provider's word.
pub async fn end_signed_on(
    conn: &mut PgConnection,
    by: SignOn,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from program_login where sso_org_id = $1 and sso_provider_id = $2 and user_id = $3
           and state = 'approved'",
        by.org as _,
        by.provider as _,
        user as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that a code was given its token.
pub async fn spend(conn: &mut PgConnection, id: Uuid, token: TokenId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update program_login set state = 'used', token_id = $2 where id = $1",
        id,
        token as _
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes when a program asked, and how long it has to wait from now on.
pub async fn polled(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
    poll_seconds: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update program_login set polled_at = $2, poll_seconds = $3 where id = $1",
        id,
        now,
        poll_seconds,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A program that waits for whoever types its code.
pub struct Waiting {
    pub id: Uuid,
    pub name: String,
    pub address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn find_waiting(
    conn: &mut PgConnection,
    user_code: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, sqlx::Error> {
    sqlx::query_as!(
        Waiting,
        "select id, name, address, created_at, expires_at from program_login
         where user_code = $1 and state = 'waiting' and expires_at > $2 for update",
        user_code,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// Writes what a person said to a program that waits.
pub async fn answer(
    conn: &mut PgConnection,
    id: Uuid,
    by: Option<(UserId, Option<SignOn>)>,
) -> Result<(), sqlx::Error> {
    let sign_on = by.and_then(|(_, sign_on)| sign_on);
    sqlx::query!(
        "update program_login
         set state = case when $2::uuid is null then 'denied' else 'approved' end, user_id = $2,
             sso_org_id = $3, sso_provider_id = $4
         where id = $1",
        id,
        by.map(|(user, _)| user) as Option<UserId>,
        sign_on.map(|it| it.org) as Option<OrgId>,
        sign_on.map(|it| it.provider) as Option<SsoProviderId>,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether some organisation of a person lets in tokens that came of a typed code; only the named
/// one is looked at where there is one.
pub async fn counts_by_device(
    conn: &mut PgConnection,
    user: UserId,
    within: Option<OrgId>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from membership m join org o on o.id = m.org_id
               where m.user_id = $1 and m.suspended_at is null and o.device_login
                 and ($2::uuid is null or o.id = $2)) as "counts!""#,
        user as _,
        within as _,
    )
    .fetch_one(conn)
    .await
}
