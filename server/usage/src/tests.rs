//! Tests on a real database.

mod exact;
mod reports;
mod world;
mod zones;
