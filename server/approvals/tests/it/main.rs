//! Approvals against a real database.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by them")]

mod decisions;
mod waiting;
mod world;
