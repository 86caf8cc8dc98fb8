//! How pages fetch, write, keep state in the address and tell the time.

pub mod action;
pub mod clock;
pub mod input;
pub mod load;
pub mod pages;
pub mod query;
pub mod title;

pub use action::use_action;
pub use clock::use_now;
pub use input::{Input, use_input};
pub use load::{Load, use_load};
pub use pages::{Pages, use_pages};
pub use query::use_query;
pub use title::use_title;
