//! Nothing here yet: what would be here, and how to get it.

use yew::prelude::*;

use super::icon::Icon;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub icon: Icon,
    pub title: AttrValue,
    /// What to do about it.
    #[prop_or_default]
    pub children: Html,
}

#[component]
pub fn Empty(props: &Props) -> Html {
    html! {
        <div class="empty">
            <span class="empty-icon">{ props.icon.show() }</span>
            <p class="empty-title">{ props.title.clone() }</p>
            <div class="empty-body">{ props.children.clone() }</div>
        </div>
    }
}
