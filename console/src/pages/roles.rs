//! Roles: what each allows, as one table, and the organisation's own ones to define.

use ralex_api::access::{PermissionInfo, Role};
use yew::prelude::*;

use super::role_form::RoleForm;
use super::why::Why;
use crate::api;
use crate::components::{Button, ConfirmDelete, Dialog, Icon, IconButton, Kind, show, use_toast};
use crate::hooks::{keep, use_load};
use crate::session::use_org;

/// What is open over the table.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Ask,
    Edit(Box<Role>),
    Delete(Box<Role>),
}

/// The part of the people's page that is about them.
#[component]
pub fn Roles() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let (load, again) = use_load(org.slug(), |org| async move {
        let roles = api::identity::roles(&org).await?.items;
        Ok((roles, api::identity::permissions(&org).await?.items))
    });
    let set = keep(&over);
    let close = set.reform(|()| Over::Nothing);
    let done = {
        let (close, again) = (close.clone(), again.clone());
        Callback::from(move |said: AttrValue| {
            close.emit(());
            again.emit(());
            toast.emit(said);
        })
    };
    let may = org.can("role.define");
    let known = load.ready().map(|found| (**found).clone()).unwrap_or_default();
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "What each role allows. A denial beats every role, whatever it allows." }</p>
                <Button icon={Icon::Search} onclick={set.reform(|()| Over::Ask)}>{ "Who can?" }</Button>
                if may { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Define role" }</Button> }
            </div>
            { show(&load, &again, |found| matrix(&found.0, &found.1, may, &set)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Ask => html! { <Dialog title="Who can?" onclose={close}><Why /></Dialog> },
                Over::Create => html! { <RoleForm role={None::<Role>} roles={known.0} permissions={known.1} ondone={done} onclose={close} /> },
                Over::Edit(role) => html! { <RoleForm role={Some((**role).clone())} roles={known.0} permissions={known.1} ondone={done} onclose={close} /> },
                Over::Delete(role) => delete_dialog(&org.slug(), role, &done, close),
            } }
        </>
    }
}

fn matrix(roles: &[Role], permissions: &[PermissionInfo], may: bool, set: &Callback<Over>) -> Html {
    html! {
        // Focusable, so that a keyboard scrolls it.
        <div class="table-frame" tabindex="0" role="region" aria-label="What each role allows">
            <table class="table matrix">
                <caption class="sr">{ "What each role allows" }</caption>
                <thead>
                    <tr>
                        <th scope="col">{ "Permission" }</th>
                        { for roles.iter().map(|role| head(role, may, set)) }
                    </tr>
                </thead>
                <tbody>{ for permissions.iter().map(|permission| row(permission, roles)) }</tbody>
            </table>
        </div>
    }
}

fn head(role: &Role, may: bool, set: &Callback<Over>) -> Html {
    let open = |over: fn(Box<Role>) -> Over| {
        let role = Box::new(role.clone());
        set.reform(move |()| over(role.clone()))
    };
    html! {
        <th scope="col" key={role.name.to_string()} title={role.description.clone()}>
            { &role.title }
            if !role.built_in && may {
                <span class="actions">
                    <IconButton icon={Icon::Edit} label={format!("Change {}", role.title)} onclick={open(Over::Edit)} />
                    <IconButton icon={Icon::Trash} label={format!("Delete {}", role.title)} onclick={open(Over::Delete)} />
                </span>
            }
        </th>
    }
}

fn row(permission: &PermissionInfo, roles: &[Role]) -> Html {
    html! {
        <tr key={permission.name.clone()}>
            <th scope="row" title={permission.description.clone()}><code>{ &permission.name }</code></th>
            { for roles.iter().map(|role| if role.permissions.contains(&permission.name) {
                html! { <td><span aria-hidden="true">{ "✓" }</span><span class="sr">{ "yes" }</span></td> }
            } else {
                html! { <td><span class="sr">{ "no" }</span></td> }
            }) }
        </tr>
    }
}

fn delete_dialog(
    org: &str,
    role: &Role,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (org, name, title) = (org.to_owned(), role.name.to_string(), role.title.clone());
    let heading = format!("Delete {title}?");
    let ondone = ondone.reform(move |()| format!("Role {title} is gone.").into());
    let delete = Callback::from(move |()| api::identity::delete_role(&org, &name));
    html! {
        <ConfirmDelete title={heading} verb="Delete" {delete} {ondone} {onclose}>
            <p>{ "This works only once nobody holds it, nobody is denied it and no other role includes it." }</p>
        </ConfirmDelete>
    }
}
