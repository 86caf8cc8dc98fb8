//! What recorded calls say of a model at a kind of task: counts that fade with time.

use std::collections::HashMap;
use std::sync::Arc;

use ralex_api::routing::TaskKind;
use ralex_kernel::OrgId;

use crate::Inner;

/// Recorded calls of one kind at one model; days count less the longer they are past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub calls: f64,
    /// Answered, and not thrown away for a better model's.
    pub succeeded: f64,
    pub escalated: f64,
    pub cost_nanos: f64,
    pub output_tokens: f64,
    pub duration_ms: f64,
    /// As they were counted, without fading.
    pub samples: u64,
}

/// All records of an organisation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    records: HashMap<TaskKind, HashMap<String, Record>>,
}

impl Record {
    /// The share of good answers, `prior` counting as so many calls.
    pub fn success(&self, prior: f64, prior_calls: f64) -> f64 {
        (prior * prior_calls + self.succeeded) / (prior_calls + self.calls).max(1e-9)
    }

    /// A mean per call, `prior` counting as so many calls.
    pub fn mean(&self, sum: f64, prior: f64, prior_calls: f64) -> f64 {
        (prior * prior_calls + sum) / (prior_calls + self.calls).max(1e-9)
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        self.escalated += other.escalated;
        self.cost_nanos += other.cost_nanos;
        self.output_tokens += other.output_tokens;
        self.duration_ms += other.duration_ms;
        self.samples += other.samples;
    }
}

impl Learned {
    pub fn of(&self, kind: TaskKind, model: &str) -> Record {
        let found = self.records.get(&kind).and_then(|models| models.get(model));
        found.copied().unwrap_or_default()
    }

    pub fn add(&mut self, kind: TaskKind, model: &str, record: &Record) {
        let models = self.records.entry(kind).or_default();
        models.entry(model.to_owned()).or_default().add(record);
    }
}

impl Inner {
    /// What is known of an organisation's calls; nothing until they were first read.
    pub(crate) fn learned(&self, org: OrgId) -> Arc<Learned> {
        self.learned.read().get(&org).cloned().unwrap_or_default()
    }
}
