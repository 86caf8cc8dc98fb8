//! The database: how to reach it, and the only ways to be inside it.
//!
//! What always holds: a query runs inside a [`Tenant`], which sees one organisation, or inside a
//! [`System`] transaction, which says why it sees all; both run as roles that own no table and
//! that row level security binds. The writer of calls has a [`Dedicated`] connection for its own, which
//! is a system's as well. A connection comes back to the pool outside of any transaction
//! and with its settings reset, whatever was cancelled on it. Uses `kernel`; used by every domain.

#[cfg(test)]
mod catalog;
pub mod db;
pub mod dedicated;
mod deployment;
pub mod error;
pub mod feed;
mod horizon;
pub mod leader;
pub mod migrate;
pub mod postgres;
mod pruned;
pub mod sweep;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transaction;
#[cfg(test)]
mod walls;

pub use db::Db;
pub use dedicated::{Dedicated, Exclusive};
pub use deployment::deployment;
pub use error::{Error, OnConstraint, is_unavailable, problem, violated};
pub use feed::{Feed, Hint};
pub use horizon::{Horizon, horizon};
pub use leader::{Leader, Leadership};
pub use migrate::migrate;
pub use postgres::{BuiltIn, StartError};
pub use pruned::calls_from;
pub use sweep::Sweeper;
pub use transaction::{System, Tenant};
