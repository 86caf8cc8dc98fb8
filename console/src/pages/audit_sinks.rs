//! Where the audit log is sent as it grows, and how each receiver fares.

use ralex_api::sinks::{AuditSink, NewAuditSink, SinkKind, SinkState, SinkTested};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Banner, Button, Code, Confirm, Dialog, Failed, Form, Icon, TextField, Tone, show,
    use_toast,
};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::number::counted;

#[component]
pub fn Sinks() -> Html {
    let org = use_org();
    let adding = use_state(|| false);
    let (load, again) = use_load(org.slug(), |org| api::audit::sinks(&org));
    let may = org.can("audit.forward");
    let open = |to: bool| {
        let adding = adding.clone();
        Callback::from(move |()| adding.set(to))
    };
    html! {
        <details>
            <summary>{ "Sent to" }</summary>
            { show(&load, &again, |sinks| html! {
                <>
                    if sinks.items.is_empty() { <p class="note">{ "Nowhere yet. A webhook gets every signed record, in order and at least once." }</p> }
                    { for sinks.items.iter().map(|sink| html! { <Sink key={sink.id.to_string()} sink={sink.clone()} {may} again={again.clone()} /> }) }
                </>
            }) }
            if may { <Button icon={Icon::Plus} onclick={open(true)}>{ "Send to a webhook" }</Button> }
            if *adding { <Add onclose={open(false)} again={again.clone()} /> }
        </details>
    }
}

/// What is open over the page.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Nothing,
    /// Sending goes on, without that record where one is named.
    GoOn(Option<u64>),
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
                <p><strong>{ sink.name.to_string() }</strong>{ " " }<Badge {tone}>{ sink.state.as_str() }</Badge>{ format!(" {} to go · ", counted(sink.behind, "record")) }<code>{ sink.url.clone() }</code></p>
                if let Some(why) = sink.failure.clone().filter(|_| sink.failures > 0) {
                    <p>{ format!("Record {}: {why}", sink.next_index) }</p>
                }
                if let Some(problem) = tried.problem() { <Failed {problem} /> }
                if props.may {
                    <div class="panel-actions">
                        <Button busy={tried.running()} onclick={ontest}>{ "Test" }</Button>
                        if sink.failures > 0 || parked { <Button onclick={open(Over::GoOn(None))}>{ "Try again" }</Button> }
                        if parked { <Button onclick={open(Over::GoOn(Some(sink.next_index)))}>{ format!("Leave out record {}", sink.next_index) }</Button> }
                        <Button onclick={open(Over::Remove)}>{ "Remove" }</Button>
                    </div>
                }
            </Banner>
            { match *over {
                Over::Nothing => Html::default(),
                Over::GoOn(skip) => html! { <GoOn sink={sink.clone()} {skip} ondone={done} onclose={open(Over::Nothing)} /> },
                Over::Remove => html! { <Remove sink={sink.clone()} ondone={done} onclose={open(Over::Nothing)} /> },
            } }
        </>
    }
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

#[derive(Properties, PartialEq)]
struct AddProps {
    onclose: Callback<()>,
    again: Callback<()>,
}

#[component]
fn Add(props: &AddProps) -> Html {
    let slug = use_org().slug();
    let (name, url) = (use_input("", needed), use_input("https://", needed));
    let made = use_state(|| None::<String>);
    let create = {
        let (made, again) = (made.clone(), props.again.clone());
        use_action(Callback::from(move |sink: AuditSink| {
            made.set(sink.secret);
            again.emit(());
        }))
    };
    let onsubmit = {
        let (create, name, url) = (create.clone(), name.clone(), url.clone());
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            let new = NewAuditSink {
                name,
                kind: SinkKind::Webhook,
                url: url.text(),
                batch_size: None,
                flush_seconds: None,
                start: None,
            };
            create.run(api::audit::add_sink(&slug, new));
        })
    };
    html! {
        <Dialog title="Send to a webhook" onclose={props.onclose.clone()} light={made.is_none()}>
            if let Some(secret) = &*made {
                <p>{ "This secret signs every delivery (Standard Webhooks). It is not shown again." }</p>
                <Code text={secret.clone()} label="Signing secret" />
                <Button onclick={props.onclose.clone()}>{ "Done" }</Button>
            } else {
                <Form inputs={vec![name.clone(), url.clone()]} verb="Add" running={create.running()} problem={create.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                    <TextField label="Name" path="name" input={name} autofocus=true />
                    <TextField label="Address" path="url" input={url} hint="Gets CloudEvents, from the log's first record on." />
                </Form>
            }
        </Dialog>
    }
}
