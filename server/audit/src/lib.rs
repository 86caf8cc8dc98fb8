//! Audit: what happened, in a form that shows every later change.
//!
//! An event is recorded in the transaction that it tells of ([`record`]), in a closed list of
//! kinds ([`Event`]).

mod author;
mod event;
mod leaf;
mod record;

pub use author::Author;
pub use event::{CallClosed, CallOpened, Event, Outcome};
pub use record::{Entry, record, record_all};
