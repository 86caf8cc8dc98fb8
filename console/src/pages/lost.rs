//! Where there is no page: a wrong address, a missing right, no organisation.

use yew::prelude::*;

use crate::components::{Empty, Icon};
use crate::hooks::use_title;
use crate::route::{Place, Route};
use crate::router::Link;

#[component]
pub fn LostPage() -> Html {
    use_title("Not found");
    html! {
        <>
        <h1 class="sr">{ "Not found" }</h1>
        <Empty icon={Icon::Search} title="There is no such page">
            <p>{ "The address is wrong, or the page belongs to an organisation that you are not in." }</p>
            <Link to={Route::Home} class="button">{ "Go to the start" }</Link>
        </Empty>
        </>
    }
}

#[derive(Properties, PartialEq)]
pub struct ForbiddenProps {
    pub place: Place,
}

#[component]
pub fn ForbiddenPage(props: &ForbiddenProps) -> Html {
    use_title(props.place.title());
    html! {
        <>
        <h1 class="sr">{ props.place.title() }</h1>
        { not_open(props.place.title(), props.place.permission()) }
        </>
    }
}

/// Instead of what takes a right that the reader does not have.
pub fn not_open(title: &str, permission: &'static str) -> Html {
    html! {
        <Empty icon={Icon::Shield} title={format!("{title} is not open to you")}>
            <p>
                { "It needs the permission " }<code>{ permission }</code>
                { ". Ask an owner of the organisation for a role that has it." }
            </p>
        </Empty>
    }
}

/// Shown to somebody who is in no organisation.
pub fn no_org() -> Html {
    html! {
        <Empty icon={Icon::Layers} title="You are in no organisation yet">
            <p>{ "Ask the owner of one to add you by your e-mail address, then reload." }</p>
        </Empty>
    }
}

/// Shown in an organisation that operators have closed.
pub fn closed(org: &str, why: String) -> Html {
    html! {
        <>
        <h1 class="sr">{ "Closed" }</h1>
        <Empty icon={Icon::Stop} title={format!("{org} is closed")}>
            <p>{ why }</p>
        </Empty>
        </>
    }
}
