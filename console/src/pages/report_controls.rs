//! Controls of compliance frameworks: what evidence there is, and what the system can tell by itself.

use ralex_api::reports::{CheckState, Control, Framework, Frameworks};
use yew::prelude::*;

use crate::api;
use crate::components::segments::Segments;
use crate::components::{Badge, Column, Table, Tone, show};
use crate::hooks::{use_load, use_query};
use crate::session::use_org;
use crate::text::time::iso_date;

const COLUMNS: [Column; 4] = [
    Column::text("Clause"),
    Column::text("What it asks for"),
    Column::text("Reports that show something of it"),
    Column::text("What is so now"),
];

#[component]
pub fn Controls() -> Html {
    let org = use_org();
    let (query, set) = use_query();
    let (load, again) = use_load(org.slug(), |org| api::reports::frameworks(&org));
    let chosen = query.find("framework").unwrap_or_default().to_owned();
    let onchange = Callback::from(move |name: String| set.emit(query.with("framework", &name)));
    show(&load, &again, |all| shown(all, &chosen, &onchange))
}

fn shown(all: &Frameworks, chosen: &str, onchange: &Callback<String>) -> Html {
    let found = all.items.iter().find(|it| it.name == chosen).or_else(|| all.items.first());
    let Some(framework) = found else {
        return html! { <p class="note">{ "The operator's policies name no framework." }</p> };
    };
    let options: Vec<(AttrValue, AttrValue)> =
        all.items.iter().map(|it| (it.name.clone().into(), it.title.clone().into())).collect();
    html! {
        <>
            <div class="filters"><Segments label="Framework" {options} value={framework.name.clone()} onchange={onchange.clone()} /></div>
            <p class="note">{ all.note.clone() }</p>
            { table(framework) }
        </>
    }
}

fn table(framework: &Framework) -> Html {
    html! {
        <>
            <p class="faint">{ framework.edition.clone() }</p>
            <Table caption={framework.title.clone()} columns={COLUMNS.to_vec()}>
                { for framework.controls.iter().map(row) }
            </Table>
        </>
    }
}

fn row(control: &Control) -> Html {
    html! {
        <tr key={control.clause.clone()}>
            <td class="strong">{ control.clause.clone() }</td>
            <td class="wrap">{ control.title.clone() }<p class="note">{ control.evidence.clone() }</p></td>
            <td class="wrap">
                { for control.reports.iter().map(|it| {
                    let newest = it.newest_at.map_or_else(
                        || "none made yet".to_owned(),
                        |at| format!("newest {}", iso_date(at)),
                    );
                    html! { <p><strong>{ it.title.clone() }</strong>{ format!(": {} ", it.shows) }<span class="faint">{ newest }</span></p> }
                }) }
                if let Some(beyond) = &control.beyond { <p class="note">{ format!("From elsewhere: {beyond}") }</p> }
            </td>
            <td class="wrap">
                { for control.checks.iter().map(|check| {
                    let (tone, word) = match check.state {
                        CheckState::Good => (Tone::Good, "good"),
                        CheckState::Attention => (Tone::Warn, "attention"),
                        CheckState::NotProvided => (Tone::Plain, "not provided"),
                    };
                    html! { <div>{ format!("{} ", check.name) }<Badge {tone}>{ word }</Badge><p class="note">{ check.detail.clone() }</p></div> }
                }) }
            </td>
        </tr>
    }
}
