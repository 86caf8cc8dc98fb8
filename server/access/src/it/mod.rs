//! Suites on a real database.

mod bindings;
mod denials;
mod freshness;
mod questions;
mod requests;
mod setup;
mod sign_on;
