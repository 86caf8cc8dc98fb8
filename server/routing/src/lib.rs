//! Routing: which models an organisation has, where they are answered, and at which price.
//!
//! Admins add providers and models here; a call's model name becomes a [`Plan`] with everything
//! that the broker needs to hold, send and settle. A model's name means exactly one model of one
//! provider: the choice is the caller's, explicit.
//!
//! What always holds: a call has a price before it is made; a provider's address has passed the
//! egress policy; a plan is as new as the policy version that the node knows; a change commits
//! together with its audit event. Uses `access`, `vault` (origins) and `providers`; used by
//! `broker`.

mod address;
mod alias;
mod batch;
mod book;
pub mod breaker;
mod catalogue;
mod choose;
pub mod classify;
mod condition;
#[cfg(test)]
mod docs;
mod escalate;
mod explain;
mod fees;
mod health;
mod kinds;
mod learn;
mod learned;
mod model;
mod names;
mod plan;
mod preference;
mod preview;
mod price;
mod provider;
mod rank;
mod ranking;
mod report;
mod route;
mod rules;
mod seed;
mod signals;
mod sql;
mod sticky;
mod terms;
#[cfg(test)]
mod testing;
mod traits;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use ralex_access::Access;
use ralex_kernel::OrgId;
use ralex_providers::EgressPolicy;
use ralex_store::Db;

pub use batch::BatchPrices;
pub use catalogue::{BrokenCatalogue, Catalogue};
pub use choose::{Candidate, Choice, Question};
pub use escalate::{Step, Tried, default_rules, escalate};
pub use fees::Fees;
pub use plan::Plan;
pub use preview::place;
pub use price::{Bound, Counts};

/// Providers, models and plans of this process. Cheap to clone.
#[derive(Clone)]
pub struct Routing(Arc<Inner>);

struct Inner {
    db: Db,
    access: Arc<Access>,
    egress: EgressPolicy,
    catalogue: Catalogue,
    books: RwLock<HashMap<OrgId, Arc<book::Book>>>,
    /// One load at a time: after a change all calls in flight want the same one.
    loading: tokio::sync::Mutex<()>,
    breakers: breaker::Breakers,
    rules: RwLock<HashMap<OrgId, Arc<rules::Rules>>>,
    learned: RwLock<HashMap<OrgId, learn::Lesson>>,
    signals: signals::Signals,
    sticky: sticky::Sticky,
}

impl Routing {
    /// `egress`: where providers may be.
    pub fn new(db: Db, access: Arc<Access>, egress: EgressPolicy, catalogue: Catalogue) -> Self {
        let books = RwLock::new(HashMap::new());
        let loading = tokio::sync::Mutex::new(());
        let breakers = breaker::Breakers::default();
        Self(Arc::new(Inner {
            db,
            access,
            egress,
            catalogue,
            books,
            loading,
            breakers,
            rules: RwLock::default(),
            learned: RwLock::default(),
            signals: signals::Signals::default(),
            sticky: sticky::Sticky::default(),
        }))
    }

    /// The circuits of providers, models and keys.
    pub fn breakers(&self) -> &breaker::Breakers {
        &self.0.breakers
    }
}

impl fmt::Debug for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Routing")
    }
}
