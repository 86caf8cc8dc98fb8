//! How pages fetch, write, keep state in the address and tell the time.

pub mod action;
pub mod clock;
pub mod input;
pub mod load;
pub mod pages;
pub mod poll;
pub mod query;
pub mod title;
pub mod unsaved;

pub use action::{Action, use_action};
pub use clock::{use_now, zone};
pub use input::{Input, use_input};
pub use load::{Load, use_load};
pub use pages::{Pages, use_pages};
pub use poll::use_poll;
pub use query::use_query;
pub use title::use_title;
pub use unsaved::use_unsaved;

use yew::{Callback, UseStateHandle};

/// A callback that keeps what it is told.
pub fn keep<T: 'static>(state: &UseStateHandle<T>) -> Callback<T> {
    let state = state.clone();
    Callback::from(move |value| state.set(value))
}
