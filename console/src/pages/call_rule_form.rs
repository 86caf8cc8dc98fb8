//! The form of a call rule: what it is about, what it does, and a condition that is checked while it is written.

use ralex_api::call_rules::{
    CallEffect, CallPhase, CallRule, NewCallRule, SimulateCallRules, UpdateCallRule,
};
use ralex_kernel::Name;
use yew::prelude::*;

use super::call_rule_condition::{Condition, use_checked};
use super::call_rule_past::Past;
use super::call_rule_places::Places;
use super::call_rule_subjects::{Named, Subjects};
use super::call_rule_what::What;
use crate::api;
use crate::api::client::Reply;
use crate::components::segments::Segments;
use crate::components::{Dialog, Form, SelectField, TextField};
use crate::hooks::input::{anything, needed, parses};
use crate::hooks::{Input, keep, use_action, use_input};
use crate::session::use_org;
use crate::text::list::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The rule to change; where it holds stays.
    pub rule: Option<CallRule>,
    pub places: Places,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

/// Everything that is written in the form.
#[derive(Clone)]
struct Fields {
    name: Input,
    description: Input,
    message: Input,
    actions: Input,
    resources: Input,
    condition: Input,
    scope: UseStateHandle<String>,
    effect: UseStateHandle<CallEffect>,
    phase: UseStateHandle<CallPhase>,
    subjects: UseStateHandle<Vec<Named>>,
}

#[component]
pub fn CallRuleForm(props: &Props) -> Html {
    let org = use_org();
    let before = props.rule.as_ref();
    let fields = use_fields(before, &props.places);
    let checked = use_checked(&fields.condition.text());
    let save = use_action(props.ondone.reform(|saved: CallRule| {
        let state = if saved.enabled { "holds" } else { "is kept, and off," };
        format!("{} {state} for {} from the next call on.", saved.name, saved.scope_name).into()
    }));
    let onsubmit = {
        let (save, slug) = (save.clone(), org.slug());
        let (fields, rule) = (fields.clone(), props.rule.clone());
        Callback::from(move |()| {
            if let Some(write) = fields.write(&slug, rule.as_ref()) {
                save.run(write);
            }
        })
    };
    let effects = props.places.effects().iter().map(|it| (it.as_str().into(), does(*it).into()));
    let oneffect = keep(&fields.effect)
        .reform(|word: String| CallEffect::named(&word).unwrap_or(CallEffect::Deny));
    let phases = phases(*fields.effect);
    let phase = if phases.contains(&*fields.phase) { *fields.phase } else { CallPhase::Call };
    let onphase = keep(&fields.phase)
        .reform(|word: String| CallPhase::named(&word).unwrap_or(CallPhase::Call));
    let phases: Vec<(AttrValue, AttrValue)> =
        phases.iter().map(|it| (it.as_str().into(), about(*it).into())).collect();
    let title = before.map_or_else(|| "Create call rule".to_owned(), |it| it.name.to_string());
    let verb = if before.is_some() { "Save rule" } else { "Create rule" };
    let past = fields.change(before).filter(|_| checked.fault().is_none());
    let blocked = checked.fault().map(|_| AttrValue::from("The condition cannot be used yet."));
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={fields.inputs()} {verb} running={save.running()} problem={save.problem()} {blocked} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={fields.name.clone()} placeholder="No frontier models at night" autofocus=true hint="Callers that are refused read it." />
                <div class="field"><span class="label">{ "Does" }</span><Segments label="Does" options={effects.collect::<Vec<_>>()} value={fields.effect.as_str()} onchange={oneffect} /><p class="note">{ follows(*fields.effect) }</p></div>
                if before.is_none() {
                    <SelectField label="Holds for" path="scope" options={props.places.options.clone()} value={(*fields.scope).clone()} onchange={keep(&fields.scope)} hint="And everything below." />
                }
                <SelectField label="About" path="phase" options={phases} value={phase.as_str()} onchange={onphase} />
                <What resources={fields.resources.clone()} actions={fields.actions.clone()} {phase} />
                <Subjects chosen={(*fields.subjects).clone()} onchange={keep(&fields.subjects)} />
                <Condition input={fields.condition.clone()} {checked} />
                <TextField label="Message" path="message" input={fields.message.clone()} placeholder="Frontier models are for the day. Use a small one." hint="What the caller is told beside the rule’s name." />
                <TextField label="Description" path="description" input={fields.description.clone()} hint="For those who read the rules." />
                <Past change={past} />
            </Form>
        </Dialog>
    }
}

#[hook]
fn use_fields(before: Option<&CallRule>, places: &Places) -> Fields {
    let text = |of: fn(&CallRule) -> &str| before.map(of).unwrap_or_default();
    let listed = |of: fn(&CallRule) -> &Vec<String>| {
        before.map_or_else(|| "*".to_owned(), |rule| of(rule).join(", "))
    };
    let first = places.options.first().map(|(place, _)| place.to_string()).unwrap_or_default();
    let subjects = || {
        let named = |rule: &CallRule| {
            rule.subjects.iter().cloned().zip(rule.subject_names.iter().cloned()).collect()
        };
        before.map_or_else(Vec::new, named)
    };
    Fields {
        name: use_input(
            &before.map(|rule| rule.name.to_string()).unwrap_or_default(),
            parses::<Name>,
        ),
        description: use_input(text(|rule| &rule.description), anything),
        message: use_input(text(|rule| &rule.message), anything),
        actions: use_input(&listed(|rule| &rule.actions), needed),
        resources: use_input(&listed(|rule| &rule.resources), needed),
        condition: use_input(text(|rule| rule.condition.as_deref().unwrap_or_default()), anything),
        scope: use_state(|| first),
        effect: use_state(|| before.map_or(CallEffect::Deny, |rule| rule.effect)),
        phase: use_state(|| before.map_or(CallPhase::Call, |rule| rule.phase)),
        subjects: use_state(subjects),
    }
}

impl Fields {
    fn inputs(&self) -> Vec<Input> {
        vec![self.name.clone(), self.resources.clone(), self.actions.clone()]
    }

    /// The rule as it is written; nothing while the name is none.
    fn written(&self, rule: Option<&CallRule>) -> Option<NewCallRule> {
        let (effect, scope) = (*self.effect, || (*self.scope).clone());
        let fits = phases(effect).contains(&*self.phase);
        Some(NewCallRule {
            name: self.name.parsed()?,
            description: self.description.text(),
            scope: Some(rule.map_or_else(scope, |rule| rule.scope.clone())),
            effect,
            phase: Some(if fits { *self.phase } else { CallPhase::Call }),
            actions: Some(words(&self.actions.text())),
            resources: Some(words(&self.resources.text())),
            subjects: self.subjects.iter().map(|(id, _)| id.clone()).collect(),
            condition: self.condition.filled(),
            message: self.message.text(),
            enabled: None,
        })
    }

    /// Makes a rule, or changes the one that there is; nothing while the name is none.
    fn write(&self, slug: &str, rule: Option<&CallRule>) -> Option<Reply<CallRule>> {
        let new = self.written(rule)?;
        let Some(rule) = rule else { return Some(api::call_rules::create(slug, &new)) };
        let change = UpdateCallRule {
            name: Some(new.name),
            description: Some(new.description),
            effect: Some(new.effect),
            phase: new.phase,
            actions: new.actions,
            resources: new.resources,
            subjects: Some(new.subjects),
            condition: Some(new.condition),
            message: Some(new.message),
            enabled: None,
        };
        Some(api::call_rules::update(slug, rule, &change))
    }

    /// The same as a change that can be tried.
    fn change(&self, rule: Option<&CallRule>) -> Option<SimulateCallRules> {
        let without = rule.map(|rule| rule.id).into_iter().collect();
        let draft = Some(self.written(rule)?);
        Some(SimulateCallRules { draft, without, ..SimulateCallRules::default() })
    }
}

/// What a rule can be about: nobody is asked about what is shown.
const fn phases(effect: CallEffect) -> &'static [CallPhase] {
    match effect {
        CallEffect::Ask => &[CallPhase::Call, CallPhase::Both],
        CallEffect::Allow | CallEffect::Deny => {
            &[CallPhase::Call, CallPhase::List, CallPhase::Both]
        }
    }
}

const fn about(phase: CallPhase) -> &'static str {
    match phase {
        CallPhase::Call => "What is called",
        CallPhase::List => "What lists of models show",
        CallPhase::Both => "Both",
    }
}

const fn does(effect: CallEffect) -> &'static str {
    match effect {
        CallEffect::Deny => "Denies",
        CallEffect::Ask => "Asks a person",
        CallEffect::Allow => "Allows",
    }
}

const fn follows(effect: CallEffect) -> &'static str {
    match effect {
        CallEffect::Deny => {
            "Such a call is refused before anything is looked at, held, sent or paid."
        }
        CallEffect::Ask => "Such a call waits until somebody approves it, under Approvals.",
        CallEffect::Allow => {
            "Such a call goes on where calls are otherwise refused. It undoes no rule that denies or asks, and gives no right to call models."
        }
    }
}
