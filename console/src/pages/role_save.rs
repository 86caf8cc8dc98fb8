//! What is wanted of one role, in words, and the way to save it.

use ralex_api::access::{Role, UpdateRole};
use ralex_api::{Code, Problem};
use yew::prelude::*;

use super::role_draft::Change;
use crate::api;
use crate::api::client::Answer;
use crate::components::{Button, Failed, Icon, Kind};
use crate::hooks::{use_action, use_load};
use crate::session::use_org;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub role: Role,
    /// The permissions that it would name itself.
    pub direct: Vec<String>,
    pub change: Change,
    /// Titles of the roles that change with it.
    pub followers: Vec<String>,
    pub onsaved: Callback<Role>,
    pub ondiscard: Callback<()>,
    /// Called where somebody else has changed the role.
    pub onstale: Callback<()>,
}

#[component]
pub fn RoleDraft(props: &Props) -> Html {
    let org = use_org();
    let title = &props.role.title;
    let saved = use_state(|| false);
    let save = {
        let (saved, onsaved) = (saved.clone(), props.onsaved.clone());
        use_action(Callback::from(move |role: Role| {
            saved.set(true);
            onsaved.emit(role);
        }))
    };
    {
        let saved = saved.setter();
        use_effect_with(props.role.direct.clone(), move |_| saved.set(false));
    }
    let stale = save.problem().is_some_and(|problem| problem.code == Code::PreconditionFailed);
    {
        let onstale = props.onstale.clone();
        use_effect_with(stale, move |stale| {
            if *stale {
                onstale.emit(());
            }
        });
    }
    let onsave = {
        let (save, slug) = (save.clone(), org.slug());
        let (role, direct) = (props.role.clone(), props.direct.clone());
        Callback::from(move |()| save.run(write(slug.clone(), role.clone(), direct.clone())))
    };
    let name = props.role.name.to_string();
    let (held, _) = use_load((org.slug(), name), |(org, name)| api::identity::holders(&org, &name));
    let held = held.ready().map(|page| held_by(page.items.len(), page.next_cursor.is_some()));
    let nothing = (props.direct.is_empty() && props.role.includes.is_empty())
        .then(|| AttrValue::from("A role allows something. Delete it instead."));
    html! {
        <section class="draft" aria-label={format!("Changes of {title}")}>
            <div class="draft-words">
                <h2>{ title }</h2>
                <p>{ words(&props.change.gives, &props.change.takes) }</p>
                { for props.change.stays.iter().map(|(name, part)| html! { <p class="faint">{ format!("{name} stays, through {part}.") }</p> }) }
                if !props.followers.is_empty() {
                    <p class="faint">{ format!("The same for what includes it: {}.", props.followers.join(", ")) }</p>
                }
                if let Some(held) = held { <p class="faint">{ held }</p> }
            </div>
            <div class="panel-actions">
                <Button kind={Kind::Quiet} onclick={props.ondiscard.clone()}>{ "Discard" }</Button>
                <Button kind={Kind::Primary} icon={Icon::Check} busy={save.running() || *saved} blocked={nothing} onclick={onsave}>{ format!("Save {title}") }</Button>
            </div>
            if let Some(problem) = save.problem() { <Failed {problem} /> }
        </section>
    }
}

/// Saves only what was read: the whole list is replaced, and with it what somebody else did.
async fn write(org: String, read: Role, direct: Vec<String>) -> Answer<Role> {
    let change =
        UpdateRole { title: None, description: None, permissions: Some(direct), includes: None };
    api::identity::update_role(&org, &read, &change).await.map_err(|problem| {
        if problem.code != Code::PreconditionFailed {
            return problem;
        }
        let detail = format!(
            "Somebody changed {} meanwhile. The table shows it as it is now, with your changes on \
             top. Look at them and save again.",
            read.title
        );
        Problem { detail, ..problem }
    })
}

fn words(gives: &[String], takes: &[String]) -> String {
    let gives = (!gives.is_empty()).then(|| format!("Allows also {}.", gives.join(", ")));
    let takes = (!takes.is_empty()).then(|| format!("Allows no more {}.", takes.join(", ")));
    let parts: Vec<String> = gives.into_iter().chain(takes).collect();
    if parts.is_empty() { "Allows the same.".to_owned() } else { parts.join(" ") }
}

fn held_by(count: usize, more: bool) -> String {
    match (count, more) {
        (0, _) => "Nobody is given or denied it.".to_owned(),
        (count, true) => {
            format!("Given or denied more than {count} times; it holds for all within a second.")
        }
        (count, false) => {
            format!(
                "Given or denied {}; it holds for all within a second.",
                counted(count as u64, "time")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_words() {
        let names = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let told = words(&names(&["call.read", "usage.read"]), &names(&["budget.set"]));
        assert_eq!(told, "Allows also call.read, usage.read. Allows no more budget.set.");
        assert_eq!(words(&[], &[]), "Allows the same.");
    }
}
