//! The form that adds a person.

use ralex_api::access::{Role, RoleName};
use ralex_api::identity::{NewMember, NewMemberAnswer};
use ralex_kernel::{Email, Name};
use yew::prelude::*;

use crate::api;
use crate::api::client::Answer;
use crate::components::{Dialog, Form, SelectField, TextField, failed};
use crate::hooks::input::parses;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;

const USUAL: &str = "developer";

#[derive(Properties, PartialEq)]
pub struct Props {
    pub ondone: Callback<NewMemberAnswer>,
    pub onclose: Callback<()>,
}

#[component]
pub fn AddPerson(props: &Props) -> Html {
    let org = use_org();
    let add = use_action(props.ondone.clone());
    let email = use_input("", parses::<Email>);
    let name = use_input("", parses::<Name>);
    let role = use_state(|| USUAL.to_owned());
    let scope = use_state(|| "org".to_owned());
    let onsubmit = {
        let (email, name, role, scope) = (email.clone(), name.clone(), role.clone(), scope.clone());
        let (add, org) = (add.clone(), org.slug());
        Callback::from(move |()| {
            let Some(email) = email.parsed() else { return };
            let new = NewMember {
                email,
                name: name.parsed(),
                role: RoleName((*role).clone()),
                scope: Some((*scope).clone()),
                invite: true,
            };
            add.run(api::identity::add_member(&org, new));
        })
    };
    let onrole = keep(&role);
    let onscope = keep(&scope);
    html! {
        <Dialog title="Add person" onclose={props.onclose.clone()}>
            <Form inputs={vec![email.clone(), name.clone()]} verb="Add person" running={add.running()} problem={add.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="E-mail" path="email" kind="email" input={email} placeholder="ann@example.com" autofocus=true />
                <TextField label="Name" path="name" input={name} hint="Whoever has an account goes on being called as they are." />
                <RoleField role={(*role).clone()} scope={(*scope).clone()} {onrole} {onscope} />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct RoleProps {
    /// Whether it is not given yet, and so may be more than the reader holds.
    #[prop_or_default]
    pub any: bool,
    pub role: AttrValue,
    pub scope: AttrValue,
    pub onrole: Callback<String>,
    pub onscope: Callback<String>,
}

/// A role, what it allows, and where.
#[component]
pub fn RoleField(props: &RoleProps) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| async move {
        let roles = api::identity::roles(&org).await?.items;
        Ok((roles, places(&org).await?))
    });
    let mut roles: Vec<(AttrValue, AttrValue)> = vec![(props.role.clone(), props.role.clone())];
    let mut scopes = vec![whole()];
    let mut hint = AttrValue::default();
    if let Some(found) = load.ready() {
        let (known, places) = &**found;
        let place = [props.scope.to_string()];
        let fits = |role: &Role| {
            props.any
                || role.name.as_str() == &*props.role
                || role.permissions.iter().all(|it| org.can_at(it, &place))
        };
        roles = known
            .iter()
            // What programs hold at home by themselves is not given, and nobody gives what they do not hold.
            .filter(|role| role.name.as_str() != "service" && fits(role))
            .map(|role| (role.name.as_str().to_owned().into(), role.title.clone().into()))
            .collect();
        scopes.clone_from(places);
        hint = known
            .iter()
            .find(|role| role.name.as_str() == &*props.role)
            .map(|role| role.description.clone().into())
            .unwrap_or_default();
    }
    html! {
        <>
        { failed(&load, &again) }
        <div class="pair">
            <SelectField label="Role" path="role" options={roles} value={props.role.clone()} onchange={props.onrole.clone()} {hint} />
            <SelectField label="Where" path="scope" options={scopes} value={props.scope.clone()} onchange={props.onscope.clone()} />
        </div>
        </>
    }
}

fn whole() -> (AttrValue, AttrValue) {
    ("org".into(), "The whole organisation".into())
}

/// Where something can hold: the organisation, its teams and projects.
pub async fn places(org: &str) -> Answer<Vec<(AttrValue, AttrValue)>> {
    let teams = api::identity::teams(org, None).await?.items;
    let projects = api::identity::projects(org, None).await?.items;
    let teams = teams
        .iter()
        .map(|team| (format!("team:{}", team.slug).into(), format!("Team {}", team.name).into()));
    let projects = projects.iter().map(|project| {
        let title = format!("Project {} of {}", project.name, project.team_slug);
        (format!("project:{}", project.slug).into(), title.into())
    });
    Ok([whole()].into_iter().chain(teams).chain(projects).collect())
}
