//! The words that every other crate speaks: ids, money, names, scopes, time, problems and secrets.
//!
//! What always holds: a value of one of these types has passed its check, an amount of money is
//! a whole number of nano-dollars, and a [`Secret`] cannot be printed or serialised. This crate
//! knows no sockets, no SQL statements and no clock but the one it is given; it builds for
//! wasm32, since the console uses it too.

pub mod id;
pub mod money;
pub mod name;
pub mod period;
pub mod permission;
pub mod principal;
pub mod problem;
pub mod scope;
pub mod secret;
pub mod sheet;
pub mod time;

pub use id::*;
pub use money::{Money, Price};
pub use name::{Email, Name, Slug};
pub use period::{Period, YearStart};
pub use permission::{Permission, Permissions, UnknownPermission};
pub use principal::{Caller, Credential, SignOn, Subject};
pub use problem::{Code, FieldError, Problem};
pub use scope::ScopePath;
pub use secret::Secret;
pub use time::Clock;
