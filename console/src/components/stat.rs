//! One figure and what it is.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub label: AttrValue,
    pub value: AttrValue,
    /// All of its digits.
    #[prop_or_default]
    pub title: Option<AttrValue>,
    /// What it compares to.
    #[prop_or_default]
    pub children: Html,
}

#[component]
pub fn Stat(props: &Props) -> Html {
    html! {
        <div class="stat">
            <p class="stat-label">{ props.label.clone() }</p>
            <p class="stat-value" title={props.title.clone()}>{ props.value.clone() }</p>
            <p class="stat-note">{ props.children.clone() }</p>
        </div>
    }
}
