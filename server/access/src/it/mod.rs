//! Suites on a real database.

mod bindings;
mod denials;
mod freshness;
mod glass;
mod history;
mod policy_lines;
mod questions;
mod requests;
mod reviews;
mod setup;
mod sign_on;
mod simulate;
mod standing;
