//! The connection: whether an organisation's directory is heard, and the tokens that it shows.

use ralex_access::{ForAWhile, Scope};
use ralex_api::scim::{NewScimToken, ScimConnection, ScimToken, SetScim};
use ralex_api::tokens::NewTokenAnswer;
use ralex_audit::{Author, Event, ScimEvent, TokenEvent, record};
use ralex_identity::mint::TokenKind;
use ralex_identity::token::Report;
use ralex_kernel::{Code, OrgId, Problem, TokenId};
use ralex_store::problem;

use crate::Scim;
use crate::sql::connection as sql;

/// So many tokens live at once: enough to replace one while the other still works.
const MOST_TOKENS: usize = 4;

impl Scim {
    /// How an organisation's provisioning stands. `base` is where the server is reached.
    pub async fn connection(&self, org: OrgId, base: &str) -> Result<ScimConnection, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let found = sql::find(&mut tx, org).await.map_err(problem)?;
        let tokens = sql::tokens(&mut tx, org).await.map_err(problem)?;
        let (users, groups) = sql::counts(&mut tx, org).await.map_err(problem)?;
        let slug = self.0.access.snapshot(org).await?.slug().to_owned();
        Ok(ScimConnection {
            enabled: found.as_ref().is_some_and(|it| it.enabled),
            base_url: format!("{base}/scim/v2/{slug}"),
            users: u32::try_from(users).unwrap_or(u32::MAX),
            groups: u32::try_from(groups).unwrap_or(u32::MAX),
            created_at: found.as_ref().map(|it| it.created_at),
            used_at: found.and_then(|it| it.used_at),
            tokens: tokens.into_iter().map(token).collect::<Result<_, _>>()?,
        })
    }

    /// Has an organisation's directory heard, or not any more. Tokens that live are good again then, so it
    /// takes the same as to make one.
    pub async fn set_connection(
        &self,
        scope: &Scope,
        set: SetScim,
        base: &str,
    ) -> Result<ScimConnection, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let by = scope.caller().subject.to_string();
        let before = sql::lock(&mut tx, org, &by).await.map_err(problem)?;
        if set.enabled {
            self.0.access.may_provision(&mut tx, scope).await?;
        }
        if before.enabled != set.enabled {
            sql::enable(&mut tx, org, set.enabled).await.map_err(problem)?;
            let connection = before.id;
            let event = if set.enabled {
                ScimEvent::Enabled { connection }
            } else {
                ScimEvent::Disabled { connection }
            };
            record(&mut tx, scope.author(), Event::Scim(event)).await.map_err(problem)?;
        }
        self.0.access.commit(tx, org).await?;
        self.connection(org, base).await
    }

    /// Makes a token for the directory. Whoever has it decides who is in the groups that the directory
    /// manages, so it takes the right to give all that these hold.
    pub async fn create_token(
        &self,
        scope: &Scope,
        new: NewScimToken,
    ) -> Result<NewTokenAnswer, Problem> {
        if new.expires_at.is_some_and(|end| end <= self.0.clock.now()) {
            return Err(Problem::field("expires_at", "is in the past"));
        }
        let rests_on = self.0.access.for_a_while(scope).await?;
        let expires_at = ForAWhile::end(rests_on, new.expires_at)?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let by = scope.caller().subject.to_string();
        let connection = sql::lock(&mut tx, org, &by).await.map_err(problem)?;
        self.0.access.may_provision(&mut tx, scope).await?;
        let now = self.0.clock.now();
        let all = sql::tokens(&mut tx, org).await.map_err(problem)?;
        let live = all.iter().filter(|it| it.stands && it.expires_at.is_none_or(|end| end > now));
        if live.count() >= MOST_TOKENS {
            let detail = format!("There are {MOST_TOKENS} tokens already. Revoke one first.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let minted = self.0.identity.mint(TokenKind::Provisioning);
        let id = TokenId::generate();
        let row = sql::NewToken {
            id,
            name: new.name.as_str(),
            digest: &minted.digest,
            last_four: &minted.last_four,
            by: &by,
            expires_at,
            rests_on: rests_on.map(|it| it.rests_on),
        };
        sql::insert_token(&mut tx, org, &row).await.map_err(problem)?;
        let event = ScimEvent::TokenCreated {
            connection: connection.id,
            token: id,
            name: new.name,
            expires_at,
        };
        record(&mut tx, scope.author(), Event::Scim(event)).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        Ok(NewTokenAnswer { id, token: minted.text.expose().to_owned() })
    }

    /// Ends a token of the directory.
    pub async fn revoke_token(&self, scope: &Scope, id: TokenId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let connection = sql::find(&mut tx, org).await.map_err(problem)?;
        let name = sql::revoke(&mut tx, org, id, self.0.clock.now()).await.map_err(problem)?;
        let (Some(connection), Some(name)) = (connection, name) else {
            return Err(Problem::not_found("token"));
        };
        let event =
            ScimEvent::TokenRevoked { connection: connection.id, token: id, name: stored(&name)? };
        record(&mut tx, scope.author(), Event::Scim(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

impl Scim {
    /// Ends a directory's token that somebody found outside; false for what is none.
    pub async fn end_leaked(&self, report: &Report<'_>) -> Result<bool, Problem> {
        let mut tx = self.0.db.system("end a directory's token that was found outside").await?;
        let found = sql::of_digest(&mut tx, report.digest).await.map_err(problem)?;
        let Some((org, id)) = found else { return Ok(false) };
        let name = sql::revoke(&mut tx, org, id, self.0.clock.now()).await.map_err(problem)?;
        let Some(name) = name else { return Ok(true) };
        let event = Event::Token(TokenEvent::Leaked {
            token: id,
            name: stored(&name)?,
            user: None,
            former: false,
            found_at: report.found_at.clone(),
        });
        let author = Author::of(&report.nobody(), org);
        record(&mut tx, &author, event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(true)
    }
}

fn token(row: sql::Token) -> Result<ScimToken, Problem> {
    Ok(ScimToken {
        id: row.id,
        name: stored(&row.name)?,
        last_four: row.last_four,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    })
}

/// A name as the database has it, which was checked when it was written.
pub(crate) fn stored<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Code::Internal, "A stored name is not valid."))
}
