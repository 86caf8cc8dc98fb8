//! What the organisation and its projects are called.

use ralex_api::identity::{Org as Renamed, Project, UpdateOrg, UpdateProject};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::{Dialog, Form, TextField};
use crate::hooks::input::parses;
use crate::hooks::{use_action, use_input};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct RenameOrgProps {
    pub ondone: Callback<Renamed>,
    pub onclose: Callback<()>,
}

#[component]
pub fn RenameOrg(props: &RenameOrgProps) -> Html {
    let org = use_org();
    let name = use_input(&org.name(), parses::<Name>);
    let rename = use_action(props.ondone.clone());
    let hint =
        format!("What people read. The slug {} stays, and with it every address.", org.slug());
    let onsubmit = {
        let (name, rename) = (name.clone(), rename.clone());
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            rename.run(api::identity::rename_org(&org.slug(), UpdateOrg { name }));
        })
    };
    html! {
        <Dialog title="Rename the organisation" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Rename" running={rename.running()} problem={rename.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} {hint} autofocus=true />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct RenameProjectProps {
    pub project: Project,
    pub ondone: Callback<Project>,
    pub onclose: Callback<()>,
}

#[component]
pub fn RenameProject(props: &RenameProjectProps) -> Html {
    let org = use_org();
    let name = use_input(props.project.name.as_str(), parses::<Name>);
    let rename = use_action(props.ondone.clone());
    let slug = props.project.slug.to_string();
    let hint = format!("The slug {slug} stays.");
    let onsubmit = {
        let (name, rename) = (name.clone(), rename.clone());
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            rename.run(api::identity::update_project(&org.slug(), &slug, UpdateProject { name }));
        })
    };
    html! {
        <Dialog title="Rename project" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Rename" running={rename.running()} problem={rename.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} {hint} autofocus=true />
            </Form>
        </Dialog>
    }
}
