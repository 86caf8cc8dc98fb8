//! Queries that find what a budget's scope names.

use ralex_kernel::{
    BudgetId, Email, ModelId, OrgId, ProjectId, ProviderId, ScopePath, ServiceAccountId, TeamId,
    TokenId, UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A team by its slug or its id.
pub(crate) async fn team(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<TeamId>, sqlx::Error> {
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
) -> Result<Option<(TeamId, ProjectId)>, sqlx::Error> {
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

/// A model by its name or its id.
pub(crate) async fn model(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<ModelId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: ModelId" from model where org_id = $1 and (name = $2 or id = $3)"#,
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await
}

/// A provider by its slug or its id.
pub(crate) async fn provider(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<ProviderId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select id as "id: ProviderId" from provider where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await
}

/// A member by their id or their e-mail address.
pub(crate) async fn member(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select m.user_id as "id: UserId" from membership m
           join app_user u on u.id = m.user_id
           where m.org_id = $1 and (m.user_id = $2 or u.email_key = $3)"#,
        org as _,
        name.parse::<Uuid>().ok(),
        name.parse::<Email>().ok().map(|email| email.key()),
    )
    .fetch_optional(conn)
    .await
}

/// A service account by its slug or its id, and its home.
pub(crate) async fn service_account(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<(ServiceAccountId, ScopePath)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select id as "id: ServiceAccountId", team_id as "team: TeamId",
                  project_id as "project: ProjectId"
           from service_account where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        name,
        name.parse::<Uuid>().ok(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| (row.id, home(row.team, row.project))))
}

/// The home of a token, of a team or a service account, that is not revoked.
pub(crate) async fn team_token(
    conn: &mut PgConnection,
    org: OrgId,
    token: TokenId,
) -> Result<Option<ScopePath>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select team_id as "team: TeamId", project_id as "project: ProjectId" from token
           where org_id = $1 and id = $2 and revoked_at is null"#,
        org as _,
        token as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| home(row.team, row.project)))
}

/// What a budget hangs on, and the home of what that is.
pub(crate) struct Paid {
    team: Option<TeamId>,
    project: Option<ProjectId>,
    pub user: Option<UserId>,
    pub account: Option<ServiceAccountId>,
    pub token: Option<TokenId>,
    /// Whether the token is a team's or a service account's.
    pub is_of_team: bool,
    pub account_of_token: Option<ServiceAccountId>,
    pub token_works: bool,
}

impl Paid {
    pub const fn place(&self) -> ScopePath {
        match self.team {
            Some(team) => home(team, self.project),
            None => ScopePath::Org,
        }
    }
}

/// What a budget hangs on.
pub(crate) async fn paid(
    conn: &mut PgConnection,
    org: OrgId,
    id: BudgetId,
) -> Result<Option<Paid>, sqlx::Error> {
    sqlx::query_as!(
        Paid,
        r#"select coalesce(b.team_id, k.team_id, a.team_id) as "team: TeamId",
                  coalesce(b.project_id, k.project_id, a.project_id) as "project: ProjectId",
                  b.user_id as "user: UserId", b.account_id as "account: ServiceAccountId",
                  b.token_id as "token: TokenId", k.id is not null as "is_of_team!",
                  k.account_id as "account_of_token?: ServiceAccountId",
                  coalesce(k.revoked_at is null and (k.expires_at is null or k.expires_at > now()), false)
                      as "token_works!"
           from budget b
           left join token k on k.org_id = b.org_id and k.id = b.token_id
           left join service_account a on a.org_id = b.org_id and a.id = b.account_id
           where b.org_id = $1 and b.id = $2"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

/// Whose personal token that works is. Only a system transaction may ask.
pub(crate) async fn personal_token_owner(
    conn: &mut PgConnection,
    org: OrgId,
    token: TokenId,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select k.user_id as "user: UserId" from personal_token k
           join membership m on m.user_id = k.user_id and m.org_id = $1
           where k.id = $2 and k.revoked_at is null
             and (k.expires_at is null or k.expires_at > now())"#,
        org as _,
        token as _,
    )
    .fetch_optional(conn)
    .await
}

const fn home(team: TeamId, project: Option<ProjectId>) -> ScopePath {
    match project {
        Some(project) => ScopePath::Project { team, project },
        None => ScopePath::Team { team },
    }
}

/// Whether a personal token that is not revoked is a member's. Only a system transaction may ask.
pub(crate) async fn personal_token_exists(
    conn: &mut PgConnection,
    org: OrgId,
    token: TokenId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from personal_token k
               join membership m on m.user_id = k.user_id and m.org_id = $1
               where k.id = $2 and k.revoked_at is null) as "exists!""#,
        org as _,
        token as _,
    )
    .fetch_one(conn)
    .await
}

/// Names of the personal tokens, among `tokens`, of the organisation's members. Only a system
/// transaction may ask.
pub(crate) async fn personal_token_names(
    conn: &mut PgConnection,
    org: OrgId,
    tokens: &[Uuid],
) -> Result<Vec<(TokenId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.id as "id: TokenId", k.name || ' (' || u.name || ')' as "name!"
           from personal_token k
           join app_user u on u.id = k.user_id
           join membership m on m.user_id = k.user_id and m.org_id = $1
           where k.id = any($2)"#,
        org as _,
        tokens,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
