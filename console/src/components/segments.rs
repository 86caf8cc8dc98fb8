//! One choice among a few that are all in sight.

use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What is chosen.
    pub label: AttrValue,
    pub options: Vec<(AttrValue, AttrValue)>,
    pub value: AttrValue,
    pub onchange: Callback<String>,
}

#[component]
pub fn Segments(props: &Props) -> Html {
    html! {
        <div class="segments" role="group" aria-label={props.label.clone()}>
            { for props.options.iter().map(|(value, text)| {
                let pressed = *value == props.value;
                let onclick = {
                    let (tell, value) = (props.onchange.clone(), value.to_string());
                    Callback::from(move |_| tell.emit(value.clone()))
                };
                html! {
                    <button type="button" aria-pressed={if pressed { "true" } else { "false" }} {onclick}>
                        { text.clone() }
                    </button>
                }
            }) }
        </div>
    }
}
