//! The queries of this crate, by what they are about.

pub(crate) mod adjust;
pub(crate) mod attempt;
pub(crate) mod budget;
pub(crate) mod call;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod increase;
pub(crate) mod kept;
pub(crate) mod lease;
pub(crate) mod ledger;
pub(crate) mod part;
pub(crate) mod rate;
pub(crate) mod reconcile;
pub(crate) mod run;
pub(crate) mod target;
pub(crate) mod verify;
