//! Roles: what each allows, as one table in which the organisation's own are changed.

use std::rc::Rc;

use ralex_api::access::{PermissionInfo, Role};
use yew::prelude::*;

use super::role_draft::{Drafts, Sheet, Step};
use super::role_form::RoleForm;
use super::role_matrix::{Matrix, resource};
use super::role_save::RoleDraft;
use super::why::Why;
use crate::api;
use crate::components::{
    Button, ConfirmDelete, Dialog, Empty, Icon, Kind, TextField, show, use_toast,
};
use crate::hooks::input::anything;
use crate::hooks::{keep, use_input, use_load, use_query, use_unsaved};
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
        let permissions = together(api::identity::permissions(&org).await?.items);
        Ok((Rc::new(roles), Rc::new(permissions)))
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
    let known = load.ready().map(|found| (**found).clone()).unwrap_or_default();
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "What each role allows. A denial beats every role, whatever it allows." }</p>
                <Button icon={Icon::Search} onclick={set.reform(|()| Over::Ask)}>{ "Who can?" }</Button>
                if org.blocked("role.define").is_none() {
                    <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Define role" }</Button>
                }
            </div>
            { show(&load, &again, |found| html! {
                <Sheets roles={Rc::clone(&found.0)} permissions={Rc::clone(&found.1)} ondone={done.clone()} again={again.clone()}
                    onedit={set.reform(|role| Over::Edit(Box::new(role)))} ondelete={set.reform(|role| Over::Delete(Box::new(role)))} />
            }) }
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

/// Those of one resource together, in the order in which the first of each comes.
fn together(all: Vec<PermissionInfo>) -> Vec<PermissionInfo> {
    let mut groups: Vec<Vec<PermissionInfo>> = Vec::new();
    for one in all {
        match groups.iter_mut().find(|group| resource(&group[0]) == resource(&one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.into_iter().flatten().collect()
}

#[derive(Properties, PartialEq)]
struct SheetsProps {
    roles: Rc<Vec<Role>>,
    permissions: Rc<Vec<PermissionInfo>>,
    ondone: Callback<AttrValue>,
    again: Callback<()>,
    onedit: Callback<Role>,
    ondelete: Callback<Role>,
}

/// The filter, the table, and what is wanted and not saved.
#[component]
fn Sheets(props: &SheetsProps) -> Html {
    let (query, set) = use_query();
    let filter = use_input(query.find("filter").unwrap_or_default(), anything);
    let drafts = use_reducer(Drafts::default);
    {
        // Kept until the table has it, so that nothing in it turns back for a moment.
        let drafts = drafts.dispatcher();
        use_effect_with(Rc::clone(&props.roles), move |roles| {
            drafts.dispatch(Step::Settle(Rc::clone(roles)));
        });
    }
    let unsaved = use_unsaved();
    let text = filter.text().trim().to_lowercase();
    let shown = use_memo((text, Rc::clone(&props.permissions)), |(text, all)| {
        let fits = |it: &&PermissionInfo| {
            it.name.contains(text.as_str()) || it.description.to_lowercase().contains(text)
        };
        all.iter().filter(fits).cloned().collect::<Vec<_>>()
    });
    let sheet = Sheet::new(&props.roles, &drafts);
    let drafted = sheet.drafted();
    unsaved.set(!drafted.is_empty());
    let onsubmit = {
        let filter = filter.clone();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            set.emit(query.with("filter", &filter.text()));
        })
    };
    html! {
        <>
            <div class="filters">
                <form class="filter-fields" role="search" data-search="" {onsubmit}>
                    <TextField label="Filter" input={filter} placeholder="budget, or words of what it allows" />
                </form>
                { legend() }
            </div>
            if shown.is_empty() {
                <Empty icon={Icon::Search} title="No permission matches"><p>{ "A part of its name or of what it allows is enough." }</p></Empty>
            } else {
                <Matrix roles={Rc::clone(&props.roles)} permissions={shown} drafts={drafts.clone()} onedit={props.onedit.clone()} ondelete={props.ondelete.clone()} />
            }
            if !drafted.is_empty() {
                <div class="drafts" role="region" aria-label="Not saved yet">
                    { for drafted.into_iter().map(|role| drafted_role(props, role, &sheet, &drafts)) }
                </div>
            }
        </>
    }
}

fn drafted_role(
    props: &SheetsProps,
    role: &Role,
    sheet: &Sheet<'_>,
    drafts: &UseReducerHandle<Drafts>,
) -> Html {
    let discard = {
        let (dispatch, name) = (drafts.dispatcher(), role.name.to_string());
        Callback::from(move |()| dispatch.dispatch(Step::Discard(name.clone())))
    };
    let onsaved = props.ondone.reform(|role: Role| format!("Role {} is saved.", role.title).into());
    let followers = sheet.followers(role).into_iter().map(str::to_owned).collect::<Vec<_>>();
    html! {
        <RoleDraft key={role.name.to_string()} role={role.clone()} direct={drafts.direct(role)} change={sheet.change(role)}
            {followers} {onsaved} ondiscard={discard} onstale={props.again.clone()} />
    }
}

fn legend() -> Html {
    html! {
        <p class="legend" aria-hidden="true">
            <span><span class="mark own">{ "✓" }</span>{ "allows itself" }</span>
            <span><span class="mark through">{ "✓" }</span>{ "through a role that it includes" }</span>
            <span class="faint">{ "Arrows move, space turns" }</span>
        </p>
    }
}

fn delete_dialog(
    org: &str,
    role: &Role,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (org, role, title) = (org.to_owned(), role.clone(), role.title.clone());
    let heading = format!("Delete {title}?");
    let ondone = ondone.reform(move |()| format!("Role {title} is gone.").into());
    let delete = Callback::from(move |()| api::identity::delete_role(&org, &role));
    html! {
        <ConfirmDelete title={heading} verb="Delete" {delete} {ondone} {onclose}>
            <p>{ "This works only once nobody holds it, nobody is denied it and no other role includes it." }</p>
        </ConfirmDelete>
    }
}

#[cfg(test)]
mod tests {
    use ralex_api::access::PermissionInfo;

    #[test]
    fn permissions_of_one_resource_stand_together() {
        let named = |name: &str| PermissionInfo { name: name.into(), description: String::new() };
        let all = ["secret.read", "llm.invoke", "secret.use"].map(named).to_vec();
        let names: Vec<String> = super::together(all).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["secret.read", "secret.use", "llm.invoke"]);
    }
}
