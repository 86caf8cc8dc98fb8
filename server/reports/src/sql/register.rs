//! What is used besides its volume: models as they are set up, their versions, guardrails, owners.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

#[derive(Debug)]
pub(crate) struct SetUp {
    pub name: String,
    pub provider: String,
    pub kind: String,
    pub base_url: Option<String>,
    pub upstream_model: String,
    pub residency: Vec<String>,
    pub enabled: bool,
    pub retires_on: Option<String>,
}

pub(crate) async fn models(conn: &mut PgConnection, org: OrgId) -> Result<Vec<SetUp>> {
    sqlx::query_as!(
        SetUp,
        r#"select m.name, p.slug as provider, p.kind, p.base_url, m.upstream_model, m.residency,
                  m.enabled and p.enabled as "enabled!", m.retires_on::text as retires_on
           from model m join provider p on p.org_id = m.org_id and p.id = m.provider_id
           where m.org_id = $1 order by m.name collate "C""#,
        org as _
    )
    .fetch_all(conn)
    .await
}

/// A model under the name that its provider knows it by.
#[derive(Debug)]
pub(crate) struct Version {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub calls: i64,
    pub refused: i64,
    pub guarded: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
}

pub(crate) async fn versions(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<Uuid>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Version>> {
    sqlx::query_as!(
        Version,
        r#"select model, provider, upstream_model,
                  count(*) filter (where state <> 'refused') as "calls!",
                  count(*) filter (where state = 'refused') as "refused!",
                  count(*) filter (where guardrails is not null) as "guarded!",
                  min(started_at) as "first_at!", max(started_at) as "last_at!"
           from call
           where org_id = $1 and started_at >= $2 and started_at < $3
             and ($4::uuid is null or team_id = $4)
           group by model, provider, upstream_model
           order by model collate "C", provider collate "C", upstream_model collate "C""#,
        org as _,
        from,
        to,
        team,
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Guardrail {
    pub name: String,
    pub team: Option<String>,
    pub project: Option<String>,
    pub looks_for: String,
    pub action: String,
    pub direction: String,
    pub enabled: bool,
    pub updated_at: DateTime<Utc>,
}

pub(crate) async fn guardrails(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<Uuid>,
) -> Result<Vec<Guardrail>> {
    sqlx::query_as!(
        Guardrail,
        r#"select g.name, t.slug as "team?", p.slug as "project?",
                  coalesce(g.looks_for->>'kind', '') || coalesce(' ' || (g.looks_for->>'pack'), '')
                      as "looks_for!",
                  g.action, g.direction, g.enabled, g.updated_at
           from guardrail g
           left join team t on t.org_id = g.org_id and t.id = g.team_id
           left join project p on p.org_id = g.org_id and p.id = g.project_id
           where g.org_id = $1 and ($2::uuid is null or g.team_id is null or g.team_id = $2)
           order by g.name collate "C", g.id"#,
        org as _,
        team,
    )
    .fetch_all(conn)
    .await
}

/// Who answers for a team; the organisation's owners where the team is none.
#[derive(Debug)]
pub(crate) struct Owner {
    pub team: Option<Uuid>,
    pub email: String,
}

pub(crate) async fn owners(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Owner>> {
    sqlx::query_as!(
        Owner,
        r#"select b.team_id as team, u.email
           from binding b
           left join group_member m on b.subject_kind = 'grp' and m.org_id = b.org_id
               and m.group_id = b.subject_id
           join app_user u on u.id = coalesce(m.user_id, b.subject_id)
           where b.org_id = $1 and b.subject_kind in ('user', 'grp') and b.effect = 'allow'
             and b.project_id is null
             and (b.team_id is null and b.role = 'owner'
                  or b.team_id is not null and b.role in ('owner', 'admin', 'team_admin'))
           order by u.email_key collate "C""#,
        org as _
    )
    .fetch_all(conn)
    .await
}

/// Approvals that were asked for, by how they stand.
#[derive(Debug)]
pub(crate) struct Decided {
    pub state: String,
    pub count: i64,
}

pub(crate) async fn approvals(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<Uuid>,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Decided>> {
    sqlx::query_as!(
        Decided,
        r#"select state, count(*) as "count!" from approval
           where org_id = $1 and asked_at >= $2 and asked_at < $3
             and ($4::uuid is null or team_id = $4)
           group by state order by state"#,
        org as _,
        from,
        to,
        team,
    )
    .fetch_all(conn)
    .await
}
