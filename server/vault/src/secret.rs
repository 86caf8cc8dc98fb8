//! Provider keys: entered, replaced, listed by what may be known of them, and shredded.

use ralex_access::Scope;
use ralex_api::vault::{NewSecret, NewSecretVersion, SecretInfo};
use ralex_api::{Page, page::PageQuery};
use ralex_audit::{Event, record};
use ralex_kernel::{Code, Problem, SecretId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::envelope::{self, Place};
use crate::error::broken_secret;
use crate::keys::OrgKey;
use crate::origin::origin_of;
use crate::{Vault, sql, value};

impl Vault {
    /// Stores a key for a provider, bound to the provider's origin of now.
    pub async fn create(&self, scope: &Scope, new: NewSecret) -> Result<SecretInfo, Problem> {
        let value = value::check(&new.value)?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let provider = sql::lock_provider(&mut tx, org, &new.provider).await.map_err(problem)?;
        let provider = provider.ok_or_else(|| {
            Problem::field("provider", format!("names no provider: {}", new.provider))
        })?;
        let origin = origin(&provider)?;
        let key = self.0.newest_org_key(&mut tx, org).await?;
        let id = SecretId::generate();
        let fingerprint = fingerprint(&key, id, value)?;
        refuse_duplicate(&mut tx, scope, &provider, id, &fingerprint).await?;
        let taken = Problem::new(
            Code::AlreadyExists,
            format!("There is already a key named \u{201c}{}\u{201d}.", new.name),
        );
        sql::insert_secret(&mut tx, org, id, &new.name, provider.id, &origin)
            .await
            .or_problem([("secret_name_taken", taken)])?;
        let version = seal(&key, &self.place(scope, id, 1), &origin, value)?;
        sql::insert_version(&mut tx, &version, &fingerprint).await.map_err(problem)?;
        let event =
            Event::SecretCreated { secret: id, name: new.name, provider: provider.id, fingerprint };
        self.finish(tx, scope, id, event).await
    }

    /// Replaces a key. Calls use the new version at once, bound to the provider's origin of now.
    pub async fn rotate(
        &self,
        scope: &Scope,
        id: SecretId,
        new: NewSecretVersion,
    ) -> Result<SecretInfo, Problem> {
        let value = value::check(&new.value)?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        // The provider first and then the secret, in the order of `create`.
        let provider = sql::lock_provider_of(&mut tx, org, id).await.map_err(problem)?;
        let provider = provider.ok_or_else(no_such_key)?;
        let current = sql::lock_secret(&mut tx, org, id).await.map_err(problem)?;
        let current = current.ok_or_else(no_such_key)?;
        let origin = origin(&provider)?;
        let key = self.0.newest_org_key(&mut tx, org).await?;
        let fingerprint = fingerprint(&key, id, value)?;
        // Entering the same value again is how a detached key is attached.
        if fingerprint == current.fingerprint && origin == current.origin {
            return Err(Problem::new(
                Code::Conflict,
                "This is the value that the key has already.",
            ));
        }
        refuse_duplicate(&mut tx, scope, &provider, id, &fingerprint).await?;
        let next = current.version + 1;
        let version = seal(&key, &self.place(scope, id, next), &origin, value)?;
        let replaced = sql::supersede(&mut tx, org, id, current.version).await.map_err(problem)?;
        if !replaced {
            return Err(Problem::new(
                Code::Conflict,
                "The key was replaced by someone else just now.",
            ));
        }
        sql::insert_version(&mut tx, &version, &fingerprint).await.map_err(problem)?;
        sql::attach(&mut tx, org, id, &origin).await.map_err(problem)?;
        let event = Event::SecretRotated { secret: id, version: next, fingerprint };
        self.finish(tx, scope, id, event).await
    }

    /// What may be known of the keys, the oldest first.
    pub async fn list(&self, scope: &Scope, page: &PageQuery) -> Result<Page<SecretInfo>, Problem> {
        let after = page.after::<SecretId>()?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows =
            sql::list(&mut tx, scope.org(), after, page.size() + 1).await.map_err(problem)?;
        let infos = rows.into_iter().map(sql::InfoRow::info).collect();
        Ok(Page::of(infos, page.size(), |info| info.id.to_string()))
    }

    pub async fn find(&self, scope: &Scope, id: SecretId) -> Result<SecretInfo, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        info(&mut tx, scope, id).await
    }

    /// Deletes a key with all of its versions. No data key is left, so no backup of the other
    /// keys brings the values back.
    pub async fn delete(&self, scope: &Scope, id: SecretId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let secret = sql::lock_secret(&mut tx, org, id).await.map_err(problem)?;
        let name = secret.ok_or_else(no_such_key)?.name;
        let versions = sql::delete_versions(&mut tx, org, id).await.map_err(problem)?;
        sql::delete_secret(&mut tx, org, id).await.map_err(problem)?;
        let event = Event::SecretDeleted { secret: id, name, versions };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    fn place(&self, scope: &Scope, secret: SecretId, version: u32) -> Place {
        Place { deployment: self.0.deployment, org: scope.org(), secret, version }
    }

    async fn finish(
        &self,
        mut tx: ralex_store::Tenant,
        scope: &Scope,
        id: SecretId,
        event: Event,
    ) -> Result<SecretInfo, Problem> {
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let info = info(&mut tx, scope, id).await?;
        self.0.access.commit(tx, scope.org()).await?;
        Ok(info)
    }
}

async fn info(conn: &mut PgConnection, scope: &Scope, id: SecretId) -> Result<SecretInfo, Problem> {
    let row = sql::find(conn, scope.org(), id).await.map_err(problem)?;
    row.map(sql::InfoRow::info).ok_or_else(no_such_key)
}

fn no_such_key() -> Problem {
    Problem::not_found("key")
}

fn origin(provider: &sql::Provider) -> Result<String, Problem> {
    provider.base_url.as_deref().and_then(origin_of).ok_or_else(|| {
        let message = format!("takes no key: {} is simulated", provider.slug);
        Problem::field("provider", message)
    })
}

fn seal(
    key: &OrgKey,
    place: &Place,
    origin: &str,
    value: &str,
) -> Result<sql::NewVersion, Problem> {
    let blob = envelope::seal(key, place, origin, value)
        .map_err(|error| broken_secret(place.secret, error))?;
    let Place { org, secret, version, .. } = *place;
    Ok(sql::NewVersion { org, secret, version, org_key: key.version, blob })
}

fn fingerprint(key: &OrgKey, secret: SecretId, value: &str) -> Result<String, Problem> {
    key.fingerprint(value).map_err(|error| broken_secret(secret, error))
}

/// The provider's row is locked, so two equal values cannot pass here side by side.
async fn refuse_duplicate(
    conn: &mut PgConnection,
    scope: &Scope,
    provider: &sql::Provider,
    secret: SecretId,
    fingerprint: &str,
) -> Result<(), Problem> {
    let twin = sql::same_value(conn, scope.org(), provider.id, secret, fingerprint).await;
    match twin.map_err(problem)? {
        None => Ok(()),
        Some(name) => Err(Problem::new(
            Code::Conflict,
            format!("The key \u{201c}{name}\u{201d} of {} has the same value.", provider.slug),
        )),
    }
}
