//! What is decided about what somebody else asked for, and why.

use yew::prelude::*;

use super::TextField;
use super::segments::Segments;
use crate::hooks::Input;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What can be decided, as a verb and what people read.
    pub options: Vec<(AttrValue, AttrValue)>,
    pub verb: AttrValue,
    pub onchange: Callback<String>,
    pub reason: Input,
}

#[component]
pub fn Verdict(props: &Props) -> Html {
    html! {
        <>
            <div class="field"><span class="label">{ "Decision" }</span><Segments label="Decision" options={props.options.clone()} value={props.verb.clone()} onchange={props.onchange.clone()} /></div>
            <TextField label="Your reason" path="reason" input={props.reason.clone()} hint="For who asked, and for the log." />
        </>
    }
}

/// Of what can be decided, that which the reader may.
pub fn allowed(all: [(bool, &'static str, &'static str); 2]) -> Vec<(AttrValue, AttrValue)> {
    let may = all.into_iter().filter(|(may, ..)| *may);
    may.map(|(_, verb, title)| (verb.into(), title.into())).collect()
}
