//! One approval: who wants what, why it was stopped, and the decision.

use ralex_api::approvals::{Approval, ApprovalState, Excerpt};
use yew::prelude::*;

use super::approvals::badge;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{Drawer, Form, TextField, When, key_value, show};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::code::dialect;
use crate::text::number::{counted, grouped};
use crate::text::time::exact;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub id: AttrValue,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ApprovalDrawer(props: &Props) -> Html {
    let org = use_org();
    let wants = (org.slug(), props.id.to_string());
    let (load, again) = use_load(wants, |(org, id)| api::approvals::find(&org, &id));
    html! {
        <Drawer title="Approval" onclose={props.onclose.clone()}>
            { show(&load, &again, |approval| html! {
                <>
                    { key_value(&facts(approval)) }
                    if !approval.excerpts.is_empty() { { excerpts(&approval.excerpts) } }
                    if approval.may_decide { <Decision approval={(**approval).clone()} ondone={props.ondone.clone()} /> }
                    else if approval.state == ApprovalState::Pending {
                        <p class="note">{ "Somebody else decides: who may approve in this scope, and has neither asked nor made the token that asks." }</p>
                    }
                </>
            }) }
        </Drawer>
    }
}

fn facts(approval: &Approval) -> Vec<(AttrValue, Html)> {
    let text = |text: &str| html! { { text.to_owned() } };
    let code = |text: String| html! { <code>{ text }</code> };
    let rules = approval.rules.iter().map(|rule| {
        html! { <div>{ format!("{} ", rule.name) }<code class="faint">{ rule.rule.clone() }</code>{ format!(", {}", counted(rule.count.into(), "time")) }</div> }
    });
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("State".into(), badge(approval.state)),
        ("Asked by".into(), text(&approval.asker)),
        (
            "Asked".into(),
            html! { <><When at={approval.asked_at} />{ format!(", {}", exact(approval.asked_at)) }</> },
        ),
        ("Where".into(), text(&approval.scope_name)),
        ("Model".into(), text(&approval.model)),
        ("Rules".into(), html! { { for rules } }),
        (
            "Size".into(),
            text(&format!("{} bytes, {}", grouped(approval.size), dialect(&approval.dialect))),
        ),
    ];
    let until = text(&exact(approval.expires_at));
    match approval.state {
        ApprovalState::Pending => facts.push(("To decide until".into(), until)),
        ApprovalState::Approved => facts.push(("Good until".into(), until)),
        ApprovalState::Denied => facts.push(("Holds until".into(), until)),
        ApprovalState::Used | ApprovalState::Expired => {}
    }
    if let Some(who) = &approval.decided_by {
        let at = approval.decided_at.map(exact).unwrap_or_default();
        facts.push(("Decided by".into(), text(&format!("{who}, {at}"))));
    }
    if let Some(reason) = &approval.reason {
        facts.push(("Reason".into(), text(reason)));
    }
    if approval.uses > 0 {
        facts.push(("Used".into(), text(&counted(approval.uses.into(), "time"))));
    }
    facts.push(("Stopped call".into(), code(approval.call.to_string())));
    if let Some(call) = approval.used_call {
        facts.push(("Call that passed".into(), code(call.to_string())));
    }
    facts.push(("Id".into(), code(approval.id.to_string())));
    facts
}

fn excerpts(excerpts: &[Excerpt]) -> Html {
    html! {
        <>
            <h3>{ "Around what was found" }</h3>
            <p class="faint">{ "Values are left out. The words are forgotten when it is decided." }</p>
            { for excerpts.iter().map(|it| html! {
                <figure class="excerpt">
                    <blockquote>{ it.text.clone() }</blockquote>
                    <figcaption><code class="faint">{ format!("{} in {}", it.rule, it.path) }</code></figcaption>
                </figure>
            }) }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct DecisionProps {
    approval: Approval,
    ondone: Callback<AttrValue>,
}

#[component]
fn Decision(props: &DecisionProps) -> Html {
    let slug = use_org().slug();
    let verdict = use_state(|| "approve".to_owned());
    let reason = use_input("", needed);
    let decide = use_action(props.ondone.reform(|decided: Approval| {
        let word = if decided.state == ApprovalState::Denied { "denied" } else { "approved" };
        format!("The call of {} is {word}.", decided.asker).into()
    }));
    let onsubmit = {
        let (decide, reason, verdict) = (decide.clone(), reason.clone(), verdict.clone());
        let id = props.approval.id.to_string();
        Callback::from(move |()| {
            decide.run(api::approvals::decide(&slug, &id, &verdict, reason.text()));
        })
    };
    let options = vec![("approve".into(), "Approve".into()), ("deny".into(), "Deny".into())];
    let (verb, hint) = if *verdict == "approve" {
        (
            "Approve",
            "The same request by the same caller then passes. For the log and whoever asks.",
        )
    } else {
        ("Deny", "Whoever asks is told it, and cannot ask for the same again for a while.")
    };
    html! {
        <Form inputs={vec![reason.clone()]} {verb} running={decide.running()} problem={decide.problem()} {onsubmit}>
            <div class="field"><span class="label">{ "Decision" }</span><Segments label="Decision" {options} value={(*verdict).clone()} onchange={keep(&verdict)} /></div>
            <TextField label="Reason" path="reason" input={reason} {hint} />
        </Form>
    }
}
