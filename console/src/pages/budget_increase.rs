//! More for the current period of a budget, for a while.

use chrono::{DateTime, Utc};
use ralex_api::budgets::{Budget, NewIncrease};
use yew::prelude::*;

use crate::api;
use crate::components::{Button, Dialog, Form, TextField};
use crate::hooks::input::{needed, positive_money};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;
use crate::text::money::short;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub budget: Budget,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn IncreaseDialog(props: &Props) -> Html {
    let slug = use_org().slug();
    let (id, name) = (props.budget.id, props.budget.scope_name.clone());
    let amount = use_input("", positive_money);
    let until =
        use_input("", |text| instant(text).is_none().then(|| "Enter a day and a time.".to_owned()));
    let reason = use_input("", needed);
    let give =
        {
            let name = name.clone();
            use_action(props.ondone.reform(move |_: Budget| {
                format!("The budget of {name} has more for a while.").into()
            }))
        };
    let end = {
        let name = name.clone();
        use_action(
            props.ondone.reform(move |()| format!("The budget of {name} has its limit.").into()),
        )
    };
    let onsubmit = {
        let (slug, give) = (slug.clone(), give.clone());
        let (amount, until, reason) = (amount.clone(), until.clone(), reason.clone());
        Callback::from(move |()| {
            if let (Some(amount), Some(until)) = (amount.parsed(), instant(&until.text())) {
                let new = NewIncrease { amount, until, reason: reason.text() };
                give.run(api::budgets::increase(&slug, id, new));
            }
        })
    };
    let onend = {
        let end = end.clone();
        Callback::from(move |()| {
            end.run(api::budgets::end_increase(&slug, id));
        })
    };
    let inputs = vec![amount.clone(), until.clone(), reason.clone()];
    html! {
        <Dialog title={format!("More for {name}")} onclose={props.onclose.clone()}>
            if let Some(increase) = &props.budget.increase {
                <p>{ format!("It has {} more now; another takes its place. ", short(increase.amount)) }
                    <Button busy={end.running()} onclick={onend}>{ "End it now" }</Button></p>
            }
            <Form {inputs} verb="Give more" running={give.running()} problem={give.problem().or(end.problem())} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Amount" path="amount" input={amount} before="$" placeholder="50.00" autofocus=true hint="On top of the limit, for this period." />
                <TextField label="Until (UTC)" path="until" kind="datetime-local" input={until} hint="It ends by itself, with the period at the latest." />
                <TextField label="Reason" path="reason" input={reason} hint="For the audit log." />
            </Form>
        </Dialog>
    }
}

/// What a field of a day and a time holds.
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    format!("{}:00Z", text.trim()).parse().ok()
}
