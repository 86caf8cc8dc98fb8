//! Compliance reports: what was made, what is made again and again, and for which controls.

use ralex_api::Page;
use ralex_api::reports::{Report, ReportFormat, ReportState};
use yew::prelude::*;

use super::report_controls::Controls;
use super::report_form::ReportForm;
use super::report_schedules::Schedules;
use crate::api;
use crate::components::meter::share_meter;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Drawer, Empty, Head, Icon, More, Table, Tone, When,
    key_value, show,
};
use crate::hooks::{Pages, keep, use_pages, use_poll, use_query};
use crate::session::{Org, use_org};
use crate::text::json::compact;
use crate::text::number::grouped;
use crate::text::time::exact;
use crate::text::time::iso_date;

const COLUMNS: [Column; 6] = [
    Column::text("Report"),
    Column::text("Period").wide(),
    Column::text("State"),
    Column::text("Asked").wide(),
    Column::number("Rows").wide(),
    Column::text("Download"),
];

#[component]
pub fn ReportsPage() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let asking = use_state(|| false);
    let tab = query.find("tab").unwrap_or("made").to_owned();
    let list = use_pages(org.slug(), |org, cursor| api::reports::list(&org, cursor));
    let options = [("made", "Reports"), ("schedules", "Schedules"), ("controls", "Controls")];
    let options: Vec<(AttrValue, AttrValue)> =
        options.into_iter().map(|(value, text)| (value.into(), text.into())).collect();
    let onchange = {
        let (query, set) = (query.clone(), set.clone());
        Callback::from(move |tab: String| set.emit(query.with("tab", &tab).with("report", "")))
    };
    let open = Callback::from(move |id: String| set.emit(query.with("report", &id)));
    let close = keep(&asking).reform(|()| false);
    let done = {
        let (close, again) = (close.clone(), list.again.clone());
        Callback::from(move |_: Report| {
            close.emit(());
            again.emit(());
        })
    };
    html! {
        <>
            <Head title="Reports" lead="Evidence for auditors, made from what the system knows. The audit log holds the hash of every file.">
                <Button kind={crate::components::Kind::Primary} icon={Icon::Plus} blocked={org.blocked("report.create")} onclick={keep(&asking).reform(|()| true)}>{ "Make a report" }</Button>
            </Head>
            <div class="filters"><Segments label="What to see" {options} value={tab.clone()} {onchange} /></div>
            { match tab.as_str() {
                "schedules" => html! { <Schedules /> },
                "controls" => html! { <Controls /> },
                _reports => show(&list.state, &list.again, |pages| html! {
                    <Made pages={(**pages).clone()} more={list.more.clone()} again={list.again.clone()} open={open.clone()} />
                }),
            } }
            if *asking { <ReportForm ondone={done} onclose={close} /> }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct MadeProps {
    pages: Pages<Report>,
    more: Callback<()>,
    again: Callback<()>,
    open: Callback<String>,
}

const fn is_under_way(report: &Report) -> bool {
    matches!(report.state, ReportState::Queued | ReportState::Running)
}

/// The list, which tells by itself how far those are that are made.
#[component]
fn Made(props: &MadeProps) -> Html {
    let org = use_org();
    let (query, _) = use_query();
    let going = use_state(|| true);
    let poll = use_poll(org.slug(), *going, |org| api::reports::list(&org, None));
    let items = newest(&props.pages.items, poll.latest.as_deref());
    let any = items.iter().any(is_under_way);
    {
        let going = going.clone();
        use_effect_with(any, move |any| going.set(*any));
    }
    if items.is_empty() {
        return html! {
            <Empty icon={Icon::List} title="No report yet">
                <p>{ "An access review, what became of keys, an extract of the audit log with its proof, and three more." }</p>
            </Empty>
        };
    }
    let chosen = query.find("report");
    let chosen = items.iter().find(|it| Some(it.id.to_string().as_str()) == chosen).cloned();
    let pages = &props.pages;
    html! {
        <>
            <Table caption="Reports" columns={COLUMNS.to_vec()}>
                { for items.iter().map(|report| row(report, &org, &props.open)) }
            </Table>
            <More shown={items.len()} noun="report" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={props.more.clone()} />
            if let Some(report) = chosen {
                <Detail {report} again={props.again.clone()} onclose={props.open.reform(|()| String::new())} />
            }
        </>
    }
}

/// What was listed, as the newest answer knows it.
fn newest(listed: &[Report], polled: Option<&Page<Report>>) -> Vec<Report> {
    let known = |report: &Report| {
        let found = polled?.items.iter().find(|it| it.id == report.id)?;
        // An answer from before the end is older than the list.
        (is_under_way(report) || !is_under_way(found)).then(|| found.clone())
    };
    listed.iter().map(|report| known(report).unwrap_or_else(|| report.clone())).collect()
}

fn row(report: &Report, org: &Org, open: &Callback<String>) -> Html {
    let id = report.id.to_string();
    let onclick = open.reform(move |_: MouseEvent| id.clone());
    html! {
        <tr key={report.id.to_string()} class="clickable">
            <td><button type="button" class="row-open" {onclick}>{ report.title.clone() }</button></td>
            <td class="wide">{ span(report) }</td>
            <td>{ state(report) }</td>
            <td class="wide"><When at={report.asked_at} />{ format!(" by {}", report.asked_by) }</td>
            <td class="number wide">{ report.rows.map(grouped).unwrap_or_default() }</td>
            <td>{ downloads(report, org) }</td>
        </tr>
    }
}

fn span(report: &Report) -> String {
    format!("{} to {}", iso_date(report.from), iso_date(report.to))
}

fn state(report: &Report) -> Html {
    let (tone, text) = match report.state {
        ReportState::Queued => (Tone::Plain, "Waits".to_owned()),
        ReportState::Running => {
            let text = format!("{} %", report.percent);
            let bar = share_meter(f64::from(report.percent) / 100.0, text.clone());
            return html! { <span title={report.step.clone()}>{ text }{ bar }</span> };
        }
        ReportState::Done => (Tone::Good, "Done".to_owned()),
        ReportState::Failed => (Tone::Bad, "Failed".to_owned()),
    };
    html! { <Badge {tone} title={report.failure.clone().map(AttrValue::from)}>{ text }</Badge> }
}

fn downloads(report: &Report, org: &Org) -> Html {
    let id = report.id.to_string();
    let name = |format: ReportFormat| match format {
        ReportFormat::Pdf => "PDF",
        ReportFormat::Csv => "CSV",
        ReportFormat::Json => "JSON",
        ReportFormat::Bundle => "Bundle",
    };
    html! {
        <div class="panel-actions">
            { for report.files.iter().map(|file| html! {
                <a key={file.format.as_str()} class="button" download="" href={api::reports::download_url(&org.slug(), &id, file.format.as_str())}>
                    <span>{ name(file.format) }</span>
                </a>
            }) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct DetailProps {
    report: Report,
    again: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn Detail(props: &DetailProps) -> Html {
    let org = use_org();
    let deleting = use_state(|| false);
    let report = &props.report;
    let code = |text: String| html! { <code>{ text }</code> };
    let mut facts: Vec<(AttrValue, Html)> = vec![
        ("State".into(), state(report)),
        ("From".into(), exact(report.from).into()),
        ("Before".into(), exact(report.to).into()),
        ("Asked by".into(), report.asked_by.clone().into()),
    ];
    let mut add = |name: &'static str, value: Option<Html>| {
        facts.extend(value.map(|value| (name.into(), value)));
    };
    add("Why", report.failure.clone().map(Html::from));
    let filters = compact(&report.filters).unwrap_or_default();
    add("Filters", Some(filters).filter(|text| text != "{}").map(code));
    add(
        "Sample",
        report.sample.as_ref().map(|sample| {
            let of = report.population.map(|of| format!(" of {of}")).unwrap_or_default();
            let seed = sample.seed.clone().unwrap_or_default();
            format!("{}{of}, seed {seed}", sample.size).into()
        }),
    );
    add("Tree size", report.tree_size.map(|size| grouped(size).into()));
    add("Root", report.root.clone().map(code));
    for file in &report.files {
        facts.push((format!("SHA-256, {}", file.format).into(), code(file.sha256.clone())));
    }
    let mailed = report.mail.map(|mail| {
        let why = report.mail_failure.clone().unwrap_or_default();
        format!("{mail} to {} {why}", report.recipients.join(", ")).into()
    });
    facts.extend(mailed.map(|mailed: Html| ("E-mail".into(), mailed)));
    let delete = {
        let (slug, id) = (org.slug(), report.id.to_string());
        Callback::from(move |()| api::reports::delete(&slug, &id))
    };
    let done = {
        let (close, again) = (props.onclose.clone(), props.again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    html! {
        <Drawer title={report.title.clone()} onclose={props.onclose.clone()}>
            { key_value(&facts) }
            { downloads(report, &org) }
            <div class="panel-actions"><Button blocked={org.blocked("report.create")} onclick={keep(&deleting).reform(|()| true)}>{ "Delete" }</Button></div>
            if *deleting {
                <ConfirmDelete title="Delete this report?" verb="Delete" {delete} ondone={done} onclose={keep(&deleting).reform(|()| false)}>
                    <p>{ "Its files go. That it was made, and their hashes, stay in the audit log." }</p>
                </ConfirmDelete>
            }
        </Drawer>
    }
}
