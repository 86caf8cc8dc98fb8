//! Rate limits: how many requests and tokens calls may take within a window of time.

use ralex_api::Problem;
use ralex_api::rate_limits::{Measure, NewRateLimit, RateLimit};
use yew::prelude::*;

use super::budget_form::{OnlyField, ScopeField};
use crate::api;
use crate::components::meter::meter;
use crate::components::{
    Button, ConfirmDelete, Dialog, Empty, Form, Icon, IconButton, SelectField, TextField, When,
    show, use_toast,
};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::number::{counted, grouped, percent};

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Edit(RateLimit),
    Delete(RateLimit),
}

/// Windows that people mean, in seconds.
const WINDOWS: [(u32, &str); 5] = [
    (1, "a second"),
    (60, "a minute"),
    (3_600, "an hour"),
    (86_400, "24 hours"),
    (604_800, "7 days"),
];

/// The part of the budgets' page that is about them.
#[component]
pub fn RateLimits() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| api::rate_limits::list(&org));
    let may = org.can_everywhere("budget.set");
    let everywhere = org.can_everywhere("budget.read");
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
        if may { <Button icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create rate limit" }</Button> }
    };
    html! {
        <section class="rate-limits" aria-labelledby="rate-limits">
            <div class="rate-head">
                <div>
                    <h2 id="rate-limits">{ "Rate limits" }</h2>
                    <p class="faint">{ "How many requests and tokens calls may take within any window of time, on all servers together." }</p>
                </div>
                { create }
            </div>
            { show(&load, &again, |page| if page.items.is_empty() {
                html! { <Empty icon={Icon::Wallet} title="No rate limit yet"><p>{ if everywhere { "Calls come as fast as providers take them." } else { "None is set at the places that you see." } }</p></Empty> }
            } else {
                html! { <ul class="budgets">{ for page.items.iter().map(|limit| card(limit, may, &set)) }</ul> }
            }) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <Creator ondone={done} onclose={close} /> },
                Over::Edit(limit) => html! { <Editor limit={limit.clone()} ondone={done} onclose={close} /> },
                Over::Delete(limit) => delete_dialog(&org.slug(), limit, &done, close),
            } }
        </section>
    }
}

fn card(limit: &RateLimit, may: bool, set: &Callback<Over>) -> Html {
    let share = share(limit.used, limit.amount);
    let label = format!("{} of {} taken", grouped(limit.used), grouped(limit.amount));
    let (edit, delete) = (limit.clone(), limit.clone());
    let name = format!("the limit of {}", limit.scope_name);
    html! {
        <li class="budget" key={limit.id.to_string()}>
            <div class="budget-head">
                <div>
                    <h2>{ limit.scope_name.clone() }</h2>
                    <p class="faint"><code>{ limit.scope.clone() }</code>
                        if let Some(only) = only(limit) { <span title="Only calls that go there count">{ format!(" · {only}") }</span> }
                        { format!(" · {} in {}", limit.measure.unit(), window(limit.window_seconds)) }
                    </p>
                </div>
                if may {
                    <div class="budget-actions">
                        <IconButton icon={Icon::Edit} label={format!("Edit {name}")} onclick={set.reform(move |()| Over::Edit(edit.clone()))} />
                        <IconButton icon={Icon::Trash} label={format!("Delete {name}")} onclick={set.reform(move |()| Over::Delete(delete.clone()))} />
                    </div>
                }
            </div>
            { meter(share, 0.0, label) }
            <dl class="budget-sums">
                <div><dt><span class="key used" />{ "Taken" }</dt><dd title="In the window that ends now, with what servers have in hand">{ grouped(limit.used) }<span class="faint">{ percent(share) }</span></dd></div>
                <div><dt>{ "Limit" }</dt><dd>{ grouped(limit.amount) }</dd></div>
                if limit.refused > 0 { <div><dt>{ "Refused" }</dt><dd>{ counted(limit.refused, "call") }
                    if let Some(at) = limit.last_refused_at { <span class="faint">{ "last " }<When {at} /></span> }
                </dd></div> }
            </dl>
        </li>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a bar is a hundred pixels wide")]
fn share(used: u64, amount: u64) -> f64 {
    used as f64 / amount.max(1) as f64
}

fn window(seconds: u32) -> String {
    let known = WINDOWS.iter().find(|(window, _)| *window == seconds);
    known.map_or_else(|| counted(seconds.into(), "second"), |(_, name)| (*name).to_owned())
}

/// Whose calls alone count.
fn only(limit: &RateLimit) -> Option<String> {
    let model = limit.model.as_ref().map(|model| format!("model {model}"));
    model.or_else(|| limit.provider.as_ref().map(|provider| format!("provider {provider}")))
}

#[derive(Properties, PartialEq)]
struct CreatorProps {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Creator(props: &CreatorProps) -> Html {
    let slug = use_org().slug();
    let save = use_action(props.ondone.reform(said));
    let (running, problem) = (save.running(), save.problem());
    let onsubmit =
        Callback::from(move |new: NewRateLimit| save.run(api::rate_limits::create(&slug, new)));
    html! {
        <Dialog title="Create rate limit" onclose={props.onclose.clone()}>
            <LimitForm verb="Create rate limit" {running} {problem} {onsubmit} oncancel={props.onclose.clone()} />
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct LimitProps {
    pub verb: AttrValue,
    pub running: bool,
    pub problem: Option<Problem>,
    pub onsubmit: Callback<NewRateLimit>,
    #[prop_or_default]
    pub oncancel: Option<Callback<()>>,
}

/// What a rate limit is made of.
#[component]
pub fn LimitForm(props: &LimitProps) -> Html {
    let (scope, only) = (use_state(|| "org".to_owned()), use_state(String::new));
    let (measure, seconds) = (use_state(|| Measure::Requests), use_state(|| 60_u32));
    let amount = use_input("", whole);
    let onsubmit = {
        let (tell, amount) = (props.onsubmit.clone(), amount.clone());
        let (scope, only) = (scope.clone(), only.clone());
        let (measure, seconds) = (measure.clone(), seconds.clone());
        Callback::from(move |()| {
            if let Some(amount) = number(&amount.text()) {
                tell.emit(NewRateLimit {
                    scope: (*scope).clone(),
                    model: only.strip_prefix("model:").map(Into::into),
                    provider: only.strip_prefix("provider:").map(Into::into),
                    measure: *measure,
                    amount,
                    window_seconds: Some(*seconds),
                });
            }
        })
    };
    let measures =
        Measure::ALL.iter().map(|it| (it.as_str().into(), it.unit().into())).collect::<Vec<_>>();
    let windows = WINDOWS.map(|(seconds, name)| (seconds.to_string().into(), name.into())).to_vec();
    let onmeasure =
        keep(&measure).reform(|name: String| Measure::named(&name).unwrap_or(Measure::Requests));
    let onwindow = keep(&seconds).reform(|text: String| text.parse().unwrap_or(60));
    html! {
        <Form inputs={vec![amount.clone()]} verb={props.verb.clone()} running={props.running} problem={props.problem.clone()} {onsubmit} oncancel={props.oncancel.clone()}>
            <ScopeField value={(*scope).clone()} onchange={keep(&scope)} />
            <OnlyField value={(*only).clone()} onchange={keep(&only)} />
            <div class="pair">
                <SelectField label="Limits" path="measure" options={measures} value={measure.as_str()} onchange={onmeasure} />
                <SelectField label="Within any" path="window_seconds" options={windows} value={seconds.to_string()} onchange={onwindow} />
            </div>
            <TextField label="Amount" path="amount" input={amount} placeholder="1000" autofocus=true hint="A call counts with the most tokens that it may write until it has ended." />
        </Form>
    }
}

#[derive(Properties, PartialEq)]
struct EditorProps {
    limit: RateLimit,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Editor(props: &EditorProps) -> Html {
    let org = use_org();
    let amount = use_input(&props.limit.amount.to_string(), whole);
    let save = use_action(props.ondone.reform(said));
    let onsubmit = {
        let (save, slug, amount, id) = (save.clone(), org.slug(), amount.clone(), props.limit.id);
        Callback::from(move |()| {
            if let Some(amount) = number(&amount.text()) {
                save.run(api::rate_limits::update(&slug, id, amount));
            }
        })
    };
    let RateLimit { scope_name, measure, window_seconds, .. } = &props.limit;
    let label = format!("{} in {}", measure.unit(), window(*window_seconds));
    html! {
        <Dialog title={format!("Rate limit of {scope_name}")} onclose={props.onclose.clone()}>
            <Form inputs={vec![amount.clone()]} verb="Save rate limit" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField {label} path="amount" input={amount} autofocus=true hint="What was taken in the current window stays taken." />
            </Form>
        </Dialog>
    }
}

fn said(limit: RateLimit) -> AttrValue {
    let (amount, unit) = (grouped(limit.amount), limit.measure.unit());
    format!(
        "The limit of {} is {amount} {unit} in {}.",
        limit.scope_name,
        window(limit.window_seconds)
    )
    .into()
}

/// A whole number, with or without groups of digits.
fn number(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|it| !matches!(it, ',' | ' ' | '_')).collect();
    digits.parse().ok().filter(|amount| *amount > 0)
}

fn whole(text: &str) -> Option<String> {
    number(text).is_none().then(|| "Enter a whole number of 1 or more.".to_owned())
}

fn delete_dialog(
    org: &str,
    limit: &RateLimit,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let RateLimit { id, scope_name, amount, measure, window_seconds, .. } = limit.clone();
    let text = AttrValue::from(format!("The limit of {scope_name} is deleted."));
    let ondone = ondone.reform(move |()| text.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::rate_limits::delete(&org, id));
    let what = format!("{} {} in {}", grouped(amount), measure.unit(), window(window_seconds));
    html! {
        <ConfirmDelete title={format!("Delete the limit of {scope_name}?")} verb="Delete rate limit" {delete} {ondone} {onclose}>
            <p>{ format!("Calls may take more than {what}.") }</p>
        </ConfirmDelete>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        assert_eq!(number("1,000"), Some(1_000));
        assert_eq!(number(" 60 "), Some(60));
        for wrong in ["", "0", "-1", "1.5", "many"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
        assert_eq!((window(60), window(90)), ("a minute".to_owned(), "90 seconds".to_owned()));
    }
}
