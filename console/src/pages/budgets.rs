//! Budgets: what may be spent, what is spent, and what is held for calls under way.

use ralex_api::budgets::{Budget, UpdateBudget};
use ralex_kernel::{BudgetId, Money, Period};
use yew::prelude::*;

use super::budget_adjustments::AdjustmentsDialog;
use super::budget_forecast::ForecastDialog;
use super::budget_form::{BudgetForm, Written};
use super::budget_increase::IncreaseDialog;
use super::budget_runs::RunsDialog;
use super::budget_tree::tree;
use super::rate_limits::RateLimits;
use super::reconcile::Bills;
use super::why::Spenders;
use crate::api;
use crate::components::meter::meter;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, ConfirmDelete, Dialog, Empty, Head, Icon, IconButton, Kind, Tone, When, show,
    use_toast,
};
use crate::hooks::{keep, use_action, use_load, use_query};
use crate::session::use_org;
use crate::text::money::{decimals, exact, rounded, short, telling, with_decimals};
use crate::text::number::{counted, percent};
use crate::text::time::day;

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Edit(Budget),
    Increase(Budget),
    Delete(Budget),
    Beside(Budget),
    Forecast(Budget),
    Runs(Budget),
    Spenders(BudgetId),
}

#[component]
pub fn BudgetsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let bills = query.find("view") == Some("bills") && org.can_everywhere("budget.set");
    let views = vec![("".into(), "Budgets".into()), ("bills".into(), "Compare with bills".into())];
    let onview = Callback::from(move |view: String| set.emit(query.with("view", &view)));
    let value = if bills { "bills" } else { "" };
    let tabs = html! {
        if org.can_everywhere("budget.set") { <div><Segments label="Part" options={views} {value} onchange={onview} /></div> }
    };
    if bills {
        return html! {
            <>
                <Head title="Budgets" lead="What a provider billed beside what the calls recorded, and budgets adjusted by what differs." />
                { tabs }
                <Bills />
            </>
        };
    }
    html! { <List {tabs} /> }
}

#[derive(Properties, PartialEq)]
struct ListProps {
    tabs: Html,
}

#[component]
fn List(props: &ListProps) -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| api::budgets::list(&org));
    let may = org.can_everywhere("budget.set");
    let everywhere = org.can_everywhere("budget.read");
    let asks = |budget: &Budget| {
        let team = budget.team.as_deref().unwrap_or_default();
        org.can_in("role.read", team, budget.project.as_deref())
    };
    let set = keep(&over);
    let close = set.reform(|()| Over::Nothing);
    let done = {
        let (close, again) = (close.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let create = html! {
        if may { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create budget" }</Button> }
    };
    html! {
        <>
            <Head title="Budgets" lead="What may be spent in a period. A hard budget refuses a call that may not fit; a soft one only tells.">
                { create.clone() }
            </Head>
            { props.tabs.clone() }
            { show(&load, &again, |page| if page.items.is_empty() {
                html! {
                    <Empty icon={Icon::Wallet} title="No budget yet">
                        <p>{ if everywhere { "Without one, spend has no limit. Start with a hard monthly budget for the organisation." } else { "None is set at the places that you see. One of the whole organisation may hold there all the same." } }</p>
                        { create }
                    </Empty>
                }
            } else {
                tree(&page.items, |budget| card(budget, (may, asks(budget)), &set))
            }) }
            <RateLimits />
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <Editor budget={None::<Budget>} ondone={done} onclose={close} /> },
                Over::Edit(budget) => html! { <Editor budget={Some(budget.clone())} ondone={done} onclose={close} /> },
                Over::Beside(budget) => html! { <AdjustmentsDialog budget={budget.clone()} onchange={done} onclose={close} /> },
                Over::Forecast(budget) => html! { <ForecastDialog budget={budget.clone()} onclose={close} /> },
                Over::Spenders(budget) => html! { <Spenders budget={*budget} onclose={close} /> },
                Over::Runs(budget) => html! { <RunsDialog budget={budget.clone()} onclose={close} /> },
                Over::Increase(budget) => html! { <IncreaseDialog budget={budget.clone()} ondone={done} onclose={close} /> },
                Over::Delete(budget) => delete_dialog(&org.slug(), budget, &done, close),
            } }
        </>
    }
}

fn badges(budget: &Budget) -> Html {
    html! {
        <>
            if budget.hard { <Badge tone={Tone::Info} title="Refuses a call that may not fit">{ "Hard" }</Badge> }
            else { <Badge title="Only tells when it is passed">{ "Soft" }</Badge> }
            if let Some(percent) = budget.degrade_at { <Badge title="Routes leave dear models out when less is left">{ format!("Cheaper below {percent} %") }</Badge> }
        </>
    }
}

fn spenders(budget: &Budget, set: &Callback<Over>) -> Html {
    let (id, label) = (budget.id, format!("Who can spend the budget of {}", budget.scope_name));
    let onclick = set.reform(move |()| Over::Spenders(id));
    html! { <IconButton icon={Icon::People} {label} {onclick} /> }
}

fn card(budget: &Budget, (may, asks): (bool, bool), set: &Callback<Over>) -> Html {
    let increase = budget.increase.as_ref().map(|increase| increase.amount);
    let limit = budget.limit.saturating_add(increase.unwrap_or_default());
    let limit = limit.saturating_add(budget.carried);
    let (used, held) = (budget.spent.share_of(limit), budget.held.share_of(limit));
    // Rounded alike, so that what is seen adds up to the limit.
    let places = decimals([limit]).max(telling([budget.spent, budget.held]));
    let (spent, held_sum) = (rounded(budget.spent, places), rounded(budget.held, places));
    let left = limit - spent - held_sum;
    let shown = |amount| with_decimals(amount, places);
    let over = budget.spent > limit;
    let label =
        format!("{} of {} spent, {} held", short(budget.spent), short(limit), short(budget.held));
    let per_run = budget.period == Period::Run;
    let until = match (&budget.run, budget.period_ends_at) {
        (Some(run), _) => Some(format!("the dearest under way is {run}")),
        (None, Some(end)) if budget.days.is_some() => Some(format!("a day leaves {}", day(end))),
        (None, end) => end.map(|end| format!("starts anew {}", day(end))),
    };
    let (edit, delete, beside) = (budget.clone(), budget.clone(), budget.clone());
    let (more, forecast, runs) = (budget.clone(), budget.clone(), budget.clone());
    html! {
        <li class="budget" key={budget.id.to_string()}>
            <div class="budget-head">
                <div>
                    <h2>{ budget.scope_name.clone() }</h2>
                    <p class="faint"><code>{ budget.scope.clone() }</code>
                        if let Some(only) = only(budget) { <span title="Only calls that go there count">{ format!(" · {only}") }</span> }
                        { format!(" · {}", often(budget)) }
                        if let Some(until) = until { <>{ ", " }<span title={budget.time_zone.clone()}>{ until }</span></> }
                    </p>
                </div>
                { badges(budget) }
                <div class="budget-actions">
                    if per_run { <IconButton icon={Icon::Stack} label={format!("Runs of {}", budget.scope_name)} onclick={set.reform(move |()| Over::Runs(runs.clone()))} /> }
                    else { <IconButton icon={Icon::Chart} label={format!("Forecast for the budget of {}", budget.scope_name)} onclick={set.reform(move |()| Over::Forecast(forecast.clone()))} /> }
                    <IconButton icon={Icon::List} label={format!("What counts beside calls on the budget of {}", budget.scope_name)} onclick={set.reform(move |()| Over::Beside(beside.clone()))} />
                    if asks { { spenders(budget, set) } }
                    if may {
                        if !per_run { <IconButton icon={Icon::Plus} label={format!("More for the budget of {}, for a while", budget.scope_name)} onclick={set.reform(move |()| Over::Increase(more.clone()))} /> }
                        <IconButton icon={Icon::Edit} label={format!("Edit the budget of {}", budget.scope_name)} onclick={set.reform(move |()| Over::Edit(edit.clone()))} />
                        <IconButton icon={Icon::Trash} label={format!("Delete the budget of {}", budget.scope_name)} onclick={set.reform(move |()| Over::Delete(delete.clone()))} />
                    }
                </div>
            </div>
            { meter(used, held, label) }
            <dl class="budget-sums">
                <div><dt><span class="key used" />{ "Spent" }</dt><dd class={classes!(over.then_some("over"))} title={exact(budget.spent)}>{ shown(spent) }<span class="faint">{ percent(used) }</span></dd></div>
                <div><dt><span class="key held" />{ "Held" }</dt><dd title={exact(budget.held)}>{ shown(held_sum) }</dd></div>
                <div><dt>{ "Left" }</dt><dd title={exact(limit - budget.spent - budget.held)}>{ shown(left) }</dd></div>
                <div><dt>{ "Limit" }</dt><dd title={exact(budget.limit)}>{ shown(budget.limit) }</dd></div>
                if budget.carry_over { <div><dt>{ "Carried over" }</dt><dd title="What the periods before have left">{ format!("+{}", short(budget.carried)) }
                    if let Some(most) = budget.carry_over_at_most { <span class="faint">{ format!("at most {}", short(most)) }</span> }
                </dd></div> }
                if let Some(increase) = &budget.increase { <div><dt>{ "For a while" }</dt><dd title={increase.reason.clone()}>{ format!("+{}", short(increase.amount)) }<span class="faint">{ "until " }<When at={increase.until} /></span></dd></div> }
                if budget.refused > 0 { <div><dt>{ "Refused" }</dt><dd>{ counted(budget.refused, "call") }</dd></div> }
                if budget.adjusted != Money::ZERO { <div><dt>{ "Beside calls" }</dt><dd title="What servers had in hand when they went silent, and what exports of providers tell">{ short(budget.adjusted) }</dd></div> }
                if budget.overrun > Money::ZERO { <div><dt>{ "Beyond its holds" }</dt><dd class="over" title={exact(budget.overrun)}>{ short(budget.overrun) }</dd></div> }
            </dl>
        </li>
    }
}

/// How often it starts anew, or how far it looks back.
fn often(budget: &Budget) -> String {
    match budget.days {
        Some(1) => "the last day".to_owned(),
        Some(days) => format!("the last {days} days"),
        None => each(budget.period).to_owned(),
    }
}

/// Whose calls alone count.
fn only(budget: &Budget) -> Option<String> {
    let model = budget.model.as_ref().map(|model| format!("model {model}"));
    model.or_else(|| budget.provider.as_ref().map(|provider| format!("provider {provider}")))
}

pub const fn each(period: Period) -> &'static str {
    match period {
        Period::Hour => "each hour",
        Period::Day => "each day",
        Period::Week => "each week",
        Period::Month => "each month",
        Period::Quarter => "each quarter",
        Period::Year => "each year",
        Period::Total => "once, in all",
        Period::Rolling => "the last days",
        Period::Run => "each run",
    }
}

#[derive(Properties, PartialEq)]
struct EditorProps {
    budget: Option<Budget>,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Editor(props: &EditorProps) -> Html {
    let org = use_org();
    let save = use_action(props.ondone.reform(|budget: Budget| {
        format!("The budget of {} is {}.", budget.scope_name, short(budget.limit)).into()
    }));
    let onsubmit = {
        let (save, slug, budget) = (save.clone(), org.slug(), props.budget.clone());
        Callback::from(move |written: Written| {
            save.run(if let Some(budget) = &budget {
                let change = UpdateBudget {
                    limit: Some(written.limit),
                    hard: Some(written.hard),
                    degrade_at: Some(written.degrade_at.unwrap_or_default()),
                };
                api::budgets::update(&slug, budget.id, change)
            } else {
                api::budgets::create(&slug, written.into())
            });
        })
    };
    let (title, verb) = props.budget.as_ref().map_or_else(
        || ("Create budget".to_owned(), "Create budget"),
        |budget| (format!("Budget of {}", budget.scope_name), "Save budget"),
    );
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <BudgetForm {verb} budget={props.budget.clone()} running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()} />
        </Dialog>
    }
}

fn delete_dialog(
    org: &str,
    budget: &Budget,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let Budget { id, scope_name, limit, hard, .. } = budget.clone();
    let often = often(budget);
    let said = AttrValue::from(format!("The budget of {scope_name} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::budgets::delete(&org, id));
    html! {
        <ConfirmDelete title={format!("Delete the budget of {scope_name}?")} verb="Delete budget" {delete} {ondone} {onclose}>
            <p>{ format!("Its limit of {} {} no longer {}. What was spent stays in the records.", short(limit), often, if hard { "holds" } else { "tells" }) }</p>
        </ConfirmDelete>
    }
}
