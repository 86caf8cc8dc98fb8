//! Changes that take two people: what waits for a second one, what would be different, and what came of it.

use ralex_api::changes::{ChangeDetail, ChangeRequest, ChangeState};
use yew::prelude::*;

use super::change_settings::ChangeSettings;
use crate::api;
use crate::components::segments::Segments;
use crate::components::verdict::allowed;
use crate::components::{
    Badge, Button, Column, Dialog, Empty, Form, Icon, More, Table, Tone, Verdict, When, failed,
    key_value, show, use_toast,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{Load, Pages, keep, use_action, use_input, use_load, use_pages, use_query};
use crate::session::use_org;
use crate::text::time::exact;

const COLUMNS: [Column; 4] = [
    Column::text("Asked"),
    Column::text("Who").wide(),
    Column::text("What"),
    Column::text("State"),
];

/// The part of the approvals' page that is about them.
#[component]
pub fn Changes() -> Html {
    let org = use_org();
    let (query, go) = use_query();
    let only = query.find("which").unwrap_or("to_decide").to_owned();
    let settings = use_state(|| false);
    let toast = use_toast();
    let list = use_pages((org.slug(), only.clone()), |(org, only), cursor| {
        api::changes::list(&org, Some(only.as_str()).filter(|only| *only != "all"), cursor)
    });
    let ononly = {
        let (query, go) = (query.clone(), go.clone());
        Callback::from(move |which: String| go.emit(query.with("which", &which)))
    };
    let read = query.find("change").unwrap_or_default().to_owned();
    let open = Callback::from(move |id: String| go.emit(query.with("change", &id)));
    let onclose = {
        let (settings, open, reads) = (settings.clone(), open.clone(), !read.is_empty());
        Callback::from(move |()| {
            settings.set(false);
            if reads {
                open.emit(String::new());
            }
        })
    };
    let chosen = list
        .state
        .ready()
        .and_then(|pages| pages.items.iter().find(|it| it.id.to_string() == read).cloned());
    let elsewhere = !read.is_empty() && list.state.ready().is_some() && chosen.is_none();
    let ondone = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let options: Vec<(AttrValue, AttrValue)> =
        [("to_decide", "To confirm"), ("mine", "Mine"), ("all", "All")]
            .map(|(value, title)| (value.into(), title.into()))
            .to_vec();
    html! {
        <>
            <div class="list-head">
                <Segments label="Which" {options} value={only.clone()} onchange={ononly} />
                <div class="panel-actions">
                    <Button icon={Icon::Edit} onclick={keep(&settings).reform(|()| true)}>{ "What takes two" }</Button>
                    <Button icon={Icon::Rotate} onclick={list.again.clone()}>{ "Refresh" }</Button>
                </div>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, (&only, &open))) }
            if *settings { <ChangeSettings ondone={ondone.clone()} onclose={onclose.clone()} /> }
            if let Some(request) = chosen { <One {request} {ondone} {onclose} /> }
            else if elsewhere { <Named id={read} {ondone} {onclose} /> }
        </>
    }
}

/// One that the address names and the list does not show: of another page or filter.
#[derive(Properties, PartialEq)]
struct NamedProps {
    id: AttrValue,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Named(props: &NamedProps) -> Html {
    let wants = (use_org().slug(), props.id.clone());
    let (load, again) = use_load(wants, |(org, id)| api::changes::find(&org, &id));
    match &load {
        Load::Pending => Html::default(),
        Load::Failed(_) => {
            html! { <Dialog title="Change" onclose={props.onclose.clone()}>{ failed(&load, &again) }</Dialog> }
        }
        Load::Ready(request) => html! {
            <One request={ChangeRequest::clone(request)} ondone={props.ondone.clone()} onclose={props.onclose.clone()} />
        },
    }
}

fn table(
    pages: &Pages<ChangeRequest>,
    more: &Callback<()>,
    (only, open): (&str, &Callback<String>),
) -> Html {
    if pages.items.is_empty() {
        let (title, next) = match only {
            "to_decide" => (
                "Nothing waits for you",
                "Changes of others that you may confirm appear here. Your own are under Mine: somebody else confirms them.",
            ),
            "mine" => {
                ("Nothing here", "What you change appears here where it takes a second person.")
            }
            _all => (
                "Nothing here",
                "Changes that take two people appear here once there are some that you may see.",
            ),
        };
        return html! { <Empty icon={Icon::Check} {title}><p>{ next }</p></Empty> };
    }
    let row = |request: &ChangeRequest| {
        let id = request.id.to_string();
        let onclick = open.reform(move |_: MouseEvent| id.clone());
        html! {
            <tr key={request.id.to_string()} class="clickable" {onclick}>
                <td><button type="button" class="row-open"><When at={request.asked_at} /></button></td>
                <td class="wide strong">{ request.asker.clone() }</td>
                <td>{ request.summary.clone() }</td>
                <td>{ badge(request.state) }</td>
            </tr>
        }
    };
    html! {
        <>
            <Table caption="Changes that take two people" columns={COLUMNS.to_vec()}>{ for pages.items.iter().map(row) }</Table>
            <More shown={pages.items.len()} noun="change" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn badge(state: ChangeState) -> Html {
    let (tone, word) = match state {
        ChangeState::Pending => (Tone::Warn, "Waiting"),
        ChangeState::Confirmed => (Tone::Good, "Done"),
        ChangeState::Refused => (Tone::Bad, "Refused"),
        ChangeState::Withdrawn => (Tone::Plain, "Withdrawn"),
        ChangeState::Expired => (Tone::Plain, "Not confirmed"),
        ChangeState::Stale => (Tone::Plain, "Out of date"),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

#[derive(Properties, PartialEq)]
struct OneProps {
    request: ChangeRequest,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

/// One, and whatever whoever reads it may do with it.
#[component]
fn One(props: &OneProps) -> Html {
    let slug = use_org().slug();
    let request = &props.request;
    let confirms = use_state(|| request.may_confirm);
    let (why, because) = (use_input("", anything), use_input("", needed));
    let act = use_action(props.ondone.reform(|now: ChangeRequest| said(now.state).into()));
    let verb = match (request.may_withdraw, *confirms) {
        (true, _) => "withdraw",
        (false, true) => "confirm",
        (false, false) => "refuse",
    };
    let reason = if verb == "refuse" { because } else { why };
    let onsubmit = {
        let (act, id, reason) = (act.clone(), request.id.to_string(), reason.clone());
        Callback::from(move |()| act.run(api::changes::act(&slug, &id, verb, reason.filled())))
    };
    let options = allowed([
        (request.may_confirm, "confirm", "Confirm"),
        (request.may_refuse, "refuse", "Refuse"),
    ]);
    let onverdict = {
        let confirms = confirms.clone();
        Callback::from(move |verb: String| confirms.set(verb == "confirm"))
    };
    let title = match verb {
        "withdraw" => "Withdraw",
        "confirm" => "Confirm and do it",
        _ => "Refuse",
    };
    let decides = !options.is_empty();
    html! {
        <Dialog title="A change that takes two people" onclose={props.onclose.clone()}>
            <p class="strong">{ request.summary.clone() }</p>
            { key_value(&facts(request)) }
            if request.may_withdraw || decides {
                <Form inputs={if decides { vec![reason.clone()] } else { vec![] }} verb={title} running={act.running()} problem={act.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                    if decides { <Verdict {options} {verb} onchange={onverdict} {reason} /> }
                </Form>
            } else if request.state == ChangeState::Pending {
                <p class="note">{ format!("Somebody else confirms it: who holds {} there for good, and has no account that {} made a moment ago.", request.permission, request.asker) }</p>
            }
        </Dialog>
    }
}

/// What came of what was done with it.
const fn said(state: ChangeState) -> &'static str {
    match state {
        ChangeState::Confirmed => "Confirmed, and done.",
        ChangeState::Refused => "Refused. Nothing is done.",
        ChangeState::Withdrawn => "Withdrawn. Nothing is done.",
        ChangeState::Pending | ChangeState::Expired | ChangeState::Stale => "Nothing is done.",
    }
}

fn facts(request: &ChangeRequest) -> Vec<(AttrValue, Html)> {
    let text = |text: String| html! { { text } };
    let mut facts: Vec<(AttrValue, Html)> = vec![("State".into(), badge(request.state))];
    facts.extend(request.details.iter().map(|it| (it.name.clone().into(), difference(it))));
    let mut told = |name: &'static str, said: String| facts.push((name.into(), text(said)));
    told("Where", request.scope.clone());
    told("Asked by", format!("{}, {}", request.asker, exact(request.asked_at)));
    if request.state == ChangeState::Pending {
        told("To confirm until", exact(request.pending_until));
    }
    if let Some(by) = &request.decided_by {
        told("Decided by", format!("{by}, {}", exact(request.changed_at)));
    }
    if let Some(why) = &request.reason {
        told("Reason", why.clone());
    }
    facts
}

/// What is, and what would be.
fn difference(detail: &ChangeDetail) -> Html {
    match (&detail.before, &detail.after) {
        (Some(before), Some(after)) => {
            html! { <><s>{ before }</s>{ " \u{2192} " }<strong>{ after }</strong></> }
        }
        (Some(before), None) => html! { <s>{ before }</s> },
        (None, Some(after)) => html! { <strong>{ after }</strong> },
        (None, None) => html! { "none" },
    }
}
