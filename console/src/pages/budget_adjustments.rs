//! What counts on a budget beside its calls, and taking it back.

use ralex_api::adjustments::{Adjustment, AdjustmentReason};
use ralex_api::budgets::Budget;
use ralex_kernel::BudgetId;
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Button, Column, Dialog, Empty, Form, Icon, More, Table, TextField, When, show,
};
use crate::hooks::input::needed;
use crate::hooks::pages::use_pages;
use crate::hooks::{keep, use_action, use_input};
use crate::session::use_org;
use crate::text::money::{exact, short};
use crate::text::time::date;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub budget: Budget,
    /// Told when an entry was taken back.
    pub onchange: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn AdjustmentsDialog(props: &Props) -> Html {
    let org = use_org();
    let reversing = use_state(|| None::<Adjustment>);
    let list = use_pages((org.slug(), props.budget.id), |(org, id), cursor| {
        api::budgets::adjustments(&org, id, cursor)
    });
    let set = keep(&reversing);
    if let Some(entry) = &*reversing {
        return html! {
            <Reverse budget={props.budget.id} entry={entry.clone()} ondone={props.onchange.clone()} onclose={set.reform(|()| None)} />
        };
    }
    let may = org.can_everywhere("budget.set");
    let title = format!("Beside the calls of {}", props.budget.scope_name);
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            { show(&list.state, &list.again, |pages| if pages.items.is_empty() {
                html! { <Empty icon={Icon::Check} title="Nothing but calls counts here"><p>{ "What servers had in hand when they went silent would stand here, and what exports of providers tell." }</p></Empty> }
            } else { html! { <>
                <Table caption="Adjustments" columns={[Column::text("When").wide(), Column::text("Why"), Column::number("Amount"), Column::text("")].to_vec()}>
                    { for pages.items.iter().map(|entry| row(entry, may, &set)) }
                </Table>
                <More shown={pages.items.len()} noun="adjustment" more={pages.next.is_some()} fetching={pages.fetching}
                    problem={pages.problem.clone()} onmore={list.more.clone()} />
            </> } }) }
        </Dialog>
    }
}

fn row(entry: &Adjustment, may: bool, set: &Callback<Option<Adjustment>>) -> Html {
    let onclick = {
        let entry = entry.clone();
        set.reform(move |()| Some(entry.clone()))
    };
    html! {
        <tr key={entry.id.to_string()}>
            <td class="wide"><When at={entry.created_at} /></td>
            <td>{ why(entry) }
                <p class="faint">{ [entry.created_by.as_deref(), Some(entry.note.as_str())].into_iter().flatten().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(": ") }</p>
            </td>
            <td class="number" title={exact(entry.amount)}>{ short(entry.amount) }</td>
            <td>
                if entry.reversed_by.is_some() { <Badge>{ "Taken back" }</Badge> }
                else if may && entry.reverses.is_none() { <Button icon={Icon::Rotate} {onclick}>{ "Take back" }</Button> }
            </td>
        </tr>
    }
}

fn why(entry: &Adjustment) -> String {
    match entry.reason {
        AdjustmentReason::LeaseLost => "A server went silent with it in hand".to_owned(),
        AdjustmentReason::Reversed => "An adjustment was taken back".to_owned(),
        AdjustmentReason::Reconciled => format!(
            "Billed otherwise by {} on {}",
            entry.provider.as_deref().unwrap_or("a provider"),
            entry.day.map(date).unwrap_or_default()
        ),
    }
}

#[derive(Properties, PartialEq)]
struct ReverseProps {
    budget: BudgetId,
    entry: Adjustment,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Reverse(props: &ReverseProps) -> Html {
    let slug = use_org().slug();
    let note = use_input("", needed);
    let save =
        use_action(props.ondone.reform(|_: Adjustment| "The adjustment is taken back.".into()));
    let onsubmit = {
        let (note, save, budget, id) = (note.clone(), save.clone(), props.budget, props.entry.id);
        Callback::from(move |()| {
            let note = note.text();
            save.run(api::budgets::reverse(&slug, budget, id, note));
        })
    };
    html! {
        <Dialog title={format!("Take {} back?", short(props.entry.amount))} onclose={props.onclose.clone()}>
            <p>{ "An entry that opposes it is added. That is not undone." }</p>
            <Form inputs={vec![note.clone()]} verb="Take back" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Why" path="note" input={note} autofocus=true hint="For the audit log." />
            </Form>
        </Dialog>
    }
}
