//! The form of a model, with the known ones to choose from, and its end.

use ralex_api::catalog::{
    CatalogModel, Modality, Model, ModelCapability, ModelOperation, PriceUnit, Provider,
    ProviderKind,
};
use yew::prelude::*;

use super::model_fields::{Fields, Words, use_fields};
use crate::api;
use crate::components::{Check, ConfirmDelete, Dialog, Form, SelectField, TextArea, TextField};
use crate::hooks::input::anything;
use crate::hooks::{use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::borrowed::lower;

/// How many known models are in sight at once.
const SHOWN: usize = 8;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub providers: Vec<Provider>,
    /// The model to change; its name and provider stay.
    pub model: Option<Model>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ModelForm(props: &FormProps) -> Html {
    let org = use_org();
    let fields = use_fields(props.model.as_ref());
    let known = use_state(|| None::<CatalogModel>);
    let provider = use_state(|| props.providers.first().cloned());
    let save = use_action(
        props.ondone.reform(|model: Model| format!("Model {} is saved.", model.name).into()),
    );
    let id = props.model.as_ref().map(|model| model.id);
    let onsubmit = {
        let (fields, known, save) = (fields.clone(), known.clone(), save.clone());
        let provider = (*provider).clone().map(|provider| provider.slug.to_string());
        Callback::from(move |()| {
            let (org, change) = (org.slug(), fields.change());
            let provider = provider.clone().unwrap_or_default();
            let new = fields.new_model(&provider, known.as_ref());
            match (id, new) {
                (Some(id), _) => {
                    save.run(api::catalog::update_model(&org, id, change));
                }
                (None, Some(new)) => {
                    save.run(api::catalog::create_model(&org, new));
                }
                (None, None) => {}
            }
        })
    };
    let onpick = {
        let fields = fields.clone();
        Callback::from(move |found: CatalogModel| {
            fields.fill(&found);
            known.set(Some(found));
        })
    };
    let onprovider = {
        let (provider, all) = (provider.clone(), props.providers.clone());
        Callback::from(move |slug: String| {
            provider.set(all.iter().find(|one| one.slug.as_str() == slug).cloned());
        })
    };
    let title = props
        .model
        .as_ref()
        .map_or_else(|| "Add a model".to_owned(), |model| format!("Edit {}", model.name));
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={fields.all()} verb={if id.is_some() { "Save model" } else { "Add model" }} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if id.is_none() {
                    { provider_field(&props.providers, provider.as_ref(), onprovider) }
                    if let Some(provider) = &*provider { <Known kind={provider.kind.clone()} {onpick} /> }
                    <TextField label="Name" path="name" input={fields.name.clone()} hint="What callers write as model." />
                }
                { basics(&fields) }
                { more_prices(&fields) }
                { abilities(&fields) }
            </Form>
        </Dialog>
    }
}

fn provider_field(
    providers: &[Provider],
    chosen: Option<&Provider>,
    onchange: Callback<String>,
) -> Html {
    let name =
        |provider: &Provider| (provider.slug.to_string().into(), provider.slug.to_string().into());
    let options: Vec<(AttrValue, AttrValue)> = providers.iter().map(name).collect();
    let value = chosen.map(|provider| provider.slug.to_string()).unwrap_or_default();
    html! { <SelectField label="Provider" path="provider" {options} {value} {onchange} /> }
}

fn basics(fields: &Fields) -> Html {
    html! {
        <>
            <TextField label="Name at the provider" path="upstream_model" input={fields.upstream.clone()} />
            <div class="pair">
                <TextField label="Input price" path="input_price" input={fields.input_price.clone()} before="$" placeholder="0.15" hint="For a million tokens." />
                <TextField label="Output price" path="output_price" input={fields.output_price.clone()} before="$" placeholder="0.60" hint="For a million tokens." />
            </div>
            <div class="pair">
                <TextField label="Context window" path="context_window" input={fields.context.clone()} placeholder="128000" hint="Tokens in and out together." />
                <TextField label="Max output" path="max_output" input={fields.output.clone()} placeholder="16384" hint="Tokens out." />
            </div>
        </>
    }
}

fn more_prices(fields: &Fields) -> Html {
    let options =
        PriceUnit::ALL.map(|unit| (unit.as_str().into(), unit_name(unit).into())).to_vec();
    let onunit = {
        let unit = fields.unit.clone();
        Callback::from(move |name: String| {
            let chosen = PriceUnit::ALL.into_iter().find(|unit| unit.as_str() == name);
            unit.set(chosen.unwrap_or_default());
        })
    };
    html! {
        <details class="more-fields">
            <summary>{ "More prices" }</summary>
            <div class="pair">
                <TextField label="Cache reads" path="cache_read_price" input={fields.cache_read.clone()} before="$" placeholder="As input" />
                <TextField label="Cache writes" path="cache_write_price" input={fields.cache_write.clone()} before="$" placeholder="As input" />
            </div>
            <div class="pair">
                <TextField label="Cache writes for an hour" path="cache_write_1h_price" input={fields.cache_write_1h.clone()} before="$" placeholder="As cache writes" />
                <TextField label="Price in a batch" path="batch_percent" input={fields.batch.clone()} placeholder="100" hint="Of a hundred." />
            </div>
            <div class="pair">
                <TextField label="Audio in" path="audio_input_price" input={fields.audio_input.clone()} before="$" placeholder="As input" />
                <TextField label="Audio out" path="audio_output_price" input={fields.audio_output.clone()} before="$" placeholder="As output" />
            </div>
            <div class="pair">
                <SelectField label="Besides tokens" path="unit" {options} value={fields.unit.as_str()} onchange={onunit} />
                if *fields.unit != PriceUnit::None { <TextField label="Price of one" path="unit_price" input={fields.unit_price.clone()} before="$" /> }
            </div>
            <TextArea label="Prices of long input" rows=2 input={fields.tiers.clone()} placeholder="200000 4 18 0.4"
                hint="One line for each: above so many tokens, then input, output, cache reads, writes, writes for an hour." />
        </details>
    }
}

fn abilities(fields: &Fields) -> Html {
    let words = &fields.words;
    html! {
        <details class="more-fields">
            <summary>{ "What it can do" }</summary>
            { checks("Answers", ModelOperation::ALL, ModelOperation::as_str, words, |words| &mut words.operations) }
            { checks("Takes", Modality::ALL, Modality::as_str, words, |words| &mut words.input) }
            { checks("Gives", Modality::ALL, Modality::as_str, words, |words| &mut words.output) }
            { checks("Supports", &SUPPORTS, ModelCapability::as_str, words, |words| &mut words.supports) }
            <div class="pair">
                <TextField label="Quality" path="quality" input={fields.quality.clone()} placeholder="0 to 100" hint="How well it answers: where routing begins." />
                <TextField label="Speed" path="speed" input={fields.speed.clone()} placeholder="1 to 5" hint="5 is the fastest." />
            </div>
            <TextField label="Made for" path="specialities" input={fields.specialities.clone()} placeholder="code, agents" />
            <TextField label="Answers in" path="residency" input={fields.residency.clone()} placeholder="eu, us" hint="Regions; leave it empty where that is not promised." />
            <TextField label="Labels" path="labels" input={fields.labels.clone()} placeholder="internal, pii" hint="Of data that it may see; * for all. Data with a label goes to no other model." />
        </details>
    }
}

/// What a modality does not say already.
const SUPPORTS: [ModelCapability; 8] = [
    ModelCapability::Tools,
    ModelCapability::ParallelTools,
    ModelCapability::JsonSchema,
    ModelCapability::Reasoning,
    ModelCapability::PromptCaching,
    ModelCapability::WebSearch,
    ModelCapability::ComputerUse,
    ModelCapability::Prefill,
];

fn checks<T: Copy + PartialEq + 'static>(
    label: &'static str,
    all: &[T],
    name: fn(T) -> &'static str,
    words: &UseStateHandle<Words>,
    set: fn(&mut Words) -> &mut Vec<T>,
) -> Html {
    let mut chosen = (**words).clone();
    let chosen = set(&mut chosen).clone();
    html! {
        <fieldset>
            <legend>{ label }</legend>
            <div class="checks">
                { for all.iter().copied().map(|word| {
                    let words = words.clone();
                    let onchange = Callback::from(move |on: bool| {
                        let mut next = (*words).clone();
                        let chosen = set(&mut next);
                        chosen.retain(|it| *it != word);
                        if on { chosen.push(word); }
                        words.set(next);
                    });
                    html! { <Check label={name(word).replace('_', " ")} on={chosen.contains(&word)} {onchange} /> }
                }) }
            </div>
        </fieldset>
    }
}

pub const fn unit_name(unit: PriceUnit) -> &'static str {
    match unit {
        PriceUnit::None => "Nothing",
        PriceUnit::Request => "A request",
        PriceUnit::Search => "A search",
        PriceUnit::Image => "An image",
        PriceUnit::Second => "A second of audio",
        PriceUnit::MillionCharacters => "A million characters",
    }
}

#[derive(Properties, PartialEq)]
struct KnownProps {
    kind: ProviderKind,
    onpick: Callback<CatalogModel>,
}

/// Models whose price is known; one choice fills the form.
#[component]
fn Known(props: &KnownProps) -> Html {
    let org = use_org();
    let search = use_input("", anything);
    let (load, _) = use_load((org.slug(), props.kind.clone()), |(org, kind)| {
        api::catalog::catalog(&org, &kind)
    });
    // Without the catalogue everything can still be typed.
    let known = load.ready().map(|page| page.items.clone()).unwrap_or_default();
    if known.is_empty() {
        return Html::default();
    }
    let wanted = lower(search.text().trim());
    let fits = |model: &&CatalogModel| {
        lower(&model.name).contains(&wanted)
            || model.traits.specialities.iter().any(|word| word.contains(&wanted))
    };
    let found: Vec<&CatalogModel> = known.iter().filter(fits).collect();
    let rest = found.len().saturating_sub(SHOWN);
    html! {
        <div class="known">
            <TextField label="Known models" input={search} placeholder="Search by name or what it is made for" hint="A choice fills in prices, limits and abilities as the vendor publishes them." />
            <ul class="rows">{ for found.iter().take(SHOWN).map(|model| pick(model, &props.onpick)) }</ul>
            if rest > 0 { <p class="note">{ format!("{rest} more; search to see them.") }</p> }
        </div>
    }
}

fn pick(model: &CatalogModel, onpick: &Callback<CatalogModel>) -> Html {
    let chosen = model.clone();
    let onclick = onpick.reform(move |_: MouseEvent| chosen.clone());
    let (input, output) = (model.prices.input_price, model.prices.output_price);
    html! {
        <li key={model.name.clone()}>
            <button type="button" class="row-open" {onclick}><code>{ model.name.clone() }</code></button>
            <span class="faint">{ format!("${input} in, ${output} out") }</span>
        </li>
    }
}

pub fn delete_model(
    org: &str,
    model: &Model,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (id, name) = (model.id, &model.name);
    let said = AttrValue::from(format!("Model {name} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::catalog::delete_model(&org, id));
    html! {
        <ConfirmDelete title={format!("Delete model {name}?")} verb="Delete model" {delete} {ondone} {onclose}>
            <p>{ "Calls that name it are refused from then on. Past calls keep their records and prices." }</p>
        </ConfirmDelete>
    }
}
