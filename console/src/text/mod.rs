//! How values read: pure functions from data to words, tested on the host.

pub mod borrowed;
pub mod code;
pub mod curl;
pub mod json;
pub mod list;
pub mod money;
pub mod number;
pub mod query;
pub mod sse;
pub mod time;
