//! The form that defines a role of the organisation's own, or says what one is called and made of.
//! What a role allows itself is changed in the table of all.

use std::rc::Rc;

use ralex_api::access::{NewRole, PermissionInfo, Role, RoleName, UpdateRole};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::{Check, Dialog, Form, TextArea, TextField};
use crate::hooks::input::{anything, needed, parses};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The role to change; a new one when absent.
    pub role: Option<Role>,
    pub roles: Rc<Vec<Role>>,
    pub permissions: Rc<Vec<PermissionInfo>>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn RoleForm(props: &Props) -> Html {
    let org = use_org();
    let old = props.role.as_ref();
    let save = use_action(
        props.ondone.reform(|role: Role| format!("Role {} is saved.", role.title).into()),
    );
    let text = |of: fn(&Role) -> &str| old.map(of).unwrap_or_default();
    let name = use_input(text(|role| role.name.as_str()), needed);
    let title = use_input(text(|role| &role.title), parses::<Name>);
    let description = use_input(text(|role| &role.description), anything);
    let permissions = use_state(|| old.map(|role| role.direct.clone()).unwrap_or_default());
    let includes = use_state(|| {
        let names = |role: &Role| role.includes.iter().map(RoleName::to_string).collect();
        old.map_or_else(Vec::new, names)
    });
    let onsubmit = {
        let (save, org, read) = (save.clone(), org.slug(), props.role.clone());
        let (name, title, description) = (name.clone(), title.clone(), description.clone());
        let (permissions, includes) = ((*permissions).clone(), (*includes).clone());
        Callback::from(move |()| {
            let (Some(title), description) = (title.parsed::<Name>(), description.text()) else {
                return;
            };
            let includes = includes.iter().cloned().map(RoleName).collect();
            let (name, permissions) = (name.text(), permissions.clone());
            if let Some(read) = &read {
                let change = UpdateRole {
                    title: Some(title),
                    description: Some(description),
                    permissions: None,
                    includes: Some(includes),
                };
                save.run(api::identity::update_role(&org, read, &change));
            } else {
                let (name, description) = (RoleName(name), Some(description));
                let new = NewRole { name, title, description, permissions, includes };
                save.run(api::identity::create_role(&org, new));
            }
        })
    };
    // What can be part of another role, for somebody who holds all of it; the server says no to
    // what it would make impossible.
    let held = |name: &String| org.blocked(name).is_none();
    let parts = props.roles.iter().filter(|role| {
        let name = role.name.as_str();
        let can_be = !["owner", "service"].contains(&name);
        can_be && old.is_none_or(|old| old.name != role.name) && role.permissions.iter().all(held)
    });
    let known = props.permissions.iter().filter(|it| held(&it.name));
    let heading =
        old.map_or_else(|| "Define role".to_owned(), |role| format!("Change {}", role.title));
    html! {
        <Dialog title={heading} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), title.clone(), description.clone()]} verb="Save role" running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() {
                    <TextField label="Name" path="name" input={name} autofocus=true hint="Lower-case letters, digits and \"_\"; it cannot be changed later." />
                }
                <TextField label="Title" path="title" input={title} />
                <TextArea label="Description" path="description" input={description} rows=2 />
                <fieldset>
                    <legend>{ "Includes all of" }</legend>
                    <div class="checks">{ for parts.map(|role| choice(role.name.as_str(), &role.title, &role.description, &includes)) }</div>
                </fieldset>
                if old.is_none() {
                    <fieldset>
                        <legend>{ "Allows itself" }</legend>
                        <div class="checks">{ for known.map(|it| choice(&it.name, &it.name, &it.description, &permissions)) }</div>
                    </fieldset>
                }
            </Form>
        </Dialog>
    }
}

/// One of several, with what it means behind its name.
pub fn choice(
    value: &str,
    label: &str,
    description: &str,
    chosen: &UseStateHandle<Vec<String>>,
) -> Html {
    let on = chosen.iter().any(|it| it == value);
    let onchange = {
        let (chosen, value) = (chosen.clone(), value.to_owned());
        Callback::from(move |on: bool| {
            let mut next = (*chosen).clone();
            next.retain(|it| *it != value);
            if on {
                next.push(value.clone());
            }
            chosen.set(next);
        })
    };
    html! { <span title={description.to_owned()}><Check label={label.to_owned()} {on} {onchange} /></span> }
}
