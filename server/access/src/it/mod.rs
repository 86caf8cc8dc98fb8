//! Suites on a real database.

mod bindings;
mod denials;
mod freshness;
mod questions;
mod setup;
mod sign_on;
