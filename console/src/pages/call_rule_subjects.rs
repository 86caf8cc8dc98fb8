//! Whose calls a rule is about: roles, groups, people and programs, chosen one by one.

use yew::prelude::*;

use crate::api;
use crate::api::client::Answer;
use crate::components::{Icon, IconButton, SelectField};
use crate::hooks::use_load;
use crate::session::use_org;

/// Somebody as the API names them, and as people read it.
pub type Named = (String, String);

/// Everybody who calls by themselves.
#[hook]
pub fn use_callers() -> Vec<Named> {
    use_found(false, false)
}

/// Everybody who can be given a role.
#[hook]
pub fn use_bearers() -> Vec<Named> {
    use_found(true, false)
}

#[hook]
fn use_found(groups: bool, roles: bool) -> Vec<Named> {
    let org = use_org();
    // Nothing is asked for that the reader may not see.
    let sees = [
        roles && org.can("role.read"),
        groups && org.can("group.read"),
        org.can("member.read"),
        org.can("service_account.read"),
    ];
    let (load, _) = use_load((org.slug(), sees), |(org, sees)| found(org, sees));
    load.ready().map(|all| (**all).clone()).unwrap_or_default()
}

async fn found(org: String, [roles, groups, people, programs]: [bool; 4]) -> Answer<Vec<Named>> {
    let mut all = Vec::new();
    if roles {
        let roles = api::identity::roles(&org).await?.items;
        all.extend(
            roles.into_iter().map(|it| (format!("role:{}", it.name), format!("Role {}", it.title))),
        );
    }
    if groups {
        let groups = api::identity::groups(&org).await?.items;
        all.extend(
            groups
                .into_iter()
                .map(|it| (format!("group:{}", it.slug), format!("Group {}", it.name))),
        );
    }
    if people {
        let people = api::identity::everybody(&org).await?.items;
        all.extend(people.into_iter().map(|it| {
            (format!("user:{}", it.user.id), format!("{} · {}", it.user.name, it.user.email))
        }));
    }
    if programs {
        let programs = api::identity::service_accounts(&org).await?.items;
        all.extend(programs.into_iter().map(|it| {
            (format!("service_account:{}", it.slug), format!("Service account {}", it.name))
        }));
    }
    Ok(all)
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub chosen: Vec<Named>,
    pub onchange: Callback<Vec<Named>>,
}

#[component]
pub fn Subjects(props: &Props) -> Html {
    let all = use_found(true, true);
    let left = all.iter().filter(|(id, _)| !props.chosen.iter().any(|(chosen, _)| chosen == id));
    let first = if props.chosen.is_empty() { "Everybody’s" } else { "Add another" };
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), first.into())];
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
            <SelectField label="Whose calls" path="subjects[0]" {options} value="" onchange={onadd} />
            if !props.chosen.is_empty() {
                <ul class="chips" aria-label="Whose calls">
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
