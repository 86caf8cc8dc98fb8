//! One alert: what it says, what it is about, whom it was told, and taking it on.

use ralex_api::alerts::{Alert, AlertDelivery, AlertState, DeliveryState};
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::alerts::{severity, state_badge};
use crate::api;
use crate::components::{
    Badge, Button, Drawer, Failed, Icon, Kind, Tone, When, key_value, show, use_toast,
};
use crate::hooks::{use_action, use_load};
use crate::route::Place;
use crate::session::use_org;
use crate::text::json::compact;
use crate::text::money;
use crate::text::query::Query;
use crate::text::time::exact;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub id: AttrValue,
    pub onclose: Callback<()>,
}

#[component]
pub fn AlertDrawer(props: &Props) -> Html {
    let org = use_org();
    let wants = (org.slug(), props.id.to_string());
    let (load, again) = use_load(wants.clone(), |(org, id)| api::alerts::find(&org, &id));
    use_effect_with(wants, |(org, id)| {
        let (org, id) = (org.clone(), id.clone());
        spawn_local(async move {
            // Who opens it has read it; that it is noted can wait for the next time.
            let _ = api::alerts::read(&org, Some(&id)).await;
        });
    });
    html! {
        <Drawer title="Alert" onclose={props.onclose.clone()}>
            { show(&load, &again, |alert| html! {
                <>
                    <h3>{ alert.title.clone() }</h3>
                    { key_value(&facts(alert, &org.slug())) }
                    if !alert.deliveries.is_empty() { { deliveries(&alert.deliveries) } }
                    <Actions alert={(**alert).clone()} again={again.clone()} />
                </>
            }) }
        </Drawer>
    }
}

#[derive(Properties, PartialEq)]
struct ActionsProps {
    alert: Alert,
    again: Callback<()>,
}

#[component]
fn Actions(props: &ActionsProps) -> Html {
    let org = use_org();
    let toast = use_toast();
    let change = {
        let again = props.again.clone();
        use_action(Callback::from(move |changed: Alert| {
            let over = changed.state == AlertState::Resolved;
            toast.emit(if over { "It is over." } else { "It is yours." }.into());
            again.emit(());
        }))
    };
    if props.alert.state == AlertState::Resolved || !org.can("alert.acknowledge") {
        return Html::default();
    }
    let to = |verb: &'static str| {
        let (change, slug, id) = (change.clone(), org.slug(), props.alert.id.to_string());
        Callback::from(move |()| change.run(api::alerts::change(&slug, &id, verb)))
    };
    html! {
        <>
            if let Some(problem) = change.problem() { <Failed {problem} /> }
            <footer class="dialog-foot">
                <Button busy={change.running()} onclick={to("resolve")}>{ "It is over" }</Button>
                if props.alert.state == AlertState::Open {
                    <Button kind={Kind::Primary} icon={Icon::Check} busy={change.running()} onclick={to("acknowledge")}>{ "Take it on" }</Button>
                }
            </footer>
        </>
    }
}

fn facts(alert: &Alert, org: &str) -> Vec<(AttrValue, Html)> {
    let when = |at| html! { <><When {at} />{ format!(", {}", exact(at)) }</> };
    let who = |who: &Option<String>| who.clone().unwrap_or_else(|| "By itself".to_owned());
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("State".into(), state_badge(alert.state)),
        ("Severity".into(), severity(alert.severity)),
        ("About".into(), about(alert, org)),
        ("Raised".into(), when(alert.raised_at)),
    ];
    if alert.occurrences > 1 {
        let times = html! { <>{ format!("{} times, the last ", alert.occurrences) }<When at={alert.last_at} /></> };
        facts.push(("Happened".into(), times));
    }
    if let Some(at) = alert.acknowledged_at {
        let by = html! { <>{ who(&alert.acknowledged_by) }{ ", " }<When {at} /></> };
        facts.push(("Taken on by".into(), by));
    }
    match (alert.resolved_at, alert.ends_at) {
        (Some(at), _) => {
            let by = html! { <>{ who(&alert.resolved_by) }{ ", " }<When {at} /></> };
            facts.push(("Ended".into(), by));
        }
        (None, Some(at)) => facts.push(("Ends by itself".into(), when(at))),
        (None, None) => {}
    }
    if let Some(fields) = alert.detail.as_object() {
        // What it is about stands above.
        let known = ["budget", "sink", "user", "name", "rule"];
        for (name, value) in fields.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
            facts.push((label(name).into(), value_of(name, value, org)));
        }
    }
    if let Some(event) = alert.event {
        let query = Query::default().with("event", &event.to_string());
        facts.push(("In the audit log".into(), link(org, Place::Audit, &query, event.to_string())));
    }
    facts.push(("Id".into(), html! { <code>{ alert.id.to_string() }</code> }));
    facts
}

/// Dollars as dollars, a call as the way to it.
fn value_of(name: &str, value: &Value, org: &str) -> Html {
    const DOLLARS: [&str; 8] =
        ["spent", "limit", "overrun", "amount", "cost", "usual", "threshold", "middle"];
    let Some(text) = value.as_str() else {
        return html! { { compact(value).unwrap_or_default() } };
    };
    if name == "call" {
        let query = Query::default().with("call", text);
        return link(org, Place::Calls, &query, text.to_owned());
    }
    match text.parse() {
        Ok(amount) if DOLLARS.contains(&name) => html! { { money::exact(amount) } },
        _ => html! { { text.to_owned() } },
    }
}

/// `passes_limit` as `Passes limit`.
fn label(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// The page that shows what it is about.
fn about(alert: &Alert, org: &str) -> Html {
    let (kind, id) = alert.subject.split_once(':').unwrap_or((&alert.subject, ""));
    let (place, query) = match kind {
        "budget" => (Place::Budgets, Query::default()),
        "sink" | "audit_request" | "event" => (Place::Audit, Query::default()),
        "approval" => (Place::Approvals, Query::default().with("approval", id)),
        "team" | "usage" => (Place::Usage, Query::default()),
        "user" => (Place::People, Query::default()),
        "alert_channel" => (Place::Alerts, Query::default().with("tab", "rules")),
        _ => return html! { { alert.subject_name.clone() } },
    };
    link(org, place, &query, alert.subject_name.clone())
}

fn link(org: &str, place: Place, query: &Query, text: String) -> Html {
    let href = format!("{}{query}", place.of(org).path());
    html! { <a {href}>{ text }</a> }
}

fn deliveries(items: &[AlertDelivery]) -> Html {
    html! {
        <>
            <h3>{ "Told" }</h3>
            <ul class="plain">{ for items.iter().map(delivery) }</ul>
        </>
    }
}

fn delivery(it: &AlertDelivery) -> Html {
    let (tone, word) = match it.state {
        DeliveryState::Pending => (Tone::Plain, "On its way"),
        DeliveryState::Held => (Tone::Info, "Held by quiet hours"),
        DeliveryState::Retrying => (Tone::Warn, "Tried again"),
        DeliveryState::Sent => (Tone::Good, "Sent"),
        DeliveryState::GaveUp => (Tone::Bad, "Given up"),
        DeliveryState::Canceled => (Tone::Plain, "Canceled"),
    };
    html! {
        <li key={it.id.to_string()}>
            <p><Badge {tone}>{ word }</Badge>{ format!(" {} {} ", it.kind, it.to) }
                <span class="faint"><When at={it.ended_at.unwrap_or(it.created_at)} /></span></p>
            if let Some(why) = it.failure.clone() {
                <p class="note">{ why }{ format!(" {} tries so far.", it.attempts) }
                    if let Some(at) = it.next_attempt_at { { " Next " }<When {at} />{ "." } }
                </p>
            }
        </li>
    }
}
