//! Comparing a provider's bill with the calls, and adjusting budgets by what differs.

use ralex_api::adjustments::{
    ExportFormat, Reconcile, ReconciledBudget, ReconciledDay, Reconciliation,
};
use ralex_kernel::{BudgetId, Money};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::budgets::each;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Column, Confirm, Form, Kind, SelectField, Stat, Table, Tone, show,
    use_toast,
};
use crate::hooks::input::unique;
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;
use crate::text::money::{decimals, exact, short, with_decimals};
use crate::text::number::{counted, grouped};
use crate::text::time::date;

/// What the server takes at most.
const MOST: f64 = 8.0 * 1024.0 * 1024.0;

/// The text of the file that was chosen, or why it cannot be sent.
pub type Chosen = Option<Result<String, &'static str>>;

/// The part of the budgets' page where bills are compared.
#[component]
pub fn Bills() -> Html {
    let org = use_org();
    let asked = use_state(|| None::<Reconcile>);
    let found = use_state(|| None::<Reconciliation>);
    let sure = use_state(|| false);
    let toast = use_toast();
    let (budgets, again) = use_load(org.slug(), |org| api::budgets::list(&org));
    let compare = use_action(keep(&found).reform(Some));
    let apply = use_action({
        let (found, sure, again) = (keep(&found), keep(&sure), again.clone());
        Callback::from(move |done: Reconciliation| {
            found.emit(Some(done));
            sure.emit(false);
            again.emit(());
            toast.emit("The budgets are adjusted.".into());
        })
    });
    let onsubmit = {
        let (asked, found, compare, slug) =
            (keep(&asked), keep(&found), compare.clone(), org.slug());
        Callback::from(move |export: Reconcile| {
            found.emit(None);
            compare.run(api::budgets::reconcile(&slug, &export));
            asked.emit(Some(export));
        })
    };
    let onconfirm = {
        let (apply, slug, asked) = (apply.clone(), org.slug(), (*asked).clone());
        Callback::from(move |()| {
            if let Some(export) = asked.clone() {
                apply.run(api::budgets::reconcile(&slug, &Reconcile { apply: true, ..export }));
            }
        })
    };
    html! {
        <div class="what-if">
            <section class="panel" aria-label="The export">
                <Upload running={compare.running()} problem={compare.problem()} {onsubmit} />
            </section>
            <div aria-live="polite">
                if let Some(found) = &*found {
                    { show(&budgets, &again, |page| {
                        let name = |id: BudgetId| {
                            let budget = page.items.iter().find(|it| it.id == id);
                            budget.map_or_else(|| id.to_string(), |it| format!("{}, {}", it.scope_name, each(it.period)))
                        };
                        told(found, &name, &keep(&sure))
                    }) }
                } else {
                    <p class="faint">{ "First nothing is changed: what the provider billed stands beside what the calls recorded, day by day. Send whole exports, for one of some keys looks as if the others had billed nothing." }</p>
                }
            </div>
            if let (true, Some(found)) = (*sure, &*found) {
                <Confirm title="Adjust the budgets?" verb="Adjust budgets" running={apply.running()} problem={apply.problem()} {onconfirm} onclose={keep(&sure).reform(|()| false)}>
                    <p>{ promise(found) }</p>
                    <p>{ "Each entry can be taken back in the list beside the budget." }</p>
                </Confirm>
            }
        </div>
    }
}

/// What is missing on budgets, day by day.
fn due(found: &Reconciliation) -> impl Iterator<Item = &ReconciledBudget> {
    let over = found.days.iter().filter(|day| day.over);
    over.flat_map(|day| &day.budgets).filter(|it| it.adds != Money::ZERO)
}

fn promise(found: &Reconciliation) -> String {
    let entries = due(found).count() as u64;
    let (mut more, mut less) = (Money::ZERO, Money::ZERO);
    for it in due(found) {
        let sum = if it.adds > Money::ZERO { &mut more } else { &mut less };
        *sum = sum.saturating_add(it.adds);
    }
    let entries =
        if entries == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(entries)) };
    let sums = [(more, "to"), (Money::ZERO - less, "from")];
    let sums = sums.into_iter().filter(|(sum, _)| *sum != Money::ZERO);
    let verbs = sums.map(|(sum, way)| {
        let verb = if way == "to" { "adds" } else { "takes" };
        format!("{verb} {} {way}", short(sum))
    });
    let verbs = verbs.collect::<Vec<_>>().join(" and ");
    format!("{entries} by the export of {}: {verbs} what counts as spent.", found.provider)
}

fn told(found: &Reconciliation, name: &dyn Fn(BudgetId) -> String, sure: &Callback<bool>) -> Html {
    let billed: Money =
        found.days.iter().filter_map(|day| day.exported).fold(Money::ZERO, Money::saturating_add);
    let recorded =
        found.days.iter().map(|day| day.recorded).fold(Money::ZERO, Money::saturating_add);
    let tells_money = found.days.iter().any(|day| day.exported.is_some());
    let places = decimals([billed, recorded, billed - recorded]);
    let due = due(found).count();
    let open = found.days.iter().any(|day| !day.over);
    html! {
        <>
            <div class="tiles">
                <Stat label="Billed" value={if tells_money { with_decimals(billed, places) } else { "–".to_owned() }} title={exact(billed)}>{ counted(found.days.len() as u64, "day") }</Stat>
                <Stat label="Recorded" value={with_decimals(recorded, places)} title={exact(recorded)} />
                if tells_money { <Stat label="Difference" value={with_decimals(billed - recorded, places)} title={exact(billed - recorded)} /> }
            </div>
            if found.applied {
                <Banner tone={Tone::Good}><p>{ "Applied. What it added counts on the budgets, and stands in the list beside each of them." }</p></Banner>
            } else if !tells_money {
                <Banner><p>{ "This export tells of tokens and not of money: it can be compared, and not applied." }</p></Banner>
            } else if due == 0 {
                <Banner tone={Tone::Good}><p>{ "No budget is missing anything by this export." }</p></Banner>
            } else {
                <Banner tone={Tone::Warn}>
                    <p>{ promise(found) }</p>
                    <Button kind={Kind::Primary} onclick={sure.reform(|()| true)}>{ "Adjust budgets" }</Button>
                </Banner>
            }
            if open { <p class="note">{ "A day that is not over is compared and not applied, since more of it will be billed." }</p> }
            { days(&found.days, name) }
            { rows(found) }
        </>
    }
}

fn days(days: &[ReconciledDay], name: &dyn Fn(BudgetId) -> String) -> Html {
    let columns = vec![
        Column::text("Day"),
        Column::number("Billed").wide(),
        Column::number("Recorded").wide(),
        Column::number("Difference"),
        Column::text("Budgets"),
    ];
    let places = decimals(
        days.iter().flat_map(|day| [Some(day.recorded), day.exported, day.difference]).flatten(),
    );
    let amount = |amount: Option<Money>| {
        amount.map_or_else(|| "–".to_owned(), |it| with_decimals(it, places))
    };
    html! {
        <section aria-labelledby="days">
            <h2 id="days">{ "Day by day" }</h2>
            <Table caption="Days of the export" {columns}>
                { for days.iter().map(|day| html! {
                    <tr key={day.day.to_string()}>
                        <th scope="row">{ date(day.day) } if !day.over { <Badge>{ "Not over" }</Badge> }</th>
                        <td class="number wide">{ amount(day.exported) }</td>
                        <td class="number wide">{ amount(Some(day.recorded)) }</td>
                        <td class="number" title={day.difference.map(exact)}>{ amount(day.difference) }</td>
                        <td>{ for day.budgets.iter().map(|it| share(it, name)) }</td>
                    </tr>
                }) }
            </Table>
        </section>
    }
}

/// What a day does to a budget.
fn share(it: &ReconciledBudget, name: &dyn Fn(BudgetId) -> String) -> Html {
    let sign = if it.adds > Money::ZERO { "+" } else { "" };
    let adds = if it.adds == Money::ZERO {
        "nothing to add".to_owned()
    } else {
        format!("{sign}{}", short(it.adds))
    };
    html! {
        <p>{ name(it.budget) }{ ": " }<span title={exact(it.adds)}>{ adds }</span>
            if it.adjusted != Money::ZERO { <span class="faint">{ format!(", {} by exports before", short(it.adjusted)) }</span> }
            if it.lease_lost != Money::ZERO { <span class="faint" title="Take those entries back when the exports of all providers of the day are applied">{ format!(", {} for servers that went silent", short(it.lease_lost)) }</span> }
        </p>
    }
}

fn rows(found: &Reconciliation) -> Html {
    let columns = vec![
        Column::text("Day").wide(),
        Column::text("Model"),
        Column::number("Billed"),
        Column::number("Recorded"),
        Column::number("Difference").wide(),
        Column::number("Tokens billed").wide(),
        Column::number("Tokens recorded").wide(),
    ];
    let places =
        decimals(found.rows.iter().flat_map(|row| [Some(row.recorded), row.exported]).flatten());
    let amount = |amount: Option<Money>| {
        amount.map_or_else(|| "–".to_owned(), |it| with_decimals(it, places))
    };
    html! {
        <section aria-labelledby="models">
            <h2 id="models">{ "By model" }</h2>
            <Table caption="Days and models" {columns}>
                { for found.rows.iter().enumerate().map(|(place, row)| html! {
                    <tr key={place}>
                        <td class="wide">{ date(row.day) }</td>
                        <th scope="row">{ row.model.as_deref().unwrap_or("not told").to_owned() }</th>
                        <td class="number">{ amount(row.exported) }</td>
                        <td class="number" title={exact(row.recorded)}>{ amount(Some(row.recorded)) }</td>
                        <td class="number wide">{ amount(row.difference) }</td>
                        <td class="number wide">{ grouped(row.exported_input_tokens + row.exported_output_tokens) }</td>
                        <td class="number wide">{ grouped(row.recorded_input_tokens + row.recorded_output_tokens) }</td>
                    </tr>
                }) }
            </Table>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct UploadProps {
    running: bool,
    problem: Option<ralex_api::Problem>,
    onsubmit: Callback<Reconcile>,
}

/// Whose bill, in which form, and the file.
#[component]
fn Upload(props: &UploadProps) -> Html {
    let slug = use_org().slug();
    let id = use_memo((), |()| unique());
    let (chosen, format) = (use_state(String::new), use_state(|| None::<ExportFormat>));
    let file = use_state(|| Chosen::None);
    let (providers, _) = use_load(slug, |org| api::catalog::providers(&org));
    let known = providers.ready().map(|page| page.items.clone()).unwrap_or_default();
    let provider = if chosen.is_empty() {
        known.first().map(|it| it.slug.to_string()).unwrap_or_default()
    } else {
        (*chosen).clone()
    };
    let kind = known.iter().find(|it| it.slug.as_str() == provider).map(|it| it.kind.to_string());
    let usual = kind.and_then(|kind| ExportFormat::named(&kind)).unwrap_or(ExportFormat::Csv);
    let format_of = format.unwrap_or(usual);
    let onfile = {
        let keep = keep(&file);
        Callback::from(move |event: Event| read(&event.target_unchecked_into(), keep.clone()))
    };
    let onsubmit = {
        let (tell, file, provider) = (props.onsubmit.clone(), file.clone(), provider.clone());
        Callback::from(move |()| {
            if let Some(Ok(text)) = &*file {
                let (provider, export) = (provider.clone(), text.clone());
                tell.emit(Reconcile { provider, format: format_of, export, apply: false });
            }
        })
    };
    let options: Vec<(AttrValue, AttrValue)> =
        known.iter().map(|it| (it.slug.to_string().into(), it.slug.to_string().into())).collect();
    let formats = ExportFormat::ALL
        .iter()
        .map(|it| (it.as_str().into(), written(*it).into()))
        .collect::<Vec<_>>();
    let onformat = keep(&format).reform(|name: String| ExportFormat::named(&name));
    let blocked = match &*file {
        None => Some("Choose a file."),
        Some(Err(why)) => Some(*why),
        Some(Ok(_)) if provider.is_empty() => Some("There is no provider yet."),
        Some(Ok(_)) => None,
    };
    html! {
        <Form inputs={vec![]} verb="Compare" running={props.running} problem={props.problem.clone()} {onsubmit} {blocked}>
            <SelectField label="Provider" path="provider" {options} value={provider.clone()} onchange={keep(&chosen)} />
            <SelectField label="Written as" path="format" options={formats} value={format_of.as_str()} onchange={onformat} hint={hint(format_of)} />
            <div class="field">
                <label for={(*id).clone()}>{ "Export" }</label>
                <div class="control"><input id={(*id).clone()} type="file" accept=".json,.jsonl,.csv,.txt" onchange={onfile} /></div>
                <p class="note">{ "As the provider wrote it, at most 8 MiB and 400 days." }</p>
            </div>
        </Form>
    }
}

const fn written(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Openai => "OpenAI",
        ExportFormat::Anthropic => "Anthropic",
        ExportFormat::Csv => "A table (CSV)",
    }
}

const fn hint(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Openai => {
            "Pages of /v1/organization/costs, best by line item, or of its usage."
        }
        ExportFormat::Anthropic => {
            "Pages of /v1/organizations/cost_report, best by description, or of its usage report."
        }
        ExportFormat::Csv => {
            "With the heads date and cost in dollars; also model, input_tokens and output_tokens where known."
        }
    }
}

/// Reads the file that was chosen.
pub fn read(input: &HtmlInputElement, tell: Callback<Chosen>) {
    let Some(file) = input.files().and_then(|files| files.get(0)) else { return tell.emit(None) };
    if file.size() > MOST {
        return tell.emit(Some(Err("It has more than 8 MiB.")));
    }
    spawn_local(async move {
        let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
        tell.emit(Some(text.ok_or("It cannot be read.")));
    });
}
