//! What a change of roles would do, before it is made.

use chrono::{DateTime, Utc};
use ralex_kernel::BindingId;

use crate::access::{NewBinding, RoleName};

crate::request! {
    /// A change as it is thought of, and what it is held against.
    #[derive(Default, PartialEq)]
    pub struct Proposal {
        /// Roles that would be given, or denied.
        #[serde(default)]
        pub bind: Vec<NewBinding>,
        /// What would be taken away.
        #[serde(default)]
        pub unbind: Vec<BindingId>,
        /// Roles that would be defined, or be so instead.
        #[serde(default)]
        pub roles: Vec<ProposedRole>,
        /// Recorded calls of so many last days are asked again by the rules as they would be; 30 when
        /// absent.
        #[serde(default)]
        pub days: Option<u32>,
        /// So many lines of each list at most, 100 when absent; the numbers are of all.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// A role of the organisation's own as it would be, whole.
    #[derive(PartialEq)]
    pub struct ProposedRole {
        pub name: RoleName,
        #[serde(default)]
        pub permissions: Vec<String>,
        #[serde(default)]
        pub includes: Vec<RoleName>,
    }
}

crate::answer! {
    /// What a change would do.
    pub struct Simulated {
        /// How many people and programs could do more somewhere.
        pub gaining: u32,
        /// How many could do less somewhere.
        pub losing: u32,
        /// Who could do what more or less where; what follows from a place above is not repeated.
        pub changes: Vec<SimulatedChange>,
        pub more_changes: u32,
        pub uses: SimulatedUses,
    }

    /// What one of them would gain or lose at a place and below it; nothing, where what stands above
    /// it does not reach that place.
    pub struct SimulatedChange {
        /// `user:<id>`, `service_account:<slug>`, or `token:<id>` for a team's own.
        pub subject: String,
        pub subject_name: String,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        pub gains: Vec<String>,
        pub loses: Vec<String>,
    }

    /// What was done lately, asked again.
    pub struct SimulatedUses {
        pub since: DateTime<Utc>,
        /// Calls of models since then that were not refused, by whoever is still there.
        pub recorded: u64,
        /// How many of them would be refused.
        pub refused: u64,
        /// How many would be refused already by the rules of today, and are not among those.
        pub refused_already: u64,
        pub by: Vec<RefusedUses>,
        pub more: u32,
    }

    /// What somebody did lately that they could do no more.
    pub struct RefusedUses {
        pub subject: String,
        pub subject_name: String,
        pub permission: String,
        pub scope: String,
        pub uses: u64,
        pub last_used: DateTime<Utc>,
    }
}
