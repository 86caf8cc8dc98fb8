//! What recorded calls say of a model at a kind of task: counts that fade with time.

use std::collections::HashMap;

use ralex_api::routing::TaskKind;

/// Recorded calls of one kind at one model; days count less the longer they are past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub calls: f64,
    /// Answered, and not thrown away for a better model's.
    pub succeeded: f64,
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
        self.mean(self.succeeded, prior, prior_calls)
    }

    /// A mean per call, `prior` counting as so many calls.
    pub fn mean(&self, sum: f64, prior: f64, prior_calls: f64) -> f64 {
        (prior * prior_calls + sum) / (prior_calls + self.calls).max(1e-9)
    }
}

impl Learned {
    pub fn of(&self, kind: TaskKind, model: &str) -> Record {
        let found = self.records.get(&kind).and_then(|models| models.get(model));
        found.copied().unwrap_or_default()
    }

    pub fn add(&mut self, kind: TaskKind, model: &str, more: &Record) {
        let models = self.records.entry(kind).or_default();
        let record = models.entry(model.to_owned()).or_default();
        record.calls += more.calls;
        record.succeeded += more.succeeded;
        record.output_tokens += more.output_tokens;
        record.duration_ms += more.duration_ms;
        record.samples += more.samples;
    }
}
