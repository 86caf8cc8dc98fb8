//! The edge: requests come in, one service is called, answers go out.
//!
//! Nothing here decides. A handler takes a typed request, asks for the permission that its one
//! screen in `routes.rs` and its own signature name, calls one service and shapes the answer.

pub mod access_requests;
pub mod access_reviews;
pub mod adjustments;
pub mod alerts;
pub mod answers;
pub mod approvals;
pub mod assets;
pub mod audit;
pub mod audit_proof;
pub mod auth;
pub mod batches;
pub mod bindings;
mod budgets;
mod call_rules;
pub mod catalog;
pub mod changes;
pub mod extract;
pub mod factors;
mod files;
pub mod gemini;
mod groups;
pub mod guardrails;
pub mod health;
mod links;
mod map;
pub mod members;
pub mod middleware;
pub mod model_list;
pub mod models;
mod oauth;
pub mod openapi;
pub mod operations;
mod operators;
mod passkeys;
pub mod personal_tokens;
pub mod policies;
pub mod problem;
pub mod rate_limits;
pub mod reports;
mod resilience;
mod retention;
mod roles;
pub mod routes;
mod routing;
mod scim;
pub mod secrets;
pub mod server;
pub mod service_accounts;
mod sinks;
mod sso;
mod sso_providers;
pub mod teams;
pub mod tokens;
pub mod usage;
