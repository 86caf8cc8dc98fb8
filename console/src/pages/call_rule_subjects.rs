//! Whose calls a rule is about: roles, groups, people and programs, chosen one by one.

use yew::prelude::*;

use crate::api;
use crate::api::client::Answer;
use crate::components::{Icon, IconButton, SelectField, failed};
use crate::hooks::use_load;
use crate::session::use_org;

/// Somebody as the API names them, and as people read it.
pub type Named = (String, String);

/// Who can be chosen, and what to say beside it: that the list is not there, or not whole.
pub struct Found {
    pub all: Vec<Named>,
    pub note: Html,
}

/// Everybody who calls by themselves.
#[hook]
pub fn use_callers() -> Found {
    use_found(false, false)
}

/// Everybody who can be given a role.
#[hook]
pub fn use_bearers() -> Found {
    use_found(true, false)
}

#[hook]
fn use_found(groups: bool, roles: bool) -> Found {
    let org = use_org();
    // Nothing is asked for that the reader may not see.
    let sees = [
        roles && org.can("role.read"),
        groups && org.can("group.read"),
        org.can("member.read"),
        org.can("service_account.read"),
    ];
    let (load, again) = use_load((org.slug(), sees), |(org, sees)| found(org, sees));
    let (all, cut) = load.ready().map(|found| (**found).clone()).unwrap_or_default();
    let note = html! {
        <>
            { failed(&load, &again) }
            if cut { <p class="note">{ "Of people, programs and groups the first 500 are listed; the command line and the API take any of them by e-mail address or name." }</p> }
        </>
    };
    Found { all, note }
}

/// Who there is, and whether there are more.
async fn found(
    org: String,
    [roles, groups, people, programs]: [bool; 4],
) -> Answer<(Vec<Named>, bool)> {
    let (mut all, mut cut) = (Vec::new(), false);
    if roles {
        let roles = api::identity::roles(&org).await?.items;
        all.extend(
            roles.into_iter().map(|it| (format!("role:{}", it.name), format!("Role {}", it.title))),
        );
    }
    if groups {
        let page = api::identity::groups(&org, None).await?;
        cut |= page.next_cursor.is_some();
        all.extend(
            page.items
                .into_iter()
                .map(|it| (format!("group:{}", it.slug), format!("Group {}", it.name))),
        );
    }
    if people {
        let page = api::identity::everybody(&org).await?;
        cut |= page.next_cursor.is_some();
        all.extend(page.items.into_iter().map(|it| {
            (format!("user:{}", it.user.id), format!("{} · {}", it.user.name, it.user.email))
        }));
    }
    if programs {
        let page = api::identity::service_accounts(&org, None).await?;
        cut |= page.next_cursor.is_some();
        all.extend(page.items.into_iter().map(|it| {
            (format!("service_account:{}", it.slug), format!("Service account {}", it.name))
        }));
    }
    Ok((all, cut))
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub chosen: Vec<Named>,
    pub onchange: Callback<Vec<Named>>,
}

#[component]
pub fn Subjects(props: &Props) -> Html {
    let Found { all, note } = use_found(true, true);
    html! {
        <>
            { note }
            <Several label="Whose calls" path="subjects[0]" first="Everybody’s" {all} chosen={props.chosen.clone()} onchange={props.onchange.clone()} />
        </>
    }
}

#[derive(Properties, PartialEq)]
pub struct SeveralProps {
    pub label: AttrValue,
    pub path: AttrValue,
    /// What it means that nobody is chosen.
    pub first: AttrValue,
    #[prop_or_default]
    pub hint: AttrValue,
    pub all: Vec<Named>,
    pub chosen: Vec<Named>,
    pub onchange: Callback<Vec<Named>>,
}

/// Several out of a list, chosen one by one.
#[component]
pub fn Several(props: &SeveralProps) -> Html {
    let all = &props.all;
    let left = all.iter().filter(|(id, _)| !props.chosen.iter().any(|(chosen, _)| chosen == id));
    let first = if props.chosen.is_empty() { props.first.clone() } else { "Add another".into() };
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), first)];
    options.extend(left.map(|(id, name)| (id.clone().into(), name.clone().into())));
    let onadd = {
        let (tell, chosen, all) = (props.onchange.clone(), props.chosen.clone(), all.clone());
        Callback::from(move |id: String| {
            if let Some(found) = all.iter().find(|(known, _)| *known == id) {
                let mut next = chosen.clone();
                next.push(found.clone());
                tell.emit(next);
            }
        })
    };
    html! {
        <div>
            <SelectField label={props.label.clone()} path={props.path.clone()} {options} value="" onchange={onadd} hint={props.hint.clone()} />
            if !props.chosen.is_empty() {
                <ul class="chips" aria-label={props.label.clone()}>
                    { for props.chosen.iter().map(|(id, name)| {
                        let onclick = {
                            let (tell, chosen, id) = (props.onchange.clone(), props.chosen.clone(), id.clone());
                            Callback::from(move |()| {
                                tell.emit(chosen.iter().filter(|(it, _)| *it != id).cloned().collect());
                            })
                        };
                        html! { <li key={id.clone()} class="badge">{ name.clone() }<IconButton class="small" icon={Icon::Close} label={format!("Without {name}")} {onclick} /></li> }
                    }) }
                </ul>
            }
        </div>
    }
}
