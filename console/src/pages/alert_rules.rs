//! Who is told of which alerts, and how each channel fares.

use ralex_api::alerts::{AlertRule, AlertRuleTested, QuietHours};
use serde_json::json;
use yew::prelude::*;

use super::alert_rule_form::RuleForm;
use crate::api;
use crate::components::{
    Badge, Banner, Button, ConfirmDelete, Empty, Failed, Icon, Tone, When, show, use_toast,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;
use crate::text::number::counted;

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Form(Option<AlertRule>),
    Remove(AlertRule),
}

#[component]
pub fn Rules() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| async move {
        Ok((api::alerts::rules(&org).await?.items, api::alerts::kinds(&org).await?))
    });
    let may = org.can_everywhere("alert.configure");
    let set = keep(&over);
    let close = set.reform(|()| Over::Nothing);
    let removed = {
        let (close, again) = (close.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
            toast.emit("The rule tells nobody any more.".into());
        })
    };
    html! {
        <>
            { show(&load, &again, |found| {
                let (rules, kinds) = &**found;
                html! {
                    <>
                        if !kinds.mail { <Banner tone={Tone::Info}><p>{ "This server sends no mail yet: an operator names a mail server with " }<code>{ "RALEX_SMTP_URL" }</code>{ "." }</p></Banner> }
                        if rules.is_empty() {
                            <Empty icon={Icon::Bell} title="Nobody is told yet"><p>{ "Alerts are in the inbox. A rule tells people by e-mail, and programs by signed webhooks." }</p></Empty>
                        }
                        { for rules.iter().map(|rule| html! { <Rule key={rule.id.to_string()} rule={rule.clone()} {may} set={set.clone()} again={again.clone()} /> }) }
                        if may { <div class="panel-actions"><Button icon={Icon::Plus} onclick={set.reform(|()| Over::Form(None))}>{ "Tell somebody" }</Button></div> }
                        if let Over::Form(rule) = &*over {
                            <RuleForm rule={rule.clone()} kinds={kinds.items.clone()} again={again.clone()} onclose={close.clone()} />
                        }
                    </>
                }
            }) }
            if let Over::Remove(rule) = &*over {
                <ConfirmDelete title={format!("Remove {}?", rule.name)} verb="Remove" delete={remove(&org.slug(), rule)} ondone={removed} onclose={close.clone()}>
                    <p>{ format!("{} gets no alerts by it any more, and what waits is not sent. The inbox stays.", counted(rule.channels.len() as u64, "channel")) }</p>
                </ConfirmDelete>
            }
        </>
    }
}

fn remove(org: &str, rule: &AlertRule) -> Callback<(), api::client::Reply<()>> {
    let (org, id) = (org.to_owned(), rule.id.to_string());
    Callback::from(move |()| api::alerts::remove_rule(&org, &id))
}

#[derive(Properties, PartialEq)]
struct RuleProps {
    rule: AlertRule,
    may: bool,
    set: Callback<Over>,
    again: Callback<()>,
}

#[component]
fn Rule(props: &RuleProps) -> Html {
    let slug = use_org().slug();
    let rule = &props.rule;
    let tested = use_state(|| None::<AlertRuleTested>);
    let test = {
        let (tested, again) = (tested.clone(), props.again.clone());
        use_action(Callback::from(move |outcome| {
            tested.set(Some(outcome));
            again.emit(());
        }))
    };
    let switched = {
        let again = props.again.clone();
        use_action(Callback::from(move |_: AlertRule| again.emit(())))
    };
    let ontest = {
        let (test, slug, id) = (test.clone(), slug.clone(), rule.id.to_string());
        Callback::from(move |()| test.run(api::alerts::test_rule(&slug, &id)))
    };
    let onswitch = {
        let (switched, id, enabled) = (switched.clone(), rule.id.to_string(), !rule.enabled);
        Callback::from(move |()| {
            switched.run(api::alerts::update_rule(&slug, &id, &json!({ "enabled": enabled })));
        })
    };
    let fails = rule.channels.iter().any(|channel| channel.failure.is_some());
    let tone = match (rule.enabled, fails) {
        (false, _) => Tone::Plain,
        (true, true) => Tone::Warn,
        (true, false) => Tone::Good,
    };
    let (edit, gone) = (rule.clone(), rule.clone());
    html! {
        <Banner {tone}>
            <p><strong>{ rule.name.to_string() }</strong>{ " " }
                <Badge {tone}>{ if rule.enabled { "on" } else { "off" } }</Badge>{ format!(" {}", what(rule)) }</p>
            if let Some(quiet) = &rule.quiet { <p class="note">{ quiet_words(quiet) }</p> }
            <ul class="plain">{ for rule.channels.iter().map(|channel| html! {
                <li key={channel.id.to_string()}>{ format!("{} ", channel.kind) }<code>{ channel.to.clone() }</code>
                    if let Some(why) = channel.failure.clone() {
                        { format!(" {why}") }
                        if channel.failures > 0 { <Badge tone={Tone::Bad}>{ format!("{} given up", channel.failures) }</Badge> }
                    } else if let Some(at) = channel.delivered_at { <span class="faint">{ " reached " }<When {at} /></span> }
                </li>
            }) }</ul>
            if let Some(tested) = &*tested { <ul class="plain">{ for tested.channels.iter().map(|it| html! {
                <li><Badge tone={if it.delivered { Tone::Good } else { Tone::Bad }}>{ if it.delivered { "Test taken" } else { "Test failed" } }</Badge>{ format!(" {}: {}", it.to, it.detail) }</li>
            }) }</ul> }
            if let Some(problem) = test.problem().or_else(|| switched.problem()) { <Failed {problem} /> }
            if props.may {
                <div class="panel-actions">
                    <Button busy={test.running()} onclick={ontest}>{ "Send a test" }</Button>
                    <Button onclick={props.set.reform(move |()| Over::Form(Some(edit.clone())))}>{ "Edit" }</Button>
                    <Button busy={switched.running()} onclick={onswitch}>{ if rule.enabled { "Switch off" } else { "Switch on" } }</Button>
                    <Button onclick={props.set.reform(move |()| Over::Remove(gone.clone()))}>{ "Remove" }</Button>
                </div>
            }
        </Banner>
    }
}

/// `12 kinds, from warning up, of team:blue`
fn what(rule: &AlertRule) -> String {
    let kinds = match rule.kinds.len() {
        0 => "usual kinds".to_owned(),
        count => counted(count as u64, "kind"),
    };
    let place = if rule.scope == "org" { "everything" } else { &rule.scope };
    format!("{kinds}, {} and up, of {place}", rule.least_severity)
}

fn quiet_words(quiet: &QuietHours) -> String {
    let days: Vec<&str> = quiet.days.iter().map(|day| day.as_str()).collect();
    let days = if days.len() == 7 { "every day".to_owned() } else { days.join(", ") };
    let QuietHours { from, to, time_zone, .. } = quiet;
    format!("Quiet from {from} to {to} in {time_zone}, {days}; what is critical passes.")
}
