//! All queries of this crate, one file a subject.

pub mod factor;
pub mod program;
pub mod provision;
pub mod service;
pub mod session;
pub mod team;
pub mod token;
pub mod user;
