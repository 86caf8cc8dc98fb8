//! Keys: those of providers, those that sign and seal, and how many tokens there are.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

#[derive(Debug)]
pub(crate) struct Secret {
    pub id: Uuid,
    pub name: String,
    pub provider: String,
    pub origin: String,
    pub created_at: DateTime<Utc>,
    pub version: Option<i32>,
    pub fingerprint: Option<String>,
    pub rotated_at: Option<DateTime<Utc>>,
    pub versions: i64,
}

pub(crate) async fn secrets(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Secret>> {
    sqlx::query_as!(
        Secret,
        r#"select s.id, s.name, p.slug as provider, s.origin, s.created_at, v.version as "version?",
                  v.fingerprint as "fingerprint?", v.created_at as "rotated_at?",
                  (select count(*) from secret_version x
                   where x.org_id = s.org_id and x.secret_id = s.id) as "versions!"
           from secret s
           join provider p on p.org_id = s.org_id and p.id = s.provider_id
           left join secret_version v on v.org_id = s.org_id and v.secret_id = s.id
               and v.state = 'active'
           where s.org_id = $1 order by s.id"#,
        org as _
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub name: String,
    pub version: i32,
    pub state: String,
    pub fingerprint: String,
    pub org_key_version: i32,
    pub created_at: DateTime<Utc>,
}

pub(crate) async fn versions(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Kept>> {
    sqlx::query_as!(
        Kept,
        "select s.name, v.version, v.state, v.fingerprint, v.org_key_version, v.created_at
         from secret_version v
         join secret s on s.org_id = v.org_id and s.id = v.secret_id
         where v.org_id = $1 order by s.id, v.version",
        org as _
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Use {
    pub secret: Uuid,
    pub calls: i64,
    pub last_at: DateTime<Utc>,
}

/// How often each key was used within the time.
pub(crate) async fn uses(
    conn: &mut PgConnection,
    org: OrgId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Use>> {
    sqlx::query_as!(
        Use,
        r#"select secret_id as "secret!", count(*) as "calls!", max(started_at) as "last_at!"
           from call
           where org_id = $1 and started_at >= $2 and started_at < $3 and secret_id is not null
           group by secret_id"#,
        org as _,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// A key that seals or signs others.
#[derive(Debug)]
pub(crate) struct KeptKey {
    pub purpose: String,
    pub version: i32,
    pub known_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// As the system: the deployment's keys and this organisation's.
pub(crate) async fn sealing(conn: &mut PgConnection, org: OrgId) -> Result<Vec<KeptKey>> {
    sqlx::query_as!(
        KeptKey,
        r#"select 'Vault: root key' as "purpose!", version as "version!", fingerprint as known_by,
                  created_at as "created_at!"
           from root_key
           union all
           select 'Vault: key of the organisation', version, 'under root key ' || root_version,
                  created_at
           from org_key where org_id = $1
           union all
           select 'Audit log: signing key', version, verifier, created_at from audit_key
           union all
           select 'Audit sink: secret of ' || name, 1, credential, secret_changed_at
           from audit_sink where org_id = $1
           order by 1, 2"#,
        org as _
    )
    .fetch_all(conn)
    .await
}

/// How many tokens a team has, and of which kinds.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub team: String,
    pub live: i64,
    pub expired: i64,
    pub revoked: i64,
    pub never_used: i64,
    pub without_end: i64,
    pub oldest: Option<DateTime<Utc>>,
}

pub(crate) async fn tokens(
    conn: &mut PgConnection,
    org: OrgId,
    at: DateTime<Utc>,
) -> Result<Vec<Tokens>> {
    sqlx::query_as!(
        Tokens,
        r#"select tm.slug as team,
                  count(*) filter (where t.revoked_at is null and coalesce(t.expires_at > $2, true)) as "live!",
                  count(*) filter (where t.revoked_at is null and t.expires_at <= $2) as "expired!",
                  count(*) filter (where t.revoked_at is not null) as "revoked!",
                  count(*) filter (where t.revoked_at is null and coalesce(t.expires_at > $2, true)
                      and t.last_used_at is null) as "never_used!",
                  count(*) filter (where t.revoked_at is null and t.expires_at is null) as "without_end!",
                  min(t.created_at) filter (where t.revoked_at is null and coalesce(t.expires_at > $2, true)) as oldest
           from token t join team tm on tm.org_id = t.org_id and tm.id = t.team_id
           where t.org_id = $1 group by tm.slug order by tm.slug collate "C""#,
        org as _,
        at,
    )
    .fetch_all(conn)
    .await
}
