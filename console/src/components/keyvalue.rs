//! Facts about one thing: a name and a value in each row.

use yew::prelude::*;

pub fn key_value(facts: &[(AttrValue, Html)]) -> Html {
    html! {
        <dl class="facts">
            { for facts.iter().map(|(name, value)| html! {
                <div><dt>{ name.clone() }</dt><dd>{ value.clone() }</dd></div>
            }) }
        </dl>
    }
}
