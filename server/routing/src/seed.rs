//! The simulated provider that a new organisation starts with, so that its first call works.

use ralex_api::catalog::ProviderKind;
use ralex_audit::{Author, Event, record};
use ralex_kernel::{ModelId, Problem, ProviderId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::model::Terms;
use crate::{Catalogue, sql};

const SLUG: &str = "simulated";

/// Gives the author's organisation the simulated provider and its models, in the transaction that
/// creates the organisation.
pub async fn seed_simulated(
    conn: &mut PgConnection,
    author: &Author,
    catalogue: &Catalogue,
) -> Result<(), Problem> {
    let org = author.org;
    let kind = ProviderKind::Simulated;
    let slug = SLUG.parse().map_err(|error| Problem::field("slug", format!("{error}")))?;
    let provider = ProviderId::generate();
    sql::insert_provider(conn, org, provider, &slug, kind, None).await.map_err(problem)?;
    let event = Event::ProviderCreated {
        provider,
        slug,
        kind: kind.as_str().to_owned(),
        base_url: None,
    };
    record(conn, author, event).await.map_err(problem)?;
    for known in catalogue.of(kind) {
        let model = ModelId::generate();
        let terms = Terms {
            input_price: known.input_price,
            output_price: known.output_price,
            cache_read_price: known.cache_read_price,
            cache_write_price: known.cache_write_price,
            context_window: known.context_window,
            max_output: known.max_output,
        };
        let names = (known.name.as_str(), known.name.as_str());
        sql::insert_model(conn, org, model, provider, names, &terms).await.map_err(problem)?;
        let event = Event::ModelCreated {
            model,
            name: known.name,
            input_price: terms.input_price,
            output_price: terms.output_price,
        };
        record(conn, author, event).await.map_err(problem)?;
    }
    ralex_access::bump(conn, org).await.map_err(problem)
}
