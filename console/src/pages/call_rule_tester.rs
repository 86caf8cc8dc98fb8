//! The dry run: a call that is typed in or was made, what would become of it, and by which rule.

use ralex_api::call_rules::{TestCallRules, TestedCall, TestedRule};
use ralex_api::usage;
use yew::prelude::*;

use super::budget_increase::instant;
use super::call_rule_default::becomes;
use super::call_rule_subjects::{Found, use_callers};
use super::call_rule_what::ACTIONS;
use super::call_rules::{does, weight};
use super::guardrail_tester::use_scopes;
use crate::api;
use crate::components::{
    Badge, Banner, Column, Form, SelectField, Table, TextArea, TextField, Tone,
};
use crate::hooks::input::{anything, parses_if_filled};
use crate::hooks::{Input, keep, use_action, use_input, use_load, use_now, use_query};
use crate::session::use_org;
use crate::text::list::words;
use crate::text::time::relative;

const COLUMNS: [Column; 4] =
    [Column::text("Rule"), Column::text("Does"), Column::text("About it"), Column::text("Why")];

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Another number: the rules are others.
    pub round: u32,
}

/// Everything of a call that can be said.
#[derive(Clone)]
struct Fields {
    call: UseStateHandle<String>,
    action: UseStateHandle<String>,
    subject: UseStateHandle<String>,
    scope: UseStateHandle<String>,
    model: Input,
    arguments: Input,
    tags: Input,
    at: Input,
    left: Input,
}

#[component]
pub fn Tester(props: &Props) -> Html {
    let org = use_org();
    let (query, _) = use_query();
    let fields = use_fields(query.find("call").unwrap_or_default());
    let shown = use_state(|| None::<TestedCall>);
    let run = use_action(keep(&shown).reform(Some));
    let onsubmit = {
        let (run, fields, slug) = (run.clone(), fields.clone(), org.slug());
        Callback::from(move |()| run.run(api::call_rules::test(&slug, &fields.test())))
    };
    {
        // What is in sight is true of the rules that there are.
        let (asked, onsubmit) = (shown.is_some(), onsubmit.clone());
        use_effect_with(props.round, move |_| {
            if asked {
                onsubmit.emit(());
            }
        });
    }
    html! {
        <section class="panel" aria-labelledby="tester">
            <h2 id="tester">{ "Try a call" }</h2>
            <p class="lead">{ "What would become of it, and by which rule. Nothing is called, recorded or kept." }</p>
            <Form inputs={fields.inputs()} verb="Try it" running={run.running()} problem={run.problem()} {onsubmit}>
                <Call fields={fields.clone()} />
            </Form>
            if let Some(tested) = &*shown { { answer(tested) } }
        </section>
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        let states = |it: &Self| {
            [&it.call, &it.action, &it.subject, &it.scope].map(|state| (**state).clone())
        };
        states(self) == states(other) && self.inputs() == other.inputs()
    }
}

#[hook]
fn use_fields(call: &str) -> Fields {
    Fields {
        call: use_state(|| call.to_owned()),
        action: use_state(String::new),
        subject: use_state(String::new),
        scope: use_state(String::new),
        model: use_input("", anything),
        arguments: use_input("", |text| {
            let whole = text.trim().is_empty() || object(text).is_some();
            (!whole).then(|| "Enter a JSON object, as {\"max_tokens\": 9000}.".to_owned())
        }),
        tags: use_input("", anything),
        at: use_input("", |text| {
            let wrong = !text.trim().is_empty() && instant(text).is_none();
            wrong.then(|| "Enter a day and a time.".to_owned())
        }),
        left: use_input("", parses_if_filled::<ralex_kernel::Money>),
    }
}

fn object(text: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    match crate::text::json::read(text).ok()? {
        serde_json::Value::Object(object) => Some(object),
        _anything_else => None,
    }
}

impl Fields {
    fn inputs(&self) -> Vec<Input> {
        [&self.model, &self.arguments, &self.tags, &self.at, &self.left].map(Clone::clone).to_vec()
    }

    fn test(&self) -> TestCallRules {
        let chosen = |state: &UseStateHandle<String>| {
            Some((**state).clone()).filter(|value| !value.is_empty())
        };
        let left = self.left.parsed::<ralex_kernel::Money>();
        TestCallRules {
            call: self.call.parse().ok(),
            action: chosen(&self.action),
            model: self.model.filled(),
            scope: chosen(&self.scope),
            subject: chosen(&self.subject),
            arguments: object(&self.arguments.text()),
            tags: self.tags.filled().map(|text| words(&text)),
            at: instant(&self.at.text()),
            // Amounts are kept in billionths, and told to rules in millionths.
            budget_left: left.map(|left| left.as_nanos() / 1_000),
            ..TestCallRules::default()
        }
    }
}

#[derive(Properties, PartialEq)]
struct CallProps {
    fields: Fields,
}

/// The call as it is written.
#[component]
fn Call(props: &CallProps) -> Html {
    let fields = &props.fields;
    let made = use_made(&fields.call);
    let typed = fields.call.is_empty();
    let as_it_was = |words: &'static str| {
        let text = if typed { words } else { "As it was" };
        (AttrValue::from(""), AttrValue::from(text))
    };
    let mut actions = vec![as_it_was("Texts")];
    actions.extend(ACTIONS.iter().map(|(action, title)| ((*action).into(), (*title).into())));
    let mut subjects = vec![as_it_was("Yourself")];
    let Found { all: callers, note } = use_callers();
    subjects.extend(callers.into_iter().map(|(id, name)| (id.into(), name.into())));
    let mut scopes = use_scopes("");
    if !typed {
        scopes.insert(0, as_it_was(""));
    }
    let scope =
        if typed && fields.scope.is_empty() { "org".to_owned() } else { (*fields.scope).clone() };
    html! {
        <>
            if !made.is_empty() {
                <SelectField label="Call" path="call" options={made} value={(*fields.call).clone()} onchange={keep(&fields.call)} hint="Of a call that was made, what it said is not kept: give its arguments." />
            }
            { note }
            <div class="trio">
                <TextField label="Model" path="model" input={fields.model.clone()} placeholder={if typed { "gpt-5" } else { "As it was" }} />
                <SelectField label="Kind" path="action" options={actions} value={(*fields.action).clone()} onchange={keep(&fields.action)} />
                <SelectField label="Who calls" path="subject" options={subjects} value={(*fields.subject).clone()} onchange={keep(&fields.subject)} />
                <SelectField label="Where" path="scope" options={scopes} value={scope} onchange={keep(&fields.scope)} />
                <TextField label="When (UTC)" path="at" kind="datetime-local" input={fields.at.clone()} hint={if typed { "Now when empty." } else { "As it was when empty." }} />
                <TextField label="Left of its budgets" path="budget_left" input={fields.left.clone()} before="$" hint="No budget when empty." />
            </div>
            <div class="pair">
                <TextArea label="Arguments" path="arguments" input={fields.arguments.clone()} rows=2 placeholder={"{\"max_tokens\": 9000}"} />
                <TextField label="Tags" path="tags" input={fields.tags.clone()} placeholder="env=prod, nightly" hint="With commas." />
            </div>
        </>
    }
}

/// Calls that were made lately, and the one of the address.
#[hook]
fn use_made(chosen: &str) -> Vec<(AttrValue, AttrValue)> {
    let (org, now) = (use_org(), use_now());
    let sees = org.can("call.read");
    let (load, _) = use_load((org.slug(), sees), |(org, sees)| async move {
        if !sees {
            return Ok(Vec::new());
        }
        Ok(api::usage::calls(&org, crate::text::query::Query::default(), None).await?.items)
    });
    let calls: Vec<usage::Call> = load.ready().map(|calls| (**calls).clone()).unwrap_or_default();
    if calls.is_empty() && chosen.is_empty() {
        return Vec::new();
    }
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), "Typed in below".into())];
    options.extend(calls.iter().take(20).map(|call| {
        let by = call.service_account.clone().or_else(|| call.team.clone());
        let by = by.map(|by| format!(" · {by}")).unwrap_or_default();
        let words = format!("{}{by} · {}", call.model, relative(now, call.started_at));
        (call.id.to_string().into(), words.into())
    }));
    if !options.iter().any(|(id, _)| *id == chosen) {
        options.push((chosen.to_owned().into(), format!("Call {chosen}").into()));
    }
    options
}

fn answer(tested: &TestedCall) -> Html {
    let (tone, _) = does(tested.effect);
    let decided = |rule: &&TestedRule| rule.id.is_some() && rule.id == tested.decided_by;
    let by = tested.rules.iter().find(decided).map_or_else(
        || "No rule is about it, so what holds without one decides.".to_owned(),
        |rule| format!("Decided by {}.", rule.name),
    );
    let mut rules: Vec<&TestedRule> = tested.rules.iter().collect();
    rules.sort_by_key(|rule| (!decided(rule), !rule.matched, weight(rule.effect)));
    html! {
        <div class="tested">
            <Banner {tone}>
                <p><strong>{ format!("It {}. ", becomes(tested.effect)) }</strong>{ by }<span class="faint">{ format!(" {} µs", tested.took_us) }</span></p>
                if let Some(message) = &tested.message { <p>{ message.clone() }</p> }
            </Banner>
            if !rules.is_empty() {
                <Table caption="Rules that were asked" columns={COLUMNS.to_vec()}>
                    { for rules.into_iter().map(|rule| row(rule, decided(&rule))) }
                </Table>
            }
        </div>
    }
}

fn row(rule: &TestedRule, decides: bool) -> Html {
    let (tone, word) = does(rule.effect);
    let about = match (decides, rule.matched) {
        (true, _) => html! { <Badge tone={Tone::Info}>{ "Decides" }</Badge> },
        (false, true) => html! { "Yes" },
        (false, false) => html! { <span class="faint">{ "No" }</span> },
    };
    html! {
        <tr class={classes!((!rule.matched).then_some("gone"))}>
            <td class="strong">{ rule.name.clone() }</td>
            <td><Badge {tone}>{ word }</Badge></td>
            <td>{ about }</td>
            <td>{ rule.why.clone() }</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_or_nothing() {
        assert!(object("{\"max_tokens\": 9000}").is_some());
        assert!(object("[1]").is_none() && object("{").is_none());
    }
}
