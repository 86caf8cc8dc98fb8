//! Kept answers: whether there are any, for how long, and what they saved.

use ralex_api::resilience::Cache;
use yew::prelude::*;

use super::cache_form::CacheForm;
use crate::api;
use crate::components::{Banner, Stat, Tone, show};
use crate::hooks::use_load;
use crate::session::use_org;
use crate::text::money::{exact, short};
use crate::text::number::grouped;

#[component]
pub fn CacheCard() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::resilience::cache(&org));
    html! {
        <section class="panel">
            <h2>{ "Kept answers" }</h2>
            <p class="faint">{ "The same request of the same team is answered again without a provider, at no cost. Such answers stay in memory. Answers for questions that mean the same are kept in the database, encrypted. None ever leaves its team." }</p>
            { show(&load, &again, |cache| html! {
                <>
                    if let Some(problem) = &cache.semantic_problem {
                        <Banner tone={Tone::Warn}><p>{ format!("Only the same request is answered again now. {problem}") }</p></Banner>
                    }
                    <div class="tiles">
                        <Stat label="Saved in 30 days" value={short(cache.saved)} title={exact(cache.saved)} />
                        <Stat label="Answered without a provider" value={grouped(cache.hits)}>{ format!("of {} calls", grouped(cache.calls)) }</Stat>
                        if cache.semantic.is_some() || cache.semantic_hits > 0 { { by_meaning(cache) } }
                    </div>
                    if org.can_everywhere("org.update") {
                        <CacheForm cache={(**cache).clone()} onchange={again.clone()} />
                    }
                </>
            }) }
        </section>
    }
}

fn by_meaning(cache: &Cache) -> Html {
    let cost = format!("their vectors cost {}", short(cache.embedding_cost));
    html! {
        <>
            <Stat label="Of these, by meaning" value={grouped(cache.semantic_hits)} title={exact(cache.embedding_cost)}>{ cost }</Stat>
            <Stat label="Kept now for their meaning" value={grouped(cache.kept)} />
        </>
    }
}
