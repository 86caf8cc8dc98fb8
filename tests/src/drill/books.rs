//! The reckoning: what callers saw and the provider served, against what is on record.

use std::collections::HashMap;

use ralex_kernel::Money;

use super::blocks::{Blocks, Verdict};
use super::caller::Sent;
use super::invoice::{Billed, by_marker};
use super::records::{Budget, Call, Records, Story};
use super::report::{Faults, Sums};
use crate::upstream::Served;

/// Everything there is to compare.
pub struct Books<'a> {
    pub records: &'a Records,
    pub sent: &'a [Sent],
    pub served: &'a [Served],
    pub blocks: &'a Blocks,
}

impl Books<'_> {
    /// Compares everything with everything.
    pub fn reckon(&self, faults: &mut Faults, sums: &mut Sums) {
        for sent in self.sent {
            self.answer(sent, faults);
            self.refusal(sent, faults, sums);
        }
        self.log(faults, sums);
        self.money(faults, sums);
        self.invoice(faults, sums);
    }

    /// Every answer that a caller saw any part of stands in the log, at the cost that it was told.
    fn answer(&self, sent: &Sent, faults: &mut Faults) {
        let success = sent.seen.status == Some(200);
        let Some(id) = &sent.seen.call else {
            if success {
                faults.answered_without_record.push(format!("{}: no call id", sent.marker));
            }
            return;
        };
        let story = self.records.stories.get(id);
        let recorded = story
            .is_some_and(|it| it.opened.contains(&sent.digest) || (!success && it.refused > 0));
        let (true, Some(call)) = (recorded, self.records.calls.get(id)) else {
            faults.answered_without_record.push(format!("{}: {id}", sent.marker));
            return;
        };
        let told: Option<Money> = sent.seen.cost.as_ref().and_then(|cost| cost.parse().ok());
        let Some(told) = told.filter(|_| success && sent.seen.ended) else { return };
        // One that was lost after its answer was told may be counted at the worst case, which is
        // less only where a provider told of more than it was allowed to say.
        let right = if call.state == "lost" { call.cost == call.held } else { call.cost == told };
        if !right {
            faults.cost_told_differs.push(format!("{}: told {told}, {call:?}", sent.marker));
        }
    }

    /// Refused by the figures that the caller was told, which are those of the decision, and by what
    /// the database knew when it was committed.
    fn refusal(&self, sent: &Sent, faults: &mut Faults, sums: &mut Sums) {
        if sent.seen.status != Some(402) {
            return;
        }
        let (Some(refusal), Some(id)) = (sent.refusal, &sent.seen.call) else {
            sums.refusals_unexplained += 1;
            return;
        };
        let verdict = self.blocks.judge(id, refusal.needed);
        match verdict {
            Verdict::Right => sums.refused_rightly += 1,
            Verdict::HeldByTheDead => sums.refused_for_the_dead += 1,
            Verdict::False { .. } => {
                let words = format!("{}: {id}: {refusal:?}, {verdict:?}", sent.marker);
                faults.false_blocks.push(words);
            }
            Verdict::Unknown => sums.refusals_unexplained += 1,
        }
        // What it was told must not be worse than what was so.
        if verdict == Verdict::Right && refusal.contradicts_itself() {
            faults.false_blocks.push(format!("{}: {id}: told {refusal:?}", sent.marker));
        }
    }

    /// Every call has one beginning and one end in the log, and every event its call.
    fn log(&self, faults: &mut Faults, sums: &mut Sums) {
        for (id, call) in &self.records.calls {
            let story = self.records.stories.get(id).cloned().unwrap_or_default();
            let right = match call.state.as_str() {
                "refused" => {
                    story.opened.is_empty()
                        && story.closed.is_empty()
                        && story.extended == 0
                        && story.refused == 1
                }
                "success" | "error" | "canceled" | "lost" => {
                    sums.corrected += u64::from(story.closed.len() == 2);
                    story.opened.len() == 1 && story.refused == 0 && is_closed_once(call, &story)
                }
                // Open calls, and states that nobody knows of.
                _ => false,
            };
            if !right {
                faults.records_wrong.push(format!("{id}: {call:?}: {story:?}"));
            }
        }
        let unknown =
            self.records.stories.keys().filter(|id| !self.records.calls.contains_key(*id));
        faults.records_wrong.extend(unknown.map(|id| format!("{id}: events without a call")));
    }

    /// Every budget spent what its calls cost, with what dead nodes had in hand, and holds nothing.
    fn money(&self, faults: &mut Faults, sums: &mut Sums) {
        for budget in &self.records.budgets {
            let counts =
                |call: &&Call| budget.scope == "org" || call.scopes.contains(&budget.scope);
            let calls = self.records.calls.values().filter(counts);
            let cost: Money = calls.map(|call| call.cost).sum();
            if budget.spent + budget.overrun - budget.adjusted != cost {
                faults.budget_drift.push(format!("its calls cost {cost}: {budget:?}"));
            }
            if budget.held != Money::ZERO || budget.leased != Money::ZERO {
                faults.still_held.push(format!("{budget:?}"));
            }
            if budget.spent > budget.limit {
                faults.overspent.push(format!("at the end: {budget:?}"));
            }
        }
        let whole = self.records.whole();
        (sums.spent, sums.overrun, sums.adjusted) = (whole.spent, whole.overrun, whole.adjusted);
        let lost = self.records.calls.values().filter(|call| call.state == "lost");
        sums.lost_at_worst_case = lost.map(|call| call.cost).sum();
    }

    /// The provider never served more than was counted, or declared lost.
    fn invoice(&self, faults: &mut Faults, sums: &mut Sums) {
        let sent: HashMap<&str, &Sent> =
            self.sent.iter().map(|sent| (sent.marker.as_str(), sent)).collect();
        let mut unrecorded: HashMap<&str, Money> = HashMap::new();
        for (marker, bill) in by_marker(self.served) {
            sums.upstream_billed += bill.told;
            sums.upstream_fair += bill.fair;
            let Some(sent) = sent.get(marker) else {
                faults.upstream_without_record.push(format!("nobody sent {marker}"));
                continue;
            };
            let recorded = self.records.by_digest.get(&sent.digest);
            if let Some(call) = recorded.and_then(|id| self.records.calls.get(id)) {
                served_and_counted(marker, bill, call, faults, sums);
                continue;
            }
            // Sent by what its node had in hand, which was killed before it could write that down.
            sums.upstream_unrecorded += 1;
            sums.unrecorded_billed += bill.fair;
            for scope in ["org", sent.token.as_str()] {
                *unrecorded.entry(scope).or_default() += bill.fair;
            }
            if sent.seen.status == Some(200) {
                faults.upstream_without_record.push(format!("{marker} was answered"));
            }
        }
        let (counted, fair) = (sums.spent + sums.overrun, sums.upstream_fair);
        if fair > counted {
            let words = format!("{fair} served, {counted} counted, with all that was lost");
            faults.counted_too_little.push(words);
        }
        for (scope, billed) in unrecorded {
            let budget = self.records.budgets.iter().find(|budget| budget.scope == scope);
            let adjusted = budget.map_or(Money::ZERO, |budget: &Budget| budget.adjusted);
            if billed > adjusted {
                let words = format!("{billed} for {scope}, of which {adjusted} is counted as lost");
                faults.upstream_without_record.push(words);
            }
        }
    }
}

/// Closed once, as the call is; or given up for lost, and corrected by its node that lived.
fn is_closed_once(call: &Call, story: &Story) -> bool {
    let is_last = |(state, cost): &(String, Money)| *state == call.state && *cost == call.cost;
    match story.closed.as_slice() {
        [only] => is_last(only),
        [(first, _), last] => first == "lost" && last.0 != "lost" && is_last(last),
        _ => false,
    }
}

fn served_and_counted(
    marker: &str,
    bill: Billed,
    call: &Call,
    faults: &mut Faults,
    sums: &mut Sums,
) {
    let words = || format!("{marker}: {bill:?}, {call:?}");
    let exact = bill.usage.filter(|_| call.state == "success" && !call.estimated);
    if exact.is_some_and(|usage| usage != call.cost) {
        faults.cost_differs_from_usage.push(words());
    }
    let missing = bill.fair - call.cost;
    if missing.is_positive() && call.state == "canceled" && call.estimated {
        // A caller hung up, and the provider said a little more before it noticed: nobody can know,
        // and the record says that it is an estimate.
        sums.canceled_below += 1;
        sums.canceled_below_by += missing;
    } else if missing.is_positive() {
        faults.counted_too_little.push(words());
    } else if bill.told > call.cost {
        // It was told of more than allowed when nobody listened any more.
        sums.over_reported_unheard += bill.told - call.cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::Seen;
    use crate::rig::proof::CallEvent;

    const COST: &str = "0.00015";

    /// One call of ten tokens in and eight out, as everybody saw it.
    struct World {
        events: Vec<CallEvent>,
        spent: Money,
        adjusted: Money,
        served: Served,
    }

    fn closed(state: &str, cost: &str) -> CallEvent {
        let (state, cost) = (state.to_owned(), cost.to_owned());
        CallEvent::Closed { call: "c1".to_owned(), state, cost }
    }

    fn world() -> World {
        let opened = CallEvent::Opened { call: "c1".to_owned(), digest: "d1".to_owned() };
        let served = Served {
            marker: "m1".to_owned(),
            input: 10,
            output: 8,
            ended: true,
            told: Some((10, 8)),
            ..Served::default()
        };
        let spent = COST.parse().unwrap();
        World {
            events: vec![opened, closed("success", COST)],
            spent,
            adjusted: Money::ZERO,
            served,
        }
    }

    impl World {
        fn faults(self) -> Faults {
            let cost: Money = COST.parse().unwrap();
            let call = Call { state: "success".to_owned(), cost, held: cost, ..Call::default() };
            let whole = Budget {
                scope: "org".to_owned(),
                limit: Money::dollars(1),
                spent: self.spent,
                adjusted: self.adjusted,
                ..Budget::default()
            };
            let mut records = Records { budgets: vec![whole], ..Records::default() };
            records.calls.insert("c1".to_owned(), call);
            records.events(self.events);
            let seen = Seen {
                status: Some(200),
                call: Some("c1".to_owned()),
                cost: Some(COST.to_owned()),
                ended: true,
                ..Seen::default()
            };
            let sent = Sent {
                marker: "m1".to_owned(),
                digest: "d1".to_owned(),
                token: "t1".to_owned(),
                refusal: None,
                hung_up: false,
                gave_up: false,
                seen,
            };
            let blocks = Blocks::default();
            let (sent, served) = ([sent], [self.served]);
            let books = Books { records: &records, sent: &sent, served: &served, blocks: &blocks };
            let mut faults = Faults::default();
            books.reckon(&mut faults, &mut Sums::default());
            faults
        }

        fn found(self) -> Vec<&'static str> {
            let faults = self.faults();
            let found = faults.all().into_iter().filter(|(_, found)| !found.is_empty());
            found.map(|(name, _)| name).collect()
        }
    }

    #[test]
    fn books_that_agree_have_no_fault() {
        assert_eq!(world().found(), [""; 0]);
    }

    #[test]
    fn a_nano_dollar_of_drift_is_found() {
        let spent = world().spent + Money::nanos(1);
        let found = World { spent, ..world() }.found();
        assert_eq!(found, ["budgets that drifted from their calls"]);
        let found = World { spent, adjusted: Money::nanos(1), ..world() }.found();
        assert_eq!(found, [""; 0], "it was in the hands of a dead node");
    }

    #[test]
    fn an_end_that_is_missing_or_told_twice_is_found() {
        let wrong = ["calls without their one beginning and one end"];
        let mut none = world();
        none.events.truncate(1);
        assert_eq!(none.found(), wrong);
        let mut twice = world();
        twice.events.push(closed("success", COST));
        assert_eq!(twice.found(), wrong);
        let mut corrected = world();
        corrected.events.insert(1, closed("lost", "0.001"));
        assert_eq!(corrected.found(), [""; 0], "its node lived");
    }

    #[test]
    fn an_answer_without_its_intent_is_found_on_both_sides() {
        let mut secret = world();
        secret.events.remove(0);
        let found = secret.faults();
        assert_eq!(found.answered_without_record.len(), 1, "{found:?}");
        assert_eq!(found.upstream_without_record.len(), 3, "{found:?}");
    }

    #[test]
    fn what_was_served_and_not_counted_is_found() {
        let mut more = world();
        more.served.told = Some((10, 9));
        let faults = more.faults();
        assert_eq!(faults.cost_differs_from_usage.len(), 1, "{faults:?}");
        assert_eq!(faults.counted_too_little.len(), 2, "by itself, and in the sum: {faults:?}");
    }
}
