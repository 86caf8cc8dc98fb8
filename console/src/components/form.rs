//! Forms: nothing is lost on an error or by leaving, and the first field that is wrong gets the
//! focus.

use ralex_api::Problem;
use yew::prelude::*;

use super::banner::Failed;
use super::button::{Button, Kind};
use crate::hooks::input::sentence;
use crate::hooks::{Input, use_unsaved};

/// What the server found wrong, for the fields inside the form.
#[derive(Clone, Default, PartialEq)]
pub struct Found(Option<Problem>);

impl Found {
    /// What it says about one field, by its path in the request.
    pub fn about(&self, path: &str) -> Option<String> {
        let errors = &self.0.as_ref()?.errors;
        errors.iter().find(|error| error.path == path).map(|error| sentence(&error.message))
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub children: Html,
    /// Every field with rules.
    pub inputs: Vec<Input>,
    /// The verb on the button.
    pub verb: AttrValue,
    pub running: bool,
    pub problem: Option<Problem>,
    /// Called only when every field is good.
    pub onsubmit: Callback<()>,
    #[prop_or_default]
    pub oncancel: Option<Callback<()>>,
    /// Why it cannot be sent now.
    #[prop_or_default]
    pub blocked: Option<AttrValue>,
}

#[component]
pub fn Form(props: &Props) -> Html {
    let unsaved = use_unsaved();
    let oninput = {
        let unsaved = unsaved.clone();
        Callback::from(move |_: InputEvent| unsaved.set(true))
    };
    {
        // What was refused is as unsaved as it was.
        let unsaved = unsaved.clone();
        use_effect_with(props.problem.is_some(), move |refused| {
            if *refused {
                unsaved.set(true);
            }
        });
    }
    let onsubmit = {
        let (inputs, tell) = (props.inputs.clone(), props.onsubmit.clone());
        let stopped = props.blocked.is_some();
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if stopped {
                return;
            }
            inputs.iter().for_each(Input::leave);
            if let Some(wrong) = inputs.iter().find(|input| input.fault().is_some()) {
                wrong.focus();
            } else {
                unsaved.set(false);
                tell.emit(());
            }
        })
    };
    html! {
        <form class="form" novalidate=true {oninput} {onsubmit}>
            <ContextProvider<Found> context={Found(props.problem.clone())}>
                { props.children.clone() }
            </ContextProvider<Found>>
            if let Some(problem) = props.problem.clone() { <Failed {problem} /> }
            <footer class="dialog-foot">
                if let Some(reason) = props.blocked.clone() { <span class="faint">{ reason }</span> }
                if let Some(cancel) = props.oncancel.clone() {
                    <Button onclick={cancel}>{ "Cancel" }</Button>
                }
                <Button kind={Kind::Primary} submit=true busy={props.running} blocked={props.blocked.clone()}>{ props.verb.clone() }</Button>
            </footer>
        </form>
    }
}
