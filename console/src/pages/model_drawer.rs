//! One model: what it can do, what it costs, and every price that it had.

use ralex_api::catalog::{Model, ModelPrice, PriceUnit, Prices};
use yew::prelude::*;

use super::model_form::unit_name;
use super::models::{Doing, Over, abilities, price};
use crate::api;
use crate::components::{
    Badge, Button, Column, Drawer, Icon, More, Table, Tone, When, key_value, show,
};
use crate::hooks::{Pages, use_pages};
use crate::session::use_org;
use crate::text::number::grouped;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub model: Model,
    pub doing: Doing,
    pub onclose: Callback<()>,
}

#[component]
pub fn ModelDrawer(props: &Props) -> Html {
    let org = use_org();
    let model = &props.model;
    // A new version of the price is another list.
    let wants = (org.slug(), model.id, model.price_version);
    let list = use_pages(wants, |(org, id, _), cursor| api::catalog::prices(&org, id, cursor));
    html! {
        <Drawer title={model.name.clone()} onclose={props.onclose.clone()}>
            <div class="badges">{ abilities(&model.traits) }</div>
            { actions(model, &props.doing) }
            { key_value(&facts(model)) }
            <h3>{ "Prices" }</h3>
            { key_value(&price_facts(&model.prices)) }
            if !model.prices.price_tiers.is_empty() { { tiers(&model.prices) } }
            <h3>{ "History" }</h3>
            { show(&list.state, &list.again, |pages| history(pages, &list.more)) }
        </Drawer>
    }
}

fn actions(model: &Model, doing: &Doing) -> Html {
    if !doing.may {
        return Html::default();
    }
    let (edit, delete) = (Box::new(model.clone()), Box::new(model.clone()));
    let (id, on) = (model.id, !model.enabled);
    html! {
        <div class="panel-actions">
            <Button icon={Icon::Edit} onclick={doing.open.reform(move |()| Over::Edit(edit.clone()))}>{ "Edit" }</Button>
            <Button onclick={doing.switch.reform(move |()| (id, on))}>{ if model.enabled { "Switch off" } else { "Switch on" } }</Button>
            <Button icon={Icon::Trash} onclick={doing.open.reform(move |()| Over::Delete(delete.clone()))}>{ "Delete" }</Button>
        </div>
    }
}

fn text(text: impl Into<String>) -> Html {
    html! { { text.into() } }
}

fn facts(model: &Model) -> Vec<(AttrValue, Html)> {
    let traits = &model.traits;
    let listed =
        |words: &[String]| if words.is_empty() { "–".to_owned() } else { words.join(", ") };
    let level = |level: Option<u8>, most: u8| {
        level.map_or_else(|| "not judged".to_owned(), |level| format!("{level} of {most}"))
    };
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("Provider".into(), text(model.provider_slug.to_string())),
        ("Name there".into(), html! { <code>{ model.upstream_model.clone() }</code> }),
        ("Context".into(), text(format!("{} tokens", grouped(model.context_window.into())))),
        ("Output at most".into(), text(format!("{} tokens", grouped(model.max_output.into())))),
        ("Quality".into(), text(level(traits.quality, 100))),
        ("Speed".into(), text(level(traits.speed, 5))),
        ("Made for".into(), text(listed(&traits.specialities))),
        ("Answers in".into(), text(listed(&traits.residency))),
        ("Labels".into(), text(listed(&model.labels))),
        ("Id".into(), html! { <code>{ model.id.to_string() }</code> }),
    ];
    if !traits.qualities.is_empty() {
        let said = traits.qualities.iter().map(|(family, quality)| format!("{family} {quality}"));
        facts.insert(5, ("By task".into(), text(said.collect::<Vec<_>>().join(", "))));
    }
    if let Some(day) = model.retires_on {
        facts.push(("Answers until".into(), text(day.to_string())));
    }
    facts
}

fn price_facts(prices: &Prices) -> Vec<(AttrValue, Html)> {
    let million = |amount| text(format!("${} / M", price(amount)));
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("Input".into(), million(prices.input_price)),
        ("Output".into(), million(prices.output_price)),
    ];
    for (name, amount, usual) in [
        ("Cache reads", prices.cache_read_price, prices.input_price),
        ("Cache writes", prices.cache_write_price, prices.input_price),
        ("Cache writes for an hour", prices.cache_write_1h_price, prices.cache_write_price),
        ("Audio in", prices.audio_input_price, prices.input_price),
        ("Audio out", prices.audio_output_price, prices.output_price),
    ] {
        // What costs as usual needs no line of its own.
        if amount != usual {
            facts.push((name.into(), million(amount)));
        }
    }
    if prices.unit != PriceUnit::None {
        facts.push((unit_name(prices.unit).into(), text(format!("${}", prices.unit_price))));
    }
    if prices.batch_percent != 100 {
        facts.push(("In a batch".into(), text(format!("{} %", prices.batch_percent))));
    }
    facts
}

fn tiers(prices: &Prices) -> Html {
    let columns = vec![
        Column::number("Input above"),
        Column::number("$ in / M"),
        Column::number("$ out / M"),
        Column::number("$ cached / M").wide(),
    ];
    html! {
        <Table caption="Prices of long input" {columns}>
            { for prices.price_tiers.iter().map(|tier| html! {
                <tr key={tier.above}>
                    <td class="number">{ grouped(tier.above.into()) }</td>
                    <td class="number">{ price(tier.input_price) }</td>
                    <td class="number">{ price(tier.output_price) }</td>
                    <td class="number wide">{ price(tier.cache_read_price) }</td>
                </tr>
            }) }
        </Table>
    }
}

fn history(pages: &Pages<ModelPrice>, more: &Callback<()>) -> Html {
    let columns = vec![
        Column::text("Since"),
        Column::number("$ in / M"),
        Column::number("$ out / M"),
        Column::text("Changed").wide(),
        Column::text("Set by").wide(),
    ];
    // Each version stands before the one that it replaced.
    let older = pages.items.iter().skip(1).map(Some).chain([None]);
    html! {
        <>
            <Table caption="History of the price" {columns}>
                { for pages.items.iter().zip(older).map(|(version, older)| html! {
                    <tr key={version.version}>
                        <td><When at={version.valid_from} />{ " " }if version.current { <Badge tone={Tone::Good}>{ "Now" }</Badge> }</td>
                        <td class="number">{ price(version.prices.input_price) }</td>
                        <td class="number">{ price(version.prices.output_price) }</td>
                        <td class="wide">{ older.map(|older| changed(&version.prices, &older.prices)).unwrap_or_default() }</td>
                        <td class="wide">{ version.set_by.clone() }</td>
                    </tr>
                }) }
            </Table>
            <More shown={pages.items.len()} noun="price" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

/// Which parts of a price are not what they were.
fn changed(now: &Prices, before: &Prices) -> String {
    let parts = [
        ("input", now.input_price != before.input_price),
        ("output", now.output_price != before.output_price),
        ("cache reads", now.cache_read_price != before.cache_read_price),
        ("cache writes", now.cache_write_price != before.cache_write_price),
        ("an hour’s cache", now.cache_write_1h_price != before.cache_write_1h_price),
        ("audio in", now.audio_input_price != before.audio_input_price),
        ("audio out", now.audio_output_price != before.audio_output_price),
        ("units", (now.unit, now.unit_price) != (before.unit, before.unit_price)),
        ("batches", now.batch_percent != before.batch_percent),
        ("long input", now.price_tiers != before.price_tiers),
    ];
    let named: Vec<&str> =
        parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use ralex_kernel::Price;

    use super::*;

    #[test]
    fn a_version_says_what_it_changed() {
        let before = Prices::plain(Price::ZERO, Price::ZERO);
        let cache_read_price: Price = "1".parse().unwrap();
        let now = Prices { cache_read_price, batch_percent: 50, ..before.clone() };
        assert_eq!(changed(&now, &before), "cache reads, batches");
        assert_eq!(changed(&before, &before), "");
    }
}
