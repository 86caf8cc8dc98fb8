//! How long the audit log is kept, what holds it, and what waits for a second person.

use ralex_api::retention::{
    AuditArchive, AuditPruned, AuditRequest, AuditRequestKind, AuditRequestState, AuditRetention,
    LegalHold, NewAuditRequest, RetentionClass,
};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Banner, Button, Dialog, Failed, Form, TextField, Tone, show, use_toast,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::number::counted;
use crate::text::time::{iso_date, minute};

#[component]
pub fn Retention() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::audit::retention(&org));
    let may = org.can_everywhere("audit.retain");
    html! {
        <details>
            <summary>{ "Kept for" }</summary>
            { show(&load, &again, |kept| html! { <Kept kept={(**kept).clone()} {may} again={again.clone()} /> }) }
        </details>
    }
}

/// What is open over the page.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Keep(RetentionClass),
    Hold,
    Lift(LegalHold),
    /// Somebody who has left.
    Erase,
    /// The request, and whether it is approved.
    Decide(AuditRequest, bool),
}

#[derive(Properties, PartialEq)]
struct KeptProps {
    kept: AuditRetention,
    may: bool,
    again: Callback<()>,
}

#[component]
fn Kept(props: &KeptProps) -> Html {
    let (kept, may) = (&props.kept, props.may);
    let slug = use_org().slug();
    let toast = use_toast();
    let over = use_state(|| Over::Nothing);
    let open = |what: Over| keep(&over).reform(move |()| what.clone());
    let done = {
        let (close, again) = (open(Over::Nothing), props.again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    let prune = {
        let again = props.again.clone();
        use_action(Callback::from(move |pruned: AuditPruned| {
            toast.emit(format!("{} pruned.", counted(pruned.count, "event")).into());
            again.emit(());
        }))
    };
    let onprune = {
        let prune = prune.clone();
        let slug = slug.clone();
        Callback::from(move |()| prune.run(api::audit::prune(&slug)))
    };
    let onclose = open(Over::Nothing);
    html! {
        <>
            <p class="note">{ format!("Pruning takes what an event says and keeps its hash, so the log still verifies. {} pruned so far; none from {} on can be yet.", counted(kept.pruned, "event"), kept.prunable_below) }</p>
            <p class="note">{ archived(&kept.archive) }</p>
            <ul class="plain">
                { for kept.classes.iter().map(|class| html! {
                    <li key={class.class.clone()}>{ format!("{}: {} ", class.label, class.days.map_or_else(|| "for ever".to_owned(), |days| counted(days.into(), "day"))) }
                        if may { <Button onclick={open(Over::Keep(class.clone()))}>{ "Change" }</Button> }
                    </li>
                }) }
            </ul>
            { for kept.holds.iter().map(|hold| html! {
                <Banner key={hold.id.to_string()} tone={Tone::Warn}>
                    <p><strong>{ "Held" }</strong>{ format!(" since {}: {}. Nothing is pruned.", iso_date(hold.set_at), hold.reason) }</p>
                    if may { <div class="panel-actions"><Button onclick={open(Over::Lift(hold.clone()))}>{ "Lift" }</Button></div> }
                </Banner>
            }) }
            { for kept.requests.iter().map(|request| html! {
                <Banner key={request.id.to_string()} tone={tone(request.state)}>
                    <p><strong>{ asked_for(request, &kept.classes) }</strong>{ " " }<Badge tone={tone(request.state)}>{ request.state.as_str() }</Badge></p>
                    <p>{ told(request) }</p>
                    if request.kind == AuditRequestKind::Erasure && request.state == AuditRequestState::Approved {
                        <p><a href={format!("/api/v1/orgs/{slug}/audit/erasures/{}", request.id)} target="_blank">{ "Certificate" }</a></p>
                    }
                    if may && request.state == AuditRequestState::Pending {
                        <div class="panel-actions">
                            if request.may_approve { <Button onclick={open(Over::Decide(request.clone(), true))}>{ "Approve" }</Button> }
                            <Button onclick={open(Over::Decide(request.clone(), false))}>{ if request.may_approve { "Deny" } else { "Take back" } }</Button>
                        </div>
                    }
                </Banner>
            }) }
            if let Some(problem) = prune.problem() { <Failed {problem} /> }
            if may {
                <div class="panel-actions">
                    <Button onclick={open(Over::Hold)}>{ "Hold" }</Button>
                    <Button onclick={open(Over::Erase)}>{ "Erase a person" }</Button>
                    <Button busy={prune.running()} onclick={onprune}>{ "Prune now" }</Button>
                </div>
            }
            { match (*over).clone() {
                Over::Nothing => Html::default(),
                over => html! { <Ask {over} {done} {onclose} /> },
            } }
        </>
    }
}

/// Where the log is before anything of it is pruned.
fn archived(archive: &AuditArchive) -> String {
    match (&archive.failure, &archive.name) {
        (Some(why), _) => why.clone(),
        (None, Some(name)) => format!("Archived before pruning: {name}"),
        (None, None) if archive.configured => "Archived before anything is pruned.".to_owned(),
        (None, None) => "No archive is configured: what is pruned is gone.".to_owned(),
    }
}

const fn tone(state: AuditRequestState) -> Tone {
    match state {
        AuditRequestState::Pending => Tone::Warn,
        AuditRequestState::Approved => Tone::Good,
        AuditRequestState::Denied | AuditRequestState::Expired => Tone::Plain,
    }
}

fn asked_for(request: &AuditRequest, classes: &[RetentionClass]) -> String {
    match request.kind {
        AuditRequestKind::Hold => "Hold the log".to_owned(),
        AuditRequestKind::Lift => "Lift a hold".to_owned(),
        AuditRequestKind::Erasure => {
            format!("Erase {}", request.person.as_deref().unwrap_or("somebody who has left"))
        }
        AuditRequestKind::Retention => {
            let class = classes.iter().find(|class| Some(&class.class) == request.class.as_ref());
            let label = class.map_or_else(String::new, |class| class.label.clone());
            let days = request.days.map(|days| counted(days.into(), "day"));
            format!("{label}: {}", days.unwrap_or_else(|| "for ever".to_owned()))
        }
    }
}

fn told(request: &AuditRequest) -> String {
    let asked = format!("{} asks: {}", request.asked_by, request.reason);
    match (&request.decided_by, request.state) {
        (Some(who), _) => format!("{asked} · decided by {who}"),
        (None, AuditRequestState::Pending) => {
            format!("{asked} · another person decides until {}", minute(request.expires_at))
        }
        (None, _) => asked,
    }
}

#[derive(Properties, PartialEq)]
struct AskProps {
    over: Over,
    done: Callback<()>,
    onclose: Callback<()>,
}

/// Asks for something, or decides about it; both want a reason.
#[component]
fn Ask(props: &AskProps) -> Html {
    let slug = use_org().slug();
    let (reason, days) = (use_input("", needed), use_input("", anything));
    let person = use_input("", needed);
    let save = {
        let done = props.done.clone();
        use_action(Callback::from(move |_: AuditRequest| done.emit(())))
    };
    let onsubmit = {
        let (save, over) = (save.clone(), props.over.clone());
        let (reason, days, person) = (reason.clone(), days.clone(), person.clone());
        Callback::from(move |()| {
            let mut new = NewAuditRequest {
                kind: AuditRequestKind::Hold,
                class: None,
                days: None,
                hold: None,
                person: None,
                reason: reason.text(),
            };
            match &over {
                Over::Nothing => return,
                Over::Decide(request, approve) => {
                    let verb = if *approve { "approve" } else { "deny" };
                    let id = request.id.to_string();
                    save.run(api::audit::decide_retention(&slug, &id, verb, reason.text()));
                    return;
                }
                Over::Hold => {}
                Over::Erase => {
                    (new.kind, new.person) = (AuditRequestKind::Erasure, Some(person.text()));
                }
                Over::Lift(hold) => {
                    (new.kind, new.hold) = (AuditRequestKind::Lift, Some(hold.id));
                }
                Over::Keep(class) => {
                    new.kind = AuditRequestKind::Retention;
                    (new.class, new.days) = (Some(class.class.clone()), days.parsed());
                }
            }
            save.run(api::audit::ask_retention(&slug, new));
        })
    };
    let (title, verb, note) = match &props.over {
        Over::Nothing | Over::Hold => {
            ("Hold the log?".to_owned(), "Ask", "Nothing is pruned once another person agrees.")
        }
        Over::Lift(_) => (
            "Lift the hold?".to_owned(),
            "Ask",
            "What is due is pruned once another person agrees.",
        ),
        Over::Erase => (
            "Erase a person?".to_owned(),
            "Ask",
            "Who has left. What the log tells of them beyond their id is destroyed once another person agrees.",
        ),
        Over::Keep(class) => (class.label.clone(), "Ask", "It holds once another person agrees."),
        Over::Decide(_, true) => ("Approve?".to_owned(), "Approve", "It holds from now on."),
        Over::Decide(_, false) => ("Deny?".to_owned(), "Deny", "Nothing changes."),
    };
    let class = match &props.over {
        Over::Keep(class) => Some(class.clone()),
        Over::Nothing | Over::Hold | Over::Lift(_) | Over::Erase | Over::Decide(..) => None,
    };
    let erases = props.over == Over::Erase;
    let inputs = [
        class.as_ref().map(|_| days.clone()),
        erases.then(|| person.clone()),
        Some(reason.clone()),
    ];
    let inputs: Vec<_> = inputs.into_iter().flatten().collect();
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <p>{ note }</p>
            <Form {inputs} {verb} running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                if let Some(class) = class {
                    <TextField label="Days" path="days" input={days} autofocus=true hint={format!("{} or more; for ever when empty.", class.minimum_days)} />
                }
                if erases {
                    <TextField label="Person" path="person" input={person} autofocus=true hint="E-mail address or id." />
                }
                <TextField label="Reason" path="reason" input={reason} hint="For whoever decides, and for the audit log." />
            </Form>
        </Dialog>
    }
}
