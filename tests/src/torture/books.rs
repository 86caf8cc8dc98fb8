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
pub struct Records {
    pub events: Vec<CallEvent>,
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
        let mut records = Self {
            calls: all_calls(api).await?,
            budgets: budgets.items,
            opened: HashMap::new(),
            digests: HashSet::new(),
            closed: HashMap::new(),
            refused: HashSet::new(),
            events: Vec::new(),
        };
        for event in &events {
            match event.clone() {
                CallEvent::Opened { call, digest } => {
                    *records.opened.entry(call).or_default() += 1;
                    records.digests.insert(digest);
                }
                CallEvent::Closed { call, cost, .. } => {
                    records.closed.entry(call).or_default().push(cost);
                }
                CallEvent::Refused { call } => drop(records.refused.insert(call)),
            }
        }
        records.events = events;
        Ok(records)
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
        let digests: HashMap<&str, &str> =
            sent.iter().map(|sent| (sent.marker.as_str(), sent.digest.as_str())).collect();
        for marker in asked {
            let digest = digests.get(marker.as_str());
            if !digest.is_some_and(|digest| self.digests.contains(*digest)) {
                faults.upstream_without_record.push(marker.clone());
            }
        }
        faults
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
            if budget.spent != cost || budget.held.is_positive() {
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
