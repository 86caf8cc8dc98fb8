//! A field for one member: chosen from a list, or named by e-mail where the list does not hold everybody.

use ralex_api::identity::Member;
use ralex_kernel::Email;
use yew::prelude::*;

use crate::api;
use crate::components::{SelectField, TextField, failed};
use crate::hooks::input::parses;
use crate::hooks::{keep, use_input, use_load};
use crate::session::use_org;

/// What stands in the list for whoever is not in it.
const ELSE: &str = "else";

#[derive(Properties, PartialEq)]
pub struct Props {
    pub label: AttrValue,
    pub path: AttrValue,
    /// What stands there before somebody is chosen.
    pub first: AttrValue,
    #[prop_or_default]
    pub hint: AttrValue,
    /// Whether the list shows owners alone.
    #[prop_or_default]
    pub owners: bool,
    /// Told the id or the e-mail address, and nothing while there is none.
    pub onchange: Callback<String>,
}

fn owns(member: &Member) -> bool {
    member.roles.iter().any(|held| held.role.as_str() == "owner")
}

#[component]
pub fn PersonField(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::identity::everybody(&org));
    let picked = use_state(String::new);
    let email = use_input("", parses::<Email>);
    let typed = *picked == ELSE;
    let value = if typed {
        email.parsed::<Email>().map(|email| email.to_string()).unwrap_or_default()
    } else {
        (*picked).clone()
    };
    let tell = props.onchange.clone();
    use_effect_with(value, move |value| tell.emit(value.clone()));
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), props.first.clone())];
    if let Some(page) = load.ready() {
        options.extend(page.items.iter().filter(|it| !props.owners || owns(it)).map(|member| {
            let title = format!("{} · {}", member.user.name, member.user.email);
            (member.user.id.to_string().into(), title.into())
        }));
        if page.next_cursor.is_some() {
            options.push((ELSE.into(), "Somebody else, by e-mail address".into()));
        }
    }
    html! {
        <>
            { failed(&load, &again) }
            <SelectField label={props.label.clone()} path={props.path.clone()} {options} value={(*picked).clone()} onchange={keep(&picked)} hint={props.hint.clone()} />
            if typed { <TextField label="E-mail" path={props.path.clone()} kind="email" input={email} hint="The list shows the first 500 members only." autofocus=true /> }
        </>
    }
}
