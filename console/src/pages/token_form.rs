//! The form of a token, of a team or of a service account.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use ralex_api::identity::{Project, ServiceAccount, Team};
use ralex_api::tokens::{NewToken, NewTokenAnswer};
use ralex_kernel::{Name, Problem};
use yew::prelude::*;

use super::token_limits::use_limits;
use crate::api;
use crate::components::{Check, Dialog, Form, SelectField, TextField, show};
use crate::hooks::clock::now;
use crate::hooks::input::parses;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;

/// How long a token lives, in days; the first is the default.
pub const LIVES: [(&str, &str); 4] =
    [("90", "90 days"), ("30", "30 days"), ("365", "1 year"), ("", "For ever")];

/// The instant at which a life of so many days ends.
pub fn end_of(days: &str) -> Option<chrono::DateTime<Utc>> {
    days.parse().ok().map(|days| now() + TimeDelta::days(days))
}

#[derive(Properties, PartialEq)]
pub struct NameAndLifeProps {
    pub title: AttrValue,
    pub placeholder: AttrValue,
    pub running: bool,
    pub problem: Option<Problem>,
    /// What else is chosen.
    #[prop_or_default]
    pub children: Html,
    pub onsubmit: Callback<(Name, Option<chrono::DateTime<Utc>>)>,
    pub onclose: Callback<()>,
}

/// A token of which only its name and its end are chosen.
#[component]
pub fn NameAndLife(props: &NameAndLifeProps) -> Html {
    let name = use_input("", parses::<Name>);
    let life = use_state(|| LIVES[0].0.to_owned());
    let onsubmit = {
        let (name, life, onsubmit) = (name.clone(), life.clone(), props.onsubmit.clone());
        Callback::from(move |()| {
            if let Some(name) = name.parsed() {
                onsubmit.emit((name, end_of(&life)));
            }
        })
    };
    let onchange = keep(&life);
    let options = LIVES.map(|(days, title)| (days.into(), title.into())).to_vec();
    html! {
        <Dialog title={props.title.clone()} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Create token" running={props.running} problem={props.problem.clone()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} placeholder={props.placeholder.clone()} autofocus=true hint="What uses it." />
                <SelectField label="Lifetime" path="expires_at" {options} value={(*life).clone()} {onchange} />
                { props.children.clone() }
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Whose token it is to be, where it is not a team's own.
    #[prop_or_default]
    pub account: Option<ServiceAccount>,
    pub ondone: Callback<NewTokenAnswer>,
    pub onclose: Callback<()>,
}

#[component]
pub fn TokenForm(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        let projects = api::identity::projects(&org, None).await?.items;
        // Without the right to see models a token for all of them can still be made.
        Ok((teams, projects, models_of(&[org]).await))
    });
    let title = match &props.account {
        Some(account) => format!("Create a token for {}", account.name),
        None => "Create token".to_owned(),
    };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            { show(&load, &again, |found| {
                let (mut teams, projects, models) = (**found).clone();
                teams.retain(|team| {
                    org.can_in("token.create", team.slug.as_str(), None)
                        || projects.iter().any(|it| it.team == team.id && org.can_in("token.create", team.slug.as_str(), Some(it.slug.as_str())))
                });
                if teams.is_empty() {
                    return html! { <p class="prose">{ "A token works for a team, and there is none yet. Create a team first." }</p> };
                }
                html! { <Fields account={props.account.clone()} {teams} {projects} {models} ondone={props.ondone.clone()} onclose={props.onclose.clone()} /> }
            }) }
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    account: Option<ServiceAccount>,
    teams: Vec<Team>,
    projects: Vec<Project>,
    models: Vec<String>,
    ondone: Callback<NewTokenAnswer>,
    onclose: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let org = use_org();
    let create = use_action(props.ondone.clone());
    let name = use_input("", parses::<Name>);
    let first = props.teams.first().map(|team| team.slug.to_string()).unwrap_or_default();
    let home = use_state(|| (first, String::new()));
    let life = use_state(|| LIVES[0].0.to_owned());
    let models = use_state(Vec::<String>::new);
    let (limits, limit_fields) = use_limits();
    let onsubmit = {
        let (name, home, life, models) = (name.clone(), home.clone(), life.clone(), models.clone());
        let (create, org, limits) = (create.clone(), org.slug(), limits.clone());
        let account = props.account.as_ref().map(|account| account.slug.to_string());
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            let (team, project) = match &account {
                Some(_) => (None, None),
                None => (Some(home.0.clone()), Some(home.1.clone()).filter(|it| !it.is_empty())),
            };
            let new = NewToken {
                name,
                team,
                project,
                service_account: account.clone(),
                models: Some((*models).clone()).filter(|models| !models.is_empty()),
                permissions: limits.permissions.clone(),
                addresses: limits.addresses.clone(),
                expires_at: end_of(&life),
            };
            create.run(api::identity::create_token(&org, new));
        })
    };
    let lives = LIVES.map(|(days, title)| (days.into(), title.into())).to_vec();
    html! {
        <Form inputs={vec![name.clone()]} verb="Create token" running={create.running()} problem={create.problem()}
            {onsubmit} oncancel={props.onclose.clone()}>
            <TextField label="Name" path="name" input={name} placeholder="ci" hint="What uses it, so that you know later whether it can go." autofocus=true />
            if props.account.is_none() {
                { home_fields(&props.teams, &props.projects, &home, &keep(&home)) }
            }
            <SelectField label="Lifetime" path="expires_at" options={lives} value={(*life).clone()} onchange={keep(&life)} />
            { limit_fields }
            { model_checks(&props.models, &models) }
        </Form>
    }
}

/// A team, and one project of it or all. `home` is the slugs of both; that of the project is empty for all.
pub fn home_fields(
    teams: &[Team],
    projects: &[Project],
    home: &(String, String),
    onchange: &Callback<(String, String)>,
) -> Html {
    let (team, project) = home.clone();
    let onteam = onchange.reform(|slug| (slug, String::new()));
    let onproject = {
        let team = team.clone();
        onchange.reform(move |slug| (team.clone(), slug))
    };
    let teams = teams
        .iter()
        .map(|team| (text(team.slug.as_str()), text(team.name.as_str())))
        .collect::<Vec<_>>();
    let mut choices = vec![(text(""), text("All of the team’s projects"))];
    choices.extend(
        projects
            .iter()
            .filter(|one| one.team_slug.as_str() == team)
            .map(|one| (text(one.slug.as_str()), text(one.name.as_str()))),
    );
    html! {
        <div class="pair">
            <SelectField label="Team" path="team" options={teams} value={team} onchange={onteam} />
            <SelectField label="Project" path="project" options={choices} value={project} onchange={onproject} />
        </div>
    }
}

fn text(text: &str) -> AttrValue {
    text.to_owned().into()
}

/// The names of the models that these organisations show.
pub async fn models_of(orgs: &[String]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for org in orgs {
        let found = api::catalog::models(org).await.map(|page| page.items).unwrap_or_default();
        names.extend(found.into_iter().map(|model| model.name));
    }
    names.into_iter().collect()
}

/// Which models it may use; none checked is all.
pub fn model_checks(known: &[String], chosen: &UseStateHandle<Vec<String>>) -> Html {
    if known.is_empty() {
        return Html::default();
    }
    html! {
        <fieldset>
            <legend>{ "Models" }</legend>
            <p class="note">{ if chosen.is_empty() { "All, also those added later. Check some to allow only these." } else { "Only the checked ones." } }</p>
            <div class="checks">
                { for known.iter().map(|name| {
                    let on = chosen.contains(name);
                    let onchange = {
                        let (chosen, name) = (chosen.clone(), name.clone());
                        Callback::from(move |on: bool| {
                            let mut names: Vec<String> = chosen.iter().filter(|one| **one != name).cloned().collect();
                            if on {
                                names.push(name.clone());
                            }
                            chosen.set(names);
                        })
                    };
                    html! { <Check key={name.clone()} label={name.clone()} {on} {onchange} /> }
                }) }
            </div>
        </fieldset>
    }
}
