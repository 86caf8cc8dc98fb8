//! Providers: added, changed, switched off and deleted.

use ralex_access::Scope;
use ralex_api::catalog::{CatalogModel, NewProvider, Provider, ProviderKind, UpdateProvider};
use ralex_api::{Page, page::PageQuery};
use ralex_audit::{Event, record};
use ralex_kernel::{Code, Problem, ProviderId};
use ralex_store::{OnConstraint, Tenant, problem};
use ralex_vault::origin_of;
use sqlx::PgConnection;

use crate::{Routing, address, sql};

impl Routing {
    /// Adds a provider.
    pub async fn create_provider(
        &self,
        scope: &Scope,
        new: NewProvider,
    ) -> Result<Provider, Problem> {
        let base_url = address::check(new.kind, new.base_url.as_deref(), &self.0.egress)?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let id = ProviderId::generate();
        let taken = Problem::new(
            Code::AlreadyExists,
            format!("There is already a provider with the slug {}.", new.slug),
        );
        sql::insert_provider(&mut tx, scope.org(), id, &new.slug, new.kind, base_url.as_deref())
            .await
            .or_problem([("provider_slug_taken", taken)])?;
        let kind = new.kind.as_str().to_owned();
        let event = Event::ProviderCreated { provider: id, slug: new.slug, kind, base_url };
        self.finish(tx, scope, id, event).await
    }

    /// The providers, the oldest first.
    pub async fn list_providers(
        &self,
        scope: &Scope,
        page: &PageQuery,
    ) -> Result<Page<Provider>, Problem> {
        let after = page.after::<ProviderId>()?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::list_providers(&mut tx, scope.org(), after, page.size() + 1).await;
        let providers =
            rows.map_err(problem)?.into_iter().map(provider).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(providers, page.size(), |provider| provider.id.to_string()))
    }

    pub async fn find_provider(
        &self,
        scope: &Scope,
        id_or_slug: &str,
    ) -> Result<Provider, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let row = sql::lookup_provider(&mut tx, scope.org(), id_or_slug).await.map_err(problem)?;
        found(&mut tx, scope, row.ok_or_else(no_such_provider)?.id).await
    }

    /// Changes address or switch. Keys that were entered for another origin are detached: they
    /// stay in the vault and are not sent to the new one.
    pub async fn update_provider(
        &self,
        scope: &Scope,
        id_or_slug: &str,
        change: UpdateProvider,
    ) -> Result<Provider, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let row = sql::lock_provider(&mut tx, org, id_or_slug).await.map_err(problem)?;
        let row = row.ok_or_else(no_such_provider)?;
        let base_url = match change.base_url.as_deref() {
            None => row.base_url.clone(),
            written @ Some(_) => address::check(kind(&row)?, written, &self.0.egress)?,
        };
        let enabled = change.enabled.unwrap_or(row.enabled);
        if (&base_url, enabled) == (&row.base_url, row.enabled) {
            return found(&mut tx, scope, row.id).await;
        }
        let origin = |url: Option<&str>| url.and_then(origin_of);
        let (before, after) = (origin(row.base_url.as_deref()), origin(base_url.as_deref()));
        let keys_detached = match before {
            Some(before) if after.as_ref() != Some(&before) => {
                sql::keys_for(&mut tx, org, row.id, &before).await.map_err(problem)?
            }
            Some(_) | None => 0,
        };
        sql::update_provider(&mut tx, org, row.id, base_url.as_deref(), enabled)
            .await
            .map_err(problem)?;
        let event = Event::ProviderUpdated { provider: row.id, base_url, enabled, keys_detached };
        self.finish(tx, scope, row.id, event).await
    }

    /// Deletes a provider that no model and no key needs any more.
    pub async fn delete_provider(&self, scope: &Scope, id_or_slug: &str) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        // The lock keeps models and keys from being added while they are counted.
        let row = sql::lock_provider(&mut tx, org, id_or_slug).await.map_err(problem)?;
        let found = found(&mut tx, scope, row.ok_or_else(no_such_provider)?.id).await?;
        if found.models > 0 || found.keys > 0 {
            let (models, keys) = (counted(found.models, "model"), counted(found.keys, "key"));
            let detail =
                format!("{} still has {models} and {keys}; delete them first.", found.slug);
            return Err(Problem::new(Code::Conflict, detail));
        }
        sql::delete_provider(&mut tx, org, found.id).await.map_err(problem)?;
        let event = Event::ProviderDeleted { provider: found.id, slug: found.slug };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    /// The models that a kind of provider is known to have, with their prices.
    pub fn catalog(&self, kind: ProviderKind) -> Vec<CatalogModel> {
        self.0.catalogue.of(kind)
    }

    async fn finish(
        &self,
        mut tx: Tenant,
        scope: &Scope,
        id: ProviderId,
        event: Event,
    ) -> Result<Provider, Problem> {
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let provider = found(&mut tx, scope, id).await?;
        self.0.access.commit(tx, scope.org()).await?;
        Ok(provider)
    }
}

async fn found(
    conn: &mut PgConnection,
    scope: &Scope,
    id: ProviderId,
) -> Result<Provider, Problem> {
    let row = sql::find_provider(conn, scope.org(), id).await.map_err(problem)?;
    provider(row.ok_or_else(no_such_provider)?)
}

fn no_such_provider() -> Problem {
    Problem::not_found("provider")
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn kind(row: &sql::ProviderRow) -> Result<ProviderKind, Problem> {
    sql::kind(&row.kind).ok_or_else(|| {
        let detail =
            format!("The provider {} is of a kind that this version does not know.", row.slug);
        Problem::new(Code::Internal, detail)
    })
}

/// A provider as callers see it.
pub(crate) fn provider(row: sql::ProviderDetail) -> Result<Provider, Problem> {
    let kind = kind(&row.base)?;
    let origin = row.base.base_url.as_deref().and_then(origin_of);
    let attached = origin.is_some_and(|origin| row.key_origins.contains(&origin));
    let keys = sql::amount(row.keys);
    // Where no key is needed, one that is detached still says that someone meant calls to carry it.
    let opens = attached || (keys == 0 && !kind.needs_key());
    Ok(Provider {
        id: row.base.id,
        slug: row.base.slug,
        kind,
        base_url: row.base.base_url,
        models: sql::amount(row.models),
        keys,
        ready: row.base.enabled && opens,
        enabled: row.base.enabled,
        created_at: row.base.created_at,
    })
}
