//! Budgets: what an organisation, team, project or token may spend in one period.
//!
//! The broker *holds* the worst case of a call before anything is sent and *settles* the real cost
//! afterwards, both in its own transaction. On a hard budget `spent + held` never passes the limit
//! (the table refuses), every hold is settled or swept, and every cost is counted once. Uses
//! `access`, `audit` and `store`; used by `broker`.

mod batch;
mod call;
mod charge;
mod hold;
mod ledger;
mod settle;
mod sql;

pub use batch::{hold_all, settle_all, settle_and_hold};
pub use call::{Decision, OpenCall, Prices, open_calls};
pub use charge::{Charge, HeldPeriod};
pub use hold::{Hold, HoldOutcome, Refusal};
pub use settle::{Counted, Crossing, Ending, Overrun, SettleOutcome, Settlement, Tokens};
