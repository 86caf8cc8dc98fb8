//! The built-in PostgreSQL: found, made, started, kept and stopped by us.
//!
//! What always holds: one Ralex a data folder; the cluster belongs to an unprivileged account and
//! listens on a socket only; it syncs to the disk; a cluster is made whole or not at all. What a
//! killed Ralex leaves behind (a running server, a stale file) is dealt with at the next start.

mod account;
mod cluster;
mod error;
mod find;
mod folder;
mod orphan;
mod reach;
mod settings;
mod socket;
mod supervise;
#[cfg(test)]
mod tests;

pub use error::StartError;
pub use supervise::BuiltIn;
