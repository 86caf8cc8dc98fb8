//! The rules of who may do what as lines of a file, and what a change of them would do.

use yew::prelude::*;

use super::policy_import::Import;
use super::simulate::Simulate;
use crate::api;
use crate::components::{Button, Code, Icon, show_with, skeleton};
use crate::hooks::use_load;
use crate::session::use_org;

/// The part of the people's page that is about all rules together.
#[component]
pub fn Policy() -> Html {
    let org = use_org();
    let held = |names: &[&str]| names.iter().all(|name| org.blocked(name).is_none());
    let (exports, simulates) = (held(&["role.read", "group.read"]), held(&["role.read"]));
    html! {
        <>
            if simulates { <Simulate /> }
            if exports { <Export /> }
            if exports && held(&["role.bind"]) { <Import /> }
        </>
    }
}

/// The lines as they are now: to read, copy and download.
#[component]
fn Export() -> Html {
    let org = use_org();
    let shown = use_state(|| false);
    let onshow = {
        let shown = shown.clone();
        Callback::from(move |()| shown.set(!*shown))
    };
    html! {
        <section class="panel" aria-labelledby="export">
            <h2 id="export">{ "As a file" }</h2>
            <p class="lead">{ "Roles, groups and who holds what, as lines that casbin reads. The order is always the same, so two files compare line by line." }</p>
            <div class="panel-actions">
                <a class="button" href={api::policies::export_url(&org.slug())} download="policy.csv">{ Icon::Download.show() }<span>{ "Download" }</span></a>
                <Button icon={Icon::Eye} onclick={onshow}>{ if *shown { "Hide the lines" } else { "Show the lines" } }</Button>
            </div>
            if *shown { <Lines /> }
        </section>
    }
}

#[component]
fn Lines() -> Html {
    let org = use_org();
    let (load, again) =
        use_load(org.slug(), |org| async move { api::policies::export(&org).await });
    show_with(&load, &again, skeleton(0, 4), |lines| {
        html! { <div class="policy-lines"><Code text={(**lines).clone()} label="Lines of the policy" /></div> }
    })
}
