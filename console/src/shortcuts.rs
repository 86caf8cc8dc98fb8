//! Keys that work on every page: `/` and Ctrl-K find, `g` and a letter goes, `?` lists.

use std::cell::Cell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Document, HtmlElement, KeyboardEvent};
use yew::prelude::*;

use crate::components::Dialog;
use crate::route::Place;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Find,
    Help,
    Close,
    Go(Place),
}

/// Listens as long as the component lives.
#[hook]
pub fn use_shortcuts(wish: Callback<Wish>) {
    use_effect_with(wish, |wish| {
        let wish = wish.clone();
        let going = Rc::new(Cell::new(false));
        let listen = Closure::<dyn Fn(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            pressed(&event, &going, &wish);
        });
        let document = web_sys::window().and_then(|window| window.document());
        if let Some(document) = &document {
            // Without it the mouse still does everything.
            let _ = document
                .add_event_listener_with_callback("keydown", listen.as_ref().unchecked_ref());
        }
        move || {
            if let Some(document) = document {
                let _ = document.remove_event_listener_with_callback(
                    "keydown",
                    listen.as_ref().unchecked_ref(),
                );
            }
        }
    });
}

fn pressed(event: &KeyboardEvent, going: &Cell<bool>, wish: &Callback<Wish>) {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    if document.query_selector("dialog[open]").ok().flatten().is_some() {
        return;
    }
    let key = event.key();
    let command = event.ctrl_key() || event.meta_key();
    if command && key == "k" {
        event.prevent_default();
        return wish.emit(Wish::Find);
    }
    if command || event.alt_key() || is_writing(event) {
        return;
    }
    let after_g = going.replace(key == "g");
    let place = Place::ALL.into_iter().find(|place| key.chars().eq([place.letter()]));
    match (key.as_str(), place) {
        (_, Some(place)) if after_g => wish.emit(Wish::Go(place)),
        ("/", _) if focus_search(&document) => {}
        ("/", _) => wish.emit(Wish::Find),
        ("?", _) => wish.emit(Wish::Help),
        ("Escape", _) => return wish.emit(Wish::Close),
        _ => return,
    }
    event.prevent_default();
}

/// True where a key is a letter of a text.
fn is_writing(event: &KeyboardEvent) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    element.is_some_and(|element| {
        matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT")
    })
}

/// Puts the cursor into the page's own search, where it has one.
fn focus_search(document: &Document) -> bool {
    let found = document.query_selector("[data-search] input").ok().flatten();
    found
        .and_then(|element| element.dyn_into::<HtmlElement>().ok())
        .is_some_and(|field| field.focus().is_ok())
}

/// The list of all keys.
pub fn help(places: &[Place], onclose: Callback<()>) -> Html {
    let general = [
        ("/", "Search the page, or find a page by name"),
        ("Ctrl K", "Find a page by name"),
        ("↑ ↓", "Move between the rows of a table"),
        ("Enter", "Open a row, send a form"),
        ("Ctrl Enter", "Run the playground’s prompt"),
        ("Esc", "Close a dialog"),
        ("?", "This list"),
    ];
    let goes = places.iter().map(|place| (format!("g {}", place.letter()), place.title()));
    html! {
        <Dialog title="Keyboard shortcuts" {onclose}>
            <dl class="shortcuts">
                { for general.into_iter().map(|(keys, does)| (keys.to_owned(), does)).chain(goes).map(|(keys, does)| html! {
                    <div><dt>{ for keys.split(' ').map(|key| html! { <kbd>{ key.to_owned() }</kbd> }) }</dt><dd>{ does }</dd></div>
                }) }
            </dl>
        </Dialog>
    }
}
