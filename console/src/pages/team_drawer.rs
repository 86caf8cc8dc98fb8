//! One team: its name, its projects, and its end.

use ralex_api::identity::{NewProject, Project, Team, UpdateTeam};
use ralex_kernel::{Name, Slug};
use yew::prelude::*;

use super::rename::RenameProject;
use super::teams::name_and_slug;
use crate::api;
use crate::components::{
    Button, Confirm, ConfirmDelete, Drawer, Failed, Form, Icon, IconButton, Kind, TextField, show,
    use_toast,
};
use crate::hooks::input::parses;
use crate::hooks::{use_action, use_input, use_load};
use crate::route::Place;
use crate::router::Link;
use crate::session::use_org;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub slug: AttrValue,
    /// The list behind must be fetched anew.
    pub onchange: Callback<()>,
    pub onclose: Callback<()>,
}

#[component]
pub fn TeamDrawer(props: &Props) -> Html {
    let org = use_org();
    let wants = (org.slug(), props.slug.to_string());
    let (load, again) = use_load(wants, |(org, slug)| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        let team = teams.into_iter().find(|team| team.slug.as_str() == slug);
        let team = team.ok_or_else(|| ralex_api::Problem::not_found("team"))?;
        let projects = api::identity::projects(&org, Some(&slug)).await?.items;
        Ok((team, projects))
    });
    let changed = {
        let (again, tell) = (again.clone(), props.onchange.clone());
        Callback::from(move |()| {
            again.emit(());
            tell.emit(());
        })
    };
    let gone = {
        let (close, tell) = (props.onclose.clone(), props.onchange.clone());
        Callback::from(move |()| {
            close.emit(());
            tell.emit(());
        })
    };
    let title =
        load.ready().map_or_else(|| props.slug.to_string(), |found| found.0.name.to_string());
    html! {
        <Drawer {title} onclose={props.onclose.clone()}>
            { show(&load, &again, |found| html! {
                <>
                    <Projects team={found.0.clone()} projects={found.1.clone()} onchange={changed.clone()} />
                    <p><Link to={Place::Tokens.of(&org.slug())}>{ format!("{} of this team", counted(found.0.tokens.into(), "token")) }</Link></p>
                    <Rename key={found.0.name.to_string()} team={found.0.clone()} onchange={changed} />
                    <DeleteTeam team={found.0.clone()} ondone={gone} />
                </>
            }) }
        </Drawer>
    }
}

#[derive(Properties, PartialEq)]
struct ProjectsProps {
    team: Team,
    projects: Vec<Project>,
    onchange: Callback<()>,
}

#[component]
fn Projects(props: &ProjectsProps) -> Html {
    let org = use_org();
    let adding = use_state(|| false);
    let deleting = use_state(|| None::<Project>);
    let renaming = use_state(|| None::<Project>);
    let toast = use_toast();
    let may_add = org.can_in("project.create", props.team.slug.as_str(), None);
    let may_rename = |project: &Project| {
        org.can_in("project.update", props.team.slug.as_str(), Some(project.slug.as_str()))
    };
    let may_delete = |project: &Project| {
        org.can_in("project.delete", props.team.slug.as_str(), Some(project.slug.as_str()))
    };
    let close = {
        let adding = adding.clone();
        Callback::from(move |()| adding.set(false))
    };
    let keep = {
        let deleting = deleting.clone();
        Callback::from(move |()| deleting.set(None))
    };
    let leave = {
        let renaming = renaming.clone();
        Callback::from(move |()| renaming.set(None))
    };
    let after = |close: &Callback<()>| {
        let (close, tell) = (close.clone(), props.onchange.clone());
        Callback::from(move |()| {
            close.emit(());
            tell.emit(());
        })
    };
    let added = after(&close);
    let deleted = |project: &Project| {
        let (done, toast) = (after(&keep), toast.clone());
        let said = AttrValue::from(format!("Project {} is deleted.", project.name));
        Callback::from(move |()| {
            toast.emit(said.clone());
            done.emit(());
        })
    };
    let renamed = {
        let (done, toast) = (after(&leave), toast.clone());
        Callback::from(move |project: Project| {
            toast.emit(format!("The project is now called {}.", project.name).into());
            done.emit(());
        })
    };
    let add = {
        let adding = adding.clone();
        Callback::from(move |()| adding.set(true))
    };
    html! {
        <section class="part">
            <header class="panel-head">
                <h3>{ "Projects" }</h3>
                if may_add && !*adding { <Button icon={Icon::Plus} onclick={add}>{ "Add project" }</Button> }
            </header>
            if props.projects.is_empty() && !*adding { <p class="faint">{ "None yet. A token can be limited to one." }</p> }
            <ul class="rows">
                { for props.projects.iter().map(|project| {
                    let (deleting, chosen) = (deleting.clone(), project.clone());
                    let onclick = Callback::from(move |()| deleting.set(Some(chosen.clone())));
                    let (renaming, chosen) = (renaming.clone(), project.clone());
                    let rename = Callback::from(move |()| renaming.set(Some(chosen.clone())));
                    html! {
                        <li key={project.id.to_string()}>
                            <div><strong>{ project.name.to_string() }</strong>{ " " }<code>{ project.slug.to_string() }</code></div>
                            if may_rename(project) { <IconButton icon={Icon::Edit} label={format!("Rename project {}", project.name)} onclick={rename} /> }
                            if may_delete(project) { <IconButton icon={Icon::Trash} label={format!("Delete project {}", project.name)} {onclick} /> }
                        </li>
                    }
                }) }
            </ul>
            if *adding { <AddProject team={props.team.slug.to_string()} ondone={added} oncancel={close} /> }
            if let Some(project) = &*renaming { <RenameProject project={project.clone()} ondone={renamed} onclose={leave.clone()} /> }
            if let Some(project) = &*deleting { { delete_project(&org.slug(), project, deleted(project), keep.clone()) } }
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct AddProps {
    team: AttrValue,
    ondone: Callback<()>,
    oncancel: Callback<()>,
}

#[component]
fn AddProject(props: &AddProps) -> Html {
    let org = use_org();
    let create = use_action(props.ondone.reform(|_: Project| ()));
    let (name, slug) = (use_input("", parses::<Name>), use_input("", parses::<Slug>));
    let onsubmit = {
        let (name, slug, create, team) =
            (name.clone(), slug.clone(), create.clone(), props.team.to_string());
        Callback::from(move |()| {
            if let (Some(name), Some(slug)) = (name.parsed(), slug.parsed()) {
                let (org, team) = (org.slug(), team.clone());
                create.run(api::identity::create_project(&org, NewProject { slug, name, team }));
            }
        })
    };
    html! {
        <Form inputs={vec![name.clone(), slug.clone()]} verb="Add project" running={create.running()} problem={create.problem()}
            {onsubmit} oncancel={props.oncancel.clone()}>
            { name_and_slug(&name, &slug, "Search") }
        </Form>
    }
}

fn delete_project(
    org: &str,
    project: &Project,
    ondone: Callback<()>,
    onclose: Callback<()>,
) -> Html {
    let title = format!("Delete project {}?", project.name);
    let (org, id) = (org.to_owned(), project.id.to_string());
    let delete = Callback::from(move |()| api::identity::delete_project(&org, &id));
    html! {
        <ConfirmDelete {title} verb="Delete project" {delete} {ondone} {onclose}>
            <p>{ "Tokens and budgets of the project must be gone first. What it spent stays in the records." }</p>
        </ConfirmDelete>
    }
}

#[derive(Properties, PartialEq)]
struct RenameProps {
    team: Team,
    onchange: Callback<()>,
}

#[component]
fn Rename(props: &RenameProps) -> Html {
    let org = use_org();
    let toast = use_toast();
    let name = use_input(props.team.name.as_str(), parses::<Name>);
    let rename = {
        let tell = props.onchange.clone();
        use_action(Callback::from(move |team: Team| {
            toast.emit(format!("The team is now called {}.", team.name).into());
            tell.emit(());
        }))
    };
    if !org.can_in("team.update", props.team.slug.as_str(), None) {
        return Html::default();
    }
    let onsubmit = {
        let (name, rename, org, slug) =
            (name.clone(), rename.clone(), org.slug(), props.team.slug.to_string());
        Callback::from(move |()| {
            if let Some(name) = name.parsed() {
                rename.run(api::identity::update_team(&org, &slug, UpdateTeam { name }));
            }
        })
    };
    html! {
        <section class="part">
            <h3>{ "Name" }</h3>
            <Form inputs={vec![name.clone()]} verb="Save name" running={rename.running()} problem={rename.problem()} {onsubmit}>
                <TextField label="Team name" path="name" input={name} hint={format!("The slug {} stays.", props.team.slug)} />
            </Form>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct DeleteTeamProps {
    team: Team,
    ondone: Callback<()>,
}

#[component]
fn DeleteTeam(props: &DeleteTeamProps) -> Html {
    let org = use_org();
    let asking = use_state(|| false);
    let toast = use_toast();
    let Team { name, slug, projects, tokens, .. } = props.team.clone();
    let delete = {
        let (done, name) = (props.ondone.clone(), name.clone());
        use_action(Callback::from(move |()| {
            toast.emit(format!("Team {name} is deleted.").into());
            done.emit(());
        }))
    };
    if !org.can_in("team.delete", props.team.slug.as_str(), None) {
        return Html::default();
    }
    let (running, problem) = (delete.running(), delete.problem());
    let onconfirm = Callback::from(move |()| {
        let (org, slug) = (org.slug(), slug.to_string());
        delete.run(api::identity::delete_team(&org, &slug));
    });
    let ask = {
        let asking = asking.clone();
        Callback::from(move |()| asking.set(true))
    };
    let onclose = Callback::from({
        let asking = asking.clone();
        move |()| asking.set(false)
    });
    html! {
        <section class="part">
            <h3>{ "Delete" }</h3>
            if let Some(problem) = problem.clone().filter(|_| !*asking) { <Failed {problem} /> }
            <Button kind={Kind::Danger} icon={Icon::Trash} onclick={ask}>{ "Delete team" }</Button>
            if *asking {
                <Confirm title={format!("Delete team {name}?")} verb="Delete team" {running} {problem} {onconfirm} {onclose}>
                    <p>{ format!("It has {} and {}. What it spent stays in the records.", counted(projects.into(), "project"), counted(tokens.into(), "token")) }</p>
                </Confirm>
            }
        </section>
    }
}
