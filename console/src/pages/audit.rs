//! The audit log: what happened, provably in this order and unchanged.

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::audit::AuditEntry;
use yew::prelude::*;

use super::audit_proof::{EventProof, Proof};
use crate::api;
use crate::components::json::record;
use crate::components::range::{Range, bounds};
use crate::components::{
    Badge, Column, Drawer, Empty, Head, Icon, More, Table, TextField, Tone, When, key_value, show,
};
use crate::hooks::input::anything;
use crate::hooks::{Pages, use_input, use_pages, use_query};
use crate::session::use_org;
use crate::text::number::grouped;
use crate::text::query::Query;

const COLUMNS: [Column; 6] = [
    Column::text("When"),
    Column::text("Actor").wide(),
    Column::text("Action"),
    Column::text("Outcome"),
    Column::text("Target").wide(),
    Column::number("Index").wide(),
];

/// The page's filters as the API names them.
pub fn filters(query: &Query) -> Query {
    let (from, to) = bounds(query);
    let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    Query::default()
        .with_some("actor", query.find("actor"))
        .with_some("action", query.find("action"))
        .with_some("target", query.find("target"))
        .with_some("outcome", query.find("outcome"))
        .with_some("from", from.map(written))
        .with_some("to", to.map(written))
}

#[component]
pub fn AuditPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let asked = filters(&query);
    let list = use_pages((org.slug(), asked.clone()), |(org, filters), cursor| {
        api::audit::entries(&org, filters, cursor)
    });
    let open = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |id: String| set.emit(query.with("event", &id)))
    };
    let chosen = list.state.ready().and_then(|pages| {
        let id = query.find("event")?;
        pages.items.iter().find(|entry| entry.id.to_string() == id).cloned()
    });
    html! {
        <>
            <Head title="Audit log" lead="Every decision and change, in a signed log that shows when a single byte was altered." />
            <Proof filters={asked.clone()} />
            <Filters query={query.clone()} {set} />
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &open, asked != Query::default())) }
            if let Some(entry) = chosen { { drawer(&entry, open.reform(|()| String::new())) } }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct FiltersProps {
    query: Query,
    set: Callback<Query>,
}

#[component]
fn Filters(props: &FiltersProps) -> Html {
    let actor = use_input(props.query.find("actor").unwrap_or_default(), anything);
    let action = use_input(props.query.find("action").unwrap_or_default(), anything);
    let target = use_input(props.query.find("target").unwrap_or_default(), anything);
    let outcome = use_input(props.query.find("outcome").unwrap_or_default(), anything);
    let onsubmit = {
        let (query, set) = (props.query.clone(), props.set.clone());
        let inputs = [
            ("actor", actor.clone()),
            ("action", action.clone()),
            ("target", target.clone()),
            ("outcome", outcome.clone()),
        ];
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            set.emit(inputs.iter().fold(query.clone(), |query, (name, input)| {
                query.with(name, &input.filled().unwrap_or_default())
            }));
        })
    };
    html! {
        <div class="filters">
            <form class="filter-fields" role="search" data-search="" {onsubmit}>
                <TextField label="Actor" input={actor} placeholder="ann@example.com" />
                <TextField label="Action" input={action} placeholder="budget.* or call.refused" />
                <TextField label="Target" input={target} placeholder="budget:* or team:<id>" />
                <TextField label="Outcome" input={outcome} placeholder="denied or error" />
                <button type="submit" class="button">{ Icon::Search.show() }<span>{ "Filter" }</span></button>
            </form>
            <Range days=0 />
        </div>
    }
}

fn table(
    pages: &Pages<AuditEntry>,
    more: &Callback<()>,
    open: &Callback<String>,
    filtered: bool,
) -> Html {
    if pages.items.is_empty() {
        return html! {
            <Empty icon={Icon::Shield} title={if filtered { "Nothing matches these filters" } else { "Nothing is recorded yet" }}>
                <p>{ if filtered { "Actions are named subject.verb; write budget.* for all of a subject." } else { "The first change or call appears here." } }</p>
            </Empty>
        };
    }
    html! {
        <>
            <Table caption="Audit log" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|entry| row(entry, open)) }
            </Table>
            <More shown={pages.items.len()} noun="record" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(entry: &AuditEntry, open: &Callback<String>) -> Html {
    let id = entry.id.to_string();
    let onclick = open.reform(move |_: MouseEvent| id.clone());
    html! {
        <tr key={entry.id.to_string()} class="clickable" {onclick}>
            <td><button type="button" class="row-open"><When at={entry.occurred_at} /></button></td>
            <td class="wide" title={entry.actor.clone()}>{ entry.actor_name.clone() }</td>
            <td><code>{ entry.action.clone() }</code></td>
            <td>{ outcome(&entry.outcome) }</td>
            <td class="wide"><code class="faint clip" title={entry.target.clone()}>{ entry.target.clone().unwrap_or_default() }</code></td>
            <td class="number wide">{ entry.index.map_or_else(|| "soon".to_owned(), grouped) }</td>
        </tr>
    }
}

fn outcome(outcome: &str) -> Html {
    let tone = match outcome {
        "success" => Tone::Good,
        "denied" | "refused" => Tone::Warn,
        "error" | "lost" => Tone::Bad,
        "intent" => Tone::Info,
        _other_words => Tone::Plain,
    };
    html! { <Badge {tone}>{ outcome.to_owned() }</Badge> }
}

fn drawer(entry: &AuditEntry, onclose: Callback<()>) -> Html {
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("When".into(), html! { { crate::text::time::exact(entry.occurred_at) } }),
        (
            "Actor".into(),
            html! { <>{ entry.actor_name.clone() }<br /><code class="faint">{ entry.actor.clone() }</code></> },
        ),
        ("Action".into(), html! { <code>{ entry.action.clone() }</code> }),
        ("Outcome".into(), outcome(&entry.outcome)),
        ("Id".into(), html! { <code>{ entry.id.to_string() }</code> }),
    ];
    if let Some(target) = &entry.target {
        facts.push(("Target".into(), html! { <code>{ target.clone() }</code> }));
    }
    let index = entry.index.map_or_else(|| "not yet in the tree".to_owned(), grouped);
    facts.push(("Index".into(), html! { { index } }));
    html! {
        <Drawer title="Record" {onclose}>
            { key_value(&facts) }
            <EventProof key={entry.id.to_string()} event={entry.id.to_string()} />
            <h3>{ "As the tree has it" }</h3>
            { record(&entry.record, "Record as JSON") }
        </Drawer>
    }
}
