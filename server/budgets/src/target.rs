//! Targets: what a budget's scope text names, found within what its writer may reach.

use std::collections::HashMap;

use ralex_access::{Scope, Who};
use ralex_kernel::{
    BudgetId, Code, OrgId, Problem, ProjectId, ScopePath, ServiceAccountId, TeamId, TokenId, UserId,
};
use ralex_store::{Db, Tenant, problem};
use uuid::Uuid;

use crate::Budgets;
use crate::charge::Only;
use crate::sql;

/// What a budget hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Org,
    Team(TeamId),
    Project(TeamId, ProjectId),
    Account(ServiceAccountId),
    Token(TokenId),
    User(UserId),
}

impl Target {
    /// Reads `org`, `team:<slug or id>`, `project:<slug or id>`, `service_account:<slug or id>`,
    /// `token:<id>` or `user:<id or e-mail>`.
    pub async fn find(
        db: &Db,
        tx: &mut Tenant,
        scope: &Scope,
        text: &str,
    ) -> Result<Self, Problem> {
        let org = scope.org();
        let (target, place) = match text.split_once(':') {
            None if text == "org" => (Self::Org, ScopePath::Org),
            Some(("team", name)) => {
                let team = sql::target::team(tx, org, name).await.map_err(problem)?;
                let team = team.ok_or_else(|| unknown("team", name))?;
                (Self::Team(team), ScopePath::Team { team })
            }
            Some(("project", name)) => {
                let found = sql::target::project(tx, org, name).await.map_err(problem)?;
                let (team, project) = found.ok_or_else(|| unknown("project", name))?;
                (Self::Project(team, project), ScopePath::Project { team, project })
            }
            Some(("service_account", name)) => {
                let found = sql::target::service_account(tx, org, name).await.map_err(problem)?;
                let (account, place) = found.ok_or_else(|| unknown("service account", name))?;
                (Self::Account(account), place)
            }
            Some(("token", id)) => token(db, tx, org, id).await?,
            // A person spends all over the organisation.
            Some(("user", name)) => {
                let user = sql::target::member(tx, org, name).await.map_err(problem)?;
                let user = user.ok_or_else(|| unknown("member", name))?;
                (Self::User(user), ScopePath::Org)
            }
            _ => return Err(malformed()),
        };
        if !place.is_within(scope.path()) {
            let detail = "You may set this, but not there; ask someone who may further up.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(target)
    }

    pub const fn team(self) -> Option<TeamId> {
        match self {
            Self::Team(team) | Self::Project(team, _) => Some(team),
            Self::Org | Self::Account(_) | Self::Token(_) | Self::User(_) => None,
        }
    }

    pub const fn project(self) -> Option<ProjectId> {
        if let Self::Project(_, project) = self { Some(project) } else { None }
    }

    pub const fn account(self) -> Option<ServiceAccountId> {
        if let Self::Account(account) = self { Some(account) } else { None }
    }

    pub const fn token(self) -> Option<TokenId> {
        if let Self::Token(token) = self { Some(token) } else { None }
    }

    pub const fn user(self) -> Option<UserId> {
        if let Self::User(user) = self { Some(user) } else { None }
    }
}

/// Whose calls a budget pays, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct Payers {
    pub who: Who,
    /// The calls of who is meant count where they are made within this.
    pub within: ScopePath,
    /// Where the budget is to be seen: at its place, or at the home of whose it is.
    pub place: ScopePath,
}

impl Budgets {
    /// Whose calls a budget pays; nothing where there is none.
    pub async fn payers(&self, org: OrgId, id: BudgetId) -> Result<Option<Payers>, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let found = sql::target::paid(&mut tx, org, id).await.map_err(problem)?;
        drop(tx);
        let Some(paid) = found else { return Ok(None) };
        let place = paid.place();
        let (who, within) = match (paid.user, paid.account, paid.token) {
            (Some(user), _, _) => (Who::User(user), ScopePath::Org),
            (None, Some(account), _) => (Who::Account(account), ScopePath::Org),
            (None, None, Some(token)) => (self.holder(org, token, &paid).await?, ScopePath::Org),
            (None, None, None) => (Who::All, place),
        };
        Ok(Some(Payers { who, within, place }))
    }

    /// Who calls by a token.
    async fn holder(
        &self,
        org: OrgId,
        token: TokenId,
        paid: &sql::target::Paid,
    ) -> Result<Who, Problem> {
        if paid.is_of_team {
            let who = paid.account_of_token.map_or(Who::Token(token), Who::Account);
            return Ok(if paid.token_works { who } else { Who::Nobody });
        }
        let mut tx = self.db.system("find whose personal token a budget is of").await?;
        let user = sql::target::personal_token_owner(&mut tx, org, token).await;
        Ok(user.map_err(problem)?.map_or(Who::Nobody, Who::User))
    }
}

/// What the model or provider of a budget or a rate limit names.
pub(crate) async fn only(
    tx: &mut Tenant,
    model: Option<&str>,
    provider: Option<&str>,
) -> Result<Option<Only>, Problem> {
    let org = tx.org();
    let there_is_none = |field, name: &str| {
        Problem::field(field, format!("this organisation does not have: {name}"))
    };
    match (model, provider) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(Problem::field("provider", "cannot be named beside a model, which has one"))
        }
        (Some(name), None) => {
            let model = sql::target::model(tx, org, name).await.map_err(problem)?;
            model.map(Only::Model).map(Some).ok_or_else(|| there_is_none("model", name))
        }
        (None, Some(slug)) => {
            let provider = sql::target::provider(tx, org, slug).await.map_err(problem)?;
            provider.map(Only::Provider).map(Some).ok_or_else(|| there_is_none("provider", slug))
        }
    }
}

/// A team's token, or else a personal one of a member, which spends all over the organisation.
async fn token(
    db: &Db,
    tx: &mut Tenant,
    org: OrgId,
    text: &str,
) -> Result<(Target, ScopePath), Problem> {
    let id: TokenId = text.parse().map_err(|_| malformed())?;
    if let Some(home) = sql::target::team_token(tx, org, id).await.map_err(problem)? {
        return Ok((Target::Token(id), home));
    }
    let mut system = db.system("look up a personal token for its budget").await?;
    let personal = sql::target::personal_token_exists(&mut system, org, id).await;
    if !personal.map_err(problem)? {
        return Err(unknown("token", text));
    }
    Ok((Target::Token(id), ScopePath::Org))
}

/// The names of personal tokens, which are not for an organisation's own role to read.
pub(crate) async fn personal_token_names(
    db: &Db,
    org: OrgId,
    tokens: impl Iterator<Item = TokenId>,
) -> Result<HashMap<TokenId, String>, Problem> {
    let tokens: Vec<Uuid> = tokens.map(Uuid::from).collect();
    if tokens.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = db.system("name the personal tokens that have budgets or limits").await?;
    let names = sql::target::personal_token_names(&mut tx, org, &tokens).await;
    Ok(names.map_err(problem)?.into_iter().collect())
}

fn malformed() -> Problem {
    let forms = "is not `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, \
                 `token:<id>` or `user:<e-mail>`";
    Problem::field("scope", forms)
}

fn unknown(kind: &str, name: &str) -> Problem {
    Problem::field("scope", format!("names a {kind} that this organisation does not have: {name}"))
}
