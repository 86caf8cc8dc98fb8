//! The form of a guardrail: what to look for, where, and what to do about it.

use std::collections::BTreeSet;

use ralex_api::guardrails::{
    Action, Check, Direction, Guardrail, NewGuardrail, Pack, Reaction, UpdateGuardrail,
};
use ralex_kernel::{GuardrailId, Name};
use yew::prelude::*;

use super::guardrail_tester::use_scopes;
use super::guardrails::way;
use super::judge_fields::{self, JudgeFields};
use crate::api;
use crate::api::client::Reply;
use crate::components::segments::Segments;
use crate::components::{Check as CheckBox, Dialog, Form, SelectField, TextArea, TextField};
use crate::hooks::input::{anything, needed, parses};
use crate::hooks::{Input, keep, use_action, use_input};
use crate::session::use_org;

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Pack,
    Pattern,
    Topic,
    Judge,
}

impl What {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Pack, "pack", "A pack"),
        (Self::Pattern, "pattern", "A pattern"),
        (Self::Topic, "topic", "A topic"),
        (Self::Judge, "judge", "A judge"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(what, ..)| *what == self).map_or("pack", |(_, name, _)| name)
    }

    fn named(name: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known, _)| *known == name);
        found.map_or(Self::Pack, |(what, ..)| *what)
    }

    const fn of(check: &Check) -> Self {
        match check {
            Check::Pack { .. } => Self::Pack,
            Check::Pattern { .. } => Self::Pattern,
            Check::Topic { .. } => Self::Topic,
            Check::Judge { .. } => Self::Judge,
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub packs: Vec<Pack>,
    /// The guardrail to change; where it holds stays.
    pub guardrail: Option<Guardrail>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

/// Everything that is written in the form.
#[derive(Clone)]
struct Fields {
    what: UseStateHandle<What>,
    pack: UseStateHandle<String>,
    rules: UseStateHandle<BTreeSet<String>>,
    threshold: Input,
    pattern: Input,
    label: Input,
    keywords: Input,
    allow: Input,
    phrases: Input,
    at_least: Input,
    judge: UseStateHandle<judge_fields::Judge>,
}

#[component]
pub fn GuardrailForm(props: &Props) -> Html {
    let org = use_org();
    let before = props.guardrail.as_ref();
    let name = use_input(&before.map(|it| it.name.to_string()).unwrap_or_default(), parses::<Name>);
    let fields = use_fields(before.map(|it| &it.check), &props.packs);
    let scope = use_state(|| "org".to_owned());
    let action = use_state(|| before.map_or(Reaction::Advised, |it| it.action));
    let direction = use_state(|| before.map_or(Direction::Both, |it| it.direction));
    let save = use_action(props.ondone.reform(|saved: Guardrail| {
        format!("{} holds for {} from the next call on.", saved.name, saved.scope_name).into()
    }));
    let allowed = reactions(&fields, &props.packs);
    let chosen = if allowed.contains(&*action) { *action } else { allowed[0] };
    let fits = ways_of(*fields.what, chosen);
    let way_of = if fits.contains(&*direction) { *direction } else { Direction::In };
    let onsubmit = {
        let (save, slug, packs) = (save.clone(), org.slug(), props.packs.clone());
        let (name, fields, scope) = (name.clone(), fields.clone(), scope.clone());
        let (direction, id) = (way_of, before.map(|it| it.id));
        Callback::from(move |()| {
            let Some(name) = name.parsed::<Name>() else { return };
            let (scope, check) = ((*scope).clone(), fields.check(&packs));
            let new = NewGuardrail { name, scope, check, action: chosen, direction, enabled: None };
            save.run(write(&slug, id, new));
        })
    };
    let whats = What::ALL.map(|(_, name, words)| (name.into(), words.into())).to_vec();
    let onwhat = keep(&fields.what).reform(|name: String| What::named(&name));
    let actions: Vec<(AttrValue, AttrValue)> =
        allowed.iter().map(|it| (it.as_str().into(), words(*it).into())).collect();
    let onaction = keep(&action).reform(|name: String| {
        let found = Reaction::ALL.iter().find(|known| known.as_str() == name);
        found.copied().unwrap_or(Reaction::Flag)
    });
    let ways: Vec<(AttrValue, AttrValue)> =
        fits.iter().map(|it| (it.as_str().into(), way(*it).into())).collect();
    let onway = keep(&direction).reform(|name: String| {
        let found = Direction::ALL.iter().find(|known| known.as_str() == name);
        found.copied().unwrap_or(Direction::Both)
    });
    let mut inputs = vec![name.clone()];
    inputs.extend(fields.inputs());
    let title = before.map_or_else(|| "Create guardrail".to_owned(), |it| it.name.to_string());
    let verb = if before.is_some() { "Save guardrail" } else { "Create guardrail" };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form {inputs} {verb} running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} placeholder="No secrets in prompts" autofocus=true />
                if before.is_none() { <ScopeField value={(*scope).clone()} onchange={keep(&scope)} /> }
                <div class="field"><span class="label">{ "Looks for" }</span><Segments label="Looks for" options={whats} value={fields.what.name()} onchange={onwhat} /></div>
                { fields.show(&props.packs) }
                <div class="pair">
                    <SelectField label="Does" path="action" options={actions} value={chosen.as_str()} onchange={onaction} hint={hint(chosen)} />
                    <SelectField label="Where" path="direction" options={ways} value={way_of.as_str()} onchange={onway} />
                </div>
            </Form>
        </Dialog>
    }
}

/// Makes a guardrail, or changes the one that there is, which stays where it is.
fn write(slug: &str, id: Option<GuardrailId>, new: NewGuardrail) -> Reply<Guardrail> {
    let Some(id) = id else { return api::guardrails::create(slug, new) };
    let change = UpdateGuardrail {
        name: Some(new.name),
        check: Some(new.check),
        action: Some(new.action),
        direction: Some(new.direction),
        enabled: None,
    };
    api::guardrails::update(slug, id, change)
}

#[derive(Properties, PartialEq)]
struct ScopeProps {
    value: AttrValue,
    onchange: Callback<String>,
}

#[component]
fn ScopeField(props: &ScopeProps) -> Html {
    let options = use_scopes("");
    html! { <SelectField label="Holds for" path="scope" {options} value={props.value.clone()} onchange={props.onchange.clone()} hint="And everything below. A guardrail further down can add to one above, never take from it." /> }
}

/// Where it can be done: a judge reads prompts, and no answer can wait for a person.
fn ways_of(what: What, reaction: Reaction) -> Vec<Direction> {
    match (what, reaction) {
        (What::Judge, _) => vec![Direction::In],
        (_, Reaction::Ask) => vec![Direction::In, Direction::Both],
        _ => Direction::ALL.to_vec(),
    }
}

/// What can be done: a topic and a score have no part of the text to put a placeholder for.
fn reactions(fields: &Fields, packs: &[Pack]) -> Vec<Reaction> {
    match *fields.what {
        What::Pattern => {
            vec![Reaction::Redact, Reaction::Flag, Reaction::Ask, Reaction::Block]
        }
        What::Topic | What::Judge => vec![Reaction::Block, Reaction::Flag, Reaction::Ask],
        What::Pack => {
            let pack = packs.iter().find(|pack| pack.name == *fields.pack);
            let can = |action: Action| pack.is_some_and(|pack| pack.actions.contains(&action));
            let all = Reaction::ALL.iter().copied();
            all.filter(|reaction| reaction.action().is_none_or(can)).collect()
        }
    }
}

const fn words(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Advised => "What each rule advises",
        Reaction::Flag => "Flag",
        Reaction::Redact => "Redact",
        Reaction::Ask => "Ask a person",
        Reaction::Block => "Block",
    }
}

const fn hint(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Advised => "Most rules redact, attacks are blocked.",
        Reaction::Flag => "It passes, and the call’s record says so.",
        Reaction::Redact => "The provider gets placeholders; answers get the values back.",
        Reaction::Ask => {
            "The call is refused until somebody approves it, under Approvals. An answer cannot wait: there it blocks."
        }
        Reaction::Block => "The call is refused, or its answer ends.",
    }
}

/// The fields as a check has them.
#[hook]
fn use_fields(check: Option<&Check>, packs: &[Pack]) -> Fields {
    let first = packs.first().map(|pack| pack.name.clone()).unwrap_or_default();
    let (mut pack, mut rules, mut threshold) = (first, BTreeSet::new(), String::new());
    let (mut pattern, mut label) = (String::new(), String::new());
    let (mut keywords, mut allow) = (Vec::new(), Vec::new());
    let (mut phrases, mut at_least) = (Vec::new(), String::new());
    match check {
        None => rules = usual(packs, &pack),
        Some(Check::Pack { pack: name, rules: only, except, threshold: sum }) => {
            pack.clone_from(name);
            rules = only.as_ref().map_or_else(|| usual(packs, name), |it| full(packs, name, it));
            let without = full(packs, name, except);
            rules.retain(|rule| !without.contains(rule));
            threshold = sum.map(|sum| sum.to_string()).unwrap_or_default();
        }
        Some(Check::Pattern {
            pattern: text, label: word, keywords: words, allow: but, ..
        }) => {
            (pattern, label) = (text.clone(), word.clone());
            (keywords, allow) = (words.clone(), but.clone());
        }
        Some(Check::Judge { .. }) => {}
        Some(Check::Topic { phrases: texts, at_least: least }) => {
            phrases.clone_from(texts);
            at_least = least.map(|least| least.to_string()).unwrap_or_default();
        }
    }
    let what = use_state(|| check.map_or(What::Pack, What::of));
    let (pack, rules) = (use_state(|| pack), use_state(|| rules));
    Fields {
        pattern: use_input(&pattern, if *what == What::Pattern { needed } else { anything }),
        label: use_input(&label, if *what == What::Pattern { upper } else { anything }),
        phrases: use_input(
            &phrases.join("\n"),
            if *what == What::Topic { needed } else { anything },
        ),
        threshold: use_input(&threshold, count_or_nothing),
        at_least: use_input(&at_least, count_or_nothing),
        keywords: use_input(&keywords.join(", "), anything),
        allow: use_input(&allow.join(", "), anything),
        judge: use_state(|| judge_fields::Judge::of(check)),
        what,
        pack,
        rules,
    }
}

/// The rules that are on by default.
fn usual(packs: &[Pack], name: &str) -> BTreeSet<String> {
    let rules = packs.iter().filter(|pack| pack.name == name).flat_map(|pack| &pack.rules);
    rules.filter(|rule| rule.on_by_default).map(|rule| rule.id.clone()).collect()
}

/// Ids with their pack's name in front.
fn full(packs: &[Pack], name: &str, ids: &[String]) -> BTreeSet<String> {
    let rules = packs.iter().filter(|pack| pack.name == name).flat_map(|pack| &pack.rules);
    let meant = |id: &str| ids.iter().any(|it| it == id || format!("{name}.{it}") == id);
    rules.map(|rule| rule.id.clone()).filter(|id| meant(id)).collect()
}

fn upper(text: &str) -> Option<String> {
    let fits = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    let good = !text.is_empty() && text.len() <= 24 && text.chars().all(fits);
    (!good).then(|| "Use up to 24 upper-case letters and underscores, such as TICKET.".to_owned())
}

fn count_or_nothing(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { crate::hooks::input::count(text) }
}

fn split(text: &str, at: char) -> Vec<String> {
    text.split(at).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl Fields {
    fn inputs(&self) -> Vec<Input> {
        match *self.what {
            What::Pack => vec![self.threshold.clone()],
            What::Pattern => vec![self.pattern.clone(), self.label.clone()],
            What::Topic => vec![self.phrases.clone(), self.at_least.clone()],
            What::Judge => Vec::new(),
        }
    }

    fn check(&self, packs: &[Pack]) -> Check {
        match *self.what {
            What::Pack => {
                let scores = packs.iter().any(|it| it.name == *self.pack && it.threshold.is_some());
                let same = *self.rules == usual(packs, &self.pack);
                Check::Pack {
                    pack: (*self.pack).clone(),
                    rules: (!same).then(|| self.rules.iter().cloned().collect()),
                    except: Vec::new(),
                    threshold: self.threshold.parsed().filter(|_| scores),
                }
            }
            What::Pattern => Check::Pattern {
                pattern: self.pattern.text(),
                label: self.label.text(),
                keywords: split(&self.keywords.text(), ','),
                checksum: None,
                allow: split(&self.allow.text(), ','),
            },
            What::Topic => Check::Topic {
                phrases: split(&self.phrases.text(), '\n'),
                at_least: self.at_least.parsed(),
            },
            What::Judge => self.judge.check(),
        }
    }

    fn show(&self, packs: &[Pack]) -> Html {
        match *self.what {
            What::Pack => self.show_pack(packs),
            What::Judge => {
                html! { <JudgeFields judge={(*self.judge).clone()} onchange={keep(&self.judge)} /> }
            }
            What::Pattern => html! {
                <>
                    <TextField label="Regular expression" path="check.pattern" input={self.pattern.clone()} placeholder={r"\bTCK-\d{6}\b"} hint="Without look-around and back-references. A group, where there is one, is what is redacted." />
                    <div class="pair">
                        <TextField label="Placeholder" path="check.label" input={self.label.clone()} placeholder="TICKET" hint="TICKET makes [TICKET_1]." />
                        <TextField label="Words that must be in a match" path="check.keywords" input={self.keywords.clone()} placeholder="tck-" hint="With commas; they make the search quick." />
                    </div>
                    <TextField label="Except" path="check.allow" input={self.allow.clone()} placeholder="TCK-000000" hint="Exact matches that do not count, with commas." />
                </>
            },
            What::Topic => html! {
                <>
                    <TextArea label="Phrases" input={self.phrases.clone()} rows=5 placeholder={"project zephyr\nlaunch date"} hint="One a line, in any case; whole words." />
                    <TextField label="At least" path="check.at_least" input={self.at_least.clone()} placeholder="1" hint="How many different phrases one text must hold." />
                </>
            },
        }
    }

    fn show_pack(&self, packs: &[Pack]) -> Html {
        let options = packs.iter().map(|it| (it.name.clone().into(), it.title.clone().into()));
        let onpack = {
            let (pack, rules, packs) = (self.pack.clone(), self.rules.clone(), packs.to_vec());
            Callback::from(move |name: String| {
                rules.set(usual(&packs, &name));
                pack.set(name);
            })
        };
        let Some(pack) = packs.iter().find(|it| it.name == *self.pack) else {
            return Html::default();
        };
        let summary = format!("{} of {} rules", self.rules.len(), pack.rules.len());
        html! {
            <>
                <SelectField label="Pack" path="check.pack" options={options.collect::<Vec<_>>()} value={(*self.pack).clone()} onchange={onpack} hint={pack.description.clone()} />
                if let Some(usual) = pack.threshold {
                    <TextField label="Acts from a score of" path="check.threshold" input={self.threshold.clone()} placeholder={usual.to_string()} hint="The sum of its rules’ weights in one text. Less finds more, and more that is harmless." />
                }
                <details class="rules">
                    <summary>{ summary }</summary>
                    { for pack.rules.iter().map(|rule| self.show_rule(&rule.id, &rule.name)) }
                </details>
            </>
        }
    }

    fn show_rule(&self, id: &str, name: &str) -> Html {
        let (rules, toggled) = (self.rules.clone(), id.to_owned());
        let onchange = Callback::from(move |on: bool| {
            let mut chosen = (*rules).clone();
            if on {
                chosen.insert(toggled.clone());
            } else {
                chosen.remove(&toggled);
            }
            rules.set(chosen);
        });
        html! { <CheckBox key={id.to_owned()} label={name.to_owned()} on={self.rules.contains(id)} {onchange} hint={id.to_owned()} /> }
    }
}
