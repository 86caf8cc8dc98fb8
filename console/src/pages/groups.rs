//! Groups: people who are given roles together.

use ralex_api::access::{Group, GroupMember, NewGroup, UpdateGroup};
use ralex_kernel::{Name, Slug};
use yew::prelude::*;

use super::person_field::PersonField;
use super::roles_of::RolesDialog;
use super::teams::name_and_slug;
use crate::api;
use crate::components::{
    Badge, Banner, Button, Column, Confirm, ConfirmDelete, Dialog, Empty, Form, Icon, IconButton,
    Kind, Table, TextField, When, rest, show, use_toast,
};
use crate::hooks::input::parses;
use crate::hooks::{keep, use_action, use_input, use_load, use_pages};
use crate::session::use_org;
use crate::text::number::{counted, grouped};

const COLUMNS: [Column; 5] = [
    Column::text("Name"),
    Column::number("People"),
    Column::number("Roles"),
    Column::text("By").wide(),
    Column::text(""),
];
const MEMBERS: [Column; 4] =
    [Column::text("Name"), Column::text("Since"), Column::text("By").wide(), Column::text("")];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Rename(Box<Group>),
    People(Box<Group>),
    Roles(Box<Group>),
    Delete(Box<Group>),
}

/// The part of the people's page that is about them.
#[component]
pub fn Groups() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::identity::groups(&org, cursor));
    let again = list.again.clone();
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
    let may = org.can_everywhere("group.manage");
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "What a group is given, each of its people has for as long as they are in it." }</p>
                if may { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create group" }</Button> }
            </div>
            { show(&list.state, &again, |page| if page.items.is_empty() {
                html! { <Empty icon={Icon::People} title="No group yet"><p>{ "Make one for people who do the same work, and give it their roles." }</p></Empty> }
            } else {
                html! { <>
                    <Table caption="Groups" columns={COLUMNS.to_vec()}>
                        { for page.items.iter().map(|group| row(group, may, &set)) }
                    </Table>
                    { rest(page, "group", &list.more) }
                </> }
            }) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <Creator ondone={done} onclose={close} /> },
                Over::Rename(group) => html! { <Rename group={(**group).clone()} ondone={done} onclose={close} /> },
                Over::People(group) => html! { <Members group={(**group).clone()} onchange={again} onclose={close} /> },
                Over::Roles(group) => html! {
                    <RolesDialog subject={format!("group:{}", group.slug)} name={group.name.to_string()} onchange={again} onclose={close} />
                },
                Over::Delete(group) => delete_dialog(&org.slug(), group, &done, close),
            } }
        </>
    }
}

fn row(group: &Group, may: bool, set: &Callback<Over>) -> Html {
    let open = |over: fn(Box<Group>) -> Over| {
        let group = Box::new(group.clone());
        set.reform(move |()| over(group.clone()))
    };
    let name = &group.name;
    html! {
        <tr key={group.id.to_string()}>
            <td><span class="strong">{ name.to_string() }</span>{ " " }<code class="faint">{ group.slug.to_string() }</code>if group.managed_by_scim { { " " }<Badge>{ "Directory" }</Badge> }</td>
            <td class="number">{ grouped(group.members.into()) }</td>
            <td class="number">{ grouped(group.bindings.into()) }</td>
            <td class="wide">{ group.created_by.clone() }</td>
            <td class="number">
                <IconButton icon={Icon::People} label={format!("People of {name}")} onclick={open(Over::People)} />
                <IconButton icon={Icon::Shield} label={format!("Roles of {name}")} onclick={open(Over::Roles)} />
                if may {
                    <IconButton icon={Icon::Edit} label={format!("Rename {name}")} onclick={open(Over::Rename)} />
                    <IconButton icon={Icon::Trash} label={format!("Delete {name}")} onclick={open(Over::Delete)} />
                }
            </td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
struct CreatorProps {
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Creator(props: &CreatorProps) -> Html {
    let org = use_org();
    let create = use_action(
        props.ondone.reform(|group: Group| format!("Group {} is there.", group.name).into()),
    );
    let name = use_input("", parses::<Name>);
    let slug = use_input("", parses::<Slug>);
    let onsubmit = {
        let (name, slug, create, org) = (name.clone(), slug.clone(), create.clone(), org.slug());
        Callback::from(move |()| {
            let (Some(name), Some(slug)) = (name.parsed(), slug.parsed()) else { return };
            create.run(api::identity::create_group(&org, NewGroup { slug, name }));
        })
    };
    html! {
        <Dialog title="Create group" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), slug.clone()]} verb="Create group" running={create.running()} problem={create.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                { name_and_slug(&name, &slug, "Night shift") }
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct RenameProps {
    group: Group,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Rename(props: &RenameProps) -> Html {
    let org = use_org();
    let change = use_action(
        props.ondone.reform(|group: Group| format!("It is called {} now.", group.name).into()),
    );
    let name = use_input(props.group.name.as_str(), parses::<Name>);
    let onsubmit = {
        let (name, change, org) = (name.clone(), change.clone(), org.slug());
        let group = props.group.slug.to_string();
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            change.run(api::identity::update_group(&org, &group, UpdateGroup { name }));
        })
    };
    html! {
        <Dialog title={format!("Rename {}", props.group.name)} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Rename" running={change.running()} problem={change.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} autofocus=true />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct MembersProps {
    group: Group,
    onchange: Callback<()>,
    onclose: Callback<()>,
}

/// What is asked in the place of the dialog, to which an answer leads back.
#[derive(Clone, PartialEq)]
enum Asked {
    Nothing,
    Remove(Box<GroupMember>),
    Release,
}

/// Who is in a group; let in and removed.
#[component]
fn Members(props: &MembersProps) -> Html {
    let org = use_org();
    let group = props.group.slug.to_string();
    let wants = (org.slug(), group.clone());
    let (load, again) = use_load(wants, |(org, group)| api::identity::group_members(&org, &group));
    let changed = {
        let (again, onchange) = (again.clone(), props.onchange.clone());
        Callback::from(move |()| {
            again.emit(());
            onchange.emit(());
        })
    };
    let asked = use_state(|| Asked::Nothing);
    let set = keep(&asked);
    let back = set.reform(|()| Asked::Nothing);
    let removed = {
        let (back, changed) = (back.clone(), changed.clone());
        Callback::from(move |()| {
            back.emit(());
            changed.emit(());
        })
    };
    match &*asked {
        Asked::Nothing => {}
        Asked::Remove(member) => {
            return remove_dialog(&org.slug(), &props.group, member, removed, back);
        }
        Asked::Release => {
            return html! { <Release group={props.group.clone()} onchange={props.onchange.clone()} onback={back} onclose={props.onclose.clone()} /> };
        }
    }
    let onremove = set.reform(|member| Asked::Remove(Box::new(member)));
    let onrelease = set.reform(|()| Asked::Release);
    let may_change = org.can_everywhere("group.manage");
    let may = may_change && !props.group.managed_by_scim;
    html! {
        <Dialog title={format!("People of {}", props.group.name)} onclose={props.onclose.clone()}>
            { show(&load, &again, |page| if page.items.is_empty() {
                html! { <p class="faint">{ "Nobody is in it." }</p> }
            } else {
                html! {
                    <>
                        <Table caption="People" columns={MEMBERS.to_vec()}>
                            { for page.items.iter().map(|member| member_row(member, may, &onremove)) }
                        </Table>
                        if page.next_cursor.is_some() { <p class="faint">{ "There are more; the API and the command line list them all." }</p> }
                    </>
                }
            }) }
            if may_change && !may {
                <Banner>
                    <p>{ "The directory decides who is in this group." }</p>
                    <Button onclick={onrelease}>{ "Let people decide" }</Button>
                </Banner>
            }
            if may { <LetIn {group} {changed} onclose={props.onclose.clone()} /> }
        </Dialog>
    }
}

fn member_row(member: &GroupMember, may: bool, onremove: &Callback<GroupMember>) -> Html {
    let (user, chosen) = (&member.user, member.clone());
    html! {
        <tr key={user.id.to_string()}>
            <td><span class="strong">{ user.name.to_string() }</span>{ " " }<span class="faint">{ user.email.to_string() }</span></td>
            <td><When at={member.added_at} /></td>
            <td class="wide">{ member.added_by.clone() }</td>
            <td class="number">
                if may { <IconButton icon={Icon::Trash} label={format!("Remove {}", user.name)} onclick={onremove.reform(move |()| chosen.clone())} /> }
            </td>
        </tr>
    }
}

fn remove_dialog(
    org: &str,
    group: &Group,
    member: &GroupMember,
    ondone: Callback<()>,
    onclose: Callback<()>,
) -> Html {
    let (org, slug, id) = (org.to_owned(), group.slug.to_string(), member.user.id);
    let delete = Callback::from(move |()| api::identity::remove_group_member(&org, &slug, id));
    let roles = counted(group.bindings.into(), "role");
    html! {
        <ConfirmDelete title={format!("Remove {} from {}?", member.user.name, group.name)} verb="Remove" {delete} {ondone} {onclose}>
            <p>{ format!("What the group gives or denies them ({roles}) ends within a second. They stay in the organisation.") }</p>
        </ConfirmDelete>
    }
}

#[derive(Properties, PartialEq)]
struct ReleaseProps {
    group: Group,
    onchange: Callback<()>,
    onback: Callback<()>,
    onclose: Callback<()>,
}

/// Asks before the directory's word on a group ends.
#[component]
fn Release(props: &ReleaseProps) -> Html {
    let org = use_org();
    let release = use_action({
        let (close, onchange) = (props.onclose.clone(), props.onchange.clone());
        Callback::from(move |_: Group| {
            onchange.emit(());
            close.emit(());
        })
    });
    let onconfirm = {
        let (release, slug) = (release.clone(), org.slug());
        let group = props.group.slug.to_string();
        Callback::from(move |()| release.run(api::identity::release_group(&slug, &group)))
    };
    let people = counted(props.group.members.into(), "member");
    html! {
        <Confirm title={format!("Let people decide who is in {}?", props.group.name)} verb="Let them decide"
            running={release.running()} problem={release.problem()} {onconfirm} onclose={props.onback.clone()}>
            <p>{ format!("Its {people} and its roles stay. From then on the directory finds no such group: who leaves it there stays in it here until somebody removes them.") }</p>
        </Confirm>
    }
}

#[derive(Properties, PartialEq)]
struct LetInProps {
    group: AttrValue,
    changed: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn LetIn(props: &LetInProps) -> Html {
    let org = use_org();
    let add = use_action(props.changed.reform(|_: GroupMember| ()));
    let chosen = use_state(String::new);
    let onsubmit = {
        let (add, slug, group) = (add.clone(), org.slug(), props.group.clone());
        let chosen = chosen.clone();
        Callback::from(move |()| {
            add.run(api::identity::add_group_member(&slug, &group, &chosen));
        })
    };
    let blocked = chosen.is_empty().then(|| AttrValue::from("Choose who is let in."));
    html! {
        <Form inputs={Vec::new()} verb="Let in" running={add.running()} problem={add.problem()} {onsubmit} {blocked} oncancel={props.onclose.clone()}>
            <PersonField label="Person" path="subject" first="Choose a person" onchange={keep(&chosen)} />
        </Form>
    }
}

fn delete_dialog(
    org: &str,
    group: &Group,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let (org, slug, name) = (org.to_owned(), group.slug.to_string(), group.name.to_string());
    let title = format!("Delete {name}?");
    let ondone = ondone.reform(move |()| format!("Group {name} is gone.").into());
    let delete = Callback::from(move |()| api::identity::delete_group(&org, &slug));
    let people = counted(group.members.into(), "member");
    let roles = counted(group.bindings.into(), "role");
    html! {
        <ConfirmDelete {title} verb="Delete" {delete} {ondone} {onclose}>
            <p>{ format!("What it gives or denies to {people} ({roles}) ends within a second. The people stay in the organisation.") }</p>
        </ConfirmDelete>
    }
}
