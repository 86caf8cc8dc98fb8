//! Calls: every model call, newest first, each with what it took.

use ralex_api::usage::{Call, CallState};
use yew::prelude::*;

use super::call_story::tell;
use super::calls_live::{self, Added, Row, View};
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Drawer, Empty, Head, Icon, More, Switch, Table, TextField, Tone, When,
    key_value, show,
};
use crate::hooks::input::anything;
use crate::hooks::{Input, Pages, use_input, use_load, use_pages, use_poll, use_query};
use crate::session::use_org;
use crate::text::code::{dialect, words};
use crate::text::money::{exact, short};
use crate::text::number::{grouped, milliseconds};
use crate::text::query::Query;

const COLUMNS: [Column; 7] = [
    Column::text("Started"),
    Column::text("Model"),
    Column::text("State"),
    Column::text("Charged to").wide(),
    Column::number("Tokens in / out").wide(),
    Column::number("Time").wide(),
    Column::number("Cost"),
];

#[component]
pub fn CallsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let filters = Query::default()
        .with_some("state", query.find("state"))
        .with_some("model", query.find("model"))
        .with_some("team", query.find("team"))
        .with_some("tag", query.find("tag"))
        .with_some("run", query.find("run"));
    let list = use_pages((org.slug(), filters.clone()), |(org, filters), cursor| {
        api::usage::calls(&org, filters, cursor)
    });
    let (live, reading) = (query.find("live").is_some(), query.find("call").is_some());
    let wants = (org.slug(), filters.clone());
    let poll =
        use_poll(wants, live && !reading, |(org, filters)| api::usage::calls(&org, filters, None));
    let added = use_state(Added::default);
    {
        let added = added.clone();
        use_effect_with(filters.clone(), move |_| added.set(Added::default()));
    }
    let view = list
        .state
        .ready()
        .map(|pages| calls_live::view(&pages.items, &added, poll.latest.as_deref()));
    let refresh = {
        let (again, restart, added) = (list.again.clone(), poll.restart.clone(), added.clone());
        Callback::from(move |()| {
            added.set(Added::default());
            restart.emit(());
            again.emit(());
        })
    };
    let let_in = {
        let (refresh, view) = (refresh.clone(), view.clone());
        Callback::from(move |()| match &view {
            Some(view) if !view.gap => added.set(added.with(&view.waiting)),
            Some(_) | None => refresh.emit(()),
        })
    };
    let stopped = poll.problem.is_some();
    let switch = {
        let (query, set, restart) = (query.clone(), set.clone(), poll.restart.clone());
        Callback::from(move |on: bool| {
            if stopped {
                restart.emit(());
            }
            if on != live {
                set.emit(query.with("live", if on { "1" } else { "" }));
            }
        })
    };
    let open = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |id: String| set.emit(query.with("call", &id)))
    };
    let filtered = filters != Query::default();
    html! {
        <>
            <Head title="Calls" lead="Every model call with its outcome, tokens, time and cost. Prompts and answers are not stored.">
                <Switch label="Live" on={live && !stopped} onchange={switch} />
                <Button icon={Icon::Rotate} onclick={refresh}>{ "Refresh" }</Button>
            </Head>
            <Filters query={query.clone()} {set} />
            if live { { calls_live::bar(&poll, reading, view.as_ref(), &let_in) } }
            { show(&list.state, &list.again, |pages| match &view {
                Some(view) => table(pages, view, &list.more, &open, filtered),
                None => Html::default(),
            }) }
            if let Some(id) = query.find("call") {
                <CallDrawer id={id.to_owned()} onclose={open.reform(|()| String::new())} />
            }
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
    let model = use_input(props.query.find("model").unwrap_or_default(), anything);
    let team = use_input(props.query.find("team").unwrap_or_default(), anything);
    let tag = use_input(props.query.find("tag").unwrap_or_default(), anything);
    let run = use_input(props.query.find("run").unwrap_or_default(), anything);
    let mut options = vec![("".into(), "All".into())];
    let states = [
        CallState::Success,
        CallState::Error,
        CallState::Refused,
        CallState::Canceled,
        CallState::Open,
        CallState::Lost,
    ];
    options.extend(states.map(|state| (state.as_str().into(), word(state).into())));
    let onchange = {
        let (query, set) = (props.query.clone(), props.set.clone());
        Callback::from(move |state: String| set.emit(query.with("state", &state)))
    };
    let onsubmit = {
        let (query, set) = (props.query.clone(), props.set.clone());
        let (model, team) = (model.clone(), team.clone());
        let (tag, run) = (tag.clone(), run.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let filled = |input: &Input| input.filled().unwrap_or_default();
            let query = query.with("model", &filled(&model)).with("team", &filled(&team));
            set.emit(query.with("tag", &filled(&tag)).with("run", &filled(&run)));
        })
    };
    html! {
        <form class="filters" role="search" data-search="" {onsubmit}>
            <Segments label="State" {options} value={props.query.find("state").unwrap_or_default().to_owned()} {onchange} />
            <TextField label="Model" input={model} placeholder="Exact name, then Enter" />
            <TextField label="Team" input={team} placeholder="Its slug, then Enter" />
            <TextField label="Tag" input={tag} placeholder="Exact, then Enter" />
            <TextField label="Run" input={run} placeholder="Exact, then Enter" />
            // A form with several fields is sent by Enter only where it has something to send it.
            <button type="submit" class="sr">{ "Filter" }</button>
        </form>
    }
}

fn table(
    pages: &Pages<Call>,
    view: &View,
    more: &Callback<()>,
    open: &Callback<String>,
    filtered: bool,
) -> Html {
    if view.rows.is_empty() {
        return html! {
            <Empty icon={Icon::List} title={if filtered { "No call matches these filters" } else { "No calls yet" }}>
                <p>{ if filtered { "Choose another state, model, team, tag or run." } else { "They appear here the moment they are made." } }</p>
            </Empty>
        };
    }
    html! {
        <>
            <Table caption="Calls" columns={COLUMNS.to_vec()}>
                { for view.rows.iter().map(|one| row(one, open)) }
            </Table>
            <More shown={view.rows.len()} noun="call" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(one: &Row, open: &Callback<String>) -> Html {
    let call = &one.call;
    let id = call.id.to_string();
    let onclick = open.reform(move |_: MouseEvent| id.clone());
    html! {
        <tr key={call.id.to_string()} class={classes!("clickable", one.new.then_some("new"))} onclick={onclick}>
            <td>
                <button type="button" class="row-open">
                    if one.new { <span class="sr">{ "New: " }</span> }
                    <When at={call.started_at} />
                </button>
            </td>
            <td class="strong">{ call.model.clone() }</td>
            <td>if one.ended { <Badge>{ "Ended" }</Badge> } else { { badge(call) } }</td>
            <td class="wide">{ charged(call) }</td>
            <td class="number wide">{ tokens(call) }</td>
            <td class="number wide">{ call.duration_ms.map(|ms| milliseconds(ms.into())).unwrap_or_default() }</td>
            <td class="number" title={exact(call.cost)}>{ short(call.cost) }</td>
        </tr>
    }
}

fn badge(call: &Call) -> Html {
    let tone = match call.state {
        CallState::Open => Tone::Info,
        CallState::Success => Tone::Good,
        CallState::Error | CallState::Lost => Tone::Bad,
        CallState::Canceled => Tone::Plain,
        CallState::Refused => Tone::Warn,
    };
    html! { <Badge {tone} title={call.problem.clone().map(AttrValue::from)}>{ word(call.state) }</Badge> }
}

const fn word(state: CallState) -> &'static str {
    match state {
        CallState::Open => "Under way",
        CallState::Success => "Success",
        CallState::Error => "Error",
        CallState::Canceled => "Canceled",
        CallState::Lost => "Lost",
        CallState::Refused => "Refused",
    }
}

fn charged(call: &Call) -> String {
    // Whichever of its tokens a program shows, it is the program that people know.
    match (&call.team, call.service_account.as_ref().or(call.token.as_ref())) {
        (Some(team), Some(who)) => format!("{team} · {who}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "Organisation".to_owned(),
    }
}

/// What a call was made for, where that is not one question of its caller's.
fn made(purpose: &str) -> &str {
    match purpose {
        "batch" => "as a batch: all lines of a file together",
        "count" => "to count tokens, without an answer",
        "cache" => "to find kept answers to questions that mean the same",
        "guardrails" => "to judge a prompt for a guardrail",
        other => other,
    }
}

fn tokens(call: &Call) -> String {
    let about = if call.estimated { "≈ " } else { "" };
    format!("{about}{} / {}", grouped(call.input_tokens), grouped(call.output_tokens))
}

#[derive(Properties, PartialEq)]
struct DrawerProps {
    id: AttrValue,
    onclose: Callback<()>,
}

#[component]
fn CallDrawer(props: &DrawerProps) -> Html {
    let org = use_org();
    let wants = (org.slug(), props.id.to_string());
    let (load, again) = use_load(wants, |(org, id)| api::usage::call(&org, &id));
    html! {
        <Drawer title="Call" onclose={props.onclose.clone()}>
            { show(&load, &again, |story| html! { <>{ key_value(&facts(&story.call)) }{ tell(story, &org.slug(), org.blocked("call_rule.read").is_none()) }</> }) }
        </Drawer>
    }
}

fn facts(call: &Call) -> Vec<(AttrValue, Html)> {
    let text = |text: &str| html! { { text.to_owned() } };
    let amount = |amount| html! { <span title={exact(amount)}>{ short(amount) }</span> };
    let time = |ms: Option<u32>| ms.map_or_else(|| text("–"), |ms| text(&milliseconds(ms.into())));
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("Id".into(), html! { <code>{ call.id.to_string() }</code> }),
        ("State".into(), badge(call)),
        (
            "Started".into(),
            html! { <>{ crate::text::time::exact(call.started_at) }<br /><When at={call.started_at} /></> },
        ),
        ("Asked for".into(), text(call.asked_model.as_deref().unwrap_or(&call.model))),
        ("Model".into(), text(&call.model)),
        ("Provider".into(), text(if call.provider.is_empty() { "–" } else { &call.provider })),
        ("Charged to".into(), text(&charged(call))),
        (
            "Wire format".into(),
            html! {
                <span title={call.dialect.clone()}>
                    { dialect(&call.dialect) }{ if call.streamed { ", streamed" } else { "" } }
                </span>
            },
        ),
        ("Tokens in / out".into(), text(&tokens(call))),
        ("Cost".into(), amount(call.cost)),
        ("Held at first".into(), amount(call.held)),
        ("First byte".into(), time(call.first_byte_ms)),
        ("Total time".into(), time(call.duration_ms)),
    ];
    if let Some(route) = &call.route {
        facts.push(("Route".into(), text(route)));
    }
    match call.cached.as_deref() {
        Some("semantic") => {
            let said = "as a question that means the same was, without a provider";
            facts.push(("Answered".into(), text(said)));
        }
        Some(_) => facts.push(("Answered".into(), text("from memory, without a provider"))),
        None => {}
    }
    if let Some(purpose) = &call.purpose {
        facts.push(("Made".into(), text(made(purpose))));
    }
    if call.estimated {
        facts.push(("Counted by".into(), text("Ralex, since the provider sent no usage")));
    }
    if let Some(problem) = &call.problem {
        facts.push((
            "Problem".into(),
            html! { <span title={problem.clone()}>{ words(problem) }</span> },
        ));
    }
    facts
}
