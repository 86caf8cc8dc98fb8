//! Queries on console sessions.

use chrono::{DateTime, Utc};
use ralex_api::factors::Method;
use ralex_kernel::{OrgId, PasskeyId, SessionId, SignOn, SsoProviderId, UserId};
use sqlx::PgConnection;

pub struct NewSession<'a> {
    pub id: SessionId,
    pub user: UserId,
    pub digest: &'a [u8],
    pub now: DateTime<Utc>,
    /// When the person proved who they are; nothing where nobody says so.
    pub proven_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    pub address: Option<String>,
    pub user_agent: Option<&'a str>,
    pub methods: &'a [Method],
    /// The passkey that alone opened it.
    pub passkey: Option<PasskeyId>,
    pub sign_on: Option<SignOn>,
    /// What the provider calls its own session.
    pub sid: Option<&'a str>,
}

pub async fn insert(conn: &mut PgConnection, new: NewSession<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into session (id, user_id, digest, created_at, last_used_at, authenticated_at,
                              expires_at, address, user_agent, methods,
                              sso_org_id, sso_provider_id, sso_sid, passkey_id, unproven)
         values ($1, $2, $3, $4, $4, $13, $5, $6, $7, $8, $9, $10, $11, $12, $14)",
        new.id as _,
        new.user as _,
        new.digest,
        new.now,
        new.expires_at,
        new.address,
        new.user_agent,
        &names(new.methods),
        new.sign_on.map(|it| it.org) as Option<OrgId>,
        new.sign_on.map(|it| it.provider) as Option<SsoProviderId>,
        new.sid,
        new.passkey as _,
        new.proven_at.unwrap_or(new.now),
        new.proven_at.is_none(),
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct LiveSession {
    pub id: SessionId,
    pub user: UserId,
    pub one_time: bool,
    pub stale: bool,
    pub second_factor: bool,
    /// Nothing where the cookie is the one before the last proof, or nobody says when there was one.
    pub proven_at: Option<DateTime<Utc>>,
    pub sso_org: Option<OrgId>,
    pub sso_provider: Option<SsoProviderId>,
}

/// From when on a session and its cookies have to be.
pub struct Alive {
    pub now: DateTime<Utc>,
    pub used_since: DateTime<Utc>,
    pub replaced_since: DateTime<Utc>,
}

impl LiveSession {
    pub fn sign_on(&self) -> Option<SignOn> {
        sign_on(self.sso_org, self.sso_provider)
    }
}

/// The two columns that are both there or both not.
pub fn sign_on(org: Option<OrgId>, provider: Option<SsoProviderId>) -> Option<SignOn> {
    Some(SignOn { org: org?, provider: provider? })
}

/// The session of a cookie, where it and its person are alive, and so is the word of the provider that
/// opened it.
pub async fn find_live(
    conn: &mut PgConnection,
    digest: &[u8],
    alive: Alive,
) -> Result<Option<LiveSession>, sqlx::Error> {
    sqlx::query_as!(
        LiveSession,
        r#"select s.id as "id: SessionId", s.user_id as "user: UserId",
                  u.password_one_time as one_time,
                  s.last_used_at < $2::timestamptz - interval '1 minute' as "stale!",
                  (cardinality(s.methods) > 1 or 'passkey' = any (s.methods))
                      and exists (select from second_factor f where f.user_id = u.id)
                      as "second_factor!",
                  case when s.digest = $1 and not s.unproven then s.authenticated_at end as proven_at,
                  s.sso_org_id as "sso_org: OrgId", s.sso_provider_id as "sso_provider: SsoProviderId"
           from session s join app_user u on u.id = s.user_id
           where (s.digest = $1 or s.previous_digest = $1 and s.authenticated_at > $4)
             and s.revoked_at is null and s.expires_at > $2
             and s.last_used_at > $3 and u.disabled_at is null
             and sign_on_lives(s.sso_org_id, s.sso_provider_id, s.user_id)"#,
        digest,
        alive.now,
        alive.used_since,
        alive.replaced_since,
    )
    .fetch_optional(conn)
    .await
}

/// Whose session a cookie was of, whether it lives or not.
pub async fn of_digest(
    conn: &mut PgConnection,
    digest: &[u8],
) -> Result<Option<(UserId, SessionId)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select user_id as "user: UserId", id as "id: SessionId" from session
           where digest = $1 or previous_digest = $1"#,
        digest,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|it| (it.user, it.id)))
}

/// Gives a session another cookie, by which it was proven anew; false where it has ended.
pub async fn renew(
    conn: &mut PgConnection,
    id: SessionId,
    digest: &[u8],
    methods: &[Method],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update session set previous_digest = digest, digest = $2, methods = $3,
                authenticated_at = $4, last_used_at = $4, unproven = false
         where id = $1 and revoked_at is null and expires_at > $4",
        id as _,
        digest,
        &names(methods),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that what is behind a session was proven by one method more.
pub async fn add_method(
    conn: &mut PgConnection,
    id: SessionId,
    method: Method,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update session set methods = array_append(methods, $2) where id = $1 and not $2 = any(methods)",
        id as _,
        method.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

fn names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(|method| method.as_str().to_owned()).collect()
}

pub async fn touch(
    conn: &mut PgConnection,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update session set last_used_at = $2 where id = $1", id as _, now)
        .execute(conn)
        .await
        .map(drop)
}

/// Ends one of a person's sessions; false where there is none that is alive.
pub async fn revoke(
    conn: &mut PgConnection,
    user: UserId,
    id: SessionId,
    now: DateTime<Utc>,
    within: Option<OrgId>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update session set revoked_at = $3
         where user_id = $1 and id = $2 and revoked_at is null
           and ($4::uuid is null or sso_org_id = $4)",
        user as _,
        id as _,
        now,
        within as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all of a person's sessions but one, those of one organisation's provider where it is named,
/// and says which.
pub async fn revoke_others(
    conn: &mut PgConnection,
    user: UserId,
    keep: Option<SessionId>,
    now: DateTime<Utc>,
    within: Option<OrgId>,
) -> Result<Vec<SessionId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"update session set revoked_at = $3
           where user_id = $1 and id is distinct from $2 and revoked_at is null
             and expires_at > $3 and ($4::uuid is null or sso_org_id = $4)
           returning id as "id: SessionId""#,
        user as _,
        keep as _,
        now,
        within as _,
    )
    .fetch_all(conn)
    .await
}

pub struct SessionRow {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub authenticated_at: DateTime<Utc>,
    pub methods: Vec<String>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub name: Option<String>,
}

pub async fn list(
    conn: &mut PgConnection,
    user: UserId,
    before: Option<SessionId>,
    limit: i64,
    alive: &Alive,
    within: Option<OrgId>,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        r#"select id as "id: SessionId", created_at, last_used_at, expires_at, authenticated_at,
                  methods, address, user_agent, name
           from session
           where user_id = $1 and revoked_at is null and expires_at > $4 and last_used_at > $6
             and ($2::uuid is null or id < $2) and ($5::uuid is null or sso_org_id = $5)
           order by id desc limit $3"#,
        user as _,
        before as _,
        limit,
        alive.now,
        within as _,
        alive.used_since,
    )
    .fetch_all(conn)
    .await
}

/// The session with its new name; nothing where this person has none with that id.
pub async fn name(
    conn: &mut PgConnection,
    (user, id): (UserId, SessionId),
    name: Option<&str>,
    now: DateTime<Utc>,
    within: Option<OrgId>,
) -> Result<Option<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        r#"update session set name = $3
           where user_id = $1 and id = $2 and revoked_at is null and expires_at > $4
             and ($5::uuid is null or sso_org_id = $5)
           returning id as "id: SessionId", created_at, last_used_at, expires_at, authenticated_at,
                     methods, address, user_agent, name"#,
        user as _,
        id as _,
        name,
        now,
        within as _,
    )
    .fetch_optional(conn)
    .await
}

/// Ends the sessions that a passkey alone opened, and says how many.
pub async fn revoke_opened_by(
    conn: &mut PgConnection,
    passkey: PasskeyId,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update session set revoked_at = $2
         where passkey_id = $1 and revoked_at is null and expires_at > $2",
        passkey as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends sessions by a provider's word, and says how many.
pub async fn revoke_signed_on(
    conn: &mut PgConnection,
    by: SignOn,
    user: Option<UserId>,
    sid: Option<&str>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update session set revoked_at = $5
         where sso_org_id = $1 and sso_provider_id = $2 and revoked_at is null
           and ($3::uuid is null or user_id = $3) and ($4::text is null or sso_sid = $4)",
        by.org as _,
        by.provider as _,
        user as _,
        sid,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the sessions and the personal tokens of a person that count in one organisation only.
pub async fn revoke_confined(
    conn: &mut PgConnection,
    (org, user): (OrgId, UserId),
    now: DateTime<Utc>,
) -> Result<(u64, u64), sqlx::Error> {
    let sessions = sqlx::query!(
        "update session set revoked_at = $3
         where sso_org_id = $1 and user_id = $2 and revoked_at is null",
        org as _,
        user as _,
        now,
    )
    .execute(&mut *conn)
    .await?;
    let tokens = sqlx::query!(
        "update personal_token set revoked_at = $3
         where sso_org_id = $1 and user_id = $2 and revoked_at is null",
        org as _,
        user as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok((sessions.rows_affected(), tokens.rows_affected()))
}

/// Whether a session is alive that its person opened by themselves.
pub async fn is_live(
    conn: &mut PgConnection,
    (user, id): (UserId, SessionId),
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from session s join app_user u on u.id = s.user_id
               where s.id = $1 and s.user_id = $2 and s.revoked_at is null and s.expires_at > $3
                 and s.last_used_at > $4 and s.sso_org_id is null and u.disabled_at is null
           ) as "alive!""#,
        id as _,
        user as _,
        now,
        idle_since,
    )
    .fetch_one(conn)
    .await
}
