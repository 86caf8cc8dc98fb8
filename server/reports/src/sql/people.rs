//! Who is in an organisation, and what they may do.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

#[derive(Debug)]
pub(crate) struct Person {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub joined_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub suspended_at: Option<DateTime<Utc>>,
}

pub(crate) async fn people(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Person>> {
    sqlx::query_as!(
        Person,
        r#"select u.id, u.email, u.name, m.joined_at, u.disabled_at, m.suspended_at
           from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1 order by u.email_key collate "C""#,
        org as _
    )
    .fetch_all(conn)
    .await
}

/// When people came last, as the system: sessions belong to no organisation.
#[derive(Debug)]
pub(crate) struct Seen {
    pub person: Uuid,
    pub login_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

pub(crate) async fn seen(conn: &mut PgConnection, people: &[Uuid]) -> Result<Vec<Seen>> {
    sqlx::query_as!(
        Seen,
        "select user_id as person, max(created_at) as login_at, max(last_used_at) as used_at
         from session where user_id = any($1) group by user_id",
        people
    )
    .fetch_all(conn)
    .await
}

/// Personal tokens that live, or have ended since.
#[derive(Debug)]
pub(crate) struct PersonalToken {
    pub id: Uuid,
    pub person: Uuid,
    pub name: String,
    /// Of the names of models that it is limited to, those that the organisation has.
    pub models: Option<Vec<String>>,
    /// How many more it is limited to.
    pub other_models: i32,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

pub(crate) async fn personal_tokens(
    conn: &mut PgConnection,
    org: OrgId,
    people: &[Uuid],
    since: DateTime<Utc>,
) -> Result<Vec<PersonalToken>> {
    sqlx::query_as!(
        PersonalToken,
        r#"select id, user_id as person, name, models_named($3, models) as models,
                  coalesce(cardinality(models) - cardinality(models_named($3, models)), 0)
                      as "other_models!",
                  created_at, expires_at, revoked_at, last_used_at as used_at
           from personal_token
           where user_id = any($1) and (revoked_at is null or revoked_at >= $2)
           order by id"#,
        people,
        since,
        org as _,
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Binding {
    pub id: Uuid,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub subject: Option<String>,
    /// Who has it: the person, or everybody in the group; nobody where it is a program's.
    pub people: Vec<Uuid>,
    pub role: String,
    pub team: Option<String>,
    pub project: Option<String>,
    pub effect: String,
    pub not_before: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// All roles that are held; with a team those that reach it, which are its own and the
/// organisation's.
pub(crate) async fn bindings(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<Uuid>,
) -> Result<Vec<Binding>> {
    sqlx::query_as!(
        Binding,
        r#"select b.id, b.subject_kind, b.subject_id, coalesce(u.email, g.name, t.name, s.name) as subject,
                  case b.subject_kind when 'user' then array[b.subject_id] when 'grp' then
                      array(select m.user_id from group_member m
                            where m.org_id = b.org_id and m.group_id = b.subject_id)
                      else '{}' end as "people!: Vec<Uuid>", b.role,
                  tm.slug as "team?", p.slug as "project?", b.effect, b.not_before, b.expires_at,
                  b.created_at
           from binding b
           left join app_user u on b.subject_kind = 'user' and u.id = b.subject_id
           left join people_group g on b.subject_kind = 'grp' and g.org_id = b.org_id and g.id = b.subject_id
           left join token t on b.subject_kind = 'sa' and t.org_id = b.org_id and t.id = b.subject_id
           left join service_account s on b.subject_kind = 'sa' and s.org_id = b.org_id and s.id = b.subject_id
           left join team tm on tm.org_id = b.org_id and tm.id = b.team_id
           left join project p on p.org_id = b.org_id and p.id = b.project_id
           where b.org_id = $1 and ($2::uuid is null or b.team_id is null or b.team_id = $2)
           order by coalesce(u.email_key, g.slug, t.name, s.name, b.subject_id::text) collate "C", b.role, b.id"#,
        org as _,
        team,
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct TeamToken {
    pub id: Uuid,
    pub name: String,
    pub team: String,
    pub project: Option<String>,
    /// The service account that it is of.
    pub account: Option<String>,
    pub models: Option<Vec<String>>,
    pub created_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Tokens that live, or have ended since.
pub(crate) async fn team_tokens(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<Uuid>,
    since: DateTime<Utc>,
) -> Result<Vec<TeamToken>> {
    sqlx::query_as!(
        TeamToken,
        r#"select t.id, t.name, tm.slug as team, p.slug as "project?",
                  case when a.disabled_at is null then a.name else a.name || ' (disabled)' end as account,
                  t.models, u.email as "created_by?", t.created_at, t.expires_at, t.revoked_at,
                  t.last_used_at as used_at
           from token t
           join team tm on tm.org_id = t.org_id and tm.id = t.team_id
           left join project p on p.org_id = t.org_id and p.id = t.project_id
           left join service_account a on a.org_id = t.org_id and a.id = t.account_id
           left join app_user u on u.id = t.created_by
           where t.org_id = $1 and ($2::uuid is null or t.team_id = $2)
             and (t.revoked_at is null or t.revoked_at >= $3)
           order by t.id"#,
        org as _,
        team,
        since,
    )
    .fetch_all(conn)
    .await
}

/// Every token of a team and every service account, as the log writes it (`token:<id>`), and what it
/// is called.
pub(crate) async fn program_names(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"select 'token:' || id as "written!", name as "name!" from token where org_id = $1
           union all
           select 'service_account:' || id, name from service_account where org_id = $1"#,
        org as _
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.written, row.name)).collect())
}

/// A team by its slug or id.
pub(crate) async fn team(conn: &mut PgConnection, org: OrgId, name: &str) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id from team where org_id = $1 and (slug = $2 or id = $3)",
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await
}

/// What an organisation is called: slug and name.
pub(crate) async fn org(conn: &mut PgConnection, org: OrgId) -> Result<(String, String)> {
    let row =
        sqlx::query!("select slug, name from org where id = $1", org as _).fetch_one(conn).await?;
    Ok((row.slug, row.name))
}
