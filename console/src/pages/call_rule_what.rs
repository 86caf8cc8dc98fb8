//! What a rule is about: patterns of models and providers, and kinds of calls, to write or to tick.

use ralex_api::call_rules::CallPhase;
use yew::prelude::*;

use crate::api;
use crate::components::{Check, TextField};
use crate::hooks::{Input, use_load};
use crate::session::use_org;
use crate::text::list::words;

/// Every kind of call, and the one of lists.
pub const ACTIONS: [(&str, &str); 13] = [
    ("model.list", "Lists of models"),
    ("model.call.generate", "Texts"),
    ("model.call.embeddings", "Embeddings"),
    ("model.call.moderations", "Moderations"),
    ("model.call.images", "Images"),
    ("model.call.image_edits", "Changes of images"),
    ("model.call.image_variations", "Variations of images"),
    ("model.call.speech", "Speech"),
    ("model.call.transcriptions", "Transcriptions"),
    ("model.call.translations", "Translations"),
    ("model.call.rerank", "Rankings"),
    ("model.call.count_tokens", "Token counts"),
    ("model.call.batches", "Batches"),
];

#[derive(Properties, PartialEq)]
pub struct Props {
    pub resources: Input,
    pub actions: Input,
    pub phase: CallPhase,
}

#[component]
pub fn What(props: &Props) -> Html {
    let org = use_org();
    let reads = ["model.read", "provider.read"].map(|name| org.can(name));
    let (load, _) = use_load((org.slug(), reads), |(org, [models, providers])| async move {
        let mut known = Vec::new();
        if providers {
            let found = api::catalog::providers(&org).await?.items;
            known.extend(found.into_iter().map(|it| format!("provider:{}", it.slug)));
        }
        if models {
            let found = api::catalog::models(&org).await?.items;
            known.extend(found.into_iter().map(|it| format!("model:{}", it.name)));
        }
        Ok(known)
    });
    let known = load.ready().map(|known| (**known).clone()).unwrap_or_default();
    let kinds = ACTIONS.iter().filter(|(action, _)| {
        if *action == "model.list" { props.phase.covers_list() } else { props.phase.covers_call() }
    });
    html! {
        <>
            <div>
                <TextField label="Models and providers" path="resources[0]" input={props.resources.clone()} placeholder="model:gpt-5*, provider:openai" hint="With commas; * stands for anything." />
                if !known.is_empty() {
                    <details>
                        <summary>{ "Choose from what there is" }</summary>
                        <div class="checks">{ for known.iter().map(|name| tick(&props.resources, name, name)) }</div>
                    </details>
                }
            </div>
            <div>
                <TextField label="Kinds of calls" path="actions[0]" input={props.actions.clone()} placeholder="model.call.embeddings" hint="With commas; * is every kind, model.call all that call." />
                <details>
                    <summary>{ "Choose kinds" }</summary>
                    <div class="checks">{ for kinds.map(|(action, title)| tick(&props.actions, action, title)) }</div>
                </details>
            </div>
        </>
    }
}

/// Adds a word to the field, or takes it out; the field stays what counts.
fn tick(input: &Input, word: &str, label: &str) -> Html {
    let on = words(&input.text()).iter().any(|it| it == word);
    let onchange = {
        let (input, word) = (input.clone(), word.to_owned());
        Callback::from(move |on: bool| input.set(ticked(&input.text(), &word, on)))
    };
    html! { <Check key={word.to_owned()} label={label.to_owned()} {on} {onchange} /> }
}

fn ticked(text: &str, word: &str, on: bool) -> String {
    let mut all = words(text);
    all.retain(|it| it != word && it != "*");
    if on {
        all.push(word.to_owned());
    }
    if all.is_empty() { "*".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::ticked;

    #[test]
    fn what_is_ticked_takes_the_place_of_everything_and_back() {
        let one = ticked("*", "model:a", true);
        assert_eq!(one, "model:a");
        let two = ticked(&one, "model:b", true);
        assert_eq!(two, "model:a, model:b");
        assert_eq!(ticked(&ticked(&two, "model:a", false), "model:b", false), "*");
    }
}
