//! All queries of this crate, one file a subject.

pub mod connection;
pub mod group;
pub mod user;
