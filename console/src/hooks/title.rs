//! The browser's title: where one is, for tabs, history and screen readers.

use yew::prelude::*;

#[hook]
pub fn use_title(title: &str) {
    use_effect_with(title.to_owned(), |title| {
        if let Some(document) = web_sys::window().and_then(|window| window.document()) {
            document.set_title(&format!("{title} · Ralex"));
        }
    });
}
