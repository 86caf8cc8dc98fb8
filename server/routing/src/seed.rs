//! The simulated provider that a new organisation starts with, so that its first call works.

use ralex_api::catalog::ProviderKind;
use ralex_audit::{Author, Event, record};
use ralex_kernel::{ModelId, Problem, ProviderId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::model::Terms;
use crate::{Routing, sql};

const SLUG: &str = "simulated";

impl Routing {
    /// Gives the author's new organisation the simulated provider and its models, in the
    /// transaction that creates it and that ends with `Access::commit`.
    pub async fn seed_simulated(
        &self,
        conn: &mut PgConnection,
        author: &Author,
    ) -> Result<(), Problem> {
        let (org, kind) = (author.org, ProviderKind::Simulated);
        let slug = SLUG.parse().map_err(|error| Problem::field("slug", format!("{error}")))?;
        let provider = ProviderId::generate();
        sql::insert_provider(conn, org, provider, &slug, kind, None).await.map_err(problem)?;
        let name = kind.as_str().to_owned();
        let event = Event::ProviderCreated { provider, slug, kind: name, base_url: None };
        record(conn, author, event).await.map_err(problem)?;
        for known in self.catalog(kind) {
            let (model, terms) = (ModelId::generate(), Terms::known(&known));
            let names = (known.name.as_str(), known.name.as_str());
            sql::insert_model(conn, org, model, provider, names, &terms).await.map_err(problem)?;
            let (input_price, output_price) = (terms.input_price, terms.output_price);
            let event = Event::ModelCreated { model, name: known.name, input_price, output_price };
            record(conn, author, event).await.map_err(problem)?;
        }
        Ok(())
    }
}
