//! The console: a single page over the public API.
//!
//! It holds no rules: it asks the API who is signed in and what they may do, and shows that. What
//! a page shows is in its address, so that a reload or a link shows the same.

mod api;
mod app;
mod components;
mod frame;
mod hooks;
mod pages;
mod parts;
mod people_view;
mod route;
mod router;
mod session;
mod shortcuts;
mod text;
mod theme;

fn main() {
    theme::apply(theme::remembered());
    // Beside the question who is in front, not after it.
    parts::expect(&route::Route::of(&router::Location::now().path));
    yew::Renderer::<app::App>::new().render();
}
