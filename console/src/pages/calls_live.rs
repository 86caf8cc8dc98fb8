//! Live calls: what a newer first page changes in the list that is being read.
//!
//! Rows keep their places. A call that has ended since says so where it stands, and new calls wait
//! at the top until the reader lets them in.

use std::collections::HashSet;

use ralex_api::Page;
use ralex_api::usage::{Call, CallState};
use yew::prelude::*;

use crate::components::{Button, Failed, Icon};
use crate::hooks::poll::Poll;
use crate::text::number::counted;

/// The rows that the reader let in, newest first.
#[derive(Clone, Default, PartialEq)]
pub struct Added {
    pub rows: Vec<Call>,
    /// How many of them came the last time; they are marked.
    pub new: usize,
}

impl Added {
    /// The same with those that wait.
    pub fn with(&self, waiting: &[Call]) -> Self {
        let rows = waiting.iter().chain(&self.rows).cloned().collect();
        Self { rows, new: waiting.len() }
    }
}

/// A call as it is to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub call: Call,
    /// Came with the last ones that were let in.
    pub new: bool,
    /// It was under way, and a list of those under way no longer has it.
    pub ended: bool,
}

/// What to show.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub rows: Vec<Row>,
    pub waiting: Vec<Call>,
    /// More came than one page holds: between them and the rows some are unknown.
    pub gap: bool,
}

/// The list as it was fetched, with what was let in before it and what the newest page tells.
pub fn view(items: &[Call], added: &Added, latest: Option<&Page<Call>>) -> View {
    let before: HashSet<_> = added.rows.iter().map(|call| call.id).collect();
    let new = added.rows.iter().enumerate().map(|(at, call)| (call, at < added.new));
    let old = items.iter().filter(|call| !before.contains(&call.id)).map(|call| (call, false));
    let rows: Vec<Row> = new.chain(old).map(|(call, new)| row(call, new, latest)).collect();
    let known: HashSet<_> = rows.iter().map(|row| row.call.id).collect();
    let found = latest.map(|page| page.items.as_slice()).unwrap_or_default();
    let waiting: Vec<Call> =
        found.iter().filter(|call| !known.contains(&call.id)).cloned().collect();
    let more = latest.is_some_and(|page| page.next_cursor.is_some());
    let gap = more && waiting.len() == found.len();
    View { rows, waiting, gap }
}

fn row(call: &Call, new: bool, latest: Option<&Page<Call>>) -> Row {
    let same = Row { call: call.clone(), new, ended: false };
    let (CallState::Open, Some(page)) = (call.state, latest) else { return same };
    if let Some(newer) = page.items.iter().find(|one| one.id == call.id) {
        return Row { call: newer.clone(), ..same };
    }
    // It would stand in this page if it were still of the kind that is listed.
    let last = page.items.last().filter(|_| page.next_cursor.is_some());
    Row { ended: last.is_none_or(|last| call.started_at > last.started_at), ..same }
}

/// The line above the list: whether it is live, and what waits.
pub fn bar(
    poll: &Poll<Page<Call>>,
    reading: bool,
    view: Option<&View>,
    let_in: &Callback<()>,
) -> Html {
    if let Some(problem) = poll.problem.clone() {
        return html! {
            <>
                <p role="status">{ "Live has stopped; the rows below are those of before." }</p>
                <Failed {problem} retry={poll.restart.clone()} />
            </>
        };
    }
    let waiting = view.map_or(0, |view| view.waiting.len());
    let more = if view.is_some_and(|view| view.gap) { " or more" } else { "" };
    html! {
        <div class="live-bar" role="status">
            if waiting > 0 {
                <Button icon={Icon::Plus} onclick={let_in.clone()}>{ format!("{}{more}", counted(waiting as u64, "new call")) }</Button>
            } else if reading {
                <span class="faint">{ "Paused while a call is open." }</span>
            } else {
                <span class="faint">{ "Live: new calls are announced here." }</span>
            }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::json;

    use super::*;

    /// A call that started so many seconds in.
    fn call(second: i64, state: CallState) -> Call {
        let started = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        serde_json::from_value(json!({
            "id": format!("00000000-0000-7000-8000-{second:012}"), "started_at": started,
            "state": state, "model": "m", "provider": "p", "streamed": false,
            "dialect": "openai_chat", "input_tokens": 0, "output_tokens": 0, "estimated": false,
            "held": "0", "cost": "0",
        }))
        .unwrap()
    }

    fn page(items: &[Call], more: bool) -> Page<Call> {
        Page { items: items.to_vec(), next_cursor: more.then(|| "c".to_owned()) }
    }

    fn ids(rows: &[Row]) -> Vec<i64> {
        rows.iter().map(|row| row.call.started_at.timestamp()).collect()
    }

    #[test]
    fn new_calls_wait_until_they_are_let_in_and_nothing_moves() {
        let [old, new] = [call(1, CallState::Success), call(2, CallState::Success)];
        let latest = page(&[new.clone(), old.clone()], false);
        let seen = view(std::slice::from_ref(&old), &Added::default(), Some(&latest));
        assert_eq!((ids(&seen.rows), seen.waiting.len(), seen.gap), (vec![1], 1, false));
        let added = Added::default().with(&seen.waiting);
        let seen = view(&[old], &added, Some(&latest));
        assert_eq!((ids(&seen.rows), seen.waiting.len()), (vec![2, 1], 0));
        assert_eq!((seen.rows[0].new, seen.rows[1].new), (true, false));
    }

    #[test]
    fn a_call_that_ended_says_so_where_it_stands() {
        let open = call(1, CallState::Open);
        let latest = page(&[call(1, CallState::Error)], false);
        let seen = view(std::slice::from_ref(&open), &Added::default(), Some(&latest));
        assert_eq!(seen.rows[0].call.state, CallState::Error);
        let seen = view(std::slice::from_ref(&open), &Added::default(), Some(&page(&[], false)));
        assert!(seen.rows[0].ended, "a list of those under way no longer has it");
        let newer = page(&[call(3, CallState::Open)], true);
        let seen = view(&[open], &Added::default(), Some(&newer));
        assert!(!seen.rows[0].ended, "it may stand on a later page");
    }

    #[test]
    fn a_page_of_strangers_is_a_gap() {
        let latest = page(&[call(9, CallState::Success)], true);
        let seen = view(&[call(1, CallState::Success)], &Added::default(), Some(&latest));
        assert!(seen.gap && seen.waiting.len() == 1);
        let all = page(&[call(9, CallState::Success)], false);
        assert!(!view(&[], &Added::default(), Some(&all)).gap);
    }
}
