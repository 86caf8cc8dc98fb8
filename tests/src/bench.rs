//! The load benchmark: what governing a call costs, against calling the provider directly.
//!
//! One run, side by side: the same client, the same upstream, the same machine; first around
//! Ralex, then through it, with everything governed switched on (token, decision, key from the
//! vault, holds on the organisation's, the team's and the token's hard budgets, durable audit log,
//! a PostgreSQL that syncs to the disk). Afterwards the books must be right to the nano-dollar.

mod audit;
mod classify;
mod disk;
mod latency;
mod load;
mod memory;
mod parts;
mod peers;
mod report;
mod run;
mod setting;
mod usage;

pub use audit::{AuditReport, audit};
pub use report::Report;
pub use run::{Options, run};
pub use usage::{UsageReport, usage};
