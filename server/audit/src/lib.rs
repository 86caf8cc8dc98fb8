//! Audit: what happened, in a form that shows every later change.
//!
//! An event is one of a closed list ([`Event`]) and is recorded in the transaction that it tells
//! of ([`record`]), as the exact bytes that are hashed. A sequencer then gives it its place in the
//! organisation's Merkle tree (RFC 6962) and signs the tree's head every second that changed it.
//! Nothing here prevents a superuser from altering the tables: the signed heads show it, to this
//! server ([`Audit::verify`]) and to anyone who has an export and the public key ([`offline`]).
//! Uses `store`; used by everything that does something worth recording.

mod archive;
mod author;
mod bundle;
mod checkpoint;
mod cosign;
mod event;
mod evidence;
mod export;
mod filter;
mod formats;
mod keys;
mod kinds;
mod leaf;
mod list;
mod nodes;
pub mod offline;
mod onward;
pub mod personal;
mod proof;
mod prune;
mod pruned;
mod record;
mod sequencer;
mod service;
mod signers;
mod signing;
mod superlog;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod verify;
mod witness;

pub use archive::{Archived, archived};
pub use author::Author;
pub use checkpoint::{Signer, VerifierKey};
pub use event::{
    AccessRequestEvent, AccessReviewEvent, AccountEvent, AdjustmentEvent, AlertEvent, Answered,
    ApprovalEvent, ArchivedAs, BreakGlassEvent, CallClosed, CallOpened, CallRuleEvent,
    CallRuleSaid, Candidate, ChangeEvent, DestroyedKey, Event, FactorEvent, Hashed, IncreaseEvent,
    LogEvent, OperatorEvent, Outcome, PlaceEvent, Pruning, RecordsEvent, ReportEvent, Retained,
    ReviewCounted, RuleApplied, ScimEvent, SinkEvent, SsoEvent, TokenEvent, Tried,
};
pub use export::{Export, Parts};
pub use formats::{Form, Told};
pub use keys::{Rotated, Seeds};
pub use onward::Onward;
pub use prune::{PruneRules, PrunedNow, hold_still};
pub use record::{Entry, EntryColumns, record, record_all};
pub use service::{Audit, Status};
pub use signing::Refused;
pub use witness::{Courier, NotAWitness, Reply, Witness, Witnesses};
