//! The answer of the playground: text as it comes, then what it took.

use std::rc::Rc;

use ralex_api::Problem;
use ralex_api::usage::Call;
use yew::prelude::*;

use super::playground::Step;
use crate::api::chat::{Happening, PATH, Prompt};
use crate::components::{Badge, Code, Empty, Failed, Icon, Tone, key_value};
use crate::route::Place;
use crate::router::Link;
use crate::session::Org;
use crate::text::number::{grouped, milliseconds};
use crate::text::query::Query;
use crate::text::{curl, money};

/// An answer as far as it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub running: bool,
    pub text: String,
    prompt: Option<Prompt>,
    call: Option<String>,
    usage: Option<(u64, u64)>,
    reason: Option<String>,
    problem: Option<Problem>,
    settled: Option<Call>,
    started: f64,
    first: Option<f64>,
    ended: Option<f64>,
    stopped: bool,
}

impl Reducible for Answer {
    type Action = Step;

    fn reduce(self: Rc<Self>, step: Step) -> Rc<Self> {
        let mut next = (*self).clone();
        match step {
            Step::Started(prompt) => {
                let started = js_sys::Date::now();
                next = Self { running: true, prompt: Some(prompt), started, ..Self::default() };
            }
            Step::Happened(happening, at) => next.happened(happening, at),
            Step::Ended(ended, at) => {
                (next.running, next.ended, next.problem) = (false, Some(at), ended.err());
            }
            Step::Stopped(at) => {
                (next.running, next.ended, next.stopped) = (false, Some(at), true);
            }
            Step::Settled(call) => next.settled = Some(*call),
        }
        Rc::new(next)
    }
}

impl Answer {
    fn happened(&mut self, happening: Happening, at: f64) {
        match happening {
            Happening::Began(call) => self.call = call,
            Happening::Text(text) => {
                self.first.get_or_insert(at);
                self.text.push_str(&text);
            }
            Happening::Used { input, output } => self.usage = Some((input, output)),
            Happening::Finished(reason) => self.reason = Some(reason),
        }
    }
}

/// `prompt`: what would be asked now, for the command line before the first answer.
pub fn answer_panel(org: &Org, answer: &Answer, prompt: &Prompt) -> Html {
    let origin =
        web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default();
    let asked = answer.prompt.as_ref().unwrap_or(prompt);
    let command = curl::command(&format!("{origin}{PATH}"), &asked.place(), &asked.body());
    html! {
        <section class="panel bench-answer" aria-busy={answer.running.then_some("true")}>
            <header class="panel-head">
                <h2>{ "Answer" }</h2>
                { state(answer) }
            </header>
            if answer.prompt.is_none() {
                <Empty icon={Icon::Prompt} title="Nothing asked yet">
                    <p>{ "Write a message and run it. The answer streams in here." }</p>
                </Empty>
            } else {
                <div class="answer" role="log" aria-label="Answer" aria-live="off">
                    { answer.text.clone() }
                    if answer.running { <span class="caret" aria-hidden="true" /> }
                </div>
                <p class="sr" role="status">{ if answer.running { "Streaming" } else { "The answer has ended" } }</p>
            }
            if let Some(problem) = answer.problem.clone() { <Failed {problem} /> }
            { facts(org, answer) }
            <details class="reproduce">
                <summary>{ "Repeat it from a shell" }</summary>
                <Code text={command} label="curl command" />
                <p class="note">{ "Set " }<code>{ "RALEX_TOKEN" }</code>{ " to a token of yours or of a team." }</p>
            </details>
        </section>
    }
}

fn state(answer: &Answer) -> Html {
    let (tone, word) = match (answer.running, answer.stopped, &answer.problem, &answer.reason) {
        (true, ..) => (Tone::Info, "Streaming".to_owned()),
        (_, true, ..) => (Tone::Warn, "Stopped".to_owned()),
        (_, _, Some(_), _) => (Tone::Bad, "Failed".to_owned()),
        (.., Some(reason)) if reason == "length" => (Tone::Warn, "Cut at max tokens".to_owned()),
        (.., Some(_)) => (Tone::Good, "Complete".to_owned()),
        (.., None) => return Html::default(),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

/// What the call took, as far as it is known.
fn facts(org: &Org, answer: &Answer) -> Html {
    let mut facts: Vec<(AttrValue, Html)> = Vec::new();
    let since = |at: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and short"
        )]
        let ms = (at - answer.started).max(0.0) as u64;
        milliseconds(ms)
    };
    let settled = answer.settled.as_ref();
    let usage = settled.map(|call| (call.input_tokens, call.output_tokens)).or(answer.usage);
    if let Some((input, output)) = usage {
        facts.push(("Tokens".into(), html! { <span data-usage="">{ format!("{} in, {} out", grouped(input), grouped(output)) }</span> }));
    }
    if let Some(call) = settled {
        let cost = html! { <span data-cost={call.cost.to_string()} title={money::exact(call.cost)}>{ money::short(call.cost) }</span> };
        facts.push(("Cost".into(), cost));
    }
    if let Some(first) = answer.first {
        facts.push(("First token".into(), since(first).into()));
    }
    if let Some(ended) = answer.ended {
        facts.push(("Total".into(), since(ended).into()));
    }
    if let Some(id) = answer.call.clone() {
        let shown = html! { <code title={id.clone()}>{ id.clone() }</code> };
        let link = html! {
            <Link to={Place::Calls.of(&org.slug())} query={Query::default().with("call", &id)}>{ shown.clone() }</Link>
        };
        facts.push(("Call".into(), if org.shows(Place::Calls) { link } else { shown }));
    }
    html! { if !facts.is_empty() { { key_value(&facts) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_grows_and_ends() {
        let mut answer = Rc::new(Answer { running: true, ..Answer::default() });
        for step in [
            Step::Happened(Happening::Text("Hel".into()), 10.0),
            Step::Happened(Happening::Text("lo".into()), 20.0),
            Step::Happened(Happening::Used { input: 3, output: 2 }, 30.0),
            Step::Ended(Ok(()), 40.0),
        ] {
            answer = answer.reduce(step);
        }
        assert_eq!(
            (answer.text.as_str(), answer.first, answer.ended),
            ("Hello", Some(10.0), Some(40.0))
        );
        assert_eq!((answer.running, answer.usage), (false, Some((3, 2))));
    }
}
