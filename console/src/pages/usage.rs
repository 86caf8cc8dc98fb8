//! Usage: what was called, by whom, what it cost, and what is likely to come.

use ralex_api::forecast::{Anomalies, Forecast};
use ralex_api::usage::{Usage, UsageRow, UsageSums};
use ralex_kernel::Money;
use yew::prelude::*;

use super::replay::WhatIf;
use crate::api;
use crate::components::chart::{Bar, Bars};
use crate::components::meter::share_meter;
use crate::components::outlook::outlook;
use crate::components::range::{Range, bounds};
use crate::components::segments::Segments;
use crate::components::{Button, Column, Empty, Head, Icon, SelectField, Stat, Table, show};
use crate::hooks::{use_load, use_query, zone};
use crate::session::use_org;
use crate::text::borrowed::fixed;
use crate::text::money::{decimals, exact, short, with_decimals};
use crate::text::number::{counted, grouped, percent};
use crate::text::query::Query;
use crate::text::time;

/// What is told apart, as the API calls it and as people do.
const GROUPS: [(&str, &str); 9] = [
    ("model", "Model"),
    ("provider", "Provider"),
    ("team", "Team"),
    ("project", "Project"),
    ("user", "Person"),
    ("service_account", "Service account"),
    ("token", "Token"),
    ("task_type", "Task"),
    ("tag", "Tag"),
];

#[component]
pub fn UsagePage() -> Html {
    let (query, set) = use_query();
    let view = query.find("view").unwrap_or_default().to_owned();
    let views = vec![("".into(), "What was spent".into()), ("what-if".into(), "What if".into())];
    let onview = {
        let query = query.clone();
        Callback::from(move |view: String| set.emit(query.with("view", &view)))
    };
    let tabs = html! { <div><Segments label="Part" options={views} value={view.clone()} onchange={onview} /></div> };
    if view == "what-if" {
        return html! {
            <>
                <Head title="Usage" lead="A budget, a rate limit or other prices, tried on calls that were made." />
                { tabs }
                <WhatIf />
            </>
        };
    }
    html! { <Spent {tabs} /> }
}

#[derive(Properties, PartialEq)]
struct SpentProps {
    tabs: Html,
}

#[component]
fn Spent(props: &SpentProps) -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let named = query.find("by").unwrap_or("model");
    let (by, title) = GROUPS.into_iter().find(|(name, _)| *name == named).unwrap_or(GROUPS[0]);
    let only = filters(&query);
    let here = zone();
    let chosen_zone = query.find("zone").unwrap_or(&here).to_owned();
    let asked = api::usage::asked(&only, (by, &chosen_zone), bounds(&query));
    let days = api::usage::asked(&only, ("day", &chosen_zone), bounds(&query));
    let (load, again) =
        use_load((org.slug(), asked.clone(), days), |(org, asked, days)| async move {
            let (usage, days) = (api::usage::usage(&org, &asked), api::usage::usage(&org, &days));
            Ok((usage.await?, days.await?))
        });
    let onchange = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |by: String| {
            set.emit(query.with("by", if by == "model" { "" } else { &by }));
        })
    };
    let onzone = {
        let (query, set, here) = (query.clone(), set.clone(), here.clone());
        Callback::from(move |zone: String| {
            set.emit(query.with("zone", if zone == here { "" } else { &zone }));
        })
    };
    // To look into one row is to keep only that and to tell apart something else.
    let into = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |key: String| {
            set.emit(query.with(by, &key).with("by", if by == "model" { "team" } else { "" }));
        })
    };
    let options = GROUPS.map(|(name, title)| (name.into(), title.into())).to_vec();
    let zones = zones(&here, &chosen_zone);
    html! {
        <>
            <Head title="Usage" lead="Settled calls, their tokens and their cost, exact to the nano-dollar.">
                <a class="button" href={api::usage::table_url(&org.slug(), &asked)} download="">{ "Export CSV" }</a>
                if org.can("call.read") { <a class="button" href={api::usage::calls_url(&org.slug(), &asked)} download="">{ "Export calls" }</a> }
            </Head>
            { props.tabs.clone() }
            <div class="filters">
                <div class="filter-fields">
                    <SelectField inline=true label="Group by" {options} value={by} {onchange} />
                    <SelectField inline=true label="Days of" options={zones} value={chosen_zone} onchange={onzone} />
                    { for chosen(&query, &set) }
                </div>
                <Range days=30 />
            </div>
            { show(&load, &again, |found| ready(&found.0, &found.1, (by, title), &into)) }
            <Ahead {only} />
        </>
    }
}

/// Whose days can be told apart: those of this browser, of UTC, and of whoever sent the address.
fn zones(here: &str, chosen: &str) -> Vec<(AttrValue, AttrValue)> {
    let mut zones = vec![here, "UTC", chosen];
    zones.dedup();
    if zones.len() > 2 && zones.first() == zones.last() {
        zones.pop();
    }
    zones.into_iter().map(|zone| (zone.to_owned().into(), zone.to_owned().into())).collect()
}

/// What of the address narrows usage down.
fn filters(query: &Query) -> Query {
    GROUPS.into_iter().fold(Query::default(), |only, (name, _)| {
        only.with(name, query.find(name).unwrap_or_default())
    })
}

/// What calls are narrowed down to, each with a way to take it back.
fn chosen(query: &Query, set: &Callback<Query>) -> Vec<Html> {
    let found =
        GROUPS.into_iter().filter_map(|(name, title)| Some((name, title, query.find(name)?)));
    found
        .map(|(name, title, value)| {
            let onclick = {
                let (query, set) = (query.clone(), set.clone());
                Callback::from(move |()| set.emit(query.with(name, "")))
            };
            html! { <Button key={name} icon={Icon::Close} {onclick}>{ format!("{title}: {value}") }</Button> }
        })
        .collect()
}

#[derive(Properties, PartialEq)]
struct AheadProps {
    only: Query,
}

/// What is likely to come by the end of the month, and what was unusual.
#[component]
fn Ahead(props: &AheadProps) -> Html {
    let slug = use_org().slug();
    let whole = props.only.pairs().is_empty();
    let (forecast, ahead_again) =
        use_load((slug.clone(), props.only.clone()), |(org, only)| async move {
            api::usage::forecast(&org, &only).await
        });
    let (unusual, unusual_again) =
        use_load(slug, |org| async move { api::usage::anomalies(&org).await });
    html! {
        <>
            <section class="panel" aria-labelledby="ahead">
                <h2 id="ahead">{ "This month" }</h2>
                { show(&forecast, &ahead_again, |found| month(found)) }
            </section>
            if whole { { show(&unusual, &unusual_again, |found| anomalies(found)) } }
        </>
    }
}

fn month(forecast: &Forecast) -> Html {
    html! {
        <>
            { outlook(forecast) }
            if let Some(trend) = forecast.trend_percent {
                <p class="note">{ format!("The last seven days cost {} % {} than the seven before.", fixed(trend.abs(), 0), if trend < 0.0 { "less" } else { "more" }) }</p>
            }
        </>
    }
}

fn anomalies(found: &Anomalies) -> Html {
    if found.items.is_empty() {
        return Html::default();
    }
    let columns = vec![
        Column::text("Hour"),
        Column::text("Team"),
        Column::number("Calls").wide(),
        Column::number("Usual"),
        Column::number("Cost"),
    ];
    html! {
        <section class="panel" aria-labelledby="unusual">
            <h2 id="unusual">{ "Unusual hours" }</h2>
            <p class="note">{ "They cost far more than the same hours of the weeks before." }</p>
            <Table caption="Hours of the last seven days that cost far more than their likes" {columns}>
                { for found.items.iter().take(20).map(|it| html! {
                    <tr key={format!("{}{}", it.at, it.key)}>
                        <th scope="row">{ time::exact(it.at) }</th>
                        <td>{ it.name.clone() }</td>
                        <td class="number wide">{ grouped(it.calls) }</td>
                        <td class="number">{ short(it.usual) }</td>
                        <td class="number" title={exact(it.cost)}>{ short(it.cost) }</td>
                    </tr>
                }) }
            </Table>
        </section>
    }
}

fn ready(
    usage: &Usage,
    over_time: &Usage,
    by: (&str, &'static str),
    into: &Callback<String>,
) -> Html {
    if usage.rows.is_empty() && usage.total == UsageSums::default() {
        return html! {
            <Empty icon={Icon::Chart} title="No usage in this range">
                <p>{ "Choose a longer range, or make a call." }</p>
            </Empty>
        };
    }
    let total = &usage.total;
    html! {
        <>
            <div class="tiles">
                <Stat label="Spend" value={short(total.cost)} title={exact(total.cost)}>{ saved(total.saved) }</Stat>
                <Stat label="Calls" value={grouped(total.calls)}>{ format!("{} did not succeed, {} refused", grouped(total.failed), grouped(total.refused)) }</Stat>
                <Stat label="Input tokens" value={grouped(total.input_tokens)}>{ cached(total) }</Stat>
                <Stat label="Output tokens" value={grouped(total.output_tokens)} />
            </div>
            <section class="panel">{ days(over_time) }</section>
            { table(usage, by, into) }
        </>
    }
}

fn cached(total: &UsageSums) -> Html {
    if total.cache_read_tokens == 0 {
        return Html::default();
    }
    html! { { format!("{} from the provider's cache", grouped(total.cache_read_tokens)) } }
}

fn saved(amount: Money) -> Html {
    if amount == Money::ZERO {
        return Html::default();
    }
    html! { <span title={exact(amount)}>{ format!("kept answers saved {}", short(amount)) }</span> }
}

fn days(usage: &Usage) -> Html {
    let mut rows: Vec<&UsageRow> = usage.rows.iter().collect();
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let bars: Vec<Bar> = rows
        .iter()
        .map(|row| Bar {
            #[expect(clippy::cast_precision_loss, reason = "the height of a bar")]
            value: row.sums.cost.as_nanos() as f64,
            label: row.key.get(5..).unwrap_or(&row.key).to_owned().into(),
            title: format!(
                "{}: {}, {}",
                row.key,
                short(row.sums.cost),
                counted(row.sums.calls, "call")
            )
            .into(),
        })
        .collect();
    let most = rows.iter().map(|row| row.sums.cost).max().unwrap_or(Money::ZERO);
    html! { <Bars {bars} label={format!("Spend by day: {} in all", short(usage.total.cost))} top={short(most)} /> }
}

fn table(usage: &Usage, (by, title): (&str, &'static str), into: &Callback<String>) -> Html {
    let columns = vec![
        Column::text(title),
        Column::number("Calls"),
        Column::number("Not successful").wide(),
        Column::number("Tokens in").wide(),
        Column::number("Tokens out").wide(),
        Column::text("Share").wide(),
        Column::number("Saved").wide(),
        Column::number("Cost"),
    ];
    // One precision for the column, so that the rows visibly add up to the sum.
    let places = decimals(usage.rows.iter().map(|row| row.sums.cost).chain([usage.total.cost]));
    let saved = decimals(usage.rows.iter().map(|row| row.sums.saved).chain([usage.total.saved]));
    let total = &usage.total;
    let foot = html! {
        <tfoot>
            <tr>
                <th scope="row">{ "Sum" }</th>
                <td class="number">{ grouped(total.calls) }</td>
                <td class="number wide">{ grouped(total.failed) }</td>
                <td class="number wide">{ grouped(total.input_tokens) }</td>
                <td class="number wide">{ grouped(total.output_tokens) }</td>
                <td class="wide"></td>
                <td class="number wide">{ with_decimals(total.saved, saved) }</td>
                <td class="number">{ with_decimals(total.cost, places) }</td>
            </tr>
        </tfoot>
    };
    html! {
        <Table caption={format!("Usage by {by}")} {columns} {foot}>
            { for usage.rows.iter().map(|row| line(row, total.cost, (places, saved), into)) }
            if let Some(rest) = &usage.rest {
                { sums_line(html! { format!("{} more", grouped(rest.rows)) }, "rest", &rest.sums, total.cost, (places, saved)) }
            }
        </Table>
    }
}

/// `places`: the decimals of the cost and of what was saved.
fn line(row: &UsageRow, total: Money, places: (usize, usize), into: &Callback<String>) -> Html {
    let name = if row.name.is_empty() { &row.key } else { &row.name };
    // What has no key cannot be asked for.
    let head = if row.key == "-" {
        html! { name.clone() }
    } else {
        let (key, into) = (row.key.clone(), into.clone());
        let onclick = Callback::from(move |_: MouseEvent| into.emit(key.clone()));
        html! { <button type="button" class="link" title={format!("Look into {name}")} {onclick}>{ name.clone() }</button> }
    };
    sums_line(head, &row.key, &row.sums, total, places)
}

fn sums_line(
    head: Html,
    key: &str,
    sums: &UsageSums,
    total: Money,
    places: (usize, usize),
) -> Html {
    let share = sums.cost.share_of(total);
    html! {
        <tr key={key.to_owned()}>
            <th scope="row" title={key.to_owned()}>{ head }</th>
            <td class="number">{ grouped(sums.calls) }</td>
            <td class="number wide">{ grouped(sums.failed) }</td>
            <td class="number wide">{ grouped(sums.input_tokens) }</td>
            <td class="number wide">{ grouped(sums.output_tokens) }</td>
            <td class="wide share">{ share_meter(share, percent(share)) }<span class="faint">{ percent(share) }</span></td>
            <td class="number wide">{ if sums.saved == Money::ZERO { "–".to_owned() } else { with_decimals(sums.saved, places.1) } }</td>
            <td class="number">{ with_decimals(sums.cost, places.0) }</td>
        </tr>
    }
}
