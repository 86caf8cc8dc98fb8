//! Models: a name that callers write, a provider that answers, and a price.

use ralex_access::Scope;
use ralex_api::catalog::{CatalogModel, Model, NewModel, UpdateModel};
use ralex_api::{Page, page::PageQuery};
use ralex_audit::{Event, record};
use ralex_kernel::{Code, ModelId, Price, Problem};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Routing, sql};

const NAME_MAX: usize = 128;
const UPSTREAM_MAX: usize = 256;
/// What the schema's integers hold.
const TOKENS_MAX: u32 = i32::MAX.unsigned_abs();

impl Routing {
    /// Adds a model with its price. Without a price there is no model, so no call is free by
    /// oversight.
    pub async fn create_model(&self, scope: &Scope, new: NewModel) -> Result<Model, Problem> {
        check_name(&new.name)?;
        check_upstream(&new.upstream_model)?;
        let terms = Terms {
            input_price: new.input_price,
            output_price: new.output_price,
            cache_read_price: new.cache_read_price.unwrap_or(new.input_price),
            cache_write_price: new.cache_write_price.unwrap_or(new.input_price),
            context_window: new.context_window,
            max_output: new.max_output,
        };
        terms.check()?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let provider =
            sql::provider::lookup_provider(&mut tx, org, &new.provider).await.map_err(problem)?;
        let provider = provider.ok_or_else(|| Problem::field("provider", NO_PROVIDER))?;
        let id = ModelId::generate();
        let taken = Problem::new(
            Code::AlreadyExists,
            format!("There is already a model named {}.", new.name),
        );
        let gone = Problem::field("provider", NO_PROVIDER);
        let names = (new.name.as_str(), new.upstream_model.as_str());
        sql::model::insert_model(&mut tx, org, id, provider.id, names, &terms)
            .await
            .or_problem([("model_name_taken", taken), ("model_provider", gone)])?;
        let event = Event::ModelCreated {
            model: id,
            name: new.name,
            input_price: terms.input_price,
            output_price: terms.output_price,
        };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let model = found(&mut tx, scope, &id.to_string()).await?;
        self.0.access.commit(tx, org).await?;
        Ok(model)
    }

    /// The models, the oldest first.
    pub async fn list_models(
        &self,
        scope: &Scope,
        page: &PageQuery,
    ) -> Result<Page<Model>, Problem> {
        let after = page.after::<ModelId>()?;
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let rows = sql::model::list_models(&mut tx, scope.org(), after, page.size() + 1).await;
        let models = rows.map_err(problem)?.into_iter().map(sql::model::ModelRow::model).collect();
        Ok(Page::of(models, page.size(), |model| model.id.to_string()))
    }

    pub async fn find_model(&self, scope: &Scope, id_or_name: &str) -> Result<Model, Problem> {
        let mut tx = self.0.db.tenant(scope.org()).await?;
        found(&mut tx, scope, id_or_name).await
    }

    /// Changes prices and limits, for calls from now on. A call under way keeps its plan.
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
        let terms = Terms {
            input_price: change.input_price.unwrap_or(model.input_price),
            output_price: change.output_price.unwrap_or(model.output_price),
            cache_read_price: change.cache_read_price.unwrap_or(model.cache_read_price),
            cache_write_price: change.cache_write_price.unwrap_or(model.cache_write_price),
            context_window: change.context_window.unwrap_or(model.context_window),
            max_output: change.max_output.unwrap_or(model.max_output),
        };
        terms.check()?;
        if terms == Terms::of(&model) {
            return Ok(model);
        }
        sql::model::update_model(&mut tx, org, model.id, &terms).await.map_err(problem)?;
        let event = Event::ModelUpdated {
            model: model.id,
            name: model.name.clone(),
            input_price: terms.input_price,
            output_price: terms.output_price,
        };
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let model = found(&mut tx, scope, &model.id.to_string()).await?;
        self.0.access.commit(tx, org).await?;
        Ok(model)
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
}

const NO_PROVIDER: &str = "names no provider; give the id or slug of one";

async fn found(conn: &mut PgConnection, scope: &Scope, model: &str) -> Result<Model, Problem> {
    let row = sql::model::find_model(conn, scope.org(), model).await.map_err(problem)?;
    row.map(sql::model::ModelRow::model).ok_or_else(no_such_model)
}

fn no_such_model() -> Problem {
    Problem::not_found("model")
}

/// What a model costs and how much it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub input_price: Price,
    pub output_price: Price,
    pub cache_read_price: Price,
    pub cache_write_price: Price,
    pub context_window: u32,
    pub max_output: u32,
}

impl Terms {
    pub const fn of(model: &Model) -> Self {
        Self {
            input_price: model.input_price,
            output_price: model.output_price,
            cache_read_price: model.cache_read_price,
            cache_write_price: model.cache_write_price,
            context_window: model.context_window,
            max_output: model.max_output,
        }
    }

    pub const fn known(model: &CatalogModel) -> Self {
        Self {
            input_price: model.input_price,
            output_price: model.output_price,
            cache_read_price: model.cache_read_price,
            cache_write_price: model.cache_write_price,
            context_window: model.context_window,
            max_output: model.max_output,
        }
    }

    fn check(&self) -> Result<(), Problem> {
        for (path, price) in [
            ("input_price", self.input_price),
            ("output_price", self.output_price),
            ("cache_read_price", self.cache_read_price),
            ("cache_write_price", self.cache_write_price),
        ] {
            if price < Price::ZERO {
                return Err(Problem::field(path, "must not be negative"));
            }
        }
        for (path, tokens) in
            [("context_window", self.context_window), ("max_output", self.max_output)]
        {
            if !(1..=TOKENS_MAX).contains(&tokens) {
                return Err(Problem::field(path, format!("must be 1 to {TOKENS_MAX} tokens")));
            }
        }
        if self.max_output > self.context_window {
            let message =
                "must not be above context_window, which counts input and output together";
            return Err(Problem::field("max_output", message));
        }
        Ok(())
    }
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

/// Whatever a provider may call its models, in one line.
fn check_upstream(name: &str) -> Result<(), Problem> {
    let hidden = |c: char| c.is_control() || c.is_whitespace();
    if !(1..=UPSTREAM_MAX).contains(&name.len()) || name.contains(hidden) {
        let message = "must be 1 to 256 bytes without spaces: the provider's name of the model";
        return Err(Problem::field("upstream_model", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ralex_api::catalog::ProviderKind;

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

    #[test]
    fn terms_that_make_no_sense_are_refused_by_field() {
        let good = Terms {
            input_price: Price::ZERO,
            output_price: Price::ZERO,
            cache_read_price: Price::ZERO,
            cache_write_price: Price::ZERO,
            context_window: 100,
            max_output: 100,
        };
        let field = |terms: Terms| terms.check().map_err(|problem| problem.errors[0].path.clone());
        assert_eq!(field(good), Ok(()));
        let negative = Price::nanos_per_million(-1);
        for (terms, path) in [
            (Terms { input_price: negative, ..good }, "input_price"),
            (Terms { cache_write_price: negative, ..good }, "cache_write_price"),
            (Terms { context_window: 0, ..good }, "context_window"),
            (Terms { context_window: u32::MAX, ..good }, "context_window"),
            (Terms { max_output: 0, ..good }, "max_output"),
            (Terms { max_output: 101, ..good }, "max_output"),
        ] {
            assert_eq!(field(terms), Err(path.to_owned()));
        }
    }

    #[tokio::test]
    async fn a_model_is_added_changed_and_deleted_by_id_or_name() {
        let world = World::new().await;
        let (scope, routing) = (world.scope(), &world.routing);
        world.provider("openai", ProviderKind::Openai, None).await.unwrap();
        let model = world.model("fast", "openai").await.unwrap();
        assert_eq!(model.cache_read_price, model.input_price);
        assert_eq!(model.provider_slug.as_str(), "openai");
        let price: Price = "2.5".parse().unwrap();
        let change = |max_output| UpdateModel {
            input_price: Some(price),
            output_price: None,
            cache_read_price: None,
            cache_write_price: None,
            context_window: None,
            max_output,
        };
        let updated = routing.update_model(&scope, "fast", change(None)).await.unwrap();
        let by_id = routing.find_model(&scope, &model.id.to_string()).await.unwrap();
        assert_eq!((updated.input_price, &updated), (price, &by_id));
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
        world.provider("openai", ProviderKind::Openai, None).await.unwrap();
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
        world.provider("openai", ProviderKind::Openai, None).await.unwrap();
        for name in ["c", "a", "b"] {
            world.model(name, "openai").await.unwrap();
        }
        let page = |cursor| PageQuery { cursor, limit: Some(2) };
        let list = async |cursor| world.routing.list_models(&world.scope(), &page(cursor)).await;
        let first = list(None).await.unwrap();
        let rest = list(first.next_cursor.clone()).await.unwrap();
        let names: Vec<_> =
            first.items.iter().chain(&rest.items).map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"], "the oldest first");
        assert_eq!((first.items.len(), rest.next_cursor), (2, None));
    }
}
