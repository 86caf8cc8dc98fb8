//! The reckoning: what clients saw and the provider was asked, against what is on record.

use std::collections::{HashMap, HashSet};

use ralex_api::budgets::Budget;
use ralex_api::page::Page;
use ralex_api::usage::{Call, CallState};
use ralex_kernel::Money;
use serde::Serialize;

use super::client::Sent;
use crate::rig::Api;
use crate::rig::proof::CallEvent;

/// Everything that must be zero, each with some examples.
#[derive(Debug, Default, Serialize)]
pub struct Faults {
    pub answered_without_record: Vec<String>,
    pub records_lost: Vec<String>,
    pub budget_drift: Vec<String>,
    pub overspent: Vec<String>,
    pub upstream_without_record: Vec<String>,
    pub cost_told_differs: Vec<String>,
}

/// What is on record.
#[derive(Default)]
pub struct Records {
    /// How many tell of calls.
    pub events: usize,
    pub calls: HashMap<String, Call>,
    pub budgets: Vec<Budget>,
    opened: HashMap<String, u32>,
    digests: HashSet<String>,
    closed: HashMap<String, Vec<String>>,
    refused: HashSet<String>,
}

impl Faults {
    pub fn none(&self) -> bool {
        let all = [
            &self.answered_without_record,
            &self.records_lost,
            &self.budget_drift,
            &self.overspent,
            &self.upstream_without_record,
            &self.cost_told_differs,
        ];
        all.into_iter().all(Vec::is_empty)
    }
}

impl Records {
    pub async fn read(api: &Api, events: Vec<CallEvent>) -> anyhow::Result<Self> {
        let budgets: Page<Budget> = api.find("budgets?limit=500").await?;
        Ok(Self::of(events, all_calls(api).await?, budgets.items))
    }

    fn of(events: Vec<CallEvent>, calls: HashMap<String, Call>, budgets: Vec<Budget>) -> Self {
        let mut records = Self { events: events.len(), calls, budgets, ..Self::default() };
        for event in events {
            match event {
                CallEvent::Opened { call, digest } => {
                    *records.opened.entry(call).or_default() += 1;
                    records.digests.insert(digest);
                }
                CallEvent::Closed { call, cost, .. } => {
                    records.closed.entry(call).or_default().push(cost);
                }
                CallEvent::Extended { .. } => {}
                CallEvent::Refused { call } => drop(records.refused.insert(call)),
            }
        }
        records
    }

    pub fn count(&self, state: CallState) -> usize {
        self.calls.values().filter(|call| call.state == state).count()
    }

    /// Compares; `asked` are the markers of the requests that the provider got.
    pub fn faults(&self, sent: &[Sent], asked: &[String]) -> Faults {
        let mut faults = Faults::default();
        for sent in sent {
            self.answer(sent, &mut faults);
        }
        self.log(&mut faults);
        self.money(&mut faults);
        let sent: HashMap<&str, &Sent> =
            sent.iter().map(|sent| (sent.marker.as_str(), sent)).collect();
        let mut cut_off = Vec::new();
        for marker in asked {
            match sent.get(marker.as_str()) {
                Some(sent) if self.digests.contains(&sent.digest) => {}
                // Sent by what its server had in hand, which was killed before it could write
                // that down.
                Some(sent) if sent.seen.status.is_none() => cut_off.push(marker.clone()),
                Some(_) | None => faults.upstream_without_record.push(marker.clone()),
            }
        }
        if !self.covers(cut_off.len()) {
            faults.upstream_without_record.extend(cut_off);
        }
        faults
    }

    /// Whether what killed servers had in hand, which counts as spent, pays for so many calls at
    /// the worst case of all of them.
    fn covers(&self, calls: usize) -> bool {
        let worst = self.calls.values().map(|call| call.held).max().unwrap_or_default();
        let whole = self.budgets.iter().find(|budget| budget.scope == "org");
        let counted = whole.map(|budget| budget.adjusted).unwrap_or_default();
        (0..calls).map(|_| worst).sum::<Money>() <= counted
    }

    /// Every answer that a client saw any part of stands in the log, at the cost that it was told.
    fn answer(&self, sent: &Sent, faults: &mut Faults) {
        let success = sent.seen.status == Some(200);
        let Some(id) = &sent.seen.call else {
            if success {
                faults.answered_without_record.push(format!("{}: no call id", sent.marker));
            }
            return;
        };
        let recorded = self.opened.contains_key(id) || (!success && self.refused.contains(id));
        let call = self.calls.get(id);
        let (true, Some(call)) = (recorded, call) else {
            faults.answered_without_record.push(format!("{}: {id}", sent.marker));
            return;
        };
        let told: Option<Money> = sent.seen.cost.as_ref().and_then(|cost| cost.parse().ok());
        let Some(told) = told.filter(|_| success && sent.seen.ended) else { return };
        // Told, but killed before it was settled: counted at the worst case, never at less.
        let right =
            if call.state == CallState::Lost { call.cost >= told } else { call.cost == told };
        if !right {
            faults.cost_told_differs.push(format!("{}: told {told}, {call:?}", sent.marker));
        }
    }

    /// Every call has one beginning and one end in the log, and every event its call.
    fn log(&self, faults: &mut Faults) {
        let lost = &mut faults.records_lost;
        for (id, call) in &self.calls {
            let opened = self.opened.get(id).copied().unwrap_or(0);
            let closed = self.closed.get(id).map_or(&[][..], Vec::as_slice);
            let right = if call.state == CallState::Refused {
                opened == 0 && closed.is_empty() && self.refused.contains(id)
            } else {
                let cost = call.cost.to_string();
                opened == 1 && closed.len() == 1 && closed[0] == cost && !self.refused.contains(id)
            };
            if !right {
                lost.push(format!("{call:?}: opened {opened} times, closed at {closed:?}"));
            }
        }
        let ids = self.opened.keys().chain(self.closed.keys()).chain(&self.refused);
        lost.extend(
            ids.filter(|id| !self.calls.contains_key(*id)).map(|id| format!("{id}: no call")),
        );
    }

    /// Every budget spent what its calls cost, and holds nothing.
    fn money(&self, faults: &mut Faults) {
        for budget in &self.budgets {
            let ours = |call: &&Call| match budget.scope.split_once(':') {
                Some(("team", team)) => call.team.as_deref() == Some(team),
                // A team's only token is named as the team.
                Some(_) => budget.scope_name.contains(call.token.as_deref().unwrap_or("-")),
                None => true,
            };
            let cost: Money = self.calls.values().filter(ours).map(|call| call.cost).sum();
            if budget.spent - budget.adjusted != cost || budget.held.is_positive() {
                faults.budget_drift.push(format!("calls cost {cost}: {budget:?}"));
            }
            if budget.spent > budget.limit {
                faults.overspent.push(format!("{budget:?}"));
            }
        }
    }
}

async fn all_calls(api: &Api) -> anyhow::Result<HashMap<String, Call>> {
    let mut calls = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page: Page<Call> = api.find(&format!("calls?limit=500{cursor}")).await?;
        calls.extend(page.items.into_iter().map(|call| (call.id.to_string(), call)));
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use ralex_kernel::CallId;

    use super::*;
    use crate::rig::Seen;

    fn call(id: CallId, state: &str, cost: &str) -> (String, Call) {
        let call = serde_json::json!({
            "id": id, "started_at": "2026-03-01T00:00:00Z", "state": state, "model": "quick",
            "provider": "quick", "team": "red", "streamed": false, "dialect": "openai_chat",
            "input_tokens": 1, "output_tokens": 1, "estimated": false, "held": "0.002", "cost": cost,
        });
        (id.to_string(), serde_json::from_value(call).unwrap())
    }

    fn opened(id: CallId) -> CallEvent {
        CallEvent::Opened { call: id.to_string(), digest: "d1".to_owned() }
    }

    fn closed(id: CallId, cost: &str) -> CallEvent {
        let (state, cost) = ("success".to_owned(), cost.to_owned());
        CallEvent::Closed { call: id.to_string(), state, cost }
    }

    fn budget(spent: &str, held: &str) -> Budget {
        let budget = serde_json::json!({
            "id": ralex_kernel::BudgetId::generate(), "scope": "team:red", "scope_name": "red",
            "period": "total", "time_zone": "UTC", "limit": "0.01", "hard": true, "spent": spent,
            "held": held, "overrun": "0", "period_starts_at": "2026-03-01T00:00:00Z",
            "refused": 0, "created_at": "2026-03-01T00:00:00Z",
        });
        serde_json::from_value(budget).unwrap()
    }

    fn sent(id: CallId, cost: &str) -> Sent {
        let seen = Seen {
            any: true,
            status: Some(200),
            call: Some(id.to_string()),
            cost: Some(cost.to_owned()),
            ended: true,
            ..Seen::default()
        };
        let (marker, digest) = ("m1".to_owned(), "d1".to_owned());
        Sent { marker, digest, seen, hung_up: false, stuck: false }
    }

    fn records(id: CallId, events: Vec<CallEvent>, spent: &str) -> Records {
        let calls = HashMap::from([call(id, "success", "0.001")]);
        Records::of(events, calls, vec![budget(spent, "0")])
    }

    #[test]
    fn books_that_agree_have_no_fault() {
        let id = CallId::generate();
        let records = records(id, vec![opened(id), closed(id, "0.001")], "0.001");
        let faults = records.faults(&[sent(id, "0.001")], &["m1".to_owned()]);
        assert!(faults.none(), "{faults:?}");
    }

    #[test]
    fn an_answer_without_its_intent_is_found_on_both_sides() {
        let id = CallId::generate();
        let records = records(id, vec![closed(id, "0.001")], "0.001");
        let faults = records.faults(&[sent(id, "0.001")], &["m1".to_owned()]);
        assert_eq!(faults.answered_without_record.len(), 1, "{faults:?}");
        assert_eq!(faults.upstream_without_record.len(), 1, "{faults:?}");
        assert_eq!(faults.records_lost.len(), 1, "{faults:?}");
    }

    #[test]
    fn an_end_that_is_missing_or_told_twice_is_found() {
        let id = CallId::generate();
        for ends in [0, 2] {
            let ends = std::iter::repeat_n(closed(id, "0.001"), ends);
            let events = std::iter::once(opened(id)).chain(ends).collect();
            let faults = records(id, events, "0.001").faults(&[], &[]);
            assert_eq!(faults.records_lost.len(), 1, "{faults:?}");
        }
    }

    #[test]
    fn a_nano_dollar_of_drift_is_found() {
        let id = CallId::generate();
        let records = records(id, vec![opened(id), closed(id, "0.001")], "0.001000001");
        assert_eq!(records.faults(&[], &[]).budget_drift.len(), 1);
    }

    #[test]
    fn a_cost_told_other_than_recorded_is_found() {
        let id = CallId::generate();
        let records = records(id, vec![opened(id), closed(id, "0.001")], "0.001");
        let faults = records.faults(&[sent(id, "0.002")], &[]);
        assert_eq!(faults.cost_told_differs.len(), 1, "{faults:?}");
    }
}
