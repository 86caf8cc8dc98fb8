//! Counts what was seen, for the report.

use std::time::Duration;

use super::caller::Sent;
use super::fleet::Log;
use super::observer::Observed;
use super::records::Records;
use super::report::Report;

impl Report {
    pub(super) fn seen(&mut self, sent: &[Sent]) {
        let count = |wanted: &dyn Fn(&&Sent) -> bool| sent.iter().filter(wanted).count();
        let success = |sent: &&Sent| sent.seen.status == Some(200);
        self.sent = sent.len();
        self.answered_whole = count(&|sent| success(sent) && sent.seen.ended);
        self.answered_in_part = count(&|sent| success(sent) && !sent.seen.ended);
        self.hung_up = count(&|sent| sent.hung_up);
        self.gave_up = count(&|sent| sent.gave_up);
        self.no_answer = count(&|sent| sent.seen.status.is_none());
        for status in sent.iter().filter_map(|sent| sent.seen.status).filter(|it| *it != 200) {
            *self.statuses.entry(status).or_default() += 1;
        }
    }

    pub(super) fn recorded(&mut self, records: &Records) {
        self.calls = records.calls.len();
        for call in records.calls.values() {
            *self.calls_by_state.entry(call.state.clone()).or_default() += 1;
        }
        let share = number(self.faults.false_blocks.len()) / number(self.calls.max(1));
        self.false_block_percent = share * 100.0;
    }

    pub(super) fn observed(&mut self, observed: &Observed) {
        self.looks = observed.looks;
        self.observations = observed.observations;
        self.observed_exhausted = observed.exhausted;
        self.overspend = observed.overspend;
        self.most_held = observed.most_held;
        self.most_leased = observed.most_leased;
        self.faults.overspent.extend_from_slice(&observed.overspent);
        self.faults.leases_off.extend_from_slice(&observed.leases_off);
    }

    pub(super) fn nodes_ended(&mut self, log: &Log, ended: anyhow::Result<()>) {
        self.starts = log.starts.len();
        self.failed_starts = log.failed_starts;
        let sum: Duration = log.starts.iter().sum();
        self.mean_start = sum.as_secs_f64() / number(self.starts.max(1));
        self.longest_start = log.starts.iter().max().map_or(0.0, Duration::as_secs_f64);
        self.faults.ended.extend(log.ended.iter().cloned());
        self.faults.ended.extend(ended.err().map(|error| error.to_string()));
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
