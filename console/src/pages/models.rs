//! Models: what can be called, what each can do, and at which price.

use std::cmp::Ordering;

use ralex_api::catalog::{
    Model, ModelCapability, ModelOperation, ModelTraits, Provider, UpdateModel,
};
use ralex_kernel::{ModelId, Price};
use yew::prelude::*;

use super::model_drawer::ModelDrawer;
use super::model_form::{ModelForm, delete_model};
use crate::api;
use crate::components::{
    Badge, Button, Column, Empty, Failed, Head, Icon, Kind, More, SelectField, Table, TextField,
    Tone, show, use_toast,
};
use crate::hooks::input::anything;
use crate::hooks::{Pages, keep, use_action, use_input, use_load, use_pages, use_query};
use crate::route::Place;
use crate::router::Link;
use crate::session::use_org;
use crate::text::number::grouped;
use crate::text::query::Query;

const COLUMNS: [Column; 7] = [
    Column::text("Model"),
    Column::text("Provider").wide(),
    Column::text("Can").wide(),
    Column::number("$ in / M"),
    Column::number("$ out / M"),
    Column::number("Context").wide(),
    Column::number("Quality").wide(),
];

/// Orders of the list, by their name in the address.
const ORDERS: [(&str, &str); 6] = [
    ("", "Oldest first"),
    ("name", "Name"),
    ("input", "Cheapest input"),
    ("output", "Cheapest output"),
    ("context", "Largest context"),
    ("quality", "Best quality"),
];

/// What is open over the page.
#[derive(Clone, PartialEq)]
pub enum Over {
    Nothing,
    Add,
    Edit(Box<Model>),
    Delete(Box<Model>),
}

/// What a part of the page can ask for.
#[derive(Clone, PartialEq)]
pub struct Doing {
    pub open: Callback<Over>,
    pub switch: Callback<(ModelId, bool)>,
    /// True for whoever may change models.
    pub may: bool,
}

#[component]
pub fn ModelsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    // Nothing is asked for that is not open to the reader.
    let named = (org.slug(), org.can_everywhere("provider.read"));
    let (providers, _) = use_load(named, |(org, may)| async move {
        if may { Ok(api::catalog::providers(&org).await?.items) } else { Ok(Vec::new()) }
    });
    let filters = ["q", "provider", "operation", "supports"]
        .into_iter()
        .fold(Query::default(), |filters, name| filters.with_some(name, query.find(name)));
    let list = use_pages((org.slug(), filters.clone()), |(org, filters), cursor| {
        api::catalog::list_models(&org, filters, cursor)
    });
    let open = keep(&over);
    let onclose = open.reform(|()| Over::Nothing);
    let ondone = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let switching = use_action(ondone.reform(|model: Model| {
        format!("{} is switched {}.", model.name, if model.enabled { "on" } else { "off" }).into()
    }));
    let switch = {
        let (switching, org) = (switching.clone(), org.slug());
        Callback::from(move |(id, on): (ModelId, bool)| {
            let change = UpdateModel { enabled: Some(on), ..UpdateModel::default() };
            switching.run(api::catalog::update_model(&org, id, change));
        })
    };
    let doing = Doing { open: open.clone(), switch, may: org.can_everywhere("model.configure") };
    let providers = providers.ready().map(|found| (**found).clone()).unwrap_or_default();
    let chosen = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |name: String| set.emit(query.with("model", &name)))
    };
    html! {
        <>
            <Head title="Models" lead="What can be called, what each model can do, and at which price.">
                if doing.may && !providers.is_empty() { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={open.reform(|()| Over::Add)}>{ "Add model" }</Button> }
            </Head>
            if let Some(problem) = switching.problem() { <Failed {problem} /> }
            <Filters query={query.clone()} {set} providers={providers.clone()} />
            { show(&list.state, &list.again, |pages| {
                let shown = query.find("model").and_then(|name| pages.items.iter().find(|model| model.name == name));
                html! {
                    <>
                        { table(pages, &list.more, &chosen, &query, filters != Query::default(), &org.slug()) }
                        if let Some(model) = shown { <ModelDrawer model={model.clone()} doing={doing.clone()} onclose={chosen.reform(|()| String::new())} /> }
                    </>
                }
            }) }
            { overlay(&org.slug(), &over, &providers, &ondone, &onclose) }
        </>
    }
}

fn overlay(
    org: &str,
    over: &Over,
    providers: &[Provider],
    ondone: &Callback<AttrValue>,
    onclose: &Callback<()>,
) -> Html {
    let (ondone, onclose, providers) = (ondone.clone(), onclose.clone(), providers.to_vec());
    match over {
        Over::Nothing => Html::default(),
        Over::Add => html! { <ModelForm {providers} model={None::<Model>} {ondone} {onclose} /> },
        Over::Edit(model) => {
            html! { <ModelForm {providers} model={Some((**model).clone())} {ondone} {onclose} /> }
        }
        Over::Delete(model) => delete_model(org, model, &ondone, onclose),
    }
}

#[derive(Properties, PartialEq)]
struct FiltersProps {
    query: Query,
    set: Callback<Query>,
    providers: Vec<Provider>,
}

#[component]
fn Filters(props: &FiltersProps) -> Html {
    let search = use_input(props.query.find("q").unwrap_or_default(), anything);
    let onsubmit = {
        let (query, set, search) = (props.query.clone(), props.set.clone(), search.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            set.emit(query.with("q", &search.filled().unwrap_or_default()));
        })
    };
    let choice = |label: &'static str, name: &'static str, options: Vec<(AttrValue, AttrValue)>| {
        let (query, set) = (props.query.clone(), props.set.clone());
        let onchange = Callback::from(move |value: String| set.emit(query.with(name, &value)));
        let value = props.query.find(name).unwrap_or_default().to_owned();
        html! { <SelectField {label} {options} {value} {onchange} inline=true /> }
    };
    let slugs = props.providers.iter().map(|provider| provider.slug.to_string());
    let operations = ModelOperation::ALL.iter().map(|word| word.as_str().to_owned());
    let abilities = ModelCapability::ALL.iter().map(|word| word.as_str().to_owned());
    let orders = ORDERS.map(|(name, said)| (name.into(), said.into())).to_vec();
    html! {
        <form class="filters" role="search" data-search="" {onsubmit}>
            <TextField label="Name" input={search} placeholder="Part of it, then Enter" />
            <div class="filter-fields">
                if !props.providers.is_empty() { { choice("Provider", "provider", any_of(slugs)) } }
                { choice("Answers", "operation", any_of(operations)) }
                { choice("Can", "supports", any_of(abilities)) }
                { choice("Order", "order", orders) }
            </div>
        </form>
    }
}

fn any_of(words: impl Iterator<Item = String>) -> Vec<(AttrValue, AttrValue)> {
    let first = (AttrValue::from(""), AttrValue::from("Any"));
    let named = words.map(|word| (word.clone().into(), word.replace('_', " ").into()));
    std::iter::once(first).chain(named).collect()
}

fn table(
    pages: &Pages<Model>,
    more: &Callback<()>,
    chosen: &Callback<String>,
    query: &Query,
    filtered: bool,
    org: &str,
) -> Html {
    if pages.items.is_empty() {
        return html! {
            <Empty icon={Icon::Cube} title={if filtered { "No model matches these filters" } else { "No models yet" }}>
                if filtered { <p>{ "Choose less, or another name." }</p> }
                else { <p>{ "What is not listed here cannot be called. " }<Link to={Place::Providers.of(org)}>{ "Add a provider" }</Link>{ " first, then its models here." }</p> }
            </Empty>
        };
    }
    html! {
        <>
            <Table caption="Models" columns={COLUMNS.to_vec()}>
                { for ordered(&pages.items, query.find("order").unwrap_or_default()).into_iter().map(|model| row(model, chosen)) }
            </Table>
            <More shown={pages.items.len()} noun="model" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

/// The models that are in sight, in the chosen order.
fn ordered<'a>(models: &'a [Model], order: &str) -> Vec<&'a Model> {
    let mut models: Vec<&Model> = models.iter().collect();
    models.sort_by(|one, other| match order {
        "name" => one.name.cmp(&other.name),
        "input" => one.prices.input_price.cmp(&other.prices.input_price),
        "output" => one.prices.output_price.cmp(&other.prices.output_price),
        "context" => other.context_window.cmp(&one.context_window),
        "quality" => other.traits.quality.cmp(&one.traits.quality),
        _ => Ordering::Equal,
    });
    models
}

fn row(model: &Model, chosen: &Callback<String>) -> Html {
    let name = model.name.clone();
    let onclick = chosen.reform(move |_: MouseEvent| name.clone());
    let quality =
        model.traits.quality.map_or_else(|| "–".to_owned(), |quality| quality.to_string());
    html! {
        <tr key={model.id.to_string()} class="clickable" {onclick}>
            <th scope="row">
                <button type="button" class="row-open"><code>{ model.name.clone() }</code></button>
                if !model.enabled { { " " }<Badge title="It is switched off; calls to it are refused.">{ "Off" }</Badge> }
                if let Some(day) = model.retires_on { { " " }<Badge tone={Tone::Warn} title={format!("Its vendor answers for it until {day}.")}>{ "Ends" }</Badge> }
            </th>
            <td class="wide">{ model.provider_slug.to_string() }</td>
            <td class="wide"><div class="badges">{ abilities(&model.traits) }</div></td>
            <td class="number">{ price(model.prices.input_price) }</td>
            <td class="number">{ price(model.prices.output_price) }</td>
            <td class="number wide" title={format!("{} of output at most", grouped(model.max_output.into()))}>{ grouped(model.context_window.into()) }</td>
            <td class="number wide">{ quality }</td>
        </tr>
    }
}

/// What a model can do, a badge each: what else it answers than conversations, then its abilities.
pub fn abilities(traits: &ModelTraits) -> Html {
    let operations =
        traits.operations.iter().copied().filter(|word| *word != ModelOperation::Generate);
    let said = operations
        .map(ModelOperation::as_str)
        .chain(traits.supports.iter().map(|word| word.as_str()))
        .map(|word| html! { <Badge>{ word.replace('_', " ") }</Badge> });
    html! { { for said } }
}

/// A price with the decimals of money, and more where it has more.
pub fn price(price: Price) -> String {
    let text = price.to_string();
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((_, fraction)) if fraction.len() == 1 => format!("{text}0"),
        Some(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_keeps_every_digit() {
        let shown = |text: &str| price(text.parse().unwrap());
        assert_eq!(shown("3"), "3.00");
        assert_eq!(shown("0.5"), "0.50");
        assert_eq!(shown("0.075"), "0.075");
    }

    #[test]
    fn every_order_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> =
            ORDERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), ORDERS.len());
    }
}
