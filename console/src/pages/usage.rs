//! Usage: what was called, by whom, and what it cost.

use ralex_api::usage::{Usage, UsageRow};
use ralex_kernel::Money;
use yew::prelude::*;

use crate::api;
use crate::components::chart::{Bar, Bars};
use crate::components::meter::Meter;
use crate::components::range::{Range, bounds};
use crate::components::segments::Segments;
use crate::components::{Column, Empty, Head, Icon, Stat, Table, show};
use crate::hooks::{use_load, use_query};
use crate::session::use_org;
use crate::text::money::{decimals, exact, short, with_decimals};
use crate::text::number::{counted, grouped, percent};

const GROUPS: [(&str, &str); 4] =
    [("model", "Model"), ("team", "Team"), ("token", "Token"), ("day", "Day")];

#[component]
pub fn UsagePage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let named = query.find("by").unwrap_or("model");
    let (by, title) = GROUPS.into_iter().find(|(name, _)| *name == named).unwrap_or(GROUPS[0]);
    let (from, to) = bounds(&query);
    let (load, again) = use_load((org.slug(), by, from, to), |(org, by, from, to)| {
        api::usage::usage(&org, by, from, to)
    });
    let onchange = {
        let (query, set) = (query.clone(), set);
        Callback::from(move |by: String| {
            set.emit(query.with("by", if by == "model" { "" } else { &by }));
        })
    };
    let options = GROUPS.map(|(name, title)| (name.into(), title.into())).to_vec();
    html! {
        <>
            <Head title="Usage" lead="Settled calls, their tokens and their cost, exact to the nano-dollar." />
            <div class="filters">
                <Segments label="Group by" {options} value={by} {onchange} />
                <Range days=30 />
            </div>
            { show(&load, &again, |usage| ready(usage, by, title)) }
        </>
    }
}

fn ready(usage: &Usage, by: &str, title: &'static str) -> Html {
    if usage.rows.is_empty() {
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
                <Stat label="Calls" value={grouped(total.calls)}>{ format!("{} did not succeed", grouped(total.failed)) }</Stat>
                <Stat label="Input tokens" value={grouped(total.input_tokens)} />
                <Stat label="Output tokens" value={grouped(total.output_tokens)} />
            </div>
            if by == "day" { <section class="panel">{ days(usage) }</section> }
            { table(usage, by, title) }
        </>
    }
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
            value: row.cost.as_nanos() as f64,
            label: row.key.get(5..).unwrap_or(&row.key).to_owned().into(),
            title: format!("{}: {}, {}", row.key, short(row.cost), counted(row.calls, "call"))
                .into(),
        })
        .collect();
    let most = rows.iter().map(|row| row.cost).max().unwrap_or(Money::ZERO);
    html! { <Bars {bars} label={format!("Spend by day: {} in all", short(usage.total.cost))} top={short(most)} /> }
}

fn table(usage: &Usage, by: &str, title: &'static str) -> Html {
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
    let places = decimals(usage.rows.iter().map(|row| row.cost).chain([usage.total.cost]));
    let saved = decimals(usage.rows.iter().map(|row| row.saved).chain([usage.total.saved]));
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
            { for usage.rows.iter().map(|row| line(row, total.cost, (places, saved))) }
        </Table>
    }
}

/// `places`: the decimals of the cost and of what was saved.
fn line(row: &UsageRow, total: Money, places: (usize, usize)) -> Html {
    let share = row.cost.share_of(total);
    let name = if row.name.is_empty() { &row.key } else { &row.name };
    html! {
        <tr key={row.key.clone()}>
            <th scope="row" title={row.key.clone()}>{ name.clone() }</th>
            <td class="number">{ grouped(row.calls) }</td>
            <td class="number wide">{ grouped(row.failed) }</td>
            <td class="number wide">{ grouped(row.input_tokens) }</td>
            <td class="number wide">{ grouped(row.output_tokens) }</td>
            <td class="wide share"><Meter used={share} plain=true label={percent(share)} /><span class="faint">{ percent(share) }</span></td>
            <td class="number wide">{ if row.saved == Money::ZERO { "–".to_owned() } else { with_decimals(row.saved, places.1) } }</td>
            <td class="number">{ with_decimals(row.cost, places.0) }</td>
        </tr>
    }
}
