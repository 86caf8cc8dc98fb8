//! How a budget's period is likely to end, and what if its limit were another.

use ralex_api::budgets::Budget;
use ralex_api::forecast::Forecast;
use yew::prelude::*;

use crate::api;
use crate::components::outlook::outlook;
use crate::components::{Button, Dialog, Stat, TextField, show};
use crate::hooks::input::positive_money;
use crate::hooks::{use_input, use_load};
use crate::session::use_org;
use crate::text::money::{exact, short};
use crate::text::number::percent;
use crate::text::time::day;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub budget: Budget,
    pub onclose: Callback<()>,
}

#[component]
pub fn ForecastDialog(props: &Props) -> Html {
    let slug = use_org().slug();
    let id = props.budget.id;
    let limit = use_state(|| None);
    let wish = use_input("", positive_money);
    let (load, again) = use_load((slug, id, *limit), |(org, id, limit)| {
        api::usage::budget_forecast(&org, id, limit)
    });
    let onsubmit = {
        let (wish, limit) = (wish.clone(), limit.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            limit.set(wish.parsed());
        })
    };
    html! {
        <Dialog title={format!("Forecast for {}", props.budget.scope_name)} onclose={props.onclose.clone()}>
            { show(&load, &again, |answer| ready(answer)) }
            <form class="what-if" {onsubmit}>
                <TextField label="What if the limit were" path="limit" input={wish} before="$" placeholder="500.00" />
                <Button submit=true>{ "Foretell" }</Button>
            </form>
            <p class="note">{ "Each day to come is taken to be like a day of the same weekday in the weeks before, many times over." }</p>
        </Dialog>
    }
}

fn ready(forecast: &Forecast) -> Html {
    let limit = forecast.limit.map(short).unwrap_or_default();
    html! {
        <>
            if let Some(expected) = &forecast.expected {
                <div class="tiles">
                    <Stat label="Likely at the end" value={short(expected.middle)} title={exact(expected.middle)}>
                        { format!("{} to {}", short(expected.low), short(expected.high)) }
                    </Stat>
                    <Stat label={format!("Passes {limit}")} value={percent(expected.passes_limit.unwrap_or_default())}>
                        if let Some(at) = expected.passes_limit_at { { format!("about {}", day(at)) } }
                    </Stat>
                </div>
            }
            { outlook(forecast) }
        </>
    }
}
