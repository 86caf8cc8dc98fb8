//! The form of a scope's preferences.

use std::rc::Rc;

use ralex_api::Problem;
use ralex_api::routing::{Preference, PreferenceRules, Priority, SetPreference};
use ralex_kernel::ScopePath;
use yew::prelude::*;

use super::route_preferences::Known;
use crate::api;
use crate::components::{Check, Dialog, Form, SelectField, TextField};
use crate::hooks::{keep, use_action, use_input};
use crate::session::use_org;
use crate::text::list::words;

const WORD_MAX: usize = 64;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub known: Rc<Known>,
    /// The preferences to change; their scope stays.
    pub old: Option<Preference>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn PreferenceForm(props: &Props) -> Html {
    let (slug, known) = (use_org().slug(), &props.known);
    let rules = props.old.as_ref().map(|old| old.rules.clone()).unwrap_or_default();
    let free = known.free();
    let at = use_state(|| props.old.as_ref().map(|old| old.scope).or(free.first().copied()));
    let preferred = use_input(&rules.preferred.join(", "), models(known));
    let banned = use_input(&rules.banned.join(", "), models(known));
    let residency = use_input(&rules.residency.join(", "), short_words);
    let labels = use_input(&rules.labels.join(", "), short_words);
    let route = use_state(|| rules.default_route.clone().unwrap_or_default());
    let catch_all = use_state(|| rules.catch_all);
    let no_override = use_state(|| rules.no_override);
    let priority = use_state(|| rules.priority);
    let onpriority = {
        let priority = priority.clone();
        Callback::from(move |named: String| priority.set(Priority::named(&named)))
    };
    let said = AttrValue::from(
        at.map(|at| format!("The preferences of {} are saved.", known.name(at)))
            .unwrap_or_default(),
    );
    let save = use_action(props.ondone.reform(move |_| said.clone()));
    let rules = PreferenceRules {
        preferred: words(&preferred.text()),
        banned: words(&banned.text()),
        default_route: Some((*route).clone()).filter(|route| !route.is_empty()),
        catch_all: *catch_all && !route.is_empty(),
        residency: words(&residency.text()),
        labels: words(&labels.text()),
        no_override: *no_override,
        priority: *priority,
    };
    let empty = rules == PreferenceRules::default();
    let onsubmit = {
        let (save, at) = (save.clone(), *at);
        Callback::from(move |()| {
            let Some(at) = at else { return };
            let rules = rules.clone();
            let set = SetPreference { team: at.team(), project: at.project(), rules };
            save.run(api::routing::set_preference(&slug, set));
        })
    };
    let title = match &props.old {
        Some(old) => format!("Preferences of {}", known.name(old.scope)),
        None => "Add preferences".to_owned(),
    };
    let blocked = empty.then_some(AttrValue::Static("Set at least one rule."));
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={vec![preferred.clone(), banned.clone(), residency.clone(), labels.clone()]} verb="Save preferences" {blocked}
                running={save.running()} problem={save.problem().map(to_fields)} {onsubmit} oncancel={props.onclose.clone()}>
                if props.old.is_none() { { scope_field(known, &free, &at) } }
                <TextField label="Preferred models" path="rules.preferred" input={preferred} placeholder="model-a, model-b" hint="Ranked higher where a route ranks." />
                <TextField label="Banned models" path="rules.banned" input={banned} placeholder="model-a, model-b" hint="Never used, not even by their name." />
                <SelectField label="Default route" path="rules.default_route" options={targets(known, &route)} value={(*route).clone()} onchange={keep(&route)} hint="What the name “default” means." />
                <Check label="Also for unknown names" on={*catch_all && !route.is_empty()} onchange={keep(&catch_all)} hint={if route.is_empty() { "Needs a default route." } else { "A name that nothing has goes to the default route." }} />
                <div class="pair">
                    <TextField label="Residency" path="rules.residency" input={residency} placeholder="eu, us" hint="Data may be processed there only; empty: anywhere." />
                    <TextField label="Labels" path="rules.labels" input={labels} placeholder="pii" hint="Every call counts as if it had them." />
                </div>
                <SelectField label="Priority" path="rules.priority" options={priorities()} value={priority.map_or("", Priority::as_str)} onchange={onpriority} hint="Of calls that do not say theirs with x-ralex-priority." />
                <Check label="No override" on={*no_override} onchange={keep(&no_override)} hint="Refuses the headers x-ralex-model and x-ralex-route." />
            </Form>
        </Dialog>
    }
}

fn scope_field(known: &Known, free: &[ScopePath], at: &UseStateHandle<Option<ScopePath>>) -> Html {
    // A place in the list names a scope without writing it out and reading it back.
    let options: Vec<(AttrValue, AttrValue)> = free
        .iter()
        .enumerate()
        .map(|(place, scope)| (place.to_string().into(), known.name(*scope).into()))
        .collect();
    let value = free.iter().position(|scope| Some(*scope) == **at).unwrap_or_default();
    let onchange = {
        let (free, at) = (free.to_vec(), at.clone());
        Callback::from(move |place: String| {
            at.set(place.parse().ok().and_then(|place: usize| free.get(place).copied()));
        })
    };
    html! { <SelectField label="For" path="team" {options} value={value.to_string()} {onchange} /> }
}

/// What a default route may be, with the one there is although it may be switched off.
fn targets(known: &Known, now: &str) -> Vec<(AttrValue, AttrValue)> {
    let lost = (!now.is_empty() && !known.names.iter().any(|name| name == now)).then_some(now);
    let names = known.names.iter().map(String::as_str).chain(lost);
    let none = (AttrValue::from(""), AttrValue::from("None"));
    let named = names.map(|name| (name.to_owned().into(), name.to_owned().into()));
    std::iter::once(none).chain(named).collect()
}

fn priorities() -> Vec<(AttrValue, AttrValue)> {
    let none = (AttrValue::from(""), AttrValue::from("As above it"));
    let all = Priority::ALL.iter().map(|one| (one.as_str().into(), one.as_str().into()));
    std::iter::once(none).chain(all).collect()
}

/// Says which of the names is no model.
fn models(known: &Rc<Known>) -> impl Fn(&str) -> Option<String> + 'static {
    let known = Rc::clone(known);
    move |text| {
        let stranger = words(text).into_iter().find(|name| !known.models.contains(name));
        stranger.map(|name| format!("There is no model {name}."))
    }
}

fn short_words(text: &str) -> Option<String> {
    let long = words(text).iter().any(|word| word.chars().count() > WORD_MAX);
    long.then(|| format!("Words of up to {WORD_MAX} characters, with commas between them."))
}

/// The server finds faults in one word of a list; here the whole list is a field.
pub fn to_fields(mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        if let Some(list) = error.path.find('[') {
            error.path.truncate(list);
        }
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_a_list_is_shown_at_its_field() {
        let problem = to_fields(Problem::field("rules.banned[2]", "there is no model `x`"));
        assert_eq!(problem.errors[0].path, "rules.banned");
        let whole = to_fields(Problem::field("weights", "must not be all 0"));
        assert_eq!(whole.errors[0].path, "weights");
    }

    #[test]
    fn a_word_has_a_length() {
        assert_eq!(short_words("eu, us"), None);
        assert!(short_words(&"x".repeat(65)).is_some());
    }
}
