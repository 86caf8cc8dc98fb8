//! One module a page. Each fetches by a hook and shows loading, failure or what there is.

mod add_person;
pub mod audit;
mod audit_proof;
mod budget_form;
pub mod budgets;
pub mod calls;
mod key_forms;
pub mod login;
pub mod lost;
mod model_drawer;
mod model_fields;
mod model_form;
pub mod models;
pub mod overview;
pub mod password;
pub mod people;
pub mod playground;
mod playground_answer;
pub mod profile;
mod provider_card;
mod provider_form;
pub mod providers;
mod team_drawer;
pub mod teams;
mod token_form;
pub mod tokens;
pub mod usage;
