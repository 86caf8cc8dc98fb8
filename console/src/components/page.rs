//! The head of a page: its name, one sentence that says what it is for, and the main action.

use yew::prelude::*;

use crate::hooks::use_title;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub title: AttrValue,
    pub lead: AttrValue,
    /// The page's actions, at the right.
    #[prop_or_default]
    pub children: Html,
}

#[component]
pub fn Head(props: &Props) -> Html {
    use_title(&props.title);
    html! {
        <header class="head">
            <div>
                <h1>{ props.title.clone() }</h1>
                <p class="lead">{ props.lead.clone() }</p>
            </div>
            <div class="head-actions">{ props.children.clone() }</div>
        </header>
    }
}
