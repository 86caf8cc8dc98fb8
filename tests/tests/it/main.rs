//! The suites against the real binary, a file a topic.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by them")]

mod adjustments;
mod alerts;
mod approvals;
mod architecture;
mod archive;
mod audit;
mod audit_proof;
mod batches;
mod beside;
mod bindings;
mod budgets;
mod budgets_apart;
mod budgets_cli;
mod calls;
mod catalog;
mod config;
mod contract;
mod crash;
mod drill;
mod erasure;
mod factors;
mod going_on;
mod groups;
mod guardrails;
mod input;
mod judge;
mod kept_answers;
mod login;
mod operations;
mod policy_version;
mod rate_limits;
mod records;
mod replay;
mod reports;
mod resilience;
mod retention;
mod routing;
mod runs;
mod service_accounts;
mod sinks;
mod slices;
mod unauthorized;
mod upgrade;
mod usage;
