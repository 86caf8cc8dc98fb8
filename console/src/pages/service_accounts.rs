//! Service accounts: what programs are, whichever of their tokens they show.

use ralex_api::identity::{NewServiceAccount, Project, ServiceAccount, Team, UpdateServiceAccount};
use ralex_api::tokens::NewTokenAnswer;
use ralex_kernel::{Name, Slug};
use yew::prelude::*;

use super::roles_of::RolesDialog;
use super::teams::name_and_slug;
use super::token_form::{TokenForm, home_fields};
use super::tokens::created_dialog;
use crate::api;
use crate::components::{
    Badge, Button, Column, ConfirmDelete, Dialog, Empty, Form, Icon, IconButton, Kind, Table,
    TextField, Tone, When, rest, show, use_toast,
};
use crate::hooks::input::parses;
use crate::hooks::{keep, use_action, use_input, use_load, use_pages};
use crate::session::use_org;
use crate::text::number::{counted, grouped};

const COLUMNS: [Column; 6] = [
    Column::text("Name"),
    Column::text("Works for"),
    Column::number("Tokens"),
    Column::text("Last used").wide(),
    Column::text("State"),
    Column::text(""),
];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Rename(Box<ServiceAccount>),
    Disable(Box<ServiceAccount>),
    Token(Box<ServiceAccount>),
    Roles(Box<ServiceAccount>),
    Created(String),
}

/// The part of the tokens' page that is about them.
#[component]
pub fn ServiceAccounts() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::identity::service_accounts(&org, cursor));
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
    let enable = use_action(done.reform(|account: ServiceAccount| {
        format!("The tokens of {} work again.", account.name).into()
    }));
    let onenable = {
        let (slug, run) = (org.slug(), enable.clone());
        Callback::from(move |account: ServiceAccount| {
            let change = UpdateServiceAccount { name: None, disabled: Some(false) };
            run.run(api::identity::update_service_account(&slug, account.slug.as_str(), change));
        })
    };
    let created = {
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |answer: NewTokenAnswer| {
            again.emit(());
            set.emit(Over::Created(answer.token));
        })
    };
    let create = html! {
        if org.can("service_account.create") {
            <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create service account" }</Button>
        }
    };
    let may = |account: &ServiceAccount| {
        let project = account.project.as_ref().map(Slug::as_str);
        let at = |permission: &str| org.can_in(permission, account.team.as_str(), project);
        (at("service_account.update"), at("token.create"))
    };
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "A program keeps its budgets and its name in the audit log, whichever of its tokens it shows." }</p>
                { create }
            </div>
            { show(&list.state, &again, |page| if page.items.is_empty() {
                html! { <Empty icon={Icon::Cube} title="No service account yet"><p>{ "Make one for each program, and change its tokens as often as you like." }</p></Empty> }
            } else {
                html! { <>
                    <Table caption="Service accounts" columns={COLUMNS.to_vec()}>
                        { for page.items.iter().map(|account| row(account, may(account), &set, &onenable)) }
                    </Table>
                    { rest(page, "service account", &list.more) }
                </> }
            }) }
            if let Some(problem) = enable.problem() { <crate::components::Failed {problem} /> }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! { <Creator ondone={done} onclose={close} /> },
                Over::Rename(account) => html! { <Rename account={(**account).clone()} ondone={done} onclose={close} /> },
                Over::Disable(account) => disable_dialog(&org.slug(), account, &done, close),
                Over::Token(account) => html! { <TokenForm account={Some((**account).clone())} ondone={created} onclose={close} /> },
                Over::Roles(account) => html! {
                    <RolesDialog subject={format!("service_account:{}", account.slug)} name={account.name.to_string()} onchange={again} onclose={close} />
                },
                Over::Created(secret) => created_dialog(secret, close),
            } }
        </>
    }
}

fn row(
    account: &ServiceAccount,
    (update, give): (bool, bool),
    set: &Callback<Over>,
    enable: &Callback<ServiceAccount>,
) -> Html {
    let disabled = account.disabled_at.is_some();
    let open = |over: fn(Box<ServiceAccount>) -> Over| {
        let account = Box::new(account.clone());
        set.reform(move |()| over(account.clone()))
    };
    let enabled = {
        let account = account.clone();
        enable.reform(move |()| account.clone())
    };
    let place = match &account.project {
        Some(project) => format!("{} / {project}", account.team),
        None => account.team.to_string(),
    };
    let name = &account.name;
    html! {
        <tr key={account.id.to_string()} class={classes!(disabled.then_some("gone"))}>
            <td><span class="strong">{ name.to_string() }</span>{ " " }<code class="faint">{ account.slug.to_string() }</code></td>
            <td>{ place }</td>
            <td class="number">{ grouped(account.tokens.into()) }</td>
            <td class="wide">
                if let Some(at) = account.last_used_at { <When {at} /> } else { <span class="faint">{ "Never" }</span> }
            </td>
            <td><Badge tone={if disabled { Tone::Warn } else { Tone::Good }}>{ if disabled { "Disabled" } else { "Works" } }</Badge></td>
            <td class="number">
                if give && !disabled { <IconButton icon={Icon::Key} label={format!("Create a token for {name}")} onclick={open(Over::Token)} /> }
                <IconButton icon={Icon::Shield} label={format!("Roles of {name}")} onclick={open(Over::Roles)} />
                if update { <IconButton icon={Icon::Edit} label={format!("Rename {name}")} onclick={open(Over::Rename)} /> }
                if update && disabled { <IconButton icon={Icon::Play} label={format!("Enable {name}")} onclick={enabled} /> }
                if update && !disabled { <IconButton icon={Icon::Stop} label={format!("Disable {name}")} onclick={open(Over::Disable)} /> }
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
    let (load, again) = use_load(org.slug(), |org| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        Ok((teams, api::identity::projects(&org, None).await?.items))
    });
    html! {
        <Dialog title="Create service account" onclose={props.onclose.clone()}>
            { show(&load, &again, |found| {
                let (teams, projects) = (**found).clone();
                if teams.is_empty() {
                    return html! { <p class="prose">{ "A service account is at home in a team, and there is none yet. Create a team first." }</p> };
                }
                html! { <Fields {teams} {projects} ondone={props.ondone.clone()} onclose={props.onclose.clone()} /> }
            }) }
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    teams: Vec<Team>,
    projects: Vec<Project>,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let org = use_org();
    let create = use_action(props.ondone.reform(|account: ServiceAccount| {
        format!("Service account {} is created.", account.name).into()
    }));
    let (name, slug) = (use_input("", parses::<Name>), use_input("", parses::<Slug>));
    let first = props.teams.first().map(|team| team.slug.to_string()).unwrap_or_default();
    let home = use_state(|| (first, String::new()));
    let onsubmit = {
        let (name, slug, home) = (name.clone(), slug.clone(), home.clone());
        let (create, org) = (create.clone(), org.slug());
        Callback::from(move |()| {
            if let (Some(name), Some(slug)) = (name.parsed(), slug.parsed()) {
                let (team, project) = (*home).clone();
                let project = Some(project).filter(|slug| !slug.is_empty());
                let new = NewServiceAccount { slug, name, team, project };
                create.run(api::identity::create_service_account(&org, new));
            }
        })
    };
    html! {
        <Form inputs={vec![name.clone(), slug.clone()]} verb="Create service account" running={create.running()} problem={create.problem()}
            {onsubmit} oncancel={props.onclose.clone()}>
            { name_and_slug(&name, &slug, "Nightly report") }
            { home_fields(&props.teams, &props.projects, &home, &keep(&home)) }
        </Form>
    }
}

#[derive(Properties, PartialEq)]
struct RenameProps {
    account: ServiceAccount,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Rename(props: &RenameProps) -> Html {
    let org = use_org();
    let save =
        use_action(props.ondone.reform(|account: ServiceAccount| {
            format!("It is called {} now.", account.name).into()
        }));
    let name = use_input(props.account.name.as_str(), parses::<Name>);
    let onsubmit = {
        let (name, save, org) = (name.clone(), save.clone(), org.slug());
        let slug = props.account.slug.to_string();
        Callback::from(move |()| {
            let change = UpdateServiceAccount { name: name.parsed(), disabled: None };
            save.run(api::identity::update_service_account(&org, &slug, change));
        })
    };
    html! {
        <Dialog title={format!("Rename {}", props.account.name)} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Rename" running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} autofocus=true hint="Its slug stays." />
            </Form>
        </Dialog>
    }
}

fn disable_dialog(
    org: &str,
    account: &ServiceAccount,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let name = account.name.to_string();
    let said = format!("No token of {name} works any more.");
    let ondone = ondone.reform(move |()| said.clone().into());
    let (org, slug) = (org.to_owned(), account.slug.to_string());
    let delete = Callback::from(move |()| api::identity::disable_service_account(&org, &slug));
    html! {
        <ConfirmDelete title={format!("Disable {name}?")} verb="Disable" {delete} {ondone} {onclose}>
            <p>
                { format!("{} within a second, on all servers. Enabled again, the same ones work on.", stops(account.tokens)) }
            </p>
        </ConfirmDelete>
    }
}

fn stops(tokens: u32) -> String {
    let verb = if tokens == 1 { "stops" } else { "stop" };
    format!("{} {verb} working", counted(tokens.into(), "token"))
}
