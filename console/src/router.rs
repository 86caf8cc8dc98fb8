//! Where the browser is: its address, read and changed here and nowhere else.
//!
//! The browser keeps the history; everybody who shows something of the address is told when it changes.

use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Event, History, Storage, window};
use yew::html::ChildrenProps;
use yew::prelude::*;

use crate::parts;
use crate::route::Route;
use crate::text::query::Query;

/// What the browser tells when the reader goes back or forth; told for our own steps too.
const MOVED: &str = "popstate";

/// Where a tab keeps the address to come back to.
const WAY_BACK: &str = "ralex.way_back";

/// An address of the console.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Location {
    pub path: String,
    /// With its question mark, or nothing.
    pub query: String,
}

impl Location {
    pub fn now() -> Self {
        let location = window().map(|window| window.location());
        let read = |part: fn(&web_sys::Location) -> Result<String, JsValue>| {
            location.as_ref().and_then(|location| part(location).ok()).unwrap_or_default()
        };
        Self { path: read(web_sys::Location::pathname), query: read(web_sys::Location::search) }
    }
}

/// The address in view.
#[hook]
pub fn use_location() -> Location {
    use_context().unwrap_or_default()
}

/// Goes to an address; "back" leads back here.
pub fn go(address: &str) {
    step(address, History::push_state_with_url);
}

/// Goes to an address in place of this one, to which nothing leads back.
fn correct(address: &str) {
    step(address, History::replace_state_with_url);
}

type Step = fn(&History, &JsValue, &str, Option<&str>) -> Result<(), JsValue>;

fn step(address: &str, step: Step) {
    let Some(window) = window() else { return };
    // Refused only for an address of another site, and there is none.
    let moved = window.history().and_then(|at| step(&at, &JsValue::NULL, "", Some(address)));
    if let (Ok(()), Ok(event)) = (moved, Event::new(MOVED)) {
        let _ = window.dispatch_event(&event);
    }
}

/// Fetches the console anew, newest version and all, at the address in view.
pub fn reload() {
    if let Some(window) = window() {
        // Refused by no browser; if it were, its own button is there.
        let _ = window.location().reload();
    }
}

/// Tells the address to everything inside it.
#[component]
pub fn Router(props: &ChildrenProps) -> Html {
    let location = use_state_eq(Location::now);
    {
        let location = location.clone();
        use_effect_with((), move |()| {
            let listen = Closure::<dyn Fn()>::new(move || location.set(Location::now()));
            let window = window();
            if let Some(window) = &window {
                // Without it the page stays, and a reload shows what the address names.
                let told = listen.as_ref().unchecked_ref();
                let _ = window.add_event_listener_with_callback(MOVED, told);
            }
            move || {
                if let Some(window) = window {
                    let told = listen.as_ref().unchecked_ref();
                    let _ = window.remove_event_listener_with_callback(MOVED, told);
                }
            }
        });
    }
    html! {
        <ContextProvider<Location> context={(*location).clone()}>{ props.children.clone() }</ContextProvider<Location>>
    }
}

#[derive(Properties, PartialEq)]
pub struct LinkProps {
    pub to: Route,
    #[prop_or_default]
    pub query: Query,
    #[prop_or_default]
    pub class: Option<AttrValue>,
    pub children: Html,
}

/// A link to a page of the console, which opens without loading anything anew. What the page needs
/// is fetched as soon as somebody points at it.
#[component]
pub fn Link(props: &LinkProps) -> Html {
    let href = AttrValue::from(format!("{}{}", props.to.path(), props.query));
    let onclick = {
        let href = href.clone();
        Callback::from(move |event: MouseEvent| {
            // With one of these keys, the browser opens it elsewhere.
            let elsewhere =
                event.meta_key() || event.ctrl_key() || event.shift_key() || event.alt_key();
            if !elsewhere {
                event.prevent_default();
                go(&href);
            }
        })
    };
    let expected = {
        let to = props.to.clone();
        Callback::from(move |()| parts::expect(&to))
    };
    html! {
        <a class={props.class.clone()} {href} {onclick} onpointerover={expected.reform(|_| ())} onfocusin={expected.reform(|_| ())}>
            { props.children.clone() }
        </a>
    }
}

#[derive(Properties, PartialEq)]
pub struct RedirectProps {
    pub to: Route,
}

/// Leads on at once: to where the reader was before they left for a provider, else to the route.
#[component]
pub fn Redirect(props: &RedirectProps) -> Html {
    use_effect_with(props.to.clone(), |to| {
        let was = kept().and_then(|store| {
            let was = store.get_item(WAY_BACK).ok().flatten();
            // What cannot be forgotten leads there once more, which is no harm.
            let _ = store.remove_item(WAY_BACK);
            was
        });
        correct(&was.unwrap_or_else(|| to.path()));
    });
    Html::default()
}

/// Keeps the address in view while the reader may leave for a provider, who sends them to the front
/// page when they come back.
#[hook]
pub fn use_way_back(leaving: bool) {
    let location = use_location();
    use_effect_with((location, leaving), |(location, leaving)| {
        if let Some(store) = kept().filter(|_| *leaving && location.path != "/") {
            // Without it they stay on the front page.
            let _ = store.set_item(WAY_BACK, &format!("{}{}", location.path, location.query));
        }
    });
}

fn kept() -> Option<Storage> {
    window()?.session_storage().ok().flatten()
}
