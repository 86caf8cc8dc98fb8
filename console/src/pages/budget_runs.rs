//! The runs that a budget per run has counted.

use ralex_api::budgets::{Budget, BudgetRun};
use yew::prelude::*;

use crate::api;
use crate::components::meter::meter;
use crate::components::{Column, Dialog, Empty, Icon, More, Table, When, show};
use crate::hooks::pages::use_pages;
use crate::session::use_org;
use crate::text::money::{exact, short};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub budget: Budget,
    pub onclose: Callback<()>,
}

#[component]
pub fn RunsDialog(props: &Props) -> Html {
    let org = use_org();
    let list = use_pages((org.slug(), props.budget.id), |(org, id), cursor| {
        api::budgets::runs(&org, id, cursor)
    });
    let title = format!("Runs of {}", props.budget.scope_name);
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            { show(&list.state, &list.again, |pages| if pages.items.is_empty() {
                html! { <Empty icon={Icon::Stack} title="No run yet"><p>{ "A call belongs to a run when it is sent with " }<code>{ "X-Ralex-Run" }</code>{ ", or by an agent that names its session." }</p></Empty> }
            } else { html! { <>
                <Table caption="Runs" columns={[Column::text("Run").wide(), Column::text("Since"), Column::text(""), Column::number("Spent"), Column::number("Held"), Column::number("Limit"), Column::number("Refused")].to_vec()}>
                    { for pages.items.iter().map(row) }
                </Table>
                <More shown={pages.items.len()} noun="run" more={pages.next.is_some()} fetching={pages.fetching}
                    problem={pages.problem.clone()} onmore={list.more.clone()} />
            </> } }) }
        </Dialog>
    }
}

fn row(run: &BudgetRun) -> Html {
    let (used, held) = (run.spent.share_of(run.limit), run.held.share_of(run.limit));
    let label = format!("{} of {} spent", short(run.spent), short(run.limit));
    let whose = [&run.team, &run.project, &run.user].into_iter().flatten().cloned();
    html! {
        <tr key={run.starts_at.to_rfc3339()}>
            <td class="wide"><code>{ run.name.clone() }</code><p class="faint">{ whose.collect::<Vec<_>>().join(" · ") }</p></td>
            <td><When at={run.starts_at} /></td>
            <td>{ meter(used, held, label) }</td>
            <td class="number" title={exact(run.spent)}>{ short(run.spent) }</td>
            <td class="number" title={exact(run.held)}>{ short(run.held) }</td>
            <td class="number" title={exact(run.limit)}>{ short(run.limit) }</td>
            <td class="number">{ run.refused }</td>
        </tr>
    }
}
