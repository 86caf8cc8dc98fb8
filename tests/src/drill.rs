//! The drill: many callers race on small budgets while servers are killed and paused and their
//! PostgreSQL is restarted; afterwards, and in every moment, money and record must hold.
//!
//! Several nodes share one PostgreSQL, which is the drill's own. Callers remember what they saw, the
//! scripted provider writes down what it served, an observer reads every budget many times a second,
//! and a trigger notes what was left when a call was refused. When the last node has swept up after
//! the dead ones, all of these are compared to the nano-dollar.

mod blocks;
mod books;
mod caller;
mod cluster;
mod fleet;
mod invoice;
mod observer;
mod records;
mod refusal;
mod report;
mod run;
mod setting;
mod table;
mod tally;
mod violence;

pub use report::Report;
pub use run::{Options, run};
