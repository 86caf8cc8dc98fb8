//! Queries, a file a table.

pub mod enforcement;
pub mod flow;
pub mod link;
pub mod mapping;
pub mod provider;
