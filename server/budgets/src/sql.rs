//! The queries of this crate, by what they are about.

pub(crate) mod call;
pub(crate) mod ledger;
