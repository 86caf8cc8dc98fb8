//! Models: a name that callers write, a provider that answers, a price, and what it can do.

use ralex_access::Scope;
use ralex_api::catalog::{Model, ModelPrice, ModelQuery, NewModel, Prices, UpdateModel};
use ralex_api::{Page, page::PageQuery};
use ralex_audit::{Event, record};
use ralex_kernel::{Code, ModelId, Problem};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sql::model::{ModelRow, Wanted};
use crate::terms::Terms;
use crate::{Routing, sql};

const NAME_MAX: usize = 128;

impl Routing {
    /// Adds a model with its price. Without a price there is no model, so no call is free by
    /// oversight.
    pub async fn create_model(&self, scope: &Scope, new: NewModel) -> Result<Model, Problem> {
        check_name(&new.name)?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let provider =
            sql::provider::lookup_provider(&mut tx, org, &new.provider).await.map_err(problem)?;
        let provider = provider.ok_or_else(|| Problem::field("provider", NO_PROVIDER))?;
        let name = new.name.clone();
        let terms = self.terms(&provider.kind, new);
        terms.check()?;
        let id = ModelId::generate();
        let taken =
            Problem::new(Code::AlreadyExists, format!("There is already a model named {name}."));
        let gone = Problem::field("provider", NO_PROVIDER);
        sql::model::insert_model(&mut tx, org, id, provider.id, &name, &terms)
            .await
            .or_problem([("model_name_taken", taken), ("model_provider", gone)])?;
        self.priced(&mut tx, scope, id).await?;
        let (input_price, output_price) = (terms.prices.input_price, terms.prices.output_price);
        let event = Event::ModelCreated { model: id, name, input_price, output_price };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let model = found(&mut tx, scope, &id.to_string()).await?;
        self.0.access.commit(tx, org).await?;
        Ok(model)
    }

    /// The models that are looked for, the oldest first.
    pub async fn list_models(
        &self,
        scope: &Scope,
        query: &ModelQuery,
    ) -> Result<Page<Model>, Problem> {
        let page = query.page();
        let wanted = Wanted {
            text: query.q.as_deref().map(str::trim).filter(|text| !text.is_empty()),
            provider: query.provider.as_deref(),
            operation: query.operation,
            supports: query.supports,
            enabled: query.enabled,
            after: page.after::<ModelId>()?,
            limit: Some(page.size() + 1),
            ..Wanted::default()
        };
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::model::models(&mut tx, scope.org(), &wanted).await.map_err(problem)?;
        let models = rows.into_iter().map(ModelRow::model).collect();
        Ok(Page::of(models, page.size(), |model: &Model| model.id.to_string()))
    }

    pub async fn find_model(&self, scope: &Scope, id_or_name: &str) -> Result<Model, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        found(&mut tx, scope, id_or_name).await
    }

    /// Changes what a model is, for calls from now on. A call under way keeps its plan. Another
    /// price is a new version of it.
    pub async fn update_model(
        &self,
        scope: &Scope,
        id_or_name: &str,
        change: UpdateModel,
    ) -> Result<Model, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        sql::model::lock_model(&mut tx, org, id_or_name).await.map_err(problem)?;
        let model = found(&mut tx, scope, id_or_name).await?;
        let terms = Terms::of(&model).changed(change);
        terms.check()?;
        if terms == Terms::of(&model) {
            return Ok(model);
        }
        let repriced = terms.prices != model.prices;
        let version = model.price_version + u32::from(repriced);
        sql::model::update_model(&mut tx, org, model.id, &terms, version).await.map_err(problem)?;
        if repriced {
            self.priced(&mut tx, scope, model.id).await?;
        }
        let after = found(&mut tx, scope, &model.id.to_string()).await?;
        let event = Event::ModelUpdated {
            model: after.id,
            name: after.name.clone(),
            input_price: after.prices.input_price,
            output_price: after.prices.output_price,
            price_version: after.price_version,
            enabled: after.enabled,
            changed: differences(&model, &after),
        };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await?;
        Ok(after)
    }

    /// The prices that a model has and had, the newest first.
    pub async fn list_prices(
        &self,
        scope: &Scope,
        id_or_name: &str,
        page: &PageQuery,
    ) -> Result<Page<ModelPrice>, Problem> {
        let before = page.after::<i32>()?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let model = found(&mut tx, scope, id_or_name).await?;
        let prices =
            sql::price::prices(&mut tx, scope.org(), model.id, before, page.size() + 1).await;
        let cursor = |price: &ModelPrice| price.version.to_string();
        Ok(Page::of(prices.map_err(problem)?, page.size(), cursor))
    }

    /// Deletes a model. What its calls have cost stays as it was recorded.
    pub async fn delete_model(&self, scope: &Scope, id_or_name: &str) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let model = found(&mut tx, scope, id_or_name).await?;
        if !sql::model::delete_model(&mut tx, org, model.id).await.map_err(problem)? {
            return Err(no_such_model());
        }
        let event = Event::ModelDeleted { model: model.id, name: model.name };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.0.access.commit(tx, org).await
    }

    /// The terms of a new model. What is not said of its prices follows the plain ones; what is
    /// not said of its traits is what the catalogue knows of the upstream's model.
    fn terms(&self, kind: &str, new: NewModel) -> Terms {
        let known = kind.parse().ok();
        let known = known.and_then(|kind| self.0.catalogue.find(&kind, &new.upstream_model));
        let mut plain = Prices::plain(new.input_price, new.output_price);
        plain.cache_write_1h_price = new.cache_write_price.unwrap_or(new.input_price);
        Terms::new(plain, known).changed(new.terms())
    }

    /// Keeps the price that a model has from now on.
    async fn priced(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        model: ModelId,
    ) -> Result<(), Problem> {
        let set_by = scope.author().actor_id();
        sql::price::keep_price(conn, scope.org(), model, set_by).await.map_err(problem)
    }
}

const NO_PROVIDER: &str = "names no provider; give the id or slug of one";

async fn found(conn: &mut PgConnection, scope: &Scope, model: &str) -> Result<Model, Problem> {
    let row = sql::model::find_model(conn, scope.org(), model).await.map_err(problem)?;
    row.map(ModelRow::model).ok_or_else(no_such_model)
}

/// The fields, as callers name them, in which two states of a model differ.
fn differences(before: &Model, after: &Model) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let fields = |value: &serde_json::Value| value.as_object().cloned().unwrap_or_default();
    let (before, after) = (fields(&before), fields(&after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

fn no_such_model() -> Problem {
    Problem::not_found("model")
}

/// A name that stands in requests, addresses and lists without quoting, and is no id.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    if !(1..=NAME_MAX).contains(&name.len()) || !name.chars().all(allowed) {
        let message = "must be 1 to 128 letters, digits or any of . _ : / -";
        return Err(Problem::field("name", message));
    }
    if name.parse::<Uuid>().is_ok() {
        return Err(Problem::field("name", "looks like an id; choose another name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ralex_api::catalog::{Modality, ModelCapability, ModelOperation, PriceTier, ProviderKind};
    use ralex_kernel::Price;

    use super::*;
    use crate::testing::World;

    #[test]
    fn a_models_name_is_plain_and_never_an_id() {
        for good in ["gpt-6.1-sol", "meta/llama-3:70b", "A_b", "x", &"x".repeat(128)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let id = ModelId::generate().to_string();
        for bad in ["", "a b", "ü", "a\n", "a\"b", "a?b", &id, &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_model_is_added_changed_and_deleted_by_id_or_name() {
        let world = World::new().await;
        let (scope, routing) = (world.scope(), &world.routing);
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        let model = world.model("fast", "openai").await.unwrap();
        assert_eq!(model.prices.cache_read_price, model.prices.input_price);
        assert_eq!(model.provider_slug.as_str(), "openai");
        let price: Price = "2.5".parse().unwrap();
        let change = |max_output| UpdateModel {
            input_price: Some(price),
            max_output,
            ..UpdateModel::default()
        };
        let updated = routing.update_model(&scope, "fast", change(None)).await.unwrap();
        let by_id = routing.find_model(&scope, &model.id.to_string()).await.unwrap();
        assert_eq!((updated.prices.input_price, &updated), (price, &by_id));
        let refused = routing.update_model(&scope, "fast", change(Some(1001))).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "max_output");
        routing.update_model(&scope, "fast", change(None)).await.unwrap();
        routing.delete_model(&scope, &model.id.to_string()).await.unwrap();
        let gone = routing.find_model(&scope, "fast").await.unwrap_err();
        assert_eq!(gone.code, Code::NotFound);
        let events = ["provider.created", "model.created", "model.updated", "model.deleted"];
        assert_eq!(world.actions().await, events, "an update without a change is no event");
    }

    #[tokio::test]
    async fn a_model_needs_a_free_name_and_a_provider_that_exists() {
        let world = World::new().await;
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        world.model("fast", "openai").await.unwrap();
        let twice = world.model("fast", "openai").await.unwrap_err();
        assert_eq!(twice.code, Code::AlreadyExists);
        let nowhere = world.model("other", "nowhere").await.unwrap_err();
        assert_eq!(nowhere.errors[0].path, "provider");
        let wrong = world.model("a b", "openai").await.unwrap_err();
        assert_eq!(wrong.errors[0].path, "name");
    }

    #[tokio::test]
    async fn a_list_goes_on_where_its_page_ended() {
        let world = World::new().await;
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        for name in ["c", "a", "b"] {
            world.model(name, "openai").await.unwrap();
        }
        let page = |cursor| ModelQuery { cursor, limit: Some(2), ..ModelQuery::default() };
        let list = async |cursor| world.routing.list_models(&world.scope(), &page(cursor)).await;
        let first = list(None).await.unwrap();
        let rest = list(first.next_cursor.clone()).await.unwrap();
        let names: Vec<_> =
            first.items.iter().chain(&rest.items).map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"], "the oldest first");
        assert_eq!((first.items.len(), rest.next_cursor), (2, None));
    }

    #[tokio::test]
    async fn a_new_price_is_a_new_version_and_other_changes_are_not() {
        let world = World::new().await;
        let (scope, routing) = (world.scope(), &world.routing);
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        world.model("fast", "openai").await.unwrap();
        let update = async |change| routing.update_model(&scope, "fast", change).await.unwrap();
        let quality = UpdateModel { quality: Some(Some(80)), ..UpdateModel::default() };
        assert_eq!(update(quality).await.price_version, 1);
        let dearer = UpdateModel { input_price: "2".parse().ok(), ..UpdateModel::default() };
        assert_eq!(update(dearer.clone()).await.price_version, 2);
        assert_eq!(update(dearer).await.price_version, 2, "the same price is no new one");
        let tier = PriceTier {
            above: 500,
            input_price: "4".parse().unwrap(),
            output_price: "4".parse().unwrap(),
            cache_read_price: Price::ZERO,
            cache_write_price: "5".parse().unwrap(),
            cache_write_1h_price: "8".parse().unwrap(),
        };
        let tiers = UpdateModel { price_tiers: Some(vec![tier]), ..UpdateModel::default() };
        let model = update(tiers).await;
        assert_eq!((model.price_version, &model.prices.price_tiers), (3, &vec![tier]));
        let page = |cursor| PageQuery { cursor, limit: Some(2) };
        let list = async |cursor| routing.list_prices(&scope, "fast", &page(cursor)).await.unwrap();
        let newest = list(None).await;
        let oldest = list(newest.next_cursor.clone()).await;
        let told = |price: &ModelPrice| (price.version, price.prices.input_price, price.current);
        let dollars = |text: &str| text.parse::<Price>().unwrap();
        let all: Vec<_> = newest.items.iter().chain(&oldest.items).map(told).collect();
        assert_eq!(
            all,
            [(3, dollars("2"), true), (2, dollars("2"), false), (1, dollars("1"), false)]
        );
        assert_eq!(newest.items[0].prices, model.prices);
        assert_eq!(newest.items[0].set_by, "Ralex", "the tests act as the deployment");
        let told = sqlx::query_scalar!(
            r#"select convert_from(leaf, 'utf8')::jsonb #>> '{detail,changed}' as "changed!"
               from audit_event where action = 'model.updated' order by id"#
        )
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
        let prices = r#"["input_price", "price_version"]"#;
        assert_eq!(told, [r#"["quality"]"#, prices, r#"["price_tiers", "price_version"]"#]);
    }

    #[tokio::test]
    async fn a_model_that_the_catalogue_knows_has_its_traits() {
        let world = World::new().await;
        world.provider("claude", ProviderKind::ANTHROPIC, None).await.unwrap();
        let price = Price::nanos_per_million(1_000_000_000);
        let new = NewModel {
            name: "writer".to_owned(),
            provider: "claude".to_owned(),
            upstream_model: "claude-opus-5".to_owned(),
            input_price: price,
            output_price: price,
            context_window: 1000,
            max_output: 100,
            quality: Some(7),
            ..NewModel::default()
        };
        let model = world.routing.create_model(&world.scope(), new).await.unwrap();
        assert!(model.traits.supports.contains(&ModelCapability::Tools), "{:?}", model.traits);
        assert!(model.traits.input_modalities.contains(&Modality::Pdf));
        assert_eq!(model.traits.quality, Some(7), "what is said counts more");
        assert_eq!(model.prices, Prices::plain(price, price), "a price is never assumed");
    }

    #[tokio::test]
    async fn a_list_holds_only_what_is_looked_for() {
        let world = World::new().await;
        let (scope, routing) = (world.scope(), &world.routing);
        world.provider("openai", ProviderKind::OPENAI, None).await.unwrap();
        world.provider("other", ProviderKind::ANTHROPIC, None).await.unwrap();
        world.model("chat-big", "openai").await.unwrap();
        world.model("chat-small", "other").await.unwrap();
        world.model("vectors", "openai").await.unwrap();
        let change = UpdateModel {
            operations: Some(vec![ModelOperation::Embeddings]),
            supports: Some(vec![ModelCapability::JsonSchema]),
            enabled: Some(false),
            ..UpdateModel::default()
        };
        routing.update_model(&scope, "vectors", change).await.unwrap();
        let names = async |query: ModelQuery| {
            let page = routing.list_models(&scope, &query).await.unwrap();
            page.items.into_iter().map(|model| model.name).collect::<Vec<_>>().join(" ")
        };
        let all = ModelQuery::default;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(names(all()).await, "chat-big chat-small vectors");
        assert_eq!(names(ModelQuery { q: text("CHAT"), ..all() }).await, "chat-big chat-small");
        assert_eq!(names(ModelQuery { q: text("upstream-v"), ..all() }).await, "vectors");
        assert_eq!(names(ModelQuery { q: text("%"), ..all() }).await, "", "no pattern");
        assert_eq!(names(ModelQuery { provider: text("other"), ..all() }).await, "chat-small");
        let operation = Some(ModelOperation::Embeddings);
        assert_eq!(names(ModelQuery { operation, ..all() }).await, "vectors");
        let supports = Some(ModelCapability::JsonSchema);
        assert_eq!(names(ModelQuery { supports, ..all() }).await, "vectors");
        assert_eq!(names(ModelQuery { enabled: Some(false), ..all() }).await, "vectors");
        let refused = routing.plan(world.org, "vectors").await.unwrap_err();
        assert_eq!(refused.code, Code::ProviderNotReady);
    }
}
