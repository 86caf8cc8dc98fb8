//! Roles for a while: what one asks for, what waits for one's decision, and what came of it.

use ralex_api::access::RoleName;
use ralex_api::access_requests::{
    AccessEnding, AccessRequest, AccessRequestSettings, AccessRequestState, NewAccessRequest,
    SetAccessRequestSettings,
};
use yew::prelude::*;

use super::add_person::RoleField;
use crate::api;
use crate::components::segments::Segments;
use crate::components::verdict::allowed;
use crate::components::{
    Badge, Button, Column, Dialog, Empty, Form, Icon, Kind, More, Table, TextField, Tone, Verdict,
    When, failed, key_value, show, use_toast,
};
use crate::hooks::input::{count, needed};
use crate::hooks::{
    Input, Load, Pages, keep, use_action, use_input, use_load, use_pages, use_query,
};
use crate::session::use_org;
use crate::text::number::counted;
use crate::text::time::exact;

const COLUMNS: [Column; 6] = [
    Column::text("Asked"),
    Column::text("Who"),
    Column::text("Role"),
    Column::text("Where").wide(),
    Column::text("For").wide(),
    Column::text("State"),
];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Ask,
    Settings,
}

/// The part of the people's page that is about them.
#[component]
pub fn AccessRequests() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let (query, go) = use_query();
    let usual = if org.can("access.decide") { "to_decide" } else { "mine" };
    let only = query.find("which").unwrap_or(usual).to_owned();
    let toast = use_toast();
    let list = use_pages((org.slug(), only.clone()), |(org, only), cursor| {
        api::access::list(&org, Some(only.as_str()).filter(|only| *only != "all"), cursor)
    });
    let set = keep(&over);
    let ononly = {
        let (query, go) = (query.clone(), go.clone());
        Callback::from(move |which: String| go.emit(query.with("which", &which)))
    };
    // Which one is read stands in the address, so that what waits is counted anew when it is left.
    let read = query.find("request").unwrap_or_default().to_owned();
    let open = Callback::from(move |id: String| go.emit(query.with("request", &id)));
    let onclose = {
        let (set, open, reads) = (set.clone(), open.clone(), !read.is_empty());
        Callback::from(move |()| {
            set.emit(Over::Nothing);
            if reads {
                open.emit(String::new());
            }
        })
    };
    let chosen = list.state.ready().and_then(|pages| {
        pages.items.iter().find(|request| request.id.to_string() == read).cloned()
    });
    let elsewhere = !read.is_empty() && list.state.ready().is_some() && chosen.is_none();
    let ondone = {
        let (close, again) = (onclose.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("mine".into(), "Mine".into())];
    if org.can("access.decide") {
        options.insert(0, ("to_decide".into(), "To decide".into()));
        options.push(("all".into(), "All".into()));
    }
    html! {
        <>
            <div class="list-head">
                if options.len() > 1 { <Segments label="Which" {options} value={only.clone()} onchange={ononly} /> }
                else { <p class="faint">{ "What you ask to hold for a while; somebody who could give it decides." }</p> }
                <div class="panel-actions">
                    if org.blocked("security.manage").is_none() { <Button icon={Icon::Edit} onclick={set.reform(|()| Over::Settings)}>{ "Settings" }</Button> }
                    if org.can("access.request") { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Ask)}>{ "Ask for access" }</Button> }
                </div>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, (&only, &open))) }
            { match *over {
                Over::Nothing => Html::default(),
                Over::Ask => html! { <Ask ondone={ondone.clone()} onclose={onclose.clone()} /> },
                Over::Settings => html! { <Settings ondone={ondone.clone()} onclose={onclose.clone()} /> },
            } }
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
    let (load, again) = use_load(wants, |(org, id)| api::access::find(&org, &id));
    match &load {
        Load::Pending => Html::default(),
        Load::Failed(_) => {
            html! { <Dialog title="Request for access" onclose={props.onclose.clone()}>{ failed(&load, &again) }</Dialog> }
        }
        Load::Ready(request) => html! {
            <One request={AccessRequest::clone(request)} ondone={props.ondone.clone()} onclose={props.onclose.clone()} />
        },
    }
}

fn table(
    pages: &Pages<AccessRequest>,
    more: &Callback<()>,
    (only, open): (&str, &Callback<String>),
) -> Html {
    if pages.items.is_empty() {
        let (title, next) = match only {
            "to_decide" => (
                "Nothing waits for you",
                "Requests of others that you can decide appear here. All shows every one that you may see.",
            ),
            "mine" => ("Nothing here", "Roles that you ask to hold for a while appear here."),
            _all => ("Nothing here", "Roles that somebody asks to hold for a while appear here."),
        };
        return html! { <Empty icon={Icon::Check} {title}><p>{ next }</p></Empty> };
    }
    let row = |request: &AccessRequest| {
        let id = request.id.to_string();
        let onclick = open.reform(move |_: MouseEvent| id.clone());
        html! {
            <tr key={request.id.to_string()} class="clickable" {onclick}>
                <td><button type="button" class="row-open"><When at={request.asked_at} /></button></td>
                <td class="strong">{ request.asker.clone() }</td>
                <td>{ request.role.to_string() }</td>
                <td class="wide" title={request.scope.clone()}>{ request.scope_name.clone() }</td>
                <td class="wide">{ counted(request.minutes.into(), "minute") }</td>
                <td>{ badge(request) }</td>
            </tr>
        }
    };
    html! {
        <>
            <Table caption="Access requests" columns={COLUMNS.to_vec()}>{ for pages.items.iter().map(row) }</Table>
            <More shown={pages.items.len()} noun="request" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn badge(request: &AccessRequest) -> Html {
    let (tone, word) = match (request.state, request.ending) {
        (AccessRequestState::Pending, _) => (Tone::Warn, "Waiting"),
        (AccessRequestState::Active, _) => (Tone::Good, "Held"),
        (AccessRequestState::Denied, _) => (Tone::Bad, "Denied"),
        (AccessRequestState::Withdrawn, _) => (Tone::Plain, "Withdrawn"),
        (AccessRequestState::Expired, _) => (Tone::Plain, "Not decided"),
        (AccessRequestState::Ended, Some(AccessEnding::Revoked)) => (Tone::Plain, "Taken back"),
        (AccessRequestState::Ended, _) => (Tone::Plain, "Over"),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

#[derive(Properties, PartialEq)]
struct Props {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Ask(props: &Props) -> Html {
    let slug = use_org().slug();
    let (role, scope) = (use_state(|| "developer".to_owned()), use_state(|| "org".to_owned()));
    let (minutes, reason) = (use_input("", usual), use_input("", needed));
    let ask = use_action(props.ondone.reform(|asked: AccessRequest| {
        format!("{} is asked for. Somebody who may give it decides.", asked.role).into()
    }));
    let onsubmit = {
        let (ask, minutes, reason) = (ask.clone(), minutes.clone(), reason.clone());
        let (role, scope) = (role.clone(), scope.clone());
        Callback::from(move |()| {
            let new = NewAccessRequest {
                role: RoleName((*role).clone()),
                scope: Some((*scope).clone()),
                minutes: minutes.parsed(),
                reason: reason.text(),
            };
            ask.run(api::access::ask(&slug, &new));
        })
    };
    html! {
        <Dialog title="Ask for access" onclose={props.onclose.clone()}>
            <Form inputs={vec![minutes.clone(), reason.clone()]} verb="Ask" running={ask.running()} problem={ask.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <RoleField any=true role={(*role).clone()} scope={(*scope).clone()} onrole={keep(&role)} onscope={keep(&scope)} />
                <TextField label="Minutes" path="minutes" input={minutes} hint="As long as is usual here when empty; never longer than the organisation allows." />
                <TextField label="Reason" path="reason" input={reason} hint="For those who decide, and for the log." />
            </Form>
        </Dialog>
    }
}

fn usual(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { count(text) }
}

#[derive(Properties, PartialEq)]
struct OneProps {
    request: AccessRequest,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

/// One request, and whatever whoever reads it may do with it.
#[component]
fn One(props: &OneProps) -> Html {
    let slug = use_org().slug();
    let request = &props.request;
    let reason = use_input("", needed);
    let approves = use_state(|| request.may_approve);
    let act = use_action(props.ondone.reform(|now: AccessRequest| said(&now).into()));
    let run = {
        let (act, id, slug) = (act.clone(), request.id.to_string(), slug.clone());
        move |verb: &str, reason: Option<String>| {
            act.run(api::access::act(&slug, &id, verb, reason));
        }
    };
    let plain = if request.may_withdraw {
        Some(("withdraw", "Withdraw"))
    } else {
        request.may_end.then_some(("end", "End it now"))
    };
    let verb = if *approves { "approve" } else { "deny" };
    let onsubmit = {
        let (run, reason) = (run.clone(), reason.clone());
        Callback::from(move |()| match plain {
            Some((verb, _)) => run(verb, None),
            None => run(verb, Some(reason.text())),
        })
    };
    let options =
        allowed([(request.may_approve, "approve", "Approve"), (request.may_deny, "deny", "Deny")]);
    let onverdict = {
        let approves = approves.clone();
        Callback::from(move |verb: String| approves.set(verb == "approve"))
    };
    let title = match (plain, *approves) {
        (Some((_, title)), _) => title,
        (None, true) => "Approve",
        (None, false) => "Deny",
    };
    html! {
        <Dialog title={format!("{} for {}", request.role, request.asker)} onclose={props.onclose.clone()}>
            { key_value(&facts(request)) }
            if plain.is_some() || !options.is_empty() {
                <Form inputs={if plain.is_some() { vec![] } else { vec![reason.clone()] }} verb={title} running={act.running()} problem={act.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                    if plain.is_none() { <Verdict {options} {verb} onchange={onverdict} {reason} /> }
                </Form>
            } else if request.state == AccessRequestState::Pending {
                <p class="note">{ "Somebody else decides: who could give this role there, for good and not since a moment ago." }</p>
            }
        </Dialog>
    }
}

/// What came of what was done with it.
fn said(now: &AccessRequest) -> String {
    let (role, who) = (&now.role, &now.asker);
    match now.state {
        AccessRequestState::Active => {
            format!("{who} holds {role} until {}.", now.expires_at.map(exact).unwrap_or_default())
        }
        AccessRequestState::Pending => "Approved. Somebody else has to approve as well.".to_owned(),
        AccessRequestState::Denied => format!("{role} for {who} is denied."),
        AccessRequestState::Withdrawn => format!("{role} is not asked for any more."),
        AccessRequestState::Expired | AccessRequestState::Ended => {
            format!("{who} does not hold {role} by this any more.")
        }
    }
}

fn facts(request: &AccessRequest) -> Vec<(AttrValue, Html)> {
    let text = |text: String| html! { { text } };
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("State".into(), badge(request)),
        ("Role".into(), text(request.role.to_string())),
        ("Where".into(), text(request.scope_name.clone())),
        ("For".into(), text(counted(request.minutes.into(), "minute"))),
        ("Reason".into(), text(request.reason.clone())),
        ("Asked by".into(), text(format!("{}, {}", request.asker, exact(request.asked_at)))),
    ];
    let mut told = |name: &'static str, said: String| facts.push((name.into(), text(said)));
    if request.state == AccessRequestState::Pending {
        told("To decide until", exact(request.pending_until));
        told("Approvals", format!("{} of {}", request.approvals.len(), request.approvals_needed));
    }
    for it in &request.approvals {
        told("Approved by", format!("{}: {}", it.by, it.reason));
    }
    if let Some(by) = &request.denied_by {
        told("Denied by", format!("{by}: {}", request.denied_reason.clone().unwrap_or_default()));
    }
    if let Some(until) = request.expires_at {
        told("Holds until", exact(until));
    }
    if request.state == AccessRequestState::Ended {
        let by = request.ended_by.as_ref().map(|by| format!(", by {by}")).unwrap_or_default();
        told("Ended", format!("{}{by}", exact(request.changed_at)));
    }
    facts
}

#[component]
fn Settings(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::access::settings(&org));
    html! {
        <Dialog title="Access for a while" onclose={props.onclose.clone()}>
            { show(&load, &again, |now| html! { <Fields now={(**now).clone()} ondone={props.ondone.clone()} onclose={props.onclose.clone()} /> }) }
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    now: AccessRequestSettings,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let slug = use_org().slug();
    let now = &props.now;
    let approvals = use_input(&now.approvals.to_string(), count);
    let usual = use_input(&now.default_minutes.to_string(), count);
    let longest = use_input(&now.longest_minutes.to_string(), count);
    let pending = use_input(&now.pending_minutes.to_string(), count);
    let save = use_action(
        props
            .ondone
            .reform(|_: AccessRequestSettings| "Holds for what is asked from now on.".into()),
    );
    let inputs = vec![approvals.clone(), usual.clone(), longest.clone(), pending.clone()];
    let onsubmit = {
        let (save, inputs) = (save.clone(), inputs.clone());
        Callback::from(move |()| {
            let numbers: Vec<u32> = inputs.iter().filter_map(Input::parsed).collect();
            let [approvals, default_minutes, longest_minutes, pending_minutes] = numbers[..] else {
                return;
            };
            let set = SetAccessRequestSettings {
                approvals,
                default_minutes,
                longest_minutes,
                pending_minutes,
            };
            save.run(api::access::set_settings(&slug, &set));
        })
    };
    html! {
        <Form {inputs} verb="Save" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
            <TextField label="Approvals needed" path="approvals" input={approvals} hint="1 to 5 people, none of them who asks." />
            <TextField label="Minutes when nothing else is said" path="default_minutes" input={usual} />
            <TextField label="Minutes at most" path="longest_minutes" input={longest} hint="Up to 20160, which are 14 days." />
            <TextField label="Minutes to decide" path="pending_minutes" input={pending} hint="Then it has to be asked again." />
        </Form>
    }
}
