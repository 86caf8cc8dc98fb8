//! Alerts: what happened that one should know of, and who is told.

use ralex_api::alerts::{Alert, AlertState, DeliveryState, Severity};
use yew::prelude::*;

use super::alert_drawer::AlertDrawer;
use super::alert_rules::Rules;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Empty, Head, Icon, More, Table, Tone, When, show, use_toast,
};
use crate::hooks::{Pages, use_action, use_pages, use_query};
use crate::session::use_org;
use crate::text::number::counted;
use crate::text::query::Query;

const COLUMNS: [Column; 5] = [
    Column::text("Raised"),
    Column::text("Severity"),
    Column::text("What"),
    Column::text("State").wide(),
    Column::text("Told").wide(),
];

const OPEN: &str = "open";

#[component]
pub fn AlertsPage() -> Html {
    let (query, set) = use_query();
    let rules = query.find("tab") == Some("rules");
    let tabs = vec![("".into(), "Inbox".into()), ("rules".into(), "Who is told".into())];
    let ontab = {
        let set = set.clone();
        Callback::from(move |tab: String| set.emit(Query::default().with("tab", &tab)))
    };
    html! {
        <>
            <Head title="Alerts" lead="What happened that somebody should know of. Each is here, whoever else is told.">
                <Segments label="Part" options={tabs} value={if rules { "rules" } else { "" }} onchange={ontab} />
            </Head>
            if rules { <Rules /> } else { <Inbox {query} {set} /> }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct InboxProps {
    query: Query,
    set: Callback<Query>,
}

#[component]
fn Inbox(props: &InboxProps) -> Html {
    let org = use_org();
    let (query, set) = (props.query.clone(), props.set.clone());
    let toast = use_toast();
    let state = query.find("state").unwrap_or(OPEN);
    let least = query.find("severity").unwrap_or_default();
    let filters = Query::default()
        .with_some("state", Some(state).filter(|state| *state != "all"))
        .with_some("least_severity", Some(least).filter(|least| !least.is_empty()))
        .with_some("subject", query.find("subject"));
    let list = use_pages((org.slug(), filters), |(org, filters), cursor| {
        api::alerts::list(&org, filters, cursor)
    });
    let open = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |id: String| set.emit(query.with("alert", &id)))
    };
    let close = {
        let (open, again) = (open.clone(), list.again.clone());
        Callback::from(move |()| {
            open.emit(String::new());
            again.emit(());
        })
    };
    let read = {
        let again = list.again.clone();
        use_action(Callback::from(move |_| {
            toast.emit("All alerts are read.".into());
            again.emit(());
        }))
    };
    let onread = {
        let (read, slug) = (read.clone(), org.slug());
        Callback::from(move |()| read.run(api::alerts::read(&slug, None)))
    };
    let choose = |name: &'static str, usual: &'static str| {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |word: String| {
            set.emit(query.with(name, if word == usual { "" } else { &word }));
        })
    };
    let mut states: Vec<(AttrValue, AttrValue)> =
        AlertState::ALL.iter().map(|it| (it.as_str().into(), word(*it).into())).collect();
    states.push(("all".into(), "All".into()));
    let severities = vec![
        ("".into(), "Any severity".into()),
        ("warning".into(), "Warning up".into()),
        ("critical".into(), "Critical".into()),
    ];
    html! {
        <>
            <div class="filters" role="search">
                <Segments label="State" options={states} value={state.to_owned()} onchange={choose("state", OPEN)} />
                <Segments label="Severity" options={severities} value={least.to_owned()} onchange={choose("severity", "")} />
                <div class="panel-actions">
                    <Button icon={Icon::Check} busy={read.running()} onclick={onread}>{ "Mark all read" }</Button>
                    <Button icon={Icon::Rotate} onclick={list.again.clone()}>{ "Refresh" }</Button>
                </div>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &open, state)) }
            if let Some(id) = query.find("alert") {
                <AlertDrawer id={id.to_owned()} onclose={close} />
            }
        </>
    }
}

fn table(pages: &Pages<Alert>, more: &Callback<()>, open: &Callback<String>, state: &str) -> Html {
    if pages.items.is_empty() {
        let (title, next) = if state == OPEN {
            (
                "Nothing is wrong",
                "Alerts appear here when a budget nears its limit, spend is unusual, or the audit log does not arrive.",
            )
        } else {
            ("Nothing here", "Choose another state or severity.")
        };
        return html! { <Empty icon={Icon::Check} {title}><p>{ next }</p></Empty> };
    }
    html! {
        <>
            <Table caption="Alerts" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|alert| row(alert, open)) }
            </Table>
            <More shown={pages.items.len()} noun="alert" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(alert: &Alert, open: &Callback<String>) -> Html {
    let id = alert.id.to_string();
    let onclick = open.reform(move |_: MouseEvent| id.clone());
    let fresh = !alert.read && alert.state == AlertState::Open;
    html! {
        <tr key={alert.id.to_string()} class="clickable" {onclick}>
            <td><button type="button" class="row-open"><When at={alert.raised_at} /></button></td>
            <td>{ severity(alert.severity) }</td>
            <td class={fresh.then_some("strong")}>{ alert.title.clone() }
                if alert.occurrences > 1 { <span class="faint">{ format!(" · {}", counted(alert.occurrences, "time")) }</span> }
                if fresh { <span class="sr">{ ", not read" }</span> }
            </td>
            <td class="wide">{ state_badge(alert.state) }</td>
            <td class="wide">{ told(alert) }</td>
        </tr>
    }
}

/// Whom it reached, in short: what went wrong comes first.
fn told(alert: &Alert) -> Html {
    let count = |state| alert.deliveries.iter().filter(|it| it.state == state).count() as u64;
    let parts = [
        (DeliveryState::GaveUp, Tone::Bad, "given up"),
        (DeliveryState::Retrying, Tone::Warn, "tried again"),
        (DeliveryState::Held, Tone::Info, "held"),
        (DeliveryState::Pending, Tone::Plain, "on its way"),
        (DeliveryState::Sent, Tone::Plain, "sent"),
    ];
    let shown = parts.into_iter().filter(|(state, ..)| count(*state) > 0);
    let badges = shown.map(|(state, tone, word)| {
        html! { <Badge {tone}>{ format!("{} {word}", count(state)) }</Badge> }
    });
    html! { { for badges } }
}

pub fn severity(severity: Severity) -> Html {
    let (tone, word) = match severity {
        Severity::Critical => (Tone::Bad, "Critical"),
        Severity::Warning => (Tone::Warn, "Warning"),
        Severity::Info => (Tone::Info, "Note"),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

pub fn state_badge(state: AlertState) -> Html {
    let tone = match state {
        AlertState::Open => Tone::Warn,
        AlertState::Acknowledged => Tone::Info,
        AlertState::Resolved => Tone::Good,
    };
    html! { <Badge {tone}>{ word(state) }</Badge> }
}

const fn word(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "Open",
        AlertState::Acknowledged => "Taken on",
        AlertState::Resolved => "Over",
    }
}
