//! What the provider remembers: scripts, requests and counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auth::Key;
use super::keep::Shelf;
use super::script::Script;

/// A request as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received {
    pub path: String,
    #[serde(default)]
    pub query: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub model: String,
    /// As JSON, and byte for byte.
    pub body: Value,
    pub raw: String,
}

/// How a provider behaves where no script says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Before every unscripted answer.
    pub delay_first_ms: u64,
    /// Remember no requests: benchmarks make too many.
    pub forget_requests: bool,
    /// Take only calls with this key.
    pub key: Option<Key>,
    /// Write down what every call was served, for [`Upstream::take_served`](super::Upstream).
    pub invoice: bool,
}

/// What a call was really served, and so what a vendor would bill for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// What stands between `[[` and `]]` in its body.
    pub marker: String,
    pub model: String,
    pub input: u64,
    /// Words of the whole answer, as far as it was begun.
    pub output: u64,
    /// Pieces of a stream that were sent.
    pub pieces: u64,
    pub streamed: bool,
    /// Answered by an error, which costs nothing.
    pub refused: bool,
    /// The whole answer went out.
    pub ended: bool,
    /// What the usage in the answer says, where it says anything: input and output.
    pub told: Option<(u64, u64)>,
}

impl Served {
    /// Tokens in and out that a vendor would bill at the most: what it told where that arrived, the
    /// pieces that were sent of a stream that broke off, and all of an answer that is not streamed,
    /// even where nobody waited for it.
    pub fn billed(&self) -> (u64, u64) {
        if self.refused {
            return (0, 0);
        }
        match (self.streamed, self.ended) {
            (true, false) => (self.input, self.pieces),
            (true, true) | (false, _) => self.told.unwrap_or((self.input, self.output)),
        }
    }
}

/// How the calls went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub begun: u64,
    /// Answered to the end, as scripted.
    pub ended: u64,
    /// The client closed the connection before the answer was out.
    pub canceled: u64,
}

/// A benchmark must not fill the memory: older requests are forgotten.
const REMEMBERED: usize = 5_000;

#[derive(Debug, Default)]
pub(super) struct State {
    scripts: Mutex<Vec<Script>>,
    requests: Mutex<VecDeque<Received>>,
    served: Mutex<Vec<Served>>,
    begun: AtomicU64,
    ended: AtomicU64,
    canceled: AtomicU64,
    manner: Manner,
    /// Files and batches.
    pub shelf: Mutex<Shelf>,
}

impl State {
    pub fn new(manner: Manner) -> Self {
        Self { manner, ..Self::default() }
    }

    pub fn key(&self) -> Option<&Key> {
        self.manner.key.as_ref()
    }

    /// Replaces the script of the same match.
    pub fn set(&self, script: Script) {
        let mut scripts = self.scripts.lock();
        scripts.retain(|known| known.matches != script.matches);
        scripts.push(script);
        scripts.sort_by_key(|script| std::cmp::Reverse(script.precision()));
    }

    /// Forgets the scripts of one model, or all.
    pub fn forget(&self, model: Option<&str>) {
        self.scripts.lock().retain(|script| {
            let of = script.matches.as_ref().and_then(|matches| matches.model.as_deref());
            model.is_some_and(|model| of != Some(model))
        });
    }

    /// The script for a call, which counts as used.
    pub fn script(&self, model: &str, api_key: Option<&str>) -> Script {
        let mut scripts = self.scripts.lock();
        let Some(index) = scripts.iter().position(|script| script.is_for(model, api_key)) else {
            return Script { delay_first_ms: self.manner.delay_first_ms, ..Script::default() };
        };
        let script = scripts[index].clone();
        if let Some(times) = &mut scripts[index].times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                scripts.remove(index);
            }
        }
        script
    }

    pub fn received(&self, request: impl FnOnce() -> Received) {
        if !self.manner.forget_requests {
            let mut requests = self.requests.lock();
            if requests.len() == REMEMBERED {
                requests.pop_front();
            }
            requests.push_back(request());
        }
    }

    pub fn requests(&self, model: Option<&str>) -> Vec<Received> {
        let requests = self.requests.lock();
        let wanted = |request: &&Received| model.is_none_or(|model| request.model == model);
        requests.iter().filter(wanted).cloned().collect()
    }

    /// What calls that are over were served since the last time.
    pub fn take_served(&self) -> Vec<Served> {
        std::mem::take(&mut *self.served.lock())
    }

    pub fn clear(&self) {
        self.requests.lock().clear();
        for count in [&self.begun, &self.ended, &self.canceled] {
            count.store(0, Ordering::Relaxed);
        }
    }

    pub fn counts(&self) -> Counts {
        Counts {
            begun: self.begun.load(Ordering::Relaxed),
            ended: self.ended.load(Ordering::Relaxed),
            canceled: self.canceled.load(Ordering::Relaxed),
        }
    }

    pub fn begin(self: &Arc<Self>) -> Call {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Call { state: Arc::clone(self), ended: false, served: None }
    }
}

/// A call under way. Dropped before its end, it was canceled by the client.
pub(super) struct Call {
    state: Arc<State>,
    ended: bool,
    served: Option<Served>,
}

impl Call {
    /// Begins the line of the invoice.
    pub fn bill(&mut self, raw: &[u8], served: Served) {
        if self.state.manner.invoice {
            let raw = String::from_utf8_lossy(raw);
            let marker = raw.split_once("[[").and_then(|(_, rest)| rest.split_once("]]"));
            let marker = marker.map_or("", |(marker, _)| marker).to_owned();
            self.served = Some(Served { marker, ..served });
        }
    }

    /// Changes the line of the invoice, where there is one.
    pub fn line(&mut self, change: impl FnOnce(&mut Served)) {
        if let Some(served) = &mut self.served {
            change(served);
        }
    }

    pub fn end(&mut self) {
        self.line(|served| served.ended = true);
        if !std::mem::replace(&mut self.ended, true) {
            self.state.ended.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.state.served.lock().extend(self.served.take());
        if !self.ended {
            self.state.canceled.fetch_add(1, Ordering::Relaxed);
        }
    }
}
