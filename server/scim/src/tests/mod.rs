//! What filters, patches and bodies come to, without a database.

mod filters;
mod patches;
mod projections;
