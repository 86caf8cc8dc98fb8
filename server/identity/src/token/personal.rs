//! Personal tokens: a person's own rights, or some of them.

use chrono::{DateTime, Utc};
use ralex_api::page::{Page, PageQuery};
use ralex_api::tokens::{NewPersonalToken, NewTokenAnswer, Token, TokenStop};
use ralex_audit::{Author, Event, TokenEvent};
use ralex_kernel::{Caller, Credential, Name, OrgId, Problem, TokenId, UserId};
use ralex_store::{System, problem};

use super::limits::Limits;
use super::{ended, former};
use crate::mint::TokenKind;
use crate::session::within;
use crate::sql::personal_token as sql;
use crate::{Identity, stored};

/// A personal token as it is to be.
pub(crate) struct Wanted {
    pub name: Name,
    pub limits: Limits,
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it comes of a typed code.
    pub by_device: bool,
}

impl Identity {
    /// Makes a token with the caller's own rights.
    pub async fn create_personal_token(
        &self,
        caller: &Caller,
        new: NewPersonalToken,
    ) -> Result<NewTokenAnswer, Problem> {
        let user = crate::person(caller)?;
        self.check_expiry(new.expires_at)?;
        let limits =
            Limits::parse(new.models, new.permissions.as_deref(), new.addresses.as_deref())?;
        let wanted =
            Wanted { name: new.name, limits, expires_at: new.expires_at, by_device: false };
        let mut tx = self.db.system("make a personal token").await?;
        let made = self.make_personal_token(&mut tx, (caller, user), wanted).await?;
        tx.commit().await.map_err(problem)?;
        Ok(made)
    }

    /// The same as a part of something larger.
    pub(crate) async fn make_personal_token(
        &self,
        tx: &mut System,
        (caller, user): (&Caller, UserId),
        new: Wanted,
    ) -> Result<NewTokenAnswer, Problem> {
        let minted = self.mint.mint(TokenKind::Personal);
        let id = TokenId::generate();
        let permissions = new.limits.names();
        let row = sql::NewToken {
            id,
            user,
            name: new.name.as_str(),
            digest: &minted.digest,
            last_four: &minted.last_four,
            models: new.limits.models.as_deref(),
            permissions: permissions.as_deref(),
            addresses: new.limits.addresses.as_deref(),
            expires_at: new.expires_at,
            sign_on: caller.sign_on,
            by_device: new.by_device,
        };
        sql::insert(tx, row).await.map_err(problem)?;
        self.record_made(tx, (caller, user), (id, new)).await?;
        Ok(NewTokenAnswer { id, token: minted.text.expose().to_owned() })
    }

    /// Tells every organisation of a person that they have another token, and the models of its own that
    /// this is limited to.
    async fn record_made(
        &self,
        tx: &mut System,
        (caller, user): (&Caller, UserId),
        (token, new): (TokenId, Wanted),
    ) -> Result<(), Problem> {
        let Wanted { name, limits, .. } = new;
        for org in self.told_of(tx, caller, user).await? {
            let wished = limits.models.as_deref();
            let models = sql::models_named(tx, org, wished).await.map_err(problem)?;
            let count = |names: &[String]| names.len();
            let others = wished.map_or(0, count) - models.as_deref().map_or(0, count);
            let event = TokenEvent::PersonalCreated {
                token,
                name: name.clone(),
                models,
                other_models: Some(others).filter(|others| *others > 0),
                permissions: limits.names(),
                limited_to_addresses: limits.addresses.is_some(),
                user,
            };
            let author = Author::of(caller, org);
            ralex_audit::record(tx, &author, Event::Token(event)).await.map_err(problem)?;
        }
        Ok(())
    }

    pub async fn personal_tokens(
        &self,
        caller: &Caller,
        page: &PageQuery,
    ) -> Result<Page<Token>, Problem> {
        let user = crate::person(caller)?;
        let mut tx = self.db.system("list one's own tokens").await?;
        let (size, now) = (page.size(), self.clock.now());
        let within = within(caller);
        let rows = sql::list(&mut tx, user, page.after()?, size + 1, within).await;
        let items = rows.map_err(problem)?.into_iter().map(|row| shown(row, now));
        Ok(Page::of(items.collect::<Result<_, _>>()?, size, |token: &Token| token.id.to_string()))
    }

    /// Ends a personal token. A narrowed one ends itself and no other.
    pub async fn revoke_personal_token(&self, caller: &Caller, id: TokenId) -> Result<(), Problem> {
        let is_itself = caller.credential == Credential::PersonalToken(id);
        let user = if is_itself { crate::anybody(caller) } else { crate::person(caller) }?;
        let mut tx = self.db.system("revoke a personal token").await?;
        let name = sql::revoke(&mut tx, user, id, self.clock.now(), within(caller)).await;
        let name = name.map_err(problem)?.ok_or_else(|| Problem::not_found("token"))?;
        let event = TokenEvent::PersonalRevoked { token: id, name: stored(&name)?, user };
        let orgs = self.record_everywhere(&mut tx, caller, user, &Event::Token(event)).await?;
        self.commit_everywhere(tx, &orgs).await
    }

    /// Commits what ends a credential of a person: calls that were made with it, and wait or are tried
    /// again, go by the version.
    pub(super) async fn commit_everywhere(
        &self,
        mut tx: System,
        orgs: &[OrgId],
    ) -> Result<(), Problem> {
        for &org in orgs {
            self.access.bump(&mut tx, org).await?;
        }
        tx.commit().await.map_err(problem)?;
        for &org in orgs {
            // What is committed is done. If it cannot be read now, the poll brings it or closes.
            self.access.refresh(org).await.ok();
        }
        Ok(())
    }
}

fn shown(row: sql::TokenRow, now: DateTime<Utc>) -> Result<Token, Problem> {
    let stopped = row.sign_on_over && !ended(row.revoked_at, row.expires_at, now);
    Ok(Token {
        id: row.id,
        name: stored(&row.name)?,
        last_four: row.last_four,
        team: None,
        project: None,
        service_account: None,
        models: row.models,
        permissions: row.permissions,
        addresses: row.addresses,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
        rotated_at: row.rotated_at,
        former: former(row.former_last_four, row.former_until, row.former_used_at, now),
        stopped: stopped.then_some(TokenStop::SignOnOver),
    })
}
