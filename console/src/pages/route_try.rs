//! Try it: which model would answer a prompt, why, and for how much; nothing is called.

use ralex_api::routing::{Considered, Explanation, LeftOut, Preview, PreviewRequest};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Badge, Column, Form, SelectField, Table, TextArea, TextField, Tone, key_value,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{keep, use_action, use_input};
use crate::session::use_org;
use crate::text::borrowed::fixed;
use crate::text::money::{exact, short};
use crate::text::number::{grouped, percent};

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Routes, aliases and models.
    pub names: Vec<AttrValue>,
}

const CANDIDATES: [Column; 7] = [
    Column::text("Model"),
    Column::text("Why"),
    Column::number("Score"),
    Column::number("Success"),
    Column::number("Cost part").wide(),
    Column::number("Speed part").wide(),
    Column::number("Expected cost"),
];
const LEFT_OUT: [Column; 2] = [Column::text("Left out"), Column::text("Why")];

#[component]
pub fn TryRoute(props: &Props) -> Html {
    let slug = use_org().slug();
    let first = props.names.first().cloned().unwrap_or_default();
    let model = use_state(|| first.to_string());
    let prompt = use_input("", needed);
    let labels = use_input("", anything);
    let answer = use_state(|| None::<Preview>);
    let set = keep(&answer);
    let preview = use_action(set.reform(Some));
    let onsubmit = {
        let (preview, model, prompt, labels) =
            (preview.clone(), model.clone(), prompt.clone(), labels.clone());
        Callback::from(move |()| {
            let text = labels.text();
            let labels = text.split(',').map(str::trim).filter(|label| !label.is_empty());
            let request = request(&model, prompt.text(), labels.map(str::to_owned).collect());
            preview.run(api::routing::preview(&slug, request));
        })
    };
    let options: Vec<(AttrValue, AttrValue)> =
        props.names.iter().map(|name| (name.clone(), name.clone())).collect();
    html! {
        <section class="panel">
            <h2>{ "Try it" }</h2>
            <p class="faint">{ "Shows which model would answer, why, and for how much. Nothing is called, and nothing of the prompt is kept." }</p>
            <Form inputs={vec![prompt.clone()]} verb="Explain" running={preview.running()} problem={preview.problem()} {onsubmit}>
                <div class="pair">
                    <SelectField label="Model" path="model" {options} value={(*model).clone()} onchange={keep(&model)} />
                    <TextField label="Data labels" path="labels" input={labels} placeholder="pii, confidential" />
                </div>
                <TextArea label="Prompt" input={prompt} rows={4} placeholder="Write a function that merges two sorted lists." />
            </Form>
            if let Some(found) = &*answer { { explained(found) } }
        </section>
    }
}

fn request(model: &str, prompt: String, labels: Vec<String>) -> PreviewRequest {
    PreviewRequest {
        model: model.to_owned(),
        prompt: Some(prompt),
        system: None,
        messages: None,
        body: None,
        max_output: None,
        team: None,
        project: None,
        labels,
        residency: None,
        session: None,
        force_model: None,
        route: None,
    }
}

fn explained(found: &Preview) -> Html {
    let told = &found.explanation;
    html! {
        <>
            <p class="prose" role="status">{ told.summary.clone() }</p>
            { key_value(&facts(told)) }
            { for told.notes.iter().map(|note| html! { <p class="faint">{ note.clone() }</p> }) }
            <Table caption="Candidates" columns={CANDIDATES.to_vec()}>
                { for told.candidates.iter().enumerate().map(|(at, one)| candidate(at, one)) }
            </Table>
            if !told.left_out.is_empty() {
                <Table caption="Models that could not answer" columns={LEFT_OUT.to_vec()}>
                    { for told.left_out.iter().map(left_out) }
                </Table>
            }
        </>
    }
}

fn facts(told: &Explanation) -> Vec<(AttrValue, Html)> {
    let mut facts: Vec<(AttrValue, Html)> = Vec::new();
    let mut fact = |name: &'static str, value: String| {
        facts.push((name.into(), html! { { value } }));
    };
    if let Some(task) = &told.task {
        let kind = task.kind.as_str().replace('_', " ");
        fact("Task", format!("{kind}, {} sure", percent(task.confidence)));
        fact("Difficulty", format!("{} of 10", task.difficulty));
        fact("Input", format!("{} tokens", grouped(task.input_tokens)));
        if !task.programming.is_empty() {
            fact("About", task.programming.join(", "));
        }
    }
    if told.followed.len() > 1 {
        fact("Name", told.followed.join(" → "));
    }
    let price = &told.price;
    fact(
        "Price",
        format!("{} expected, {} at most", short(price.expected), short(price.worst_case)),
    );
    if price.cheapest != price.dearest {
        fact("Range", format!("{} to {}", short(price.cheapest), short(price.dearest)));
    }
    facts
}

fn candidate(at: usize, one: &Considered) -> Html {
    let part = |value: Option<f64>| value.map(percent).unwrap_or_default();
    let parts = one.parts.as_ref();
    html! {
        <tr key={one.model.clone()}>
            <td><code>{ one.model.clone() }</code> if at == 0 { <Badge tone={Tone::Good}>{ "Chosen" }</Badge> }</td>
            <td>{ one.reason.clone() }</td>
            <td class="number">{ one.score.map(|score| fixed(score, 3)).unwrap_or_default() }</td>
            <td class="number">{ part(parts.map(|parts| parts.success)) }</td>
            <td class="number wide">{ part(parts.map(|parts| parts.cost)) }</td>
            <td class="number wide">{ part(parts.map(|parts| parts.speed)) }</td>
            <td class="number" title={exact(one.expected_cost)}>{ short(one.expected_cost) }</td>
        </tr>
    }
}

fn left_out(one: &LeftOut) -> Html {
    html! {
        <tr key={one.model.clone()}>
            <td><code>{ one.model.clone() }</code></td>
            <td>{ one.detail.clone() }</td>
        </tr>
    }
}
