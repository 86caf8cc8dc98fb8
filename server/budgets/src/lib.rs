//! Budgets: what an organisation, team, project, token or person may spend in one period or run.
//!
//! The broker *holds* the worst case of a call, or takes it out of what its node has *leased*,
//! before anything is sent, and *settles* the real cost afterwards, both in its own transaction. On
//! a hard budget `spent + held + leased` never passes the limit (the table refuses), every hold is
//! settled or swept, and every cost is counted once. Uses `access`, `audit` and `store`; used by
//! `broker` and the HTTP layer.

mod adjust;
mod applicable;
mod batch;
mod books;
mod budget;
mod call;
mod charge;
mod columns;
mod export;
mod follow;
mod history;
mod hold;
mod increase;
mod lease;
mod ledger;
mod left;
mod lost;
mod lowering;
mod part;
mod rate;
mod recall;
mod reconcile;
mod run;
mod settle;
mod sql;
mod story;
mod sweep;
mod target;
mod terms;
#[cfg(test)]
mod tests;
mod verify;

use std::future::Future;
use std::sync::Arc;

use ralex_access::Access;
use ralex_kernel::{Clock, NodeId};
use ralex_store::Db;

pub use applicable::Spender;
pub use batch::{Batch, Committed, KnownPeriods, commit, hold_all, settle_all};
pub use books::Books;
pub use call::{Decision, OpenCall, Prices, Why, open_calls, recorded};
pub use charge::{Charge, HeldPeriod, Only, PeriodKey};
pub use columns::CallColumns;
pub use hold::{Apart, Claim, Extended, Extension, Hold, HoldOutcome, Refusal};
pub use lease::{Leases, Leasing};
pub use left::Left;
pub use lost::give_back;
pub use rate::{Demand, Limit, Rates, Shortage, Standing, Taken};
pub use recall::{in_living_hands, recall};
pub use run::run_name;
pub use settle::{
    Answerer, Attempt, Cached, Counted, Crossing, Ending, Overrun, SettleOutcome, Settlement,
    Tokens, Told,
};
pub use sweep::{heartbeat, sweep};
pub use target::Payers;
pub use verify::{Difference, Finding, Verification, verify};

/// The service.
#[derive(Clone)]
pub struct Budgets {
    db: Db,
    access: Arc<Access>,
    clock: Clock,
    known: applicable::Cache,
    left: left::Cache,
    begun: follow::Cache,
    runs: run::Cache,
    leases: Leases,
    books: Books,
}

impl Budgets {
    pub fn new(db: Db, access: Arc<Access>, clock: Clock) -> Self {
        Self {
            db,
            access,
            clock,
            known: applicable::cache(),
            left: left::cache(),
            begun: follow::cache(),
            runs: run::cache(),
            leases: Leases::default(),
            books: Books::default(),
        }
    }

    /// What this node has in hand.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Whether the books added up when they were last looked at.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Looks every minute whether the books add up, until `shutdown`.
    pub async fn run_bookkeeper(&self, shutdown: impl Future<Output = ()>) {
        self.books.run(&self.db, shutdown).await;
    }

    /// Says every few seconds that `node` is alive and closes calls of nodes that are not, until
    /// `shutdown`.
    pub async fn run_sweeper(&self, node: NodeId, shutdown: impl Future<Output = ()>) {
        sweep::run(&self.db, node, &self.leases, shutdown).await;
        self.leases.retire();
    }
}
