//! How much of a streamed answer may go on to its caller, while it is not known whether all of it may.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Shared between who reads an answer and who pays for it. Where it is used up, the answer waits for
/// more, or is ended where there is none.
#[derive(Clone, Debug, Default)]
pub struct Allowance(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// All of it where this is absent.
    tokens: Option<u64>,
    is_last: bool,
}

impl Allowance {
    /// So many tokens of output in all. More may follow.
    pub fn grant(&self, tokens: u64) {
        *self.0.state.lock() = State { tokens: Some(tokens), is_last: false };
        self.0.changed.notify_one();
    }

    /// All that the answer has.
    pub fn lift(&self) {
        *self.0.state.lock() = State::default();
        self.0.changed.notify_one();
    }

    /// No more follows: where what was granted is used up, the answer ends.
    pub fn close(&self) {
        self.0.state.lock().is_last = true;
        self.0.changed.notify_one();
    }

    /// Nothing where all may go on.
    pub fn tokens(&self) -> Option<u64> {
        self.0.state.lock().tokens
    }

    /// Whether there is an end that may yet be moved.
    pub fn is_open(&self) -> bool {
        let state = *self.0.state.lock();
        state.tokens.is_some() && !state.is_last
    }

    pub(crate) fn is_last(&self) -> bool {
        self.0.state.lock().is_last
    }

    /// Returns when something was granted, or refused, since the last time.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}
