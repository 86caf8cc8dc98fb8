//! Approvals: what waits for a person, and what was decided.

use ralex_api::approvals::{Approval, ApprovalState};
use ralex_api::guardrails::Noted;
use yew::prelude::*;

use super::approval_drawer::ApprovalDrawer;
use super::approval_settings::SettingsDialog;
use super::changes::Changes;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Empty, Head, Icon, More, Table, TextField, Tone, When, show, use_toast,
};
use crate::hooks::input::anything;
use crate::hooks::{Pages, use_input, use_pages, use_query};
use crate::session::use_org;
use crate::text::query::Query;

const COLUMNS: [Column; 6] = [
    Column::text("Asked"),
    Column::text("Who"),
    Column::text("Why"),
    Column::text("Model").wide(),
    Column::text("Where").wide(),
    Column::text("State").wide(),
];

const WAITING: &str = "pending";

/// Calls that wait, and beside them changes that do.
#[component]
pub fn ApprovalsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let calls = org.can("approval.read");
    let changes = !calls || query.find("view") == Some("changes");
    let options: Vec<(AttrValue, AttrValue)> = [("", "Calls"), ("changes", "Changes")]
        .map(|(view, title)| (view.into(), title.into()))
        .to_vec();
    let onchange =
        Callback::from(move |view: String| set.emit(Query::default().with("view", &view)));
    let value = if changes { "changes" } else { "" };
    let views =
        calls.then(|| html! { <div><Segments label="Part" {options} {value} {onchange} /></div> });
    if changes {
        html! {
            <>
                <Head title="Approvals" lead="Changes that take two people. Nobody confirms their own." />
                { views }
                <Changes />
            </>
        }
    } else {
        html! { <Calls {views} /> }
    }
}

#[derive(Properties, PartialEq)]
struct CallsProps {
    views: Option<Html>,
}

#[component]
fn Calls(props: &CallsProps) -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let toast = use_toast();
    // What waits comes first; an address that names no state means that.
    let state = query.find("state").unwrap_or(WAITING);
    let filters = Query::default()
        .with_some("state", Some(state).filter(|state| *state != "all"))
        .with_some("rule", query.find("rule"));
    let list = use_pages((org.slug(), filters), |(org, filters), cursor| {
        api::approvals::list(&org, filters, cursor)
    });
    let open = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |id: String| set.emit(query.with("approval", &id)))
    };
    let close = open.reform(|()| String::new());
    let done = {
        let (close, again) = (close.clone(), list.again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let setting = query.find("settings").is_some();
    let settings = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |on: bool| {
            set.emit(query.with("settings", if on { "1" } else { "" }));
        })
    };
    html! {
        <>
            <Head title="Approvals" lead="Calls that a guardrail or a call rule stopped until a person decides. Nobody decides about their own.">
                if org.can_everywhere("guardrail.set") { <Button icon={Icon::Edit} onclick={settings.reform(|()| true)}>{ "Settings" }</Button> }
                <Button icon={Icon::Rotate} onclick={list.again.clone()}>{ "Refresh" }</Button>
            </Head>
            { props.views.clone() }
            <Filters query={query.clone()} {set} state={state.to_owned()} />
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &open, state)) }
            if let Some(id) = query.find("approval") {
                <ApprovalDrawer id={id.to_owned()} ondone={done} onclose={close} />
            }
            if setting { <SettingsDialog onclose={settings.reform(|()| false)} /> }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct FiltersProps {
    query: Query,
    set: Callback<Query>,
    state: AttrValue,
}

#[component]
fn Filters(props: &FiltersProps) -> Html {
    let rule = use_input(props.query.find("rule").unwrap_or_default(), anything);
    let mut options: Vec<(AttrValue, AttrValue)> =
        ApprovalState::ALL.iter().map(|it| (it.as_str().into(), word(*it).into())).collect();
    options.push(("all".into(), "All".into()));
    let onchange = {
        let (query, set) = (props.query.clone(), props.set.clone());
        Callback::from(move |state: String| {
            set.emit(query.with("state", if state == WAITING { "" } else { &state }));
        })
    };
    let onsubmit = {
        let (query, set, rule) = (props.query.clone(), props.set.clone(), rule.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            set.emit(query.with("rule", &rule.filled().unwrap_or_default()));
        })
    };
    html! {
        <form class="filters" role="search" data-search="" {onsubmit}>
            <Segments label="State" {options} value={props.state.clone()} {onchange} />
            <TextField label="Rule" input={rule} placeholder="pii.iban, then Enter" />
        </form>
    }
}

fn table(
    pages: &Pages<Approval>,
    more: &Callback<()>,
    open: &Callback<String>,
    state: &str,
) -> Html {
    if pages.items.is_empty() {
        let (title, next) = if state == WAITING {
            (
                "Nothing waits",
                "Calls appear here when a guardrail that asks finds something, or a call rule asks about them.",
            )
        } else {
            ("Nothing here", "Choose another state or rule.")
        };
        return html! { <Empty icon={Icon::Check} {title}><p>{ next }</p></Empty> };
    }
    html! {
        <>
            <Table caption="Approvals" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|approval| row(approval, open)) }
            </Table>
            <More shown={pages.items.len()} noun="approval" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(approval: &Approval, open: &Callback<String>) -> Html {
    let id = approval.id.to_string();
    let onclick = open.reform(move |_: MouseEvent| id.clone());
    html! {
        <tr key={approval.id.to_string()} class="clickable" {onclick}>
            <td><button type="button" class="row-open"><When at={approval.asked_at} /></button></td>
            <td class="strong">{ approval.asker.clone() }</td>
            <td>{ why(&approval.rules) }</td>
            <td class="wide">{ approval.model.clone() }</td>
            <td class="wide" title={approval.scope.clone()}>{ approval.scope_name.clone() }</td>
            <td class="wide">{ badge(approval.state) }</td>
        </tr>
    }
}

/// The first rule that asked, and how many more did.
fn why(rules: &[Noted]) -> String {
    match rules {
        [] => String::new(),
        [one] => one.name.clone(),
        [one, more @ ..] => format!("{} and {} more", one.name, more.len()),
    }
}

pub fn badge(state: ApprovalState) -> Html {
    let tone = match state {
        ApprovalState::Pending => Tone::Warn,
        ApprovalState::Approved => Tone::Good,
        ApprovalState::Denied => Tone::Bad,
        ApprovalState::Used => Tone::Info,
        ApprovalState::Expired => Tone::Plain,
    };
    html! { <Badge {tone}>{ word(state) }</Badge> }
}

const fn word(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "Waiting",
        ApprovalState::Approved => "Approved",
        ApprovalState::Denied => "Denied",
        ApprovalState::Used => "Used",
        ApprovalState::Expired => "Expired",
    }
}
