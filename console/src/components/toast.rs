//! Short messages about what has just happened; they leave by themselves.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use yew::html::ChildrenProps;
use yew::prelude::*;

use super::icon::Icon;

const STAYS_MS: i32 = 6_000;

type Tell = Callback<AttrValue>;

/// Says something to the reader.
#[hook]
pub fn use_toast() -> Tell {
    use_context::<Tell>().unwrap_or_default()
}

#[derive(Default)]
struct Shown(Vec<(u32, AttrValue)>, u32);

enum Change {
    Add(AttrValue),
    Drop(u32),
}

impl Reducible for Shown {
    type Action = Change;

    fn reduce(self: Rc<Self>, change: Change) -> Rc<Self> {
        let mut list = self.0.clone();
        let mut next = self.1;
        match change {
            Change::Add(text) => {
                list.push((next, text));
                next += 1;
            }
            Change::Drop(id) => list.retain(|(shown, _)| *shown != id),
        }
        Rc::new(Self(list, next))
    }
}

/// Gives everything inside it the way to say something.
#[component]
pub fn Toasts(props: &ChildrenProps) -> Html {
    let shown = use_reducer(Shown::default);
    let tell = {
        let dispatch = shown.dispatcher();
        use_callback((), move |text: AttrValue, ()| dispatch.dispatch(Change::Add(text)))
    };
    let newest = shown.0.last().map(|(id, _)| *id);
    {
        let dispatch = shown.dispatcher();
        use_effect_with(newest, move |newest| {
            if let (Some(id), Some(window)) = (*newest, web_sys::window()) {
                let drop = Closure::once_into_js(move || dispatch.dispatch(Change::Drop(id)));
                // Without a timer the message stays, which loses nothing.
                let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(
                    drop.unchecked_ref(),
                    STAYS_MS,
                );
            }
        });
    }
    html! {
        <ContextProvider<Tell> context={tell}>
            { props.children.clone() }
            <div class="toasts" role="status" aria-live="polite">
                { for shown.0.iter().map(|(id, text)| html! {
                    <div class="toast" key={*id}>{ Icon::Check.show() }<span>{ text.clone() }</span></div>
                }) }
            </div>
        </ContextProvider<Tell>>
    }
}
