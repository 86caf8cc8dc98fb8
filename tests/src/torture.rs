//! The torture: Ralex is killed under load, again and again, and afterwards its books must hold.
//!
//! Clients remember what they saw, the provider what it was asked. When the last server has swept
//! up after the dead ones, every answer, every request that a provider got and every cent must
//! stand in the records, and no budget may ever have been seen above its limit.

mod books;
mod client;
mod cycle;
mod invoice;
mod report;
mod run;
mod setting;
mod watch;

pub use report::Report;
pub use run::{Options, run};
