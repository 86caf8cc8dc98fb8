//! Where the audit log is sent as it grows, and how each receiver fares.

use ralex_api::sinks::{AuditSink, SinkKind, SinkState, SinkTested};
use yew::prelude::*;

use super::audit_sink_form::{AddSink, ChangeSecret};
use crate::api;
use crate::components::{
    Badge, Banner, Button, Confirm, Dialog, Failed, Form, Icon, TextField, Tone, show, use_toast,
};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::number::counted;
use crate::text::time::{iso_date, minute};

#[component]
pub fn Sinks() -> Html {
    let org = use_org();
    let adding = use_state(|| false);
    let (load, again) = use_load(org.slug(), |org| api::audit::sinks(&org));
    let may = org.can_everywhere("audit.forward");
    let open = |to: bool| {
        let adding = adding.clone();
        Callback::from(move |()| adding.set(to))
    };
    html! {
        <details>
            <summary>{ "Sent to" }</summary>
            { show(&load, &again, |sinks| html! {
                <>
                    if sinks.items.is_empty() { <p class="note">{ "Nowhere yet. A webhook, a collector of syslog or a bucket gets every signed record, in order and at least once." }</p> }
                    { for sinks.items.iter().map(|sink| html! { <Sink key={sink.id.to_string()} sink={sink.clone()} {may} again={again.clone()} /> }) }
                </>
            }) }
            if may { <Button icon={Icon::Plus} onclick={open(true)}>{ "Add a receiver" }</Button> }
            if *adding { <AddSink onclose={open(false)} again={again.clone()} /> }
        </details>
    }
}

/// What is open over the page.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Nothing,
    /// Sending goes on, without that record where one is named.
    GoOn(Option<u64>),
    Secret,
    Remove,
}

#[derive(Properties, PartialEq)]
struct SinkProps {
    sink: AuditSink,
    may: bool,
    again: Callback<()>,
}

#[component]
fn Sink(props: &SinkProps) -> Html {
    let slug = use_org().slug();
    let toast = use_toast();
    let sink = &props.sink;
    let tried =
        use_action(Callback::from(move |tested: SinkTested| toast.emit(tested.detail.into())));
    let over = use_state(|| Over::Nothing);
    let open = |what: Over| keep(&over).reform(move |()| what);
    let done = {
        let (close, again) = (open(Over::Nothing), props.again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    let ontest = {
        let (tried, id) = (tried.clone(), sink.id.to_string());
        Callback::from(move |()| {
            tried.run(api::audit::test_sink(&slug, &id));
        })
    };
    let tone = match sink.state {
        SinkState::Active => Tone::Good,
        SinkState::Failing => Tone::Warn,
        SinkState::Parked => Tone::Bad,
        SinkState::Paused => Tone::Plain,
    };
    let parked = sink.state == SinkState::Parked;
    html! {
        <>
            <Banner {tone}>
                <p><strong>{ sink.name.to_string() }</strong>{ " " }<Badge {tone}>{ sink.state.as_str() }</Badge>{ format!(" {} to go · {} as {} · ", counted(sink.behind, "record"), sink.kind, sink.format) }<code>{ sink.url.clone() }</code></p>
                <p class="note">{ secret_since(sink) }</p>
                if let Some(why) = sink.failure.clone().filter(|_| sink.failures > 0) {
                    <p>{ format!("Record {}: {why}", sink.next_index) }</p>
                }
                if let Some(problem) = tried.problem() { <Failed {problem} /> }
                if props.may {
                    <div class="panel-actions">
                        <Button busy={tried.running()} onclick={ontest}>{ "Test" }</Button>
                        if sink.failures > 0 || parked { <Button onclick={open(Over::GoOn(None))}>{ "Try again" }</Button> }
                        if parked { <Button onclick={open(Over::GoOn(Some(sink.next_index)))}>{ format!("Leave out record {}", sink.next_index) }</Button> }
                        <Button onclick={open(Over::Secret)}>{ "Change secret" }</Button>
                        <Button onclick={open(Over::Remove)}>{ "Remove" }</Button>
                    </div>
                }
            </Banner>
            { match *over {
                Over::Nothing => Html::default(),
                Over::GoOn(skip) => html! { <GoOn sink={sink.clone()} {skip} ondone={done} onclose={open(Over::Nothing)} /> },
                Over::Secret => html! { <ChangeSecret sink={sink.clone()} again={props.again.clone()} onclose={open(Over::Nothing)} /> },
                Over::Remove => html! { <Remove sink={sink.clone()} ondone={done} onclose={open(Over::Nothing)} /> },
            } }
        </>
    }
}

/// What proves who sends, and since when.
fn secret_since(sink: &AuditSink) -> String {
    let since = iso_date(sink.secret_changed_at);
    let what = match (&sink.credential, sink.kind) {
        (Some(credential), SinkKind::S3) => format!("Key {credential}"),
        (Some(print), _) => format!("Certificate {}…", print.get(..16).unwrap_or(print)),
        (None, SinkKind::Webhook) => "Signed with a secret".to_owned(),
        (None, _) => return "Shows no certificate of its own.".to_owned(),
    };
    let until = sink
        .previous_until
        .map(|until| format!("; the one before signs too until {}", minute(until)));
    format!("{what}, since {since}{}.", until.unwrap_or_default())
}

#[derive(Properties, PartialEq)]
struct GoOnProps {
    sink: AuditSink,
    /// The record that is left out.
    skip: Option<u64>,
    ondone: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn GoOn(props: &GoOnProps) -> Html {
    let slug = use_org().slug();
    let reason = use_input("", needed);
    let save = use_action(props.ondone.clone());
    let onsubmit = {
        let (save, reason) = (save.clone(), reason.clone());
        let (id, skip) = (props.sink.id.to_string(), props.skip);
        Callback::from(move |()| {
            save.run(api::audit::resume_sink(&slug, &id, skip, reason.text()));
        })
    };
    let name = &props.sink.name;
    let (title, verb, told) = match props.skip {
        Some(record) => (
            format!("Leave out record {record} at {name}?"),
            "Leave it out",
            "The receiver never gets it. It stays in the log, and what follows is sent.",
        ),
        None => (format!("Try {name} again?"), "Try again", "It begins where it stopped."),
    };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <p>{ told }</p>
            <Form inputs={vec![reason.clone()]} {verb} running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Reason" path="reason" input={reason} autofocus=true hint="For the audit log." />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct RemoveProps {
    sink: AuditSink,
    ondone: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn Remove(props: &RemoveProps) -> Html {
    let slug = use_org().slug();
    let remove = use_action(props.ondone.clone());
    let (running, problem) = (remove.running(), remove.problem());
    let AuditSink { name, behind, .. } = &props.sink;
    let (title, behind) = (format!("Remove {name}?"), counted(*behind, "record"));
    let id = props.sink.id.to_string();
    let onconfirm = Callback::from(move |()| remove.run(api::audit::remove_sink(&slug, &id)));
    html! {
        <Confirm {title} verb="Remove" {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ format!("It has not got {behind}, and gets nothing any more. How far it came is forgotten.") }</p>
        </Confirm>
    }
}
