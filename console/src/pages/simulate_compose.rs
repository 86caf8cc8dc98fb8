//! The parts of a change, added one by one or read from JSON.

use ralex_api::access::{Binding, BindingEffect, NewBinding, RoleName};
use ralex_api::simulate::ProposedRole;
use yew::prelude::*;

use super::add_person::RoleField;
use super::call_rule_subjects::{Found, use_bearers};
use super::simulate::Change;
use crate::api;
use crate::components::segments::Segments;
use crate::components::{Button, Failed, Icon, SelectField, TextArea, TextField, failed};
use crate::hooks::input::{anything, needed};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::list::words;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub change: Change,
    pub onchange: Callback<Change>,
}

#[component]
pub fn Compose(props: &Props) -> Html {
    let kind = use_state(|| "give".to_owned());
    let kinds = [
        ("give", "Give"),
        ("deny", "Deny"),
        ("take", "Take away"),
        ("role", "Change a role"),
        ("json", "Paste JSON"),
    ];
    let kinds = kinds.map(|(kind, words)| (kind.into(), words.into())).to_vec();
    let (change, onchange) = (props.change.clone(), props.onchange.clone());
    html! {
        <>
            <div class="compose-kinds"><Segments label="Kind of change" options={kinds} value={(*kind).clone()} onchange={keep(&kind)} /></div>
            { match kind.as_str() {
                "deny" => html! { <Bind effect={BindingEffect::Deny} {change} {onchange} /> },
                "take" => html! { <Unbind {change} {onchange} /> },
                "role" => html! { <Redefine {change} {onchange} /> },
                "json" => html! { <Paste {change} {onchange} /> },
                _ => html! { <Bind effect={BindingEffect::Allow} {change} {onchange} /> },
            } }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct BindProps {
    effect: BindingEffect,
    change: Change,
    onchange: Callback<Change>,
}

#[component]
fn Bind(props: &BindProps) -> Html {
    let Found { all: bearers, note } = use_bearers();
    let subject = use_state(String::new);
    let (role, scope) = (use_state(|| "viewer".to_owned()), use_state(|| "org".to_owned()));
    let first = bearers.first().map(|(id, _)| id.clone()).unwrap_or_default();
    let chosen = if subject.is_empty() { first } else { (*subject).clone() };
    let options: Vec<(AttrValue, AttrValue)> =
        bearers.iter().map(|(id, name)| (id.clone().into(), name.clone().into())).collect();
    let onclick = {
        let (change, tell, effect) = (props.change.clone(), props.onchange.clone(), props.effect);
        let (role, scope, chosen) = ((*role).clone(), (*scope).clone(), chosen.clone());
        let name = bearers.iter().find(|(id, _)| *id == chosen).cloned();
        Callback::from(move |()| {
            let mut next = change.clone();
            next.named.extend(name.clone());
            next.proposal.bind.push(NewBinding {
                subject: chosen.clone(),
                role: RoleName(role.clone()),
                scope: Some(scope.clone()),
                effect,
                not_before: None,
                expires_at: None,
            });
            tell.emit(next);
        })
    };
    let blocked = chosen.is_empty().then(|| AttrValue::from("There is nobody to choose."));
    html! {
        <>
            { note }
            <SelectField label="Whom" {options} value={chosen.clone()} onchange={keep(&subject)} />
            <RoleField any=true role={(*role).clone()} scope={(*scope).clone()} onrole={keep(&role)} onscope={keep(&scope)} />
            <div><Button icon={Icon::Plus} {blocked} {onclick}>{ "Add to the change" }</Button></div>
        </>
    }
}

fn held(binding: &Binding) -> String {
    let denied = if binding.effect == BindingEffect::Deny { "the denial of " } else { "" };
    format!("{denied}{} of {} at {}", binding.role, binding.subject_name, binding.scope)
}

#[component]
fn Unbind(props: &Props) -> Html {
    let org = use_org();
    let chosen = use_state(String::new);
    let (load, again) = use_load(org.slug(), |org| api::policies::bindings(&org, None, None, None));
    let all = load.ready().map(|page| page.items.clone()).unwrap_or_default();
    let cut = load.ready().is_some_and(|page| page.next_cursor.is_some());
    let taken = &props.change.proposal.unbind;
    let left: Vec<&Binding> = all.iter().filter(|it| !taken.contains(&it.id)).collect();
    let options = left.iter().map(|it| (it.id.to_string().into(), held(it).into()));
    let value = left.iter().find(|it| it.id.to_string() == *chosen).or(left.first());
    let onclick = {
        let (change, tell) = (props.change.clone(), props.onchange.clone());
        let chosen = value.map(|it| (it.id, held(it)));
        Callback::from(move |()| {
            let Some((id, words)) = chosen.clone() else { return };
            let mut next = change.clone();
            next.proposal.unbind.push(id);
            next.named.push((id.to_string(), words));
            tell.emit(next);
        })
    };
    let blocked = value.is_none().then(|| AttrValue::from("There is nothing to take away."));
    let shown = value.map(|it| it.id.to_string()).unwrap_or_default();
    html! {
        <>
            { failed(&load, &again) }
            <SelectField label="What" hint={if cut { "The first 500 are listed; name others by their ids as JSON." } else { "" }} options={options.collect::<Vec<_>>()} value={shown} onchange={keep(&chosen)} />
            <div><Button icon={Icon::Plus} {blocked} {onclick}>{ "Add to the change" }</Button></div>
        </>
    }
}

#[component]
fn Redefine(props: &Props) -> Html {
    let org = use_org();
    let name = use_input("", needed);
    let (permissions, includes) = (use_input("", anything), use_input("", anything));
    let (load, again) = use_load(org.slug(), |org| api::identity::roles(&org));
    let own: Vec<_> = load.ready().map(|page| page.items.clone()).unwrap_or_default();
    let own: Vec<_> = own.into_iter().filter(|role| !role.built_in).collect();
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), "A new one".into())];
    options.extend(own.iter().map(|it| (it.name.to_string().into(), it.title.clone().into())));
    let chosen = use_state(String::new);
    let onrole = {
        let (chosen, name) = (chosen.clone(), name.clone());
        let (permissions, includes) = (permissions.clone(), includes.clone());
        Callback::from(move |picked: String| {
            let role = own.iter().find(|role| role.name.as_str() == picked);
            let parts =
                role.map(|it| it.includes.iter().map(ToString::to_string).collect::<Vec<_>>());
            permissions.set(role.map(|it| it.direct.join(", ")).unwrap_or_default());
            includes.set(parts.unwrap_or_default().join(", "));
            name.set(picked.clone());
            chosen.set(picked);
        })
    };
    let onclick = {
        let (change, tell) = (props.change.clone(), props.onchange.clone());
        let role = name.filled().map(|name| ProposedRole {
            name: RoleName(name),
            permissions: words(&permissions.text()),
            includes: words(&includes.text()).into_iter().map(RoleName).collect(),
        });
        Callback::from(move |()| {
            let Some(role) = role.clone() else { return };
            let mut next = change.clone();
            next.proposal.roles.retain(|known| known.name != role.name);
            next.proposal.roles.push(role);
            tell.emit(next);
        })
    };
    let blocked = name.fault().map(|_| AttrValue::from("Name the role."));
    html! {
        <>
            { failed(&load, &again) }
            <div class="pair">
                <SelectField label="Role" {options} value={(*chosen).clone()} onchange={onrole} />
                <TextField label="Name" input={name} placeholder="cost_watch" />
            </div>
            <TextArea label="Allows itself" input={permissions} rows=2 placeholder="call.read, alert.read" hint="Names of permissions, with commas." />
            <TextField label="Includes all of" input={includes} placeholder="viewer" hint="Names of roles, with commas." />
            <div><Button icon={Icon::Plus} {blocked} {onclick}>{ "Add to the change" }</Button></div>
        </>
    }
}

#[component]
fn Paste(props: &Props) -> Html {
    let text = use_input("", anything);
    let take = use_action({
        let (change, tell) = (props.change.clone(), props.onchange.clone());
        Callback::from(move |proposal| tell.emit(Change { proposal, ..change.clone() }))
    });
    let onclick = {
        let (take, text) = (take.clone(), text.clone());
        Callback::from(move |()| {
            let text = text.text();
            take.run(async move { api::policies::proposal(&text) });
        })
    };
    html! {
        <>
            <div class="policy-text"><TextArea label="JSON" input={text} rows=6 placeholder={"{\"bind\": [{\"subject\": \"group:contractors\", \"role\": \"developer\", \"scope\": \"team:blue\", \"effect\": \"deny\"}]}"} hint="bind, unbind, roles and days, as policy simulate --file reads it. It takes the place of what stands below." /></div>
            if let Some(problem) = take.problem() { <Failed {problem} /> }
            <div><Button icon={Icon::Plus} {onclick}>{ "Take it" }</Button></div>
        </>
    }
}
