//! The book: an organisation's models by name, in memory, as new as the policy version.

use std::collections::BTreeMap;
use std::sync::Arc;

use ralex_api::catalog::ProviderKind;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_providers::Target;
use ralex_vault::origin_of;
use tracing::error;

use crate::plan::Plan;
use crate::sql::model::{ModelRow, Wanted};
use crate::{Catalogue, Inner, Routing, kinds, sql};

/// How many models an error names.
const NAMED: usize = 5;

/// All models of an organisation, and whether their provider is switched on.
pub(crate) struct Book {
    version: i64,
    entries: BTreeMap<String, Entry>,
}

pub(crate) struct Entry {
    pub(crate) plan: Arc<Plan>,
    /// What is switched off, where something is.
    off: Option<Off>,
}

#[derive(Clone, Copy)]
enum Off {
    Provider,
    Model,
}

impl Routing {
    /// Who answers a call to the model that a caller names.
    pub async fn plan(&self, org: OrgId, model: &str) -> Result<Arc<Plan>, Problem> {
        let book = self.0.book(org).await?;
        match book.entries.get(model) {
            Some(Entry { plan, off: None }) => Ok(plan.clone()),
            Some(Entry { plan, off: Some(off) }) => Err(off.problem(plan)),
            None => Err(book.no_such_model(model)),
        }
    }

    /// The models that can be called, by name.
    pub async fn available(&self, org: OrgId) -> Result<Vec<Arc<Plan>>, Problem> {
        Ok(self.0.book(org).await?.available().cloned().collect())
    }
}

impl Off {
    fn problem(self, plan: &Plan) -> Problem {
        let detail = match self {
            Self::Provider => format!(
                "The provider {} of the model {} is switched off.",
                plan.provider_slug, plan.name
            ),
            Self::Model => format!("The model {} is switched off.", plan.name),
        };
        Problem::new(Code::ProviderNotReady, detail)
    }
}

impl Entry {
    pub(crate) fn is_on(&self) -> bool {
        self.off.is_none()
    }

    /// Why it cannot be called, where it is switched off.
    pub(crate) fn off_problem(&self) -> Option<Problem> {
        self.off.map(|off| off.problem(&self.plan))
    }
}

impl Book {
    /// The model of this name, switched on or not.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All models, by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    fn available(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.entries.values().filter(|entry| entry.off.is_none()).map(|entry| &entry.plan)
    }

    pub(crate) fn no_such_model(&self, model: &str) -> Problem {
        // What the caller wrote goes back only as far as a name could be.
        let model: String = model.chars().filter(|c| !c.is_control()).take(128).collect();
        let names: Vec<&str> =
            self.available().take(NAMED).map(|plan| plan.name.as_str()).collect();
        let more = self.available().count() - names.len();
        let there = match (names.as_slice(), more) {
            ([], _) => "There are none yet: add a provider and a model, with its price.".to_owned(),
            (names, 0) => format!("There are: {}.", names.join(", ")),
            (names, more) => format!("There are: {} and {more} more.", names.join(", ")),
        };
        let detail = format!(
            "There is no model \u{201c}{model}\u{201d} here. {there} An admin can add a model \
             under Models, or with POST /api/v1/orgs/{{org}}/models."
        );
        Problem::new(Code::ModelNotFound, detail)
    }
}

impl Inner {
    pub(crate) async fn book(&self, org: OrgId) -> Result<Arc<Book>, Problem> {
        // Read before the rows are, so that a change in between makes the book old, not wrong.
        let version = self.access.version(org);
        if let Some(book) = self.cached(org, version) {
            return Ok(book);
        }
        let _one_at_a_time = self.loading.lock().await;
        let version = self.access.version(org);
        if let Some(book) = self.cached(org, version) {
            return Ok(book);
        }
        let book = Arc::new(self.load(org, version).await?);
        self.books.write().insert(org, book.clone());
        Ok(book)
    }

    fn cached(&self, org: OrgId, version: i64) -> Option<Arc<Book>> {
        self.books.read().get(&org).filter(|book| book.version == version).cloned()
    }

    async fn load(&self, org: OrgId, version: i64) -> Result<Book, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let rows = sql::model::models(&mut tx, org, &Wanted::default()).await;
        let rows = rows.map_err(ralex_store::problem)?;
        let entries = rows.into_iter().filter_map(|row| entry(row, &self.catalogue)).collect();
        Ok(Book { version, entries })
    }
}

/// One model as the book has it. A row that only a foreign hand can have written is left out,
/// so that it stops itself and not the organisation.
fn entry(row: ModelRow, catalogue: &Catalogue) -> Option<(String, Entry)> {
    let (kind, base_url) = (row.kind.clone(), row.base_url.clone());
    let (provider_enabled, timeouts) = (row.provider_enabled, row.timeouts());
    let model = row.model();
    let provider = model.provider;
    let Some(spec) = kinds::find(&kind) else {
        error!(provider.id = %provider, "the provider {provider} has the unknown kind {kind}");
        return None;
    };
    let url = match base_url.as_deref().map(url::Url::parse).transpose() {
        Ok(url) => url,
        Err(error) => {
            error!(provider.id = %provider, "the provider {provider} has no valid address: {error}");
            return None;
        }
    };
    let provider_kind: ProviderKind = kind.parse().ok()?;
    let fees = catalogue.fees(&provider_kind, &model.upstream_model);
    let target = Target {
        spec: spec.clone(),
        base_url: url,
        upstream_model: model.upstream_model,
        max_output: u64::from(model.max_output),
        patience: kinds::patience(timeouts),
    };
    let plan = Plan {
        model: model.id,
        name: model.name.clone(),
        provider,
        provider_slug: model.provider_slug,
        provider_kind,
        target,
        origin: base_url.as_deref().and_then(origin_of),
        needs_key: spec.auth.required,
        input_price: model.prices.input_price,
        output_price: model.prices.output_price,
        cache_read_price: model.prices.cache_read_price,
        cache_write_price: model.prices.cache_write_price,
        prices: Arc::new(model.prices),
        fees,
        price_version: model.price_version,
        context_window: model.context_window,
        max_output: model.max_output,
        traits: Arc::new(model.traits),
        labels: model.labels.into(),
        retires_on: model.retires_on,
        created_at: model.created_at,
    };
    let off = match (provider_enabled, model.enabled) {
        (false, _) => Some(Off::Provider),
        (true, false) => Some(Off::Model),
        (true, true) => None,
    };
    Some((model.name, Entry { plan: Arc::new(plan), off }))
}

#[cfg(test)]
mod tests {
    use ralex_api::catalog::{UpdateModel, UpdateProvider};

    use super::*;
    use crate::testing::{World, add_org};

    #[tokio::test]
    async fn a_plan_holds_all_that_a_call_needs() {
        let world = World::new().await;
        let openai = world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        world.model("fast", "openai").await.unwrap();
        let plan = world.routing.plan(world.org, "fast").await.unwrap();
        assert_eq!((plan.provider, plan.provider_slug.as_str()), (openai.id, "openai"));
        assert_eq!(plan.target.upstream_model, "upstream-fast");
        assert_eq!(plan.target.base_url.as_ref().unwrap().as_str(), "https://api.openai.com/v1");
        assert_eq!(plan.origin.as_deref(), Some("https://api.openai.com"));
        assert_eq!((plan.needs_key, plan.max_output, plan.target.max_output), (true, 100, 100));
        assert_eq!(plan.key_missing().code, Code::ProviderNotReady);
    }

    #[tokio::test]
    async fn the_next_plan_sees_every_change() {
        let world = World::new().await;
        let scope = world.scope();
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        let missing = world.routing.plan(world.org, "fast").await.unwrap_err();
        assert_eq!(missing.code, Code::ModelNotFound);
        world.model("fast", "openai").await.unwrap();
        let before = world.routing.plan(world.org, "fast").await.unwrap();
        let change = UpdateModel { input_price: "9".parse().ok(), ..UpdateModel::default() };
        world.routing.update_model(&scope, "fast", change).await.unwrap();
        let after = world.routing.plan(world.org, "fast").await.unwrap();
        assert!(after.input_price > before.input_price);
        let off = UpdateProvider { base_url: None, enabled: Some(false), timeouts: None };
        world.routing.update_provider(&scope, "openai", off).await.unwrap();
        let refused = world.routing.plan(world.org, "fast").await.unwrap_err();
        assert_eq!(refused.code, Code::ProviderNotReady);
        assert!(world.routing.available(world.org).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_unknown_model_names_some_that_are_there() {
        let world = World::new().await;
        let detail = async || world.routing.plan(world.org, "gpt\n-9").await.unwrap_err().detail;
        assert!(detail().await.contains("none yet"), "{}", detail().await);
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        for name in ["m1", "m2", "m3", "m4", "m5", "m6", "m7"] {
            world.model(name, "openai").await.unwrap();
        }
        let told = detail().await;
        assert!(told.contains("m1, m2, m3, m4, m5 and 2 more."), "{told}");
        assert!(told.contains("\u{201c}gpt-9\u{201d}"), "{told}");
        let stranger = add_org(&world.database).await;
        let theirs = world.routing.plan(stranger, "m1").await.unwrap_err();
        assert_eq!(theirs.code, Code::ModelNotFound);
        assert!(!theirs.detail.contains("m2"), "{}", theirs.detail);
    }
}
