//! Provider keys: entered, replaced, listed by what may be known of them, and shredded.

use ralex_access::{Change, Done, Scope};
use ralex_api::vault::{NewSecret, NewSecretVersion, SecretInfo, UpdateSecret};
use ralex_api::{Page, page::PageQuery};
use ralex_audit::{Event, record};
use ralex_kernel::{Code, OrgId, Problem, SecretId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::envelope::{self, Place};
use crate::error::broken_secret;
use crate::keys::OrgKey;
use crate::limits::Limits;
use crate::origin::origin_of;
use crate::sql::secret as sql;
use crate::{Vault, value};

impl Vault {
    /// Stores a key for a provider, bound to the provider's origin of now.
    pub async fn create(&self, scope: &Scope, new: NewSecret) -> Result<SecretInfo, Problem> {
        let value = value::check(&new.value)?;
        let limits = Limits::of(&new)?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let provider = sql::lock_provider(&mut tx, org, &new.provider).await.map_err(problem)?;
        let provider = provider.ok_or_else(|| {
            Problem::field("provider", "names no provider; give the id or slug of one")
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
        sql::insert_secret(&mut tx, org, id, &new.name, (provider.id, &origin), limits)
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

    /// Changes how a key is used beside its provider's others, from the next call on.
    pub async fn update(
        &self,
        scope: &Scope,
        id: SecretId,
        change: &UpdateSecret,
    ) -> Result<SecretInfo, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let current = sql::lock_secret(&mut tx, org, id).await.map_err(problem)?;
        let current = current.ok_or_else(no_such_key)?;
        let limits = current.limits.changed(change)?;
        if limits == current.limits {
            return info(&mut tx, scope, id).await;
        }
        sql::limit_secret(&mut tx, org, id, limits).await.map_err(problem)?;
        let event = Event::SecretUpdated {
            secret: id,
            weight: limits.weight,
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
        };
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

    /// Whether calls can use a key as its provider stands: one that is switched off, or has moved since the key
    /// was stored, gets none. Nothing where there is no such key.
    pub async fn is_usable(&self, org: OrgId, id: SecretId) -> Result<Option<bool>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let home = sql::home(&mut tx, org, id).await.map_err(problem)?;
        Ok(home.map(|home| home.is_usable()))
    }

    /// Deletes a key with all of its versions and their data keys: nothing in the database opens
    /// the values any more. A backup taken before still holds them, for whoever has the seal too.
    /// May take two people.
    pub async fn delete(&self, scope: &Scope, id: SecretId) -> Result<Done<()>, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let current = sql::lock_secret(&mut tx, org, id).await.map_err(problem)?;
        let current = current.ok_or_else(no_such_key)?;
        let (name, version) = (current.name, current.version);
        let change = Change::SecretDelete { secret: id, name: name.to_string(), version };
        let versions = sql::delete_versions(&mut tx, org, id).await.map_err(problem)?;
        sql::delete_secret(&mut tx, org, id).await.map_err(problem)?;
        let event = Event::SecretDeleted { secret: id, name, versions };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit_change(tx, scope, Some(change)).await
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

#[cfg(test)]
mod tests {
    use ralex_access::Access;
    use ralex_api::vault::SecretState;

    use super::*;
    use crate::testing::{ORIGIN, World, add_org, new_secret, secret};

    const CANARY: &str = "sk-canary-77aa01";

    #[tokio::test]
    async fn nothing_stored_or_answered_holds_the_value() {
        let world = World::new().await;
        let info = world.enter("main", &format!("{CANARY}\n")).await.unwrap();
        world.replace(info.id, "sk-canary-2").await.unwrap();
        let rows = sqlx::query_scalar!(
            r#"select convert_from(leaf, 'utf8') as "text!" from audit_event
               union all select row_to_json(s)::text from secret s
               union all select row_to_json(v)::text || encode(v.blob, 'escape') from secret_version v"#
        )
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
        let listed = world.vault.list(&world.scope(), &PageQuery::default()).await.unwrap();
        let seen = format!("{rows:?} {listed:?}");
        assert!(!seen.contains("canary"), "{seen}");
        assert_eq!(listed.items[0].version, 2);
        assert_eq!(world.actions().await, ["secret.created", "secret.rotated"]);
    }

    #[tokio::test]
    async fn the_same_value_is_not_stored_twice_for_a_provider() {
        let world = World::new().await;
        world.enter("main", CANARY).await.unwrap();
        let refused = world.enter("again", CANARY).await.unwrap_err();
        assert_eq!(refused.code, Code::Conflict);
        assert!(refused.detail.contains("main"), "{}", refused.detail);
        assert!(!refused.detail.contains(CANARY), "{}", refused.detail);
        let enter = async |name: &str| world.enter(name, "sk-raced").await.is_ok();
        let raced = tokio::join!(enter("a"), enter("b"), enter("c"), enter("d"));
        let won = [raced.0, raced.1, raced.2, raced.3].into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
    }

    #[tokio::test]
    async fn a_replaced_key_is_used_at_once_and_a_call_under_way_keeps_its_own() {
        let world = World::new().await;
        let info = world.enter("main", "sk-1").await.unwrap();
        let under_way = world.vault.locate(world.org, world.provider, ORIGIN).await.unwrap();
        let next = world.replace(info.id, "sk-2").await.unwrap();
        assert_eq!((next.version, next.id), (2, info.id));
        assert_ne!(next.fingerprint, info.fingerprint);
        assert_eq!(world.used(ORIGIN).await.unwrap().as_deref(), Some("sk-2"));
        assert_eq!(world.vault.open_key(&under_way.unwrap()).unwrap().expose(), "sk-1");
        let same = world.replace(info.id, "sk-2").await.unwrap_err();
        assert_eq!(same.code, Code::Conflict);
    }

    #[tokio::test]
    async fn replacements_at_once_follow_each_other() {
        let world = World::new().await;
        let id = world.enter("main", "sk-0").await.unwrap().id;
        let (a, b, c) = tokio::join!(
            world.replace(id, "sk-1"),
            world.replace(id, "sk-2"),
            world.replace(id, "sk-3"),
        );
        let mut versions = [a, b, c].map(|info| info.unwrap().version);
        versions.sort_unstable();
        assert_eq!(versions, [2, 3, 4]);
        assert_eq!(world.vault.find(&world.scope(), id).await.unwrap().version, 4);
    }

    #[tokio::test]
    async fn a_key_is_detached_by_a_new_address_and_attached_by_entering_it_again() {
        let world = World::new().await;
        let info = world.enter("main", CANARY).await.unwrap();
        world.move_provider("https://eu.example.com/v1").await;
        let moved = world.vault.find(&world.scope(), info.id).await.unwrap();
        assert_eq!((moved.state, moved.origin.as_str()), (SecretState::Detached, ORIGIN));
        assert!(world.used("https://eu.example.com").await.is_err());
        let again = world.replace(info.id, CANARY).await.unwrap();
        assert_eq!(again.state, SecretState::Active);
        let used = world.used("https://eu.example.com").await.unwrap();
        assert_eq!(used.as_deref(), Some(CANARY));
        world.move_provider("https://eu.example.com/v2").await;
        let found = world.vault.find(&world.scope(), info.id).await.unwrap();
        assert_eq!(found.state, SecretState::Active, "the origin is the same");
    }

    #[tokio::test]
    async fn a_key_has_a_share_and_limits_that_calls_see_at_once() {
        let world = World::new().await;
        let info = world.enter("main", "sk-1").await.unwrap();
        assert_eq!(
            (info.weight, info.requests_per_minute, info.tokens_per_minute),
            (1, None, None)
        );
        let none = UpdateSecret::default;
        let update = async |change| world.vault.update(&world.scope(), info.id, &change).await;
        let sixty = Some(Some(60));
        let more = UpdateSecret { weight: Some(5), requests_per_minute: sixty, ..none() };
        let limited = update(more).await.unwrap();
        assert_eq!((limited.weight, limited.requests_per_minute), (5, Some(60)));
        let keys = world.vault.locate_all(world.org, world.provider, ORIGIN).await.unwrap();
        assert_eq!((keys[0].limits.weight, keys[0].limits.requests_per_minute), (5, Some(60)));
        let free = UpdateSecret { requests_per_minute: Some(None), ..none() };
        let free = update(free).await.unwrap();
        assert_eq!((free.weight, free.requests_per_minute), (5, None));
        update(none()).await.unwrap();
        for (wrong, path) in [
            (UpdateSecret { weight: Some(101), ..none() }, "weight"),
            (UpdateSecret { requests_per_minute: Some(Some(0)), ..none() }, "requests_per_minute"),
            (
                UpdateSecret { tokens_per_minute: Some(Some(u32::MAX)), ..none() },
                "tokens_per_minute",
            ),
        ] {
            assert_eq!(update(wrong).await.unwrap_err().errors[0].path, path);
        }
        let events = ["secret.created", "secret.updated", "secret.updated"];
        assert_eq!(world.actions().await, events, "what changes nothing is no event");
    }

    #[tokio::test]
    async fn a_deleted_key_leaves_no_ciphertext_behind() {
        let world = World::new().await;
        let id = world.enter("main", "sk-1").await.unwrap().id;
        world.replace(id, "sk-2").await.unwrap();
        world.vault.delete(&world.scope(), id).await.unwrap();
        assert_eq!(world.used(ORIGIN).await.unwrap(), None);
        let left = sqlx::query_scalar!(r#"select count(*) as "left!" from secret_version"#)
            .fetch_one(&mut world.database.owner().await)
            .await
            .unwrap();
        assert_eq!(left, 0);
        assert_eq!(world.actions().await.last().unwrap(), "secret.deleted");
        let again = world.vault.delete(&world.scope(), id).await.unwrap_err();
        assert_eq!(again.code, Code::NotFound);
        world.enter("main", "sk-1").await.unwrap();
    }

    #[tokio::test]
    async fn another_organisation_neither_sees_nor_changes_a_key() {
        let world = World::new().await;
        let id = world.enter("main", CANARY).await.unwrap().id;
        let stranger = Access::internal(add_org(&world.database).await);
        let vault = &world.vault;
        let new = NewSecretVersion { value: secret("sk-mine") };
        assert_eq!(vault.find(&stranger, id).await.unwrap_err().code, Code::NotFound);
        assert_eq!(vault.rotate(&stranger, id, new).await.unwrap_err().code, Code::NotFound);
        assert_eq!(vault.delete(&stranger, id).await.unwrap_err().code, Code::NotFound);
        let list = vault.list(&stranger, &PageQuery::default()).await.unwrap();
        assert!(list.items.is_empty());
        assert_eq!(world.used(ORIGIN).await.unwrap().as_deref(), Some(CANARY));
    }

    #[tokio::test]
    async fn what_is_refused_changes_nothing() {
        let world = World::new().await;
        world.enter("main", CANARY).await.unwrap();
        let before = world.actions().await;
        assert_eq!(world.enter("main", "sk-other").await.unwrap_err().code, Code::AlreadyExists);
        assert_eq!(world.enter("x", " sk").await.unwrap_err().code, Code::InvalidRequest);
        let name = "y".parse().unwrap();
        let new = new_secret(name, "nowhere", "sk");
        let refused = world.vault.create(&world.scope(), new).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "provider");
        assert_eq!(world.actions().await, before);
        let list = world.vault.list(&world.scope(), &PageQuery::default()).await.unwrap();
        assert_eq!(list.items.len(), 1);
    }

    #[tokio::test]
    async fn a_list_goes_on_where_its_page_ended() {
        let world = World::new().await;
        for name in ["a", "b", "c"] {
            world.enter(name, &format!("sk-{name}")).await.unwrap();
        }
        let page = |cursor| PageQuery { cursor, limit: Some(2) };
        let first = world.vault.list(&world.scope(), &page(None)).await.unwrap();
        let rest = world.vault.list(&world.scope(), &page(first.next_cursor.clone())).await;
        let rest = rest.unwrap();
        let names: Vec<_> =
            first.items.iter().chain(&rest.items).map(|info| info.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!((first.items.len(), rest.next_cursor), (2, None));
        let wrong = world.vault.list(&world.scope(), &page(Some("x".to_owned()))).await;
        assert_eq!(wrong.unwrap_err().code, Code::InvalidRequest);
    }
}
