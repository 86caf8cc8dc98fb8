//! Access: who may do what, where, and the proof of it.
//!
//! One question (`Access::allow`) is asked before everything that happens, and its answer is a
//! [`Scope`], which nothing else can make; queries take one, so none can skip the check or leave
//! its organisation. Roles are data under `policies/access/`, bindings are rows. Each node holds
//! an organisation's rights as an immutable [`Snapshot`] and replaces it whole when the version
//! in `policy_version` has moved; casbin over the same rows is the reference that a test and a
//! sample of live decisions are held against.
//!
//! What always holds: what is not given is denied, a denial beats every right, another
//! organisation's rows never matter, and a snapshot that was not proven current within five
//! seconds is not asked: the answer is then "unavailable", not a guess.
//!
//! **Every change of what a node holds in memory ends with [`Access::commit`]**, which raises the
//! version, commits and re-reads here, so that the one who changed something sees it at once and
//! every other node within a second. A plain `tx.commit()` is for what no node holds.
//!
//! Uses `store` and `audit`; used by everything above.

mod able;
mod access;
mod bind;
mod bindings;
mod change;
mod change_decide;
mod change_list;
mod define;
mod denial;
mod duties;
mod explain;
mod export;
mod four_eyes;
mod glass;
mod glass_arm;
mod groups;
mod held;
mod history;
mod import;
mod import_plan;
#[cfg(test)]
mod it;
mod letter;
mod lines;
mod marks;
mod narrow;
mod never;
mod node;
mod oracle;
mod owners;
mod policies;
mod provision;
mod recheck;
mod refusal;
mod request_decide;
mod request_end;
mod request_letter;
mod request_settings;
mod requests;
mod rests;
mod review;
mod roles;
mod rows;
mod scope;
mod second;
mod sight;
mod sign_on;
mod simulate;
mod snapshot;
mod sql;
mod standing;
mod suspend;
mod unsettled;
#[cfg(test)]
mod worlds;

pub use able::{Where, Who};
pub use access::{Access, Changed, Status};
pub use bind::Bound;
pub use bindings::{Bearer, Wanted, Which};
pub use change::{BudgetTerms, Change, Done, GlassTerms, SignOnTerms};
pub use change_decide::ToConfirm;
pub use explain::Asked;
pub use four_eyes::Rules;
pub use glass::{Glass, breaks};
pub use glass_arm::GlassWish;
pub use node::Limits;
pub use oracle::Oracle;
pub use policies::{OWNER, Policies, Refusal, SERVICE};
pub use ralex_kernel::{Permission, Permissions, UnknownPermission};
pub use rests::ForAWhile;
pub use rows::Closed;
pub use scope::{Basis, Reach, Scope};
pub use sight::{Places, Sight};
pub use sign_on::{Barred, Synced};
pub use simulate::Proposed;
pub use snapshot::{Decision, Reason, Snapshot};
