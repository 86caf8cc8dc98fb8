//! API tokens: made once, shown once, kept as digests.

mod leak;
mod limits;
mod personal;
mod rotate;

use chrono::{DateTime, Utc};
use ralex_access::{ForAWhile, Permission, Scope};
use ralex_api::page::{Page, PageQuery};
use ralex_api::tokens::{FormerSecret, NewToken, NewTokenAnswer, Token, TokenStop};
use ralex_audit::Event;
use ralex_kernel::{
    Caller, Code, Credential, OrgId, Problem, ProjectId, ScopePath, ServiceAccountId, TeamId,
    TokenId,
};
use ralex_store::problem;

use crate::mint::TokenKind;
use crate::sql::Within;
use crate::sql::token as sql;
use crate::{Identity, stored};

pub use leak::Report;
pub(crate) use limits::{Limits, is_within, stored_permissions};
pub(crate) use personal::Wanted;

/// What a token works for: a place, or a service account that is at home there.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    pub at: ScopePath,
    pub account: Option<ServiceAccountId>,
}

impl From<ScopePath> for Home {
    fn from(at: ScopePath) -> Self {
        Self { at, account: None }
    }
}

/// Whose tokens are listed: all, those that work for a team, or those of a service account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whose {
    pub team: Option<TeamId>,
    pub account: Option<ServiceAccountId>,
}

impl Identity {
    /// Makes a token that works for a team, for one project of it, or for a service account.
    pub async fn create_token(
        &self,
        caller: &Caller,
        org: OrgId,
        new: NewToken,
    ) -> Result<NewTokenAnswer, Problem> {
        let home = self.token_home(org, &new).await?;
        let scope = self.access.allow(caller, org, Permission::TokenCreate, home.at).await?;
        self.create_token_at(&scope, home, new).await
    }

    /// Makes a token for a home that is known, with the proof that this is allowed there.
    pub async fn create_token_at(
        &self,
        scope: &Scope,
        home: Home,
        new: NewToken,
    ) -> Result<NewTokenAnswer, Problem> {
        self.check_expiry(new.expires_at)?;
        let limits =
            Limits::parse(new.models, new.permissions.as_deref(), new.addresses.as_deref())?;
        let minted = self.mint.mint(TokenKind::Team);
        let (org, id) = (scope.org(), TokenId::generate());
        let mut tx = self.db.tenant(org).await?;
        if let Some(account) = home.account {
            self.access.may_act_as(&mut tx, scope, account).await?;
        }
        let models = limits.models.as_deref();
        self.access.may_hand_on(scope, limits.permissions, models).await?;
        let rests_on = self.access.for_a_while(scope).await?;
        let expires_at = ForAWhile::end(rests_on, new.expires_at)?;
        let permissions = limits.names();
        let row = sql::NewToken {
            org,
            id,
            team: home.at.team().ok_or_else(|| Problem::not_found("team"))?,
            project: home.at.project(),
            account: home.account,
            name: new.name.as_str(),
            models,
            permissions: permissions.as_deref(),
            addresses: limits.addresses.as_deref(),
            digest: &minted.digest,
            last_four: &minted.last_four,
            created_by: scope.caller().subject.user(),
            made_with: made_with(scope.caller()),
            expires_at,
            rests_on: rests_on.map(|it| it.rests_on),
        };
        sql::insert(&mut tx, row).await.map_err(problem)?;
        let event = Event::TokenCreated {
            token: id,
            name: new.name,
            scope: home.at,
            models: limits.models,
            service_account: home.account,
            permissions,
            addresses: limits.addresses,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        Ok(NewTokenAnswer { id, token: minted.text.expose().to_owned() })
    }

    async fn token_home(&self, org: OrgId, new: &NewToken) -> Result<Home, Problem> {
        let Some(account) = &new.service_account else {
            let Some(team) = &new.team else {
                let rule = "is needed where no service account is named";
                return Err(Problem::field("team", rule));
            };
            return self.home(org, team, new.project.as_deref()).await.map(Home::from);
        };
        if new.team.is_some() || new.project.is_some() {
            let rule = "is at home somewhere already; name no team and no project beside it";
            return Err(Problem::field("service_account", rule));
        }
        let found = self.account(org, account).await?;
        let found = found.ok_or_else(|| {
            Problem::field("service_account", "names no service account that there is")
        })?;
        if found.disabled_at.is_some() {
            return Err(Problem::field("service_account", "is disabled; enable it first"));
        }
        Ok(Home { at: place_of(found.team, found.project), account: Some(found.id) })
    }

    /// Where a team, or one project of it, is.
    pub(crate) async fn home(
        &self,
        org: OrgId,
        team: &str,
        project: Option<&str>,
    ) -> Result<ScopePath, Problem> {
        let unknown = |what: &'static str| {
            move |problem: Problem| match problem.code {
                Code::NotFound => Problem::field(what, format!("names no {what} that there is")),
                _ => problem,
            }
        };
        let team = self.team_scope(org, team).await.map_err(unknown("team"))?;
        let Some(project) = project else { return Ok(team) };
        let place = self.project_scope(org, project).await.map_err(unknown("project"))?;
        if place.team() != team.team() {
            return Err(Problem::field("project", "is not a project of this team"));
        }
        Ok(place)
    }

    /// Tokens of teams and service accounts: all, those of one team, or of one service account.
    pub async fn tokens(
        &self,
        caller: &Caller,
        org: OrgId,
        (team, account): (Option<&str>, Option<&str>),
        page: &PageQuery,
    ) -> Result<Page<Token>, Problem> {
        let place = match team {
            Some(team) => self.team_scope(org, team).await?,
            None => ScopePath::Org,
        };
        let found = match account {
            Some(account) => self.service_account_home(org, account).await?,
            None => None,
        };
        let at = found.map_or(place, |(_, home)| home);
        // Whose tokens these are is decided at their place; all tokens are those that the caller may see.
        let within = if at == ScopePath::Org && account.is_none() {
            Within::from(&self.access.reach(caller, org, Permission::TokenRead).await?)
        } else {
            self.access.allow(caller, org, Permission::TokenRead, at).await?;
            Within::ANYWHERE
        };
        if account.is_some() && found.is_none() {
            return Err(Problem::not_found("service account"));
        }
        let whose = Whose { team: place.team(), account: found.map(|(id, _)| id) };
        let mut tx = self.db.tenant(org).await?;
        let (size, now) = (page.size(), self.clock.now());
        let rows = sql::list(&mut tx, org, whose, &within, (page.after()?, size + 1), now).await;
        let items = rows
            .map_err(problem)?
            .into_iter()
            .map(|row| token(row, now))
            .collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |token: &Token| token.id.to_string()))
    }

    /// Ends a token of a team or a service account. Ending it again is no error.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        org: OrgId,
        id: TokenId,
    ) -> Result<(), Problem> {
        let mut tx = self.db.tenant(org).await?;
        let found = sql::place(&mut tx, org, id).await.map_err(problem)?;
        drop(tx);
        let at = found.as_ref().map_or(ScopePath::Org, |place| place_of(place.team, place.project));
        let scope = self.access.allow(caller, org, Permission::TokenRevoke, at).await?;
        let found = found.ok_or_else(|| Problem::not_found("token"))?;
        if found.revoked {
            return Ok(());
        }
        let mut tx = self.db.tenant(org).await?;
        if sql::revoke(&mut tx, org, id, self.clock.now()).await.map_err(problem)? {
            let event = Event::TokenRevoked { token: id, name: stored(&found.name)? };
            ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        }
        self.access.commit(tx, org).await
    }

    pub(crate) fn check_expiry(&self, expires_at: Option<DateTime<Utc>>) -> Result<(), Problem> {
        match expires_at {
            Some(end) if end <= self.clock.now() => {
                Err(Problem::field("expires_at", "is in the past"))
            }
            _ => Ok(()),
        }
    }
}

/// The token by which another one is made, where no person makes it.
const fn made_with(caller: &Caller) -> Option<TokenId> {
    match caller.credential {
        Credential::TeamToken(id) => Some(id),
        Credential::Session(_)
        | Credential::PersonalToken(_)
        | Credential::ScimToken(_)
        | Credential::Internal => None,
    }
}

pub(crate) const fn place_of(team: TeamId, project: Option<ProjectId>) -> ScopePath {
    match project {
        Some(project) => ScopePath::Project { team, project },
        None => ScopePath::Team { team },
    }
}

fn token(row: sql::TokenRow, now: DateTime<Utc>) -> Result<Token, Problem> {
    let ended = ended(row.revoked_at, row.expires_at, now);
    let stopped = match (row.disabled, row.role_over) {
        (true, _) => Some(TokenStop::Disabled),
        (false, true) => Some(TokenStop::RoleOver),
        (false, false) => None,
    };
    Ok(Token {
        id: row.id,
        name: stored(&row.name)?,
        last_four: row.last_four,
        team: Some(stored(&row.team)?),
        project: row.project.as_deref().map(stored).transpose()?,
        service_account: row.account.as_deref().map(stored).transpose()?,
        models: row.models,
        permissions: row.permissions,
        addresses: row.addresses,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
        rotated_at: row.rotated_at,
        former: former(row.former_last_four, row.former_until, row.former_used_at, now),
        stopped: stopped.filter(|_| !ended),
    })
}

/// Whether a token is over for good.
fn ended(
    revoked_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    revoked_at.is_some() || expires_at.is_some_and(|end| end <= now)
}

/// The secret before the one that a token has, while it works.
fn former(
    last_four: Option<String>,
    until: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<FormerSecret> {
    let until = until.filter(|until| *until > now)?;
    Some(FormerSecret { last_four: last_four?, until, last_used_at })
}
