//! Provisioning: the organisation's directory says over SCIM who its people are.

use chrono::{DateTime, Utc};
use ralex_api::scim::{NewScimToken, ScimConnection, ScimToken};
use ralex_api::tokens::NewTokenAnswer;
use ralex_kernel::Name;
use yew::prelude::*;

use super::token_form::NameAndLife;
use crate::api;
use crate::components::secret::SecretOnce;
use crate::components::{
    Button, Code, Column, Confirm, ConfirmDelete, Failed, Icon, IconButton, Switch, Table, When,
    key_value, show,
};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;
use crate::text::number::counted;

const COLUMNS: [Column; 5] = [
    Column::text("Token"),
    Column::text("Created").wide(),
    Column::text("Last used"),
    Column::text("Ends"),
    Column::text(""),
];

/// What is open over the panel.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Create,
    Created(String),
    Revoke(Box<ScimToken>),
    SwitchOff,
}

/// The part of the page on signing in that is about the directory.
#[component]
pub fn Provisioning() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let (load, again) = use_load(org.slug(), |org| api::scim::connection(&org));
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let switch = use_action({
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |_: ScimConnection| {
            close.emit(());
            again.emit(());
        })
    });
    let create = use_action({
        let (set, again) = (set.clone(), again.clone());
        Callback::from(move |answer: NewTokenAnswer| {
            again.emit(());
            set.emit(Over::Created(answer.token));
        })
    });
    let onswitch = {
        let (switch, slug) = (switch.clone(), org.slug());
        Callback::from(move |enabled| switch.run(api::scim::set(&slug, enabled)))
    };
    let onconfirm = onswitch.reform(|()| false);
    let onswitch = {
        let set = set.clone();
        Callback::from(
            move |on: bool| {
                if on { onswitch.emit(true) } else { set.emit(Over::SwitchOff) }
            },
        )
    };
    let oncreate = {
        let (create, slug) = (create.clone(), org.slug());
        Callback::from(move |(name, expires_at): (Name, Option<DateTime<Utc>>)| {
            create.run(api::scim::create_token(&slug, NewScimToken { name, expires_at }));
        })
    };
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "Provisioning (SCIM)" }</h2>
                if let Some(found) = load.ready() { <Switch label="Listen to the directory" on={found.enabled} onchange={onswitch} /> }
            </header>
            if let Some(problem) = switch.problem().filter(|_| *over != Over::SwitchOff) { <Failed {problem} /> }
            { show(&load, &again, |found| if found.enabled {
                connection(found, &set)
            } else {
                html! { <p class="faint">{ "A directory such as Okta or Entra ID can add people, put them in groups, and suspend who leaves." }</p> }
            }) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Create => html! {
                    <NameAndLife title="Create token for the directory" placeholder="okta" running={create.running()} problem={create.problem()} onsubmit={oncreate} {onclose} />
                },
                Over::Created(secret) => html! {
                    <SecretOnce title="Token created" label="Token" secret={secret.clone()} {onclose}>
                        <p class="prose">{ "Enter it at the directory, beside the address. Until it ends, the directory decides who is in the groups that it makes." }</p>
                    </SecretOnce>
                },
                Over::Revoke(token) => revoke_dialog(&org.slug(), token, &again, onclose),
                Over::SwitchOff => html! {
                    <Confirm title="Stop listening to the directory?" verb="Stop listening" running={switch.running()} problem={switch.problem()} {onconfirm} {onclose}>
                        { load.ready().map(|found| off(found)).unwrap_or_default() }
                    </Confirm>
                },
            } }
        </section>
    }
}

fn connection(found: &ScimConnection, set: &Callback<Over>) -> Html {
    let told = format!(
        "{} and {}",
        counted(found.users.into(), "member"),
        counted(found.groups.into(), "group")
    );
    let heard = match found.used_at {
        Some(at) => html! { <When {at} /> },
        None => html! { "never" },
    };
    let facts: [(AttrValue, Html); 3] = [
        (
            "Address".into(),
            html! { <Code text={found.base_url.clone()} label="Address of the SCIM service" /> },
        ),
        ("It tells of".into(), html! { told }),
        ("Heard last".into(), heard),
    ];
    html! {
        <>
            { key_value(&facts) }
            if !found.tokens.is_empty() {
                <Table caption="Tokens of the directory" columns={COLUMNS.to_vec()}>
                    { for found.tokens.iter().map(|token| row(token, set)) }
                </Table>
            }
            <p><Button icon={Icon::Plus} onclick={set.reform(|()| Over::Create)}>{ "Create token for the directory" }</Button></p>
        </>
    }
}

/// What does not happen any more when it is not heard.
fn off(found: &ScimConnection) -> Html {
    let (tokens, users) = (found.tokens.len() as u64, u64::from(found.users));
    html! {
        <p>{ format!(
            "Of the directory nothing is heard by its {} any more, and who leaves there stays here: nobody suspends the {} that it tells of. It goes on when it is listened to again.",
            counted(tokens, "token"), counted(users, "member"),
        ) }</p>
    }
}

fn row(token: &ScimToken, set: &Callback<Over>) -> Html {
    let chosen = Box::new(token.clone());
    let at = |at: Option<DateTime<Utc>>, none: &'static str| match at {
        Some(at) => html! { <When {at} /> },
        None => html! { none },
    };
    html! {
        <tr key={token.id.to_string()}>
            <td><span class="strong">{ token.name.to_string() }</span>{ " " }<code class="faint">{ format!("…{}", token.last_four) }</code></td>
            <td class="wide"><When at={token.created_at} /></td>
            <td>{ at(token.last_used_at, "never") }</td>
            <td>{ at(token.expires_at, "never") }</td>
            <td class="number"><IconButton icon={Icon::Trash} label={format!("Revoke {}", token.name)} onclick={set.reform(move |()| Over::Revoke(chosen.clone()))} /></td>
        </tr>
    }
}

fn revoke_dialog(
    org: &str,
    token: &ScimToken,
    again: &Callback<()>,
    onclose: Callback<()>,
) -> Html {
    let (org, id, title) = (org.to_owned(), token.id, format!("Revoke {}?", token.name));
    let delete = Callback::from(move |()| api::scim::revoke_token(&org, id));
    let (again, close) = (again.clone(), onclose.clone());
    let ondone = Callback::from(move |()| {
        close.emit(());
        again.emit(());
    });
    html! {
        <ConfirmDelete {title} verb="Revoke token" {delete} {ondone} {onclose}>
            <p>{ "The directory is not heard by it any more. What it told stays as it is." }</p>
        </ConfirmDelete>
    }
}
