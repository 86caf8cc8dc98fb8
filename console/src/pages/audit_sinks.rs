//! Where the audit log is sent as it grows, and how each receiver fares.

use ralex_api::sinks::{AuditSink, NewAuditSink, SinkKind, SinkState, SinkTested};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Banner, Button, Code, Dialog, Failed, Form, Icon, TextField, Tone, show, use_toast,
};
use crate::hooks::input::needed;
use crate::hooks::{use_action, use_input, use_load};
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
    let done = use_action(props.again.clone());
    let ontest = {
        let (tried, slug, id) = (tried.clone(), slug.clone(), sink.id.to_string());
        Callback::from(move |()| {
            tried.run(api::audit::test_sink(&slug, &id));
        })
    };
    let go_on = |skip: Option<u64>| {
        let (done, slug, id) = (done.clone(), slug.clone(), sink.id.to_string());
        Callback::from(move |()| {
            let Some(reason) = asked("Why? The audit log keeps the reason.") else { return };
            done.run(api::audit::resume_sink(&slug, &id, skip, reason));
        })
    };
    let onremove = {
        let (done, slug, id) = (done.clone(), slug.clone(), sink.id.to_string());
        Callback::from(move |()| {
            let sure = web_sys::window().is_some_and(|it| {
                it.confirm_with_message("Send nothing there any more? Its cursor is lost.")
                    .unwrap_or(false)
            });
            if sure {
                done.run(api::audit::remove_sink(&slug, &id));
            }
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
        <Banner {tone}>
            <p><strong>{ sink.name.to_string() }</strong>{ " " }<Badge {tone}>{ sink.state.as_str() }</Badge>{ format!(" {} to go · ", counted(sink.behind, "record")) }<code>{ sink.url.clone() }</code></p>
            if let Some(why) = sink.failure.clone().filter(|_| sink.failures > 0) {
                <p>{ format!("Record {}: {why}", sink.next_index) }</p>
            }
            if let Some(problem) = tried.problem().or(done.problem()) { <Failed {problem} /> }
            if props.may {
                <div class="panel-actions">
                    <Button busy={tried.running()} onclick={ontest}>{ "Test" }</Button>
                    if sink.failures > 0 || parked { <Button onclick={go_on(None)}>{ "Try again" }</Button> }
                    if parked { <Button onclick={go_on(Some(sink.next_index))}>{ format!("Leave out record {}", sink.next_index) }</Button> }
                    <Button onclick={onremove}>{ "Remove" }</Button>
                </div>
            }
        </Banner>
    }
}

/// What the reader enters, if anything.
fn asked(what: &str) -> Option<String> {
    let entered = web_sys::window()?.prompt_with_message(what).ok()??;
    (!entered.trim().is_empty()).then_some(entered)
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
                    <TextField label="Name" path="name" input={name} />
                    <TextField label="Address" path="url" input={url} hint="Gets CloudEvents, from the log's first record on." />
                </Form>
            }
        </Dialog>
    }
}
