//! What if: a budget, a rate limit or other prices, tried on the calls of a range before they are set.

use ralex_api::replay::{NewReplay, Replay, ReplayPrice, ReplayedPeriod, ReplayedShare};
use ralex_kernel::Money;
use yew::prelude::*;

use super::budget_form::{BudgetForm, Written};
use super::rate_limits::LimitForm;
use crate::api;
use crate::components::range::{Range, bounds};
use crate::components::segments::Segments;
use crate::components::{Banner, Column, Form, SelectField, Stat, Table, TextField, Tone};
use crate::hooks::input::price;
use crate::hooks::{Input, keep, use_action, use_input, use_load, use_query};
use crate::session::use_org;
use crate::text::money::{decimals, exact, short, with_decimals};
use crate::text::number::{counted, grouped};
use crate::text::time::{date, minute};

/// A replay of nothing yet.
const NOTHING: NewReplay =
    NewReplay { from: None, to: None, budget: None, rate_limit: None, price: None };

/// The part of the usage page that tries things out.
#[component]
pub fn WhatIf() -> Html {
    let slug = use_org().slug();
    let (query, set) = use_query();
    let found = use_state(|| None::<Replay>);
    let save = use_action(keep(&found).reform(Some));
    let what = query.find("try").unwrap_or("budget").to_owned();
    let onwhat = {
        let (query, forget) = (query.clone(), keep(&found));
        Callback::from(move |what: String| {
            forget.emit(None);
            set.emit(query.with("try", if what == "budget" { "" } else { &what }));
        })
    };
    let (running, problem) = (save.running(), save.problem());
    let run = {
        let (from, to) = bounds(&query);
        Callback::from(move |new: NewReplay| {
            save.run(api::usage::replay(&slug, &NewReplay { from, to, ..new }));
        })
    };
    let options = [("budget", "A budget"), ("limit", "A rate limit"), ("price", "Other prices")];
    let options = options.map(|(value, text)| (value.into(), text.into())).to_vec();
    let verb = "Try on these calls";
    html! {
        <>
            <div class="filters">
                <Segments label="What to try" {options} value={what.clone()} onchange={onwhat} />
                <Range days=30 />
            </div>
            <div class="what-if">
                <section class="panel" aria-label="What to try">
                    { match what.as_str() {
                        "limit" => {
                            let onsubmit = run.reform(|limit| NewReplay { rate_limit: Some(limit), ..NOTHING });
                            html! { <LimitForm {verb} {running} {problem} {onsubmit} /> }
                        }
                        "price" => {
                            let onsubmit = run.reform(|price| NewReplay { price: Some(price), ..NOTHING });
                            html! { <PriceForm {verb} {running} {problem} {onsubmit} /> }
                        }
                        _budget => {
                            let onsubmit = run.reform(|written: Written| NewReplay { budget: Some(written.into()), ..NOTHING });
                            html! { <BudgetForm budget={None::<ralex_api::budgets::Budget>} {verb} {running} {problem} {onsubmit} /> }
                        }
                    } }
                </section>
                <div aria-live="polite">
                    if let Some(replay) = &*found { { told(replay, &what) } }
                    else { <p class="faint">{ "Nothing is changed by trying. Each call of the range is taken in the order in which they began, with what was held for it then and what it cost." }</p> }
                </div>
            </div>
        </>
    }
}

fn told(replay: &Replay, what: &str) -> Html {
    let Replay { calls, passed, refused, cut, cost, cost_then, .. } = replay;
    let range = format!("{} to {}", minute(replay.from), minute(replay.to));
    if *calls == 0 {
        return html! { <Banner><p>{ format!("No call from {range} is concerned by it.") }</p></Banner> };
    }
    let places = decimals([*cost, *cost_then]);
    let saved = *cost - *cost_then;
    let less = if saved < Money::ZERO { "more than they did" } else { "less than they did" };
    let amount = if saved < Money::ZERO { Money::ZERO - saved } else { saved };
    html! {
        <>
            <p class="faint">{ range }</p>
            <div class="tiles">
                <Stat label="Calls concerned" value={grouped(*calls)}>{ format!("{} let through", grouped(*passed)) }</Stat>
                if what != "price" {
                    <Stat label="Refused" value={grouped(*refused)}>
                        { replay.first_refused_at.map(|at| format!("first {}", minute(at))) }
                    </Stat>
                }
                if what == "budget" { <Stat label="Cut" value={grouped(*cut)}>{ "streams that would have ended early" }</Stat> }
                <Stat label="Would have cost" value={with_decimals(*cost_then, places)} title={exact(*cost_then)}>
                    { if saved == Money::ZERO { "as they did".to_owned() } else { format!("{} {less}", short(amount)) } }
                </Stat>
            </div>
            if *refused == 0 && *cut == 0 && what != "price" {
                <Banner tone={Tone::Good}><p>{ "Every call would have passed." }</p></Banner>
            }
            { shares(&replay.most, what) }
            { periods(&replay.periods) }
        </>
    }
}

fn shares(most: &[ReplayedShare], what: &str) -> Html {
    if most.is_empty() {
        return Html::default();
    }
    let stops = what != "price";
    let mut columns =
        vec![Column::text("Team"), Column::text("Model"), Column::number("Calls").wide()];
    if stops {
        columns.extend([Column::number("Refused"), Column::number("Cut").wide()]);
    }
    columns.extend([Column::number("Cost").wide(), Column::number("Then")]);
    let places = decimals(most.iter().flat_map(|it| [it.cost, it.cost_then]));
    html! {
        <section aria-labelledby="whom">
            <h2 id="whom">{ "Whom it would concern most" }</h2>
            <Table caption="Whom it would concern most" {columns}>
                { for most.iter().map(|it| html! {
                    <tr key={format!("{:?} {}", it.team, it.model)}>
                        <th scope="row">{ it.team.as_deref().unwrap_or("no team").to_owned() }</th>
                        <td>{ it.model.clone() }</td>
                        <td class="number wide">{ grouped(it.calls) }</td>
                        if stops {
                            <td class="number">{ grouped(it.refused) }</td>
                            <td class="number wide">{ grouped(it.cut) }</td>
                        }
                        <td class="number wide" title={exact(it.cost)}>{ with_decimals(it.cost, places) }</td>
                        <td class="number" title={exact(it.cost_then)}>{ with_decimals(it.cost_then, places) }</td>
                    </tr>
                }) }
            </Table>
        </section>
    }
}

/// The newest first, since they are the ones that are remembered.
fn periods(periods: &[ReplayedPeriod]) -> Html {
    if periods.is_empty() {
        return Html::default();
    }
    let columns = vec![
        Column::text("Period from"),
        Column::number("Calls").wide(),
        Column::number("Refused"),
        Column::number("Cut").wide(),
        Column::number("Spent"),
        Column::number("Limit").wide(),
    ];
    let places = decimals(periods.iter().flat_map(|it| [it.spent, it.limit]));
    html! {
        <section aria-labelledby="periods">
            <h2 id="periods">{ counted(periods.len() as u64, "period") }</h2>
            <Table caption="Periods of the budget" {columns}>
                { for periods.iter().rev().map(|it| html! {
                    <tr key={it.starts_at.timestamp()}>
                        <th scope="row" title={minute(it.starts_at)}>{ date(it.starts_at.date_naive()) }</th>
                        <td class="number wide">{ grouped(it.calls) }</td>
                        <td class="number">{ grouped(it.refused) }</td>
                        <td class="number wide">{ grouped(it.cut) }</td>
                        <td class="number" title={exact(it.spent)}>{ with_decimals(it.spent, places) }</td>
                        <td class="number wide" title={exact(it.limit)}>{ with_decimals(it.limit, places) }</td>
                    </tr>
                }) }
            </Table>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct PriceProps {
    verb: AttrValue,
    running: bool,
    problem: Option<ralex_api::Problem>,
    onsubmit: Callback<ReplayPrice>,
}

/// Other prices of one model.
#[component]
fn PriceForm(props: &PriceProps) -> Html {
    let slug = use_org().slug();
    let (models, _) = use_load(slug, |org| api::catalog::models(&org));
    let chosen = use_state(String::new);
    let names: Vec<String> = models
        .ready()
        .map(|page| page.items.iter().map(|it| it.name.clone()).collect())
        .unwrap_or_default();
    let model = if chosen.is_empty() {
        names.first().cloned().unwrap_or_default()
    } else {
        (*chosen).clone()
    };
    let inputs = [use_price(), use_price(), use_price(), use_price()];
    let onsubmit = {
        let (tell, inputs, model) = (props.onsubmit.clone(), inputs.clone(), model.clone());
        Callback::from(move |()| {
            let [input, output, read, write] = &inputs;
            tell.emit(ReplayPrice {
                model: model.clone(),
                input_price: input.parsed(),
                output_price: output.parsed(),
                cache_read_price: read.parsed(),
                cache_write_price: write.parsed(),
            });
        })
    };
    let options =
        names.into_iter().map(|name| (name.clone().into(), name.into())).collect::<Vec<_>>();
    let blocked = model.is_empty().then_some("There is no model yet.");
    let [input, output, read, write] = inputs.clone();
    html! {
        <Form inputs={inputs.to_vec()} verb={props.verb.clone()} running={props.running} problem={props.problem.clone()} {onsubmit} {blocked}>
            <SelectField label="Model" path="model" {options} value={model} onchange={keep(&chosen)} />
            <p class="note">{ "Dollars per million tokens; what is left empty stays as it was at each call." }</p>
            <div class="pair">
                <TextField label="Input" path="input_price" input={input} before="$" autofocus=true />
                <TextField label="Output" path="output_price" input={output} before="$" />
            </div>
            <div class="pair">
                <TextField label="Cache reads" path="cache_read_price" input={read} before="$" />
                <TextField label="Cache writes" path="cache_write_price" input={write} before="$" />
            </div>
        </Form>
    }
}

#[hook]
fn use_price() -> Input {
    use_input("", |text| if text.trim().is_empty() { None } else { price(text) })
}
