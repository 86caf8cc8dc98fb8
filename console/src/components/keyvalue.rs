//! Facts about one thing: a name and a value in each row.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub facts: Vec<(AttrValue, Html)>,
}

#[component]
pub fn KeyValue(props: &Props) -> Html {
    html! {
        <dl class="facts">
            { for props.facts.iter().map(|(name, value)| html! {
                <div><dt>{ name.clone() }</dt><dd>{ value.clone() }</dd></div>
            }) }
        </dl>
    }
}
