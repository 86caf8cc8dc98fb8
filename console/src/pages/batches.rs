//! Batches: whose they are, how far, what they hold and what they cost.

use ralex_api::batches::Batch;
use yew::prelude::*;

use crate::api;
use crate::components::{Badge, Button, Column, Empty, Head, Icon, More, Table, Tone, When, show};
use crate::hooks::{Pages, use_pages};
use crate::route::Place;
use crate::router::Link;
use crate::session::use_org;
use crate::text::money::{exact, short};
use crate::text::number::grouped;
use crate::text::query::Query;

const COLUMNS: [Column; 7] = [
    Column::text("Created"),
    Column::text("Model"),
    Column::text("State"),
    Column::text("Charged to").wide(),
    Column::number("Lines done").wide(),
    Column::number("Held").wide(),
    Column::number("Cost"),
];

#[component]
pub fn BatchesPage() -> Html {
    let org = use_org();
    let list = use_pages(org.slug(), |org, cursor| api::batches::list(&org, cursor));
    html! {
        <>
            <Head title="Batches" lead="Files of calls that providers answer later. The worst case of all lines is held until a batch has ended and is counted.">
                <Button icon={Icon::Rotate} onclick={list.again.clone()}>{ "Refresh" }</Button>
            </Head>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &org.slug())) }
        </>
    }
}

fn table(pages: &Pages<Batch>, more: &Callback<()>, org: &str) -> Html {
    if pages.items.is_empty() {
        return html! {
            <Empty icon={Icon::Stack} title="No batches yet">
                <p>{ "Send a file with the purpose " }<code>{ "batch" }</code>{ " to " }<code>{ "/v1/files" }</code>
                    { ", then name it to " }<code>{ "/v1/batches" }</code>{ ", with any client of OpenAI's." }</p>
            </Empty>
        };
    }
    html! {
        <>
            <Table caption="Batches" columns={COLUMNS.to_vec()}>
                { for pages.items.iter().map(|batch| row(batch, org)) }
            </Table>
            <More shown={pages.items.len()} noun="batch" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(batch: &Batch, org: &str) -> Html {
    let id = batch.id.to_string();
    let call = Query::default().with("call", &id);
    let amount = |amount| html! { <span title={exact(amount)}>{ short(amount) }</span> };
    let failed = (batch.failed > 0).then(|| format!("{} failed", grouped(batch.failed.into())));
    html! {
        <tr key={id}>
            <td>
                <Link to={Place::Calls.of(org)} query={call}><When at={batch.created_at} /></Link>
            </td>
            <td class="strong" title={format!("{} at {}", batch.endpoint, batch.provider)}>{ batch.model.clone() }</td>
            <td>{ badge(batch) }</td>
            <td class="wide">{ charged(batch) }</td>
            <td class="number wide" title={failed}>{ done(batch) }</td>
            <td class="number wide">{ amount(batch.held) }</td>
            <td class="number">
                if let Some(cost) = batch.cost {
                    if batch.estimated { <span title="The provider did not tell what some lines used.">{ "≈ " }</span> }
                    { amount(cost) }
                } else {
                    { "–" }
                }
            </td>
        </tr>
    }
}

fn done(batch: &Batch) -> String {
    let done = batch.completed.saturating_add(batch.failed);
    format!("{} of {}", grouped(done.into()), grouped(batch.lines.into()))
}

fn charged(batch: &Batch) -> String {
    match (&batch.team, &batch.token) {
        (Some(team), Some(token)) => format!("{team} · {token}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "Organisation".to_owned(),
    }
}

fn badge(batch: &Batch) -> Html {
    let (tone, word) = state(batch);
    html! { <Badge {tone} title={batch.trouble.clone().map(AttrValue::from)}>{ word }</Badge> }
}

/// The provider's word for how a batch stands, and how good that is.
fn state(batch: &Batch) -> (Tone, String) {
    let known = match batch.status.as_str() {
        "opening" | "validating" => Some((Tone::Info, "Beginning")),
        "in_progress" => Some((Tone::Info, "Under way")),
        "finalizing" => Some((Tone::Info, "Finishing")),
        "completed" => Some((Tone::Good, "Completed")),
        "failed" => Some((Tone::Bad, "Failed")),
        "expired" => Some((Tone::Warn, "Expired")),
        "cancelling" | "canceling" => Some((Tone::Plain, "Canceling")),
        "cancelled" | "canceled" => Some((Tone::Plain, "Canceled")),
        _ => None,
    };
    let (tone, word) =
        known.map_or((Tone::Plain, batch.status.clone()), |(tone, word)| (tone, word.to_owned()));
    // Nobody could ask the provider the last time: what is shown may be old.
    let waits = batch.settled_at.is_none() && batch.trouble.is_some();
    (if waits { Tone::Warn } else { tone }, word)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ralex_kernel::Money;

    use super::*;

    fn batch(status: &str) -> Batch {
        Batch {
            id: "01a1fdb2-7e51-713f-8be8-df85ec03a056".parse().unwrap(),
            team: Some("blue".to_owned()),
            token: None,
            provider: "openai".to_owned(),
            model: "gpt".to_owned(),
            endpoint: "/v1/chat/completions".to_owned(),
            status: status.to_owned(),
            lines: 12_000,
            completed: 7,
            failed: 1,
            held: Money::ZERO,
            cost: None,
            estimated: false,
            trouble: None,
            created_at: DateTime::UNIX_EPOCH,
            looked_at: None,
            settled_at: None,
        }
    }

    #[test]
    fn what_is_shown_of_a_batch_says_how_far_it_is() {
        assert_eq!(done(&batch("in_progress")), "8 of 12,000");
        assert_eq!(charged(&batch("in_progress")), "blue");
        assert_eq!(state(&batch("completed")), (Tone::Good, "Completed".to_owned()));
        assert_eq!(state(&batch("novel")), (Tone::Plain, "novel".to_owned()));
        let lost = Batch { trouble: Some("away".to_owned()), ..batch("in_progress") };
        assert_eq!(state(&lost).0, Tone::Warn);
    }
}
