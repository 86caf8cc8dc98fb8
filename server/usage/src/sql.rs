//! Queries of usage.

pub(crate) mod calls;
pub(crate) mod fold;
pub(crate) mod hours;
pub(crate) mod names;
pub(crate) mod register;
pub(crate) mod replay;
pub(crate) mod sums;
