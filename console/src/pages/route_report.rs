//! What routing saved in the last 30 days, where the money went, and what would cost less.

use ralex_api::routing::{Baseline, RoutingReport, Suggestion, TaskCost};
use ralex_kernel::Money;
use yew::prelude::*;

use crate::api;
use crate::components::{Column, Table, show};
use crate::hooks::use_load;
use crate::session::use_org;
use crate::text::borrowed::fixed;
use crate::text::money::{exact, short};
use crate::text::number::{counted, grouped, percent};

const LINES: [Column; 4] = [
    Column::text("Instead"),
    Column::text("How").wide(),
    Column::number("Would cost"),
    Column::number("Saved"),
];
const TASKS: [Column; 5] = [
    Column::text("Task"),
    Column::number("Calls"),
    Column::number("Answered").wide(),
    Column::number("Difficulty").wide(),
    Column::number("Cost"),
];
const SUGGESTIONS: [Column; 3] =
    [Column::text("Suggestion"), Column::text("Why").wide(), Column::number("Would save")];

#[component]
pub fn RouteReport() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::routing::report(&org));
    html! { <section class="panel"><h2>{ "Last 30 days" }</h2>{ show(&load, &again, |report| reported(report)) }</section> }
}

fn reported(report: &RoutingReport) -> Html {
    if report.calls == 0 {
        return html! { <p class="prose">{ "Nothing was called in this time." }</p> };
    }
    html! {
        <>
            <p class="faint">{ format!("{} for {}; against other ways at today's prices:", counted(report.calls, "call"), short(report.cost)) }</p>
            <Table caption="Savings" columns={LINES.to_vec()}>{ for report.lines.iter().map(line) }</Table>
            <h3>{ "By task" }</h3>
            <Table caption="Cost by task" columns={TASKS.to_vec()}>{ for report.by_task.iter().map(task) }</Table>
            if !report.suggestions.is_empty() {
                <h3>{ "What would cost less" }</h3>
                <Table caption="Suggestions" columns={SUGGESTIONS.to_vec()}>{ for report.suggestions.iter().map(suggestion) }</Table>
            }
        </>
    }
}

fn line(line: &Baseline) -> Html {
    let name = match line.name.as_str() {
        "best_single" => "The best single model",
        "mix" => "The cheapest mix as good",
        "dearest" => "The dearest model",
        other => other,
    };
    let saved = if line.saved < Money::ZERO {
        format!("{} more", short(Money::ZERO - line.saved))
    } else {
        short(line.saved)
    };
    html! {
        <tr key={line.name.clone()}>
            <td>{ name }</td>
            <td class="wide">{ line.detail.clone() }</td>
            <td class="number" title={exact(line.cost)}>{ short(line.cost) }</td>
            <td class="number" title={exact(line.saved)}>{ saved }</td>
        </tr>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share in whole percent")]
fn task(task: &TaskCost) -> Html {
    let answered = task.succeeded as f64 / task.calls.max(1) as f64;
    html! {
        <tr key={task.kind.clone()}>
            <td>{ task.kind.replace('_', " ") }</td>
            <td class="number">{ grouped(task.calls) }</td>
            <td class="number wide">{ percent(answered) }</td>
            <td class="number wide">{ fixed(task.difficulty, 1) }</td>
            <td class="number" title={exact(task.cost)}>{ short(task.cost) }</td>
        </tr>
    }
}

fn suggestion(one: &Suggestion) -> Html {
    let kind = one.kind.as_str().replace('_', " ");
    html! {
        <tr key={format!("{} {}", one.kind, one.from)}>
            <td>{ format!("Let {} answer {kind} instead of {}", one.to, one.from) }</td>
            <td class="wide">{ one.why.clone() }</td>
            <td class="number" title={exact(one.saves)}>{ short(one.saves) }</td>
        </tr>
    }
}
