//! The broker: the one path of every model call.
//!
//! What always holds: nothing is sent that neither a durable hold nor a lease covers; no byte of an
//! answer leaves before the decision, the hold and the intent are durable; every opened call is
//! settled once, also when its caller hangs up or its server dies; a provider key is in the clear
//! only inside the request that it is for. Uses every crate below; used by the HTTP layer.

mod approval;
mod attempt;
mod better;
mod cache;
mod call;
mod choice;
mod course;
mod ending;
mod exchange;
mod first;
mod guard;
mod health;
mod in_flight;
mod injection;
mod judge;
mod keep;
mod keys;
mod open;
mod passed_over;
mod queue;
mod rates;
mod ready;
mod record;
mod rules;
mod slice;
mod sql;
mod stream;
mod writer;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ralex_access::Access;
use ralex_approvals::Approvals;
use ralex_budgets::{Budgets, Rates};
use ralex_guardrails::Guards;
use ralex_identity::Identity;
use ralex_kernel::{Clock, NodeId};
use ralex_providers::Client;
use ralex_routing::Routing;
use ralex_rules::CallRules;
use ralex_store::Db;
use ralex_vault::Vault;
use tokio::sync::Semaphore;

pub use cache::run_cache_sweeper;
pub use choice::{Candidate, Chosen, Wishes};
pub use course::Resilience;
pub use exchange::{About, Answered, CallRequest, Failure};
pub use keep::{AnswerAction, Content, FileQuery, KeepRequest, NewFile};
pub use queue::Places;
pub use stream::CallStream;
use writer::Writer;

/// Files that are read line by line at once; each takes a processor for itself.
const READINGS: usize = 2;
/// How long a reader of usage waits for its own calls to be written.
const OWN_CALLS: Duration = Duration::from_secs(2);

/// The service.
#[derive(Clone)]
pub struct Broker {
    parts: Arc<Parts>,
    writer: Writer,
    keys: keys::Keys,
    queue: queue::Queue,
    answers: cache::Answers,
    /// Places for files that are read line by line.
    reading: Arc<Semaphore>,
    db: Db,
}

/// What a call passes on its way.
pub struct Parts {
    pub access: Arc<Access>,
    pub identity: Identity,
    pub routing: Routing,
    pub budgets: Arc<Budgets>,
    pub rates: Rates,
    pub vault: Vault,
    pub guards: Guards,
    pub rules: CallRules,
    pub approvals: Approvals,
    pub client: Client,
    pub clock: Clock,
    pub node: NodeId,
    /// Tokens of output that are allowed, and held for, where the caller sets no limit.
    pub default_max_output: u64,
    pub resilience: Resilience,
    /// No call is sent before its record is durable, whatever leases cover.
    pub record_first: bool,
    pub places: Places,
    /// Bytes of memory that kept answers may take.
    pub cache_bytes: u64,
    /// Where files are kept on their way, without a name.
    pub folder: PathBuf,
}

impl Broker {
    /// Starts the broker. The task ends when the broker is gone and every call is written.
    pub fn start(db: Db, parts: Parts) -> (Self, tokio::task::JoinHandle<()>) {
        let (writer, task) = Writer::start(&db, parts.node, parts.budgets.leases());
        let answers = cache::Answers::new(parts.cache_bytes);
        let (keys, queue) = (keys::Keys::default(), queue::Queue::new(parts.places));
        let reading = Arc::new(Semaphore::new(READINGS));
        (Self { parts: Arc::new(parts), writer, keys, queue, answers, reading, db }, task)
    }

    /// The rules about calls, as people write them.
    pub fn rules(&self) -> CallRules {
        self.parts.rules.clone()
    }

    /// A place on the disk for a file on its way. It has no name, and is gone when it is closed.
    ///
    /// # Errors
    /// Where the disk is full or may not be written.
    pub fn spool(&self) -> io::Result<File> {
        tempfile::tempfile_in(&self.parts.folder)
    }

    /// Waits until the calls that ended before are written, so that one reads one's own.
    pub async fn settle_before_reading(&self) {
        self.writer.barrier(OWN_CALLS).await;
    }
}
