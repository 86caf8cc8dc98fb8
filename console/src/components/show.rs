//! Three states and no fourth, for everything that is fetched.

use std::rc::Rc;

use yew::prelude::*;

use super::banner::Failed;
use super::skeleton::skeleton;
use crate::hooks::Load;

/// The skeleton while it loads, the problem with a retry when it failed, else what `ready` makes.
pub fn show<T>(load: &Load<T>, again: &Callback<()>, ready: impl FnOnce(&Rc<T>) -> Html) -> Html {
    show_with(load, again, skeleton(0, 6), ready)
}

/// The problem with a retry when it failed, for what stands in a form and is of use before all is there.
pub fn failed<T>(load: &Load<T>, again: &Callback<()>) -> Html {
    match load {
        Load::Pending | Load::Ready(_) => Html::default(),
        Load::Failed(problem) => {
            html! { <Failed problem={problem.clone()} retry={again.clone()} /> }
        }
    }
}

/// As [`show`] with a skeleton of its own.
pub fn show_with<T>(
    load: &Load<T>,
    again: &Callback<()>,
    skeleton: Html,
    ready: impl FnOnce(&Rc<T>) -> Html,
) -> Html {
    match load {
        Load::Pending => skeleton,
        Load::Failed(problem) => {
            html! { <Failed problem={problem.clone()} retry={again.clone()} /> }
        }
        Load::Ready(value) => ready(value),
    }
}
