//! The story of one call: why this model, every try, what guardrails found, and what it took.

use ralex_api::guardrails::{Action, Direction};
use ralex_api::routing::Explanation;
use ralex_api::usage::{CallDetail, CallTry};
use ralex_kernel::Money;
use yew::prelude::*;

use crate::components::{Badge, Column, Table, Tone, key_value};
use crate::route::Place;
use crate::router::Link;
use crate::text::borrowed::fixed;
use crate::text::code::words;
use crate::text::money::{exact, short};
use crate::text::number::{counted, grouped, milliseconds};
use crate::text::query::Query;

const TRIES: [Column; 5] = [
    Column::text("Try"),
    Column::text("Went to"),
    Column::text("Outcome"),
    Column::number("Time"),
    Column::number("Cost"),
];
const CONSIDERED: [Column; 2] = [Column::text("Model"), Column::text("Why")];

/// All that is known of a call. `may_try`: whether the reader may hold it against the rules.
pub fn tell(story: &CallDetail, org: &str, may_try: bool) -> Html {
    html! {
        <>
            if let Some(choice) = &story.choice { { why(choice) } }
            if !story.tries.is_empty() { { tries(&story.tries) } }
            if !story.guardrails.is_empty() { { guardrails(story) } }
            { in_detail(details(story, org, may_try)) }
        </>
    }
}

fn in_detail(facts: Vec<(AttrValue, Html)>) -> Html {
    html! { if !facts.is_empty() { <h3>{ "In detail" }</h3>{ key_value(&facts) } } }
}

fn why(choice: &Explanation) -> Html {
    html! {
        <>
            <h3>{ "Why this model" }</h3>
            <p class="prose">{ choice.summary.clone() }</p>
            <Table caption="Models that were considered" columns={CONSIDERED.to_vec()}>
                { for choice.candidates.iter().map(|one| html! {
                    <tr key={one.model.clone()}>
                        <td class="strong">{ one.model.clone() }</td>
                        <td>{ one.reason.clone() }</td>
                    </tr>
                }) }
                { for choice.left_out.iter().map(|one| html! {
                    <tr key={one.model.clone()}>
                        <td>{ one.model.clone() }</td>
                        <td class="faint">{ format!("Left out: {}", one.detail) }</td>
                    </tr>
                }) }
            </Table>
        </>
    }
}

fn tries(tries: &[CallTry]) -> Html {
    html! {
        <>
            <h3>{ "Tries" }</h3>
            <Table caption="Tries" columns={TRIES.to_vec()}>
                { for tries.iter().map(one_try) }
            </Table>
        </>
    }
}

fn one_try(one: &CallTry) -> Html {
    let went = match &one.key {
        Some(key) => format!("{} · {} · key {key}", one.model, one.provider),
        None => format!("{} · {}", one.model, one.provider),
    };
    let tone = match one.outcome.as_str() {
        "success" => Tone::Good,
        "canceled" => Tone::Plain,
        _ => Tone::Bad,
    };
    let outcome = match one.status {
        Some(status) => format!("{} ({status})", words(&one.outcome)),
        None => words(&one.outcome),
    };
    html! {
        <tr key={one.n}>
            <td>{ format!("{}. {}", one.n, cause(&one.cause)) }</td>
            <td>{ went }</td>
            <td><Badge {tone}>{ outcome }</Badge>
                if let Some(note) = &one.note { <p class="faint">{ note.clone() }</p> }
            </td>
            <td class="number">{ milliseconds(one.duration_ms.into()) }</td>
            <td class="number" title={exact(one.cost)}>{ short(one.cost) }</td>
        </tr>
    }
}

fn cause(word: &str) -> &str {
    match word {
        "choice" => "First choice",
        "retry" => "Once more",
        "key" => "Another key",
        "fallback" => "Next candidate",
        "hedge" => "Beside a late one",
        "escalation" => "A better model",
        other => other,
    }
}

fn guardrails(story: &CallDetail) -> Html {
    let facts = story.guardrails.iter().map(|noted| {
        let place = match noted.direction {
            Direction::In => "in the prompt",
            Direction::Out => "in the answer",
            Direction::Both => "in both",
        };
        let done = match noted.action {
            Action::Flag => "Let pass",
            Action::Redact => "Taken out",
            Action::Ask if noted.approval.is_some() => "Approved by a person",
            Action::Ask => "A person was asked",
            Action::Block => "Blocked",
        };
        let said = format!("{done} {place}, {}", counted(noted.count.into(), "time"));
        (AttrValue::from(noted.name.clone()), html! { { said } })
    });
    html! {
        <>
            <h3>{ "Guardrails" }</h3>
            { key_value(&facts.collect::<Vec<_>>()) }
        </>
    }
}

fn details(story: &CallDetail, org: &str, may_try: bool) -> Vec<(AttrValue, Html)> {
    let text = |text: String| html! { { text } };
    let prices = &story.prices;
    let mut facts: Vec<(AttrValue, Html)> = Vec::new();
    // What was refused before a model was chosen has neither.
    if !story.upstream_model.is_empty() {
        let name = html! { <code>{ story.upstream_model.clone() }</code> };
        facts.push(("The provider's name of it".into(), name));
        let prices = text(format!("${} in, ${} out", prices.input, prices.output));
        facts.push(("Prices for a million tokens".into(), prices));
    }
    let counts = [
        ("Read from the provider's cache", story.cache_read_tokens),
        ("Written to the provider's cache", story.cache_write_tokens),
        ("Thought and not said", story.reasoning_tokens),
    ];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        facts.push((name.into(), text(format!("{} tokens", grouped(count)))));
    }
    if let Some(task) = &story.task_type {
        let task = task.replace('_', " ");
        let level = story.difficulty.map(|level| format!(", difficulty {level} of 10"));
        facts.push(("Taken for".into(), text(format!("{task}{}", level.unwrap_or_default()))));
    }
    if !story.call.tags.is_empty() {
        let to = Place::Usage.of(org);
        let tags = story.call.tags.iter().map(|tag| {
            let query = Query::default().with("tag", tag);
            html! { <><Link to={to.clone()} {query}>{ tag.clone() }</Link>{ " " }</> }
        });
        facts.push(("Tags".into(), tags.collect()));
    }
    if let Some(run) = &story.call.run {
        let query = Query::default().with("run", run);
        let calls = html! { <Link to={Place::Calls.of(org)} {query}>{ run.clone() }</Link> };
        facts.push(("Run".into(), calls));
    }
    if story.call.purpose.is_none() && may_try {
        let query = Query::default().with("call", &story.call.id.to_string());
        let rules = html! { <Link to={Place::CallRules.of(org)} {query}>{ "Try them on this call" }</Link> };
        facts.push(("Call rules".into(), rules));
    }
    if let Some(waited) = story.queued_ms {
        let priority = story.priority.clone().unwrap_or_default();
        let waited = milliseconds(waited.into());
        facts.push(("Waited for its turn".into(), text(format!("{waited}, priority {priority}"))));
    }
    if story.cost_saved > Money::ZERO {
        facts.push(("Saved".into(), text(short(story.cost_saved))));
    }
    if let Some(similarity) = story.similarity {
        facts.push(("Similarity of the questions".into(), text(fixed(similarity.into(), 4))));
    }
    if let Some(call) = &story.cached_from {
        facts.push(("The answer of".into(), html! { <code>{ call.to_string() }</code> }));
    }
    facts
}
