//! A rule's condition: checked by the server while it is written, with the place of what is wrong.

use ralex_api::Code;
use ralex_api::call_rules::{CallEffect, NewCallRule, TestCallRules};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::TextArea;
use crate::hooks::clock::sleep;
use crate::hooks::input::sentence;
use crate::hooks::{Input, use_load};
use crate::session::use_org;

/// So long after the last key, so that half a word is not called wrong.
const PAUSE_MS: i32 = 350;

/// What there is to ask about.
const NAMES: [(&str, &str); 12] = [
    ("call.model", "the model’s name here; also call.upstream_model and call.provider"),
    ("call.asked", "what the caller named, which may be a route"),
    ("call.action", "model.call.generate, model.call.embeddings, …"),
    ("call.max_output", "the most tokens that the answer may have"),
    ("call.arguments", "fields of the body, each asked for by has() first"),
    ("call.tags", "a list of texts; also call.labels"),
    ("call.team", "its slug, and call.project"),
    ("call.streamed", "true or false; also call.dialect"),
    ("caller.groups", "slugs of groups; also caller.roles"),
    ("caller.kind", "user, service_account or token; also caller.id and caller.address"),
    ("now", "now.getHours('Europe/Berlin'), now.getDayOfWeek('UTC')"),
    ("budget.left", "in millionths of a US dollar; also budget.left_percent"),
];

const EXAMPLES: [(&str, &str); 4] = [
    ("At night", "now.getHours('Europe/Berlin') >= 22 || now.getHours('Europe/Berlin') < 6"),
    ("Long answers", "call.max_output > 8000"),
    ("Less than five dollars left", "budget.left < 5000000"),
    ("Not labelled as production", "!('env=prod' in call.tags)"),
];

/// What is known about a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// Nothing: there is none, or the server does not check for this reader before it is saved.
    Unasked,
    Pending,
    Good,
    Wrong(Fault),
}

/// What is wrong, and where, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub told: String,
    pub place: Option<(usize, usize)>,
}

impl Fault {
    /// `line 2, column 5: there is no …` apart.
    fn read(message: &str) -> Self {
        let apart = || {
            let (place, told) = message.strip_prefix("line ")?.split_once(": ")?;
            let (line, column) = place.split_once(", column ")?;
            Some((told, (line.parse().ok()?, column.parse().ok()?)))
        };
        match apart() {
            Some((told, place)) => Self { told: sentence(told), place: Some(place) },
            None => Self { told: sentence(message), place: None },
        }
    }
}

impl Checked {
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Wrong(fault) => Some(fault),
            Self::Unasked | Self::Pending | Self::Good => None,
        }
    }
}

/// Has the server check a condition a moment after it was last changed.
#[hook]
pub fn use_checked(condition: &str) -> Checked {
    let org = use_org();
    let condition = condition.trim().to_owned();
    let asks = !condition.is_empty() && org.blocked("call_rule.read").is_none();
    let (load, _) = use_load((org.slug(), condition, asks), |(org, condition, asks)| async move {
        if !asks {
            return Ok(Checked::Unasked);
        }
        sleep(PAUSE_MS).await;
        match api::call_rules::test(&org, &trial(condition)).await {
            Ok(_) => Ok(Checked::Good),
            Err(problem) => {
                let about = problem.errors.iter().find(|error| error.path == "condition");
                match about {
                    Some(error) => Ok(Checked::Wrong(Fault::read(&error.message))),
                    None if problem.code == Code::Forbidden => Ok(Checked::Unasked),
                    None => Err(problem),
                }
            }
        }
    });
    // Whether it can be used is told when it is saved, too.
    match load {
        crate::hooks::Load::Pending if asks => Checked::Pending,
        crate::hooks::Load::Ready(checked) => (*checked).clone(),
        crate::hooks::Load::Pending | crate::hooks::Load::Failed(_) => Checked::Unasked,
    }
}

/// A dry run of a rule of which only the condition matters.
fn trial(condition: String) -> TestCallRules {
    let draft = "Draft".parse::<Name>().ok().map(|name| NewCallRule {
        name,
        description: String::new(),
        scope: None,
        effect: CallEffect::Deny,
        phase: None,
        actions: None,
        resources: None,
        subjects: Vec::new(),
        condition: Some(condition),
        message: String::new(),
        enabled: None,
    });
    TestCallRules { draft, ..TestCallRules::default() }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub input: Input,
    pub checked: Checked,
}

#[component]
pub fn Condition(props: &Props) -> Html {
    let text = props.input.text();
    let take = |words: &'static str| {
        let input = props.input.clone();
        Callback::from(move |_: MouseEvent| input.set(words))
    };
    html! {
        <div class="condition">
            <TextArea label="Only when" path="condition" input={props.input.clone()} rows=3 placeholder="call.max_output > 8000" hint="A CEL expression that is true for the calls that are meant. Always when empty." />
            <div aria-live="polite">
                { match &props.checked {
                    Checked::Unasked => Html::default(),
                    Checked::Pending => html! { <p class="note">{ "Checking" }</p> },
                    Checked::Good => html! { <p class="note right">{ "It can be used." }</p> },
                    Checked::Wrong(fault) => wrong(&text, fault),
                } }
            </div>
            <details>
                <summary>{ "What it can ask about" }</summary>
                <dl class="facts">
                    { for NAMES.iter().map(|(name, words)| html! { <div><dt><code>{ *name }</code></dt><dd>{ *words }</dd></div> }) }
                </dl>
                <p class="note">{ "Examples; each takes the place of what is written:" }</p>
                <div class="panel-actions">
                    { for EXAMPLES.iter().map(|(title, words)| html! { <button type="button" class="button" onclick={take(words)}>{ *title }</button> }) }
                </div>
            </details>
        </div>
    }
}

/// The line that is wrong with a mark below the place, and why.
fn wrong(text: &str, fault: &Fault) -> Html {
    let line = fault.place.and_then(|(line, column)| {
        let text = text.trim().lines().nth(line.checked_sub(1)?)?;
        Some((line, column, text.to_owned()))
    });
    html! {
        <div class="condition-fault" role="alert">
            if let Some((line, column, text)) = line {
                <pre aria-hidden="true">{ format!("{text}\n{}^", " ".repeat(column.saturating_sub(1))) }</pre>
                <p class="note fault">{ format!("Line {line}, column {column}: {}", fault.told) }</p>
            } else {
                <p class="note fault">{ fault.told.clone() }</p>
            }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_mistake_is_read_apart_from_what_is_wrong() {
        let fault = Fault::read("line 1, column 6: there is no `call.modl`; there are model");
        assert_eq!(fault.place, Some((1, 6)));
        assert_eq!(fault.told, "There is no `call.modl`; there are model.");
        let whole = Fault::read("is no truth");
        assert_eq!((whole.place, whole.told.as_str()), (None, "Is no truth."));
    }
}
