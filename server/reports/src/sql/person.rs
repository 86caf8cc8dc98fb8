//! All that is kept about one person.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, Money, OrgId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;
use super::events::MOST;

#[derive(Debug)]
pub(crate) struct Account {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub joined_at: Option<DateTime<Utc>>,
}

/// As the system, since whoever has left is no member any more; found where they are one, or where
/// this organisation's calls or log know them.
pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"select u.id as "id!", u.email as "email!", u.name as "name!",
                  u.created_at as "created_at!", u.disabled_at, m.joined_at as "joined_at?"
           from app_user u
           left join membership m on m.org_id = $1 and m.user_id = u.id
           where (u.id = $2 or u.email_key = $3)
             and (m.user_id is not null or exists (
                 select from audit_event e where e.org_id = $1 and e.actor_id = u.id)
                 and not exists (
                 select from audit_erasure x where x.org_id = $1 and x.user_id = u.id))"#,
        org as _,
        name.parse::<Uuid>().ok(),
        name.parse::<Email>().ok().map(|email| email.key()),
    )
    .fetch_optional(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Session {
    pub created_at: DateTime<Utc>,
    pub used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

pub(crate) async fn sessions(
    conn: &mut PgConnection,
    person: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        "select created_at, last_used_at as used_at, expires_at, revoked_at, address, user_agent
         from session where user_id = $1 and created_at < $3 and last_used_at >= $2 order by id",
        person,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Call {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub model: String,
    pub provider: String,
    pub dialect: String,
    pub state: String,
    pub task_type: Option<String>,
    pub team: Option<String>,
    pub project: Option<String>,
    pub tags: Vec<String>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cost: Money,
}

pub(crate) async fn calls(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Call>> {
    sqlx::query_as!(
        Call,
        r#"select c.id, c.started_at, c.model, c.provider, c.dialect, c.state, c.task_type,
                  t.slug as "team?", p.slug as "project?", c.tags, c.input_tokens, c.output_tokens,
                  c.cost as "cost: Money"
           from call c
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join project p on p.org_id = c.org_id and p.id = c.project_id
           where c.org_id = $1 and c.user_id = $2 and c.started_at >= $3 and c.started_at < $4
           order by c.started_at, c.id limit $5"#,
        org as _,
        person,
        from,
        to,
        MOST + 1,
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Approval {
    pub asked_at: DateTime<Utc>,
    pub state: String,
    pub model: String,
    pub asked: bool,
    pub decided_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

pub(crate) async fn approvals(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Approval>> {
    sqlx::query_as!(
        Approval,
        r#"select asked_at, state, model, coalesce(user_id = $2, false) as "asked!", decided_at, reason
           from approval
           where org_id = $1 and (user_id = $2 or decided_by = $2)
             and asked_at >= $3 and asked_at < $4
           order by id"#,
        org as _,
        person,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// A role that the person asked to hold for a while, or decided about, with their own words.
#[derive(Debug)]
pub(crate) struct Access {
    pub asked_at: DateTime<Utc>,
    pub part: String,
    pub role: String,
    pub state: String,
    pub expires_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

pub(crate) async fn access(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Access>> {
    sqlx::query_as!(
        Access,
        r#"select r.asked_at,
               case when r.user_id = $2 then 'asked' when a.user_id is not null then 'approved'
                   else 'denied' end as "part!",
               r.role, r.state, r.expires_at,
               case when r.user_id = $2 then r.reason
                   else coalesce(a.reason, r.denied_reason) end as reason
           from access_request r
           left join access_approval a on a.org_id = r.org_id and a.request_id = r.id
               and a.user_id = $2
           where r.org_id = $1 and (r.user_id = $2 or a.user_id = $2 or r.denied_by = $2)
             and r.asked_at >= $3 and r.asked_at < $4
           order by r.id"#,
        org as _,
        person,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// Files that the person gave providers to keep: what they are called, never what is in them.
#[derive(Debug)]
pub(crate) struct File {
    pub created_at: DateTime<Utc>,
    pub filename: String,
    pub purpose: String,
    pub provider: String,
    pub bytes: i64,
    pub state: String,
}

pub(crate) async fn files(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<File>> {
    sqlx::query_as!(
        File,
        "select created_at, filename, purpose, provider, bytes, state from kept_file
         where org_id = $1 and user_id = $2 and created_at >= $3 and created_at < $4 order by id",
        org as _,
        person,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// Roles of this person that the log tells of, given and taken away: the targets of those events.
pub(crate) async fn binding_targets(
    conn: &mut PgConnection,
    org: OrgId,
    person: Uuid,
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select distinct target as "target!" from audit_event
           where org_id = $1 and action in ('role.bound', 'role.unbound') and target is not null
             and convert_from(leaf, 'UTF8')::jsonb #>> '{detail,subject}' = 'user:' || $2::uuid::text"#,
        org as _,
        person,
    )
    .fetch_all(conn)
    .await
}
