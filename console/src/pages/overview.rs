//! The first page: how things stand.

use ralex_api::overview::{HealthItem, Overview, Totals};
use ralex_kernel::Money;
use yew::prelude::*;

use crate::api;
use crate::components::chart::{Bar, Bars};
use crate::components::segments::Segments;
use crate::components::{Badge, Head, Icon, Stat, Tone, show_with, skeleton};
use crate::hooks::{use_load, use_now, use_query};
use crate::route::Place;
use crate::router::Link;
use crate::session::{Org, use_org};
use crate::text::money::{exact, short};
use crate::text::number::{counted, grouped, percent};
use crate::text::query::Query;
use crate::text::time::hour;

#[component]
pub fn OverviewPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let (load, again) = use_load(org.slug(), |org| api::usage::overview(&org));
    let now = use_now();
    {
        let again = again.clone();
        use_effect_with(now, move |_| again.emit(()));
    }
    html! {
        <>
            <Head title="Overview" lead="What your organisation’s model calls do and cost, and whether everything works." />
            { show_with(&load, &again, skeleton(4, 5), |overview| ready(overview, &org, &query, &set)) }
        </>
    }
}

fn ready(overview: &Overview, org: &Org, query: &Query, set: &Callback<Query>) -> Html {
    html! {
        <>
            if overview.last_30_days.calls == 0 { { first_call(org) } }
            { tiles(overview) }
            <div class="columns">
                { hours(overview, query, set) }
                { health(&overview.health, org) }
            </div>
        </>
    }
}

fn tiles(overview: &Overview) -> Html {
    let Overview { today, last_30_days: month, .. } = overview;
    html! {
        <div class="tiles">
            <Stat label="Spend today" value={short(today.cost)} title={exact(today.cost)}>
                { format!("{} in 30 days", short(month.cost)) }
            </Stat>
            <Stat label="Calls today" value={grouped(today.calls)}>
                { format!("{} in 30 days", grouped(month.calls)) }
            </Stat>
            <Stat label="Failed today" value={grouped(today.failed)}>{ share(today, today.failed) }</Stat>
            <Stat label="Refused today" value={grouped(today.refused)}>{ "before anything was sent" }</Stat>
            <Stat label="Under way now" value={grouped(overview.open_calls)}>{ "calls with money held" }</Stat>
        </div>
    }
}

fn share(today: &Totals, part: u64) -> String {
    // A share for reading; counts stay exact beside it.
    #[expect(clippy::cast_precision_loss, reason = "a share in percent, never a count")]
    let share = if today.calls == 0 { 0.0 } else { part as f64 / today.calls as f64 };
    format!("{} of today’s calls", percent(share))
}

fn hours(overview: &Overview, query: &Query, set: &Callback<Query>) -> Html {
    let by_spend = query.find("chart") == Some("spend");
    let bars: Vec<Bar> = overview
        .hours
        .iter()
        .map(|hours| Bar {
            #[expect(clippy::cast_precision_loss, reason = "the height of a bar")]
            value: if by_spend { hours.cost.as_nanos() as f64 } else { hours.calls as f64 },
            label: hour(hours.starts_at).into(),
            title: format!(
                "{} UTC: {}, {}",
                hour(hours.starts_at),
                counted(hours.calls, "call"),
                short(hours.cost)
            )
            .into(),
        })
        .collect();
    let top = if by_spend {
        short(overview.hours.iter().map(|hour| hour.cost).max().unwrap_or(Money::ZERO))
    } else {
        grouped(overview.hours.iter().map(|hour| hour.calls).max().unwrap_or(0))
    };
    let sum: Money = overview.hours.iter().map(|hour| hour.cost).sum();
    let calls = overview.hours.iter().map(|hour| hour.calls).sum();
    let label = format!("Last 24 hours: {}, {}", counted(calls, "call"), short(sum));
    let options = vec![("calls".into(), "Calls".into()), ("spend".into(), "Spend".into())];
    let (query, set) = (query.clone(), set.clone());
    let onchange = Callback::from(move |what: String| {
        set.emit(query.with("chart", if what == "spend" { "spend" } else { "" }));
    });
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "By the hour" }</h2>
                <Segments label="Show" {options} value={if by_spend { "spend" } else { "calls" }} {onchange} />
            </header>
            <Bars {bars} {label} {top} />
        </section>
    }
}

/// So many providers that are well are shown one by one.
const FEW: usize = 4;

fn health(items: &[HealthItem], org: &Org) -> Html {
    let well = |item: &&HealthItem| item.ok && item.name.starts_with("provider:");
    let count = items.iter().filter(well).count();
    let shown = items.iter().filter(|item| count <= FEW || !well(item));
    let more = html! {
        <Link to={Place::Health.of(&org.slug())}>{ "How each of them does" }</Link>
    };
    html! {
        <section class="panel">
            <header class="panel-head"><h2>{ "Health" }</h2></header>
            <ul class="health">
                { for shown.map(|item| line(title(&item.name), html! { { item.detail.clone() } }, item.ok)) }
                if count > FEW { { line(counted(count as u64, "provider"), more, true) } }
            </ul>
        </section>
    }
}

fn line(name: String, detail: Html, ok: bool) -> Html {
    let (tone, word) = if ok { (Tone::Good, "Well") } else { (Tone::Bad, "Not well") };
    html! {
        <li>
            <div><strong>{ name }</strong><p class="faint">{ detail }</p></div>
            <Badge {tone}>{ word }</Badge>
        </li>
    }
}

/// `provider:acme` → `Provider acme`.
fn title(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect::<String>().replace(':', " ")
}

/// The way to the first call, while there was none.
fn first_call(org: &Org) -> Html {
    let step = |place: Place, text: &'static str| {
        let shown = org.shows(place);
        html! { if shown { <li><Link to={place.of(&org.slug())}>{ place.title() }</Link>{ text }</li> } }
    };
    html! {
        <section class="panel first">
            <header class="panel-head"><h2>{ Icon::Play.show() }{ "Make the first call" }</h2></header>
            <ol>
                { step(Place::Playground, ": ask the simulated model, which needs no key.") }
                { step(Place::Providers, ": add a provider and its key to call a real one.") }
                { step(Place::Tokens, ": make a token and point your OpenAI or Anthropic SDK here.") }
                { step(Place::Budgets, ": set what may be spent before others join.") }
            </ol>
        </section>
    }
}
