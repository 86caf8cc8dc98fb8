//! The queries of call rules.

pub mod recorded;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_access::Reach;
use ralex_api::call_rules::{CallEffect, CallPhase};
use ralex_kernel::{
    CallId, CallRuleId, Name, OrgId, ProjectId, ScopePath, ServiceAccountId, TeamId, TokenId,
    UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::terms::Terms;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A rule with its scope and its subjects in words.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub id: CallRuleId,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub scope: String,
    pub scope_name: String,
    pub name: Name,
    pub description: String,
    pub effect: String,
    pub phase: String,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub subjects: Vec<String>,
    pub subject_names: Vec<String>,
    pub condition: Option<String>,
    pub message: String,
    pub enabled: bool,
    pub version: i64,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_by: String,
    pub updated_at: DateTime<Utc>,
}

impl Stored {
    /// The table has no other words; another one would be the strictest.
    pub fn effect(&self) -> CallEffect {
        CallEffect::named(&self.effect).unwrap_or(CallEffect::Deny)
    }

    pub fn phase(&self) -> CallPhase {
        CallPhase::named(&self.phase).unwrap_or(CallPhase::Both)
    }

    pub const fn place(&self) -> ScopePath {
        match (self.team, self.project) {
            (Some(team), Some(project)) => ScopePath::Project { team, project },
            (Some(team), None) => ScopePath::Team { team },
            (None, _) => ScopePath::Org,
        }
    }
}

/// Which to read, the oldest first.
#[derive(Default)]
pub(crate) struct Filter<'a> {
    /// Everywhere where there is none.
    pub reach: Option<&'a Reach>,
    pub within: Option<ScopePath>,
    pub only: Option<CallRuleId>,
    pub after: Option<CallRuleId>,
    pub effect: Option<CallEffect>,
    pub phase: Option<CallPhase>,
    pub enabled: Option<bool>,
    pub at_most: Option<i64>,
}

impl Filter<'_> {
    /// The teams and projects that can be reached.
    fn places(&self) -> (Vec<Uuid>, Vec<Uuid>) {
        let teams = self.reach.map_or(&[][..], Reach::teams);
        let projects = self.reach.map_or(&[][..], Reach::projects);
        let teams = teams.iter().copied().map(Uuid::from).collect();
        (teams, projects.iter().copied().map(Uuid::from).collect())
    }
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter<'_>,
) -> Result<Vec<Stored>> {
    let (teams, projects) = filter.places();
    sqlx::query_as!(
        Stored,
        r#"select r.id as "id: CallRuleId", r.team_id as "team: TeamId",
               r.project_id as "project: ProjectId",
               coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as "scope!",
               coalesce(p.name, t.name, o.name) as "scope_name!", r.name as "name: Name",
               r.description, r.effect, r.phase, r.actions, r.resources, r.subjects,
               array(
                   select coalesce(u.email, g.slug, a.slug, k.name, s.said)
                   from unnest(r.subjects) with ordinality s(said, place)
                   left join app_user u
                       on u.id = case when s.said like 'user:%' then substr(s.said, 6)::uuid end
                   left join people_group g on g.org_id = r.org_id
                       and g.id = case when s.said like 'group:%' then substr(s.said, 7)::uuid end
                   left join service_account a on a.org_id = r.org_id and a.id =
                       case when s.said like 'service_account:%' then substr(s.said, 17)::uuid end
                   left join token k on k.org_id = r.org_id
                       and k.id = case when s.said like 'token:%' then substr(s.said, 7)::uuid end
                   order by s.place
               ) as "subject_names!: Vec<String>",
               r.condition, r.message, r.enabled, r.version,
               coalesce(c.email, r.created_by) as "created_by!", r.created_at,
               coalesce(d.email, r.updated_by) as "updated_by!", r.updated_at
           from call_rule r
           join org o on o.id = r.org_id
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project p on p.org_id = r.org_id and p.id = r.project_id
           left join app_user c
               on c.id = case when r.created_by like 'user:%' then substr(r.created_by, 6)::uuid end
           left join app_user d
               on d.id = case when r.updated_by like 'user:%' then substr(r.updated_by, 6)::uuid end
           where r.org_id = $1
             and ($2 or (r.project_id is null and r.team_id = any($3)) or r.project_id = any($4))
             and ($5::uuid is null or r.team_id = $5)
             and ($6::uuid is null or r.project_id = $6)
             and ($7::uuid is null or r.id = $7)
             and ($8::uuid is null or r.id > $8)
             and ($9::text is null or r.effect = $9)
             and ($10::text is null or r.phase = $10)
             and ($11::boolean is null or r.enabled = $11)
           order by r.id
           limit $12"#,
        org as _,
        filter.reach.is_none_or(Reach::everywhere),
        &teams,
        &projects,
        filter.within.and_then(ScopePath::team) as _,
        filter.within.and_then(ScopePath::project) as _,
        filter.only as _,
        filter.after as _,
        filter.effect.map(CallEffect::as_str),
        filter.phase.map(CallPhase::as_str),
        filter.enabled,
        filter.at_most,
    )
    .fetch_all(conn)
    .await
}

/// Those that are on.
pub(crate) async fn enabled(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Stored>> {
    select(conn, org, &Filter { enabled: Some(true), ..Filter::default() }).await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    (id, at): (CallRuleId, ScopePath),
    terms: &Terms,
    by: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into call_rule (org_id, id, team_id, project_id, name, description, effect, phase,
             actions, resources, subjects, condition, message, enabled, created_by, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)",
        org as _,
        id as _,
        at.team() as _,
        at.project() as _,
        &terms.name as _,
        terms.description,
        terms.effect.as_str(),
        terms.phase.as_str(),
        &terms.actions,
        &terms.resources,
        &terms.subjects,
        terms.condition,
        terms.message,
        terms.enabled,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: CallRuleId,
    terms: &Terms,
    by: &str,
) -> Result<()> {
    sqlx::query!(
        "update call_rule
         set name = $3, description = $4, effect = $5, phase = $6, actions = $7, resources = $8,
             subjects = $9, condition = $10, message = $11, enabled = $12, updated_by = $13,
             updated_at = now(), version = version + 1
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        &terms.name as _,
        terms.description,
        terms.effect.as_str(),
        terms.phase.as_str(),
        &terms.actions,
        &terms.resources,
        &terms.subjects,
        terms.condition,
        terms.message,
        terms.enabled,
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Holds one against other changes.
pub(crate) async fn lock(conn: &mut PgConnection, org: OrgId, id: CallRuleId) -> Result<()> {
    sqlx::query!(
        "select id from call_rule where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete(conn: &mut PgConnection, org: OrgId, id: CallRuleId) -> Result<()> {
    sqlx::query!("delete from call_rule where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn count(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from call_rule where org_id = $1"#, org as _)
        .fetch_one(conn)
        .await
}

/// What holds where no rule is about a call.
pub(crate) async fn default_effect(conn: &mut PgConnection, org: OrgId) -> Result<String> {
    let found = sqlx::query_scalar!(
        "select default_effect from call_rule_settings where org_id = $1",
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.unwrap_or_else(|| CallEffect::Allow.as_str().to_owned()))
}

pub(crate) async fn set_default_effect(
    conn: &mut PgConnection,
    org: OrgId,
    effect: CallEffect,
    by: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into call_rule_settings (org_id, default_effect, updated_by) values ($1, $2, $3)
         on conflict (org_id) do update
         set default_effect = excluded.default_effect, updated_by = excluded.updated_by,
             updated_at = now()",
        org as _,
        effect.as_str(),
        by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

type Slugs = (HashMap<TeamId, String>, HashMap<ProjectId, String>);

/// The slugs of all teams and projects.
pub(crate) async fn places(conn: &mut PgConnection, org: OrgId) -> Result<Slugs> {
    let teams =
        sqlx::query!(r#"select id as "id: TeamId", slug from team where org_id = $1"#, org as _)
            .fetch_all(&mut *conn)
            .await?;
    let projects = sqlx::query!(
        r#"select id as "id: ProjectId", slug from project where org_id = $1"#,
        org as _,
    )
    .fetch_all(conn)
    .await?;
    let teams = teams.into_iter().map(|row| (row.id, row.slug)).collect();
    Ok((teams, projects.into_iter().map(|row| (row.id, row.slug)).collect()))
}

/// A team by its slug or its id.
pub(crate) async fn team(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<TeamId>> {
    sqlx::query_scalar!(
        r#"select id as "id: TeamId" from team where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await
}

/// A project by its slug or its id, and its team.
pub(crate) async fn project(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<(TeamId, ProjectId)>> {
    let found = sqlx::query!(
        r#"select id as "id: ProjectId", team_id as "team: TeamId" from project
           where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (row.team, row.id)))
}

/// Whether the organisation has, or had, a token.
pub(crate) async fn has_token(conn: &mut PgConnection, org: OrgId, id: TokenId) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from token where org_id = $1 and id = $2) as "there!""#,
        org as _,
        id as _,
    )
    .fetch_one(conn)
    .await
}

/// A model by its name: the provider's own name for it, and the provider's slug.
pub(crate) async fn model(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<(String, String)>> {
    let found = sqlx::query!(
        "select m.upstream_model, p.slug from model m
         join provider p on p.org_id = m.org_id and p.id = m.provider_id
         where m.org_id = $1 and m.name = $2",
        org as _,
        name,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (row.upstream_model, row.slug)))
}

/// A call that was made, as far as it is recorded.
#[derive(Debug)]
pub(crate) struct Made {
    pub user: Option<UserId>,
    pub token: Option<TokenId>,
    pub account: Option<ServiceAccountId>,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    /// Where the token is at home.
    pub home_team: Option<TeamId>,
    pub home_project: Option<ProjectId>,
    pub asked: String,
    pub model: String,
    pub upstream_model: String,
    pub provider: String,
    pub dialect: String,
    /// Nothing of calls before it was recorded.
    pub operation: Option<String>,
    pub streamed: bool,
    pub tags: Vec<String>,
    pub purpose: Option<String>,
    pub started_at: DateTime<Utc>,
}

pub(crate) async fn made(conn: &mut PgConnection, org: OrgId, id: CallId) -> Result<Option<Made>> {
    sqlx::query_as!(
        Made,
        r#"select c.user_id as "user: UserId", c.token_id as "token: TokenId",
               k.account_id as "account?: ServiceAccountId", c.team_id as "team: TeamId",
               c.project_id as "project: ProjectId", k.team_id as "home_team?: TeamId",
               k.project_id as "home_project?: ProjectId", coalesce(c.asked_model, c.model) as "asked!",
               c.model, c.upstream_model,
               c.provider, c.dialect, c.operation, c.streamed, c.tags, c.purpose, c.started_at
           from call c
           left join token k on k.org_id = c.org_id and k.id = c.token_id
           where c.org_id = $1 and c.id = $2"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}
