//! What the broker promises, on a real PostgreSQL, with the simulated and the scripted provider.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod apart;
mod attempts;
mod caching;
mod circuits;
mod guarding;
mod settling;
mod world;
