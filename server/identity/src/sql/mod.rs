//! All queries of this crate, one file a subject.

pub mod deactivate;
pub mod factor;
pub mod link;
pub mod operator;
pub mod passkey;
pub mod password;
pub mod personal_token;
pub mod program;
pub mod provision;
pub mod rotation;
pub mod service;
pub mod session;
pub mod team;
pub mod tenure;
pub mod token;
pub mod user;
pub mod within;

pub use within::Within;
