//! Answers: watched piece by piece while they stream, with as little held back as can be.
//!
//! What always holds: the pieces that are released, put together, are what the whole answer would
//! have become at once, however it was cut; and nothing of a match that blocks is released.
//!
//! Held back is the end of the answer that may still become a match: nothing after most sentences,
//! a word while it may turn into an address, and never more than the longest match of a rule that
//! is looked for ([`crate::LONGEST_OF_ALL`] at most).

use std::sync::Arc;

use parking_lot::Mutex;
use ralex_api::guardrails::{Action, Direction};
use regex_automata::Span;

use crate::placeholder::{Form, Placeholders, Restorer, written};
use crate::policy::{Policy, Tally};
use crate::rule::LOOK_BACK;
use crate::scan::{Hit, softened};
use crate::verdict::{Blocked, Finding, Found, Role, overlap, refusal, settle};

/// What watches one answer. Each of its texts (a choice, the arguments of a tool call, a thought)
/// has a guard of its own; they share placeholders and findings.
#[derive(Clone, Debug)]
pub struct Output(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    policy: Arc<Policy>,
    restorer: Option<Arc<Restorer>>,
    placeholders: Mutex<Placeholders>,
    findings: Mutex<Vec<Finding>>,
}

impl Output {
    pub(crate) fn new(policy: Arc<Policy>, restorer: Option<Arc<Restorer>>) -> Self {
        let placeholders = restorer.as_ref().map(|it| it.placeholders.clone()).unwrap_or_default();
        let (placeholders, findings) = (Mutex::new(placeholders), Mutex::default());
        Self(Arc::new(Shared { policy, restorer, placeholders, findings }))
    }

    /// A guard for one text of the answer; `path` is how findings name it.
    pub fn guard(&self, path: &str, form: Form) -> OutputGuard {
        OutputGuard {
            shared: self.0.clone(),
            path: path.into(),
            form,
            text: String::new(),
            released: 0,
            dropped: 0,
            tally: Tally::of(Role::Assistant),
            ended: false,
        }
    }

    /// A whole text at once.
    pub fn whole(&self, path: &str, form: Form, text: &str) -> Result<String, Box<Blocked>> {
        let mut guard = self.guard(path, form);
        let mut out = guard.push(text)?;
        out.push_str(&guard.finish()?);
        Ok(out)
    }

    /// What was found in all texts of the answer so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.0.findings.lock().clone()
    }
}

/// Watches one text of an answer.
#[derive(Debug)]
pub struct OutputGuard {
    shared: Arc<Shared>,
    path: Arc<str>,
    form: Form,
    /// What is held back, behind a little of what was released.
    text: String,
    /// Where in `text` the released part ends.
    released: usize,
    /// Bytes of the answer that are in `text` no more.
    dropped: usize,
    tally: Tally,
    ended: bool,
}

/// Something that is replaced.
struct Replacement {
    span: Span,
    with: String,
}

impl OutputGuard {
    /// Takes a piece of the answer and gives what may go on, which may be nothing. After an error
    /// the answer has ended, and nothing more of it is released.
    pub fn push(&mut self, piece: &str) -> Result<String, Box<Blocked>> {
        if self.ended {
            return Ok(String::new());
        }
        self.text.push_str(piece);
        let held = self.unfinished();
        if held <= self.released { Ok(String::new()) } else { self.release(held) }
    }

    /// Gives the rest, when the answer has ended.
    pub fn finish(&mut self) -> Result<String, Box<Blocked>> {
        if self.ended || self.released == self.text.len() {
            return Ok(String::new());
        }
        self.release(self.text.len())
    }

    /// How many bytes are held back now.
    pub fn held(&self) -> usize {
        self.text.len() - self.released
    }

    fn unfinished(&self) -> usize {
        let (text, from) = (self.text.as_str(), self.released);
        let match_from = self.shared.policy.partial.as_ref().map(|partial| {
            let soft = softened(text);
            let first = partial.first(&soft, from);
            // What the next letter may turn into a space is looked at as both.
            match soft.strip_suffix('\\') {
                Some(before) => {
                    let space = partial.first(&format!("{before} "), from);
                    first.min(space).min(before.len())
                }
                None => first,
            }
        });
        let placeholder = self.shared.restorer.as_ref().map(|it| it.unfinished(text, from));
        [match_from, placeholder].into_iter().flatten().min().unwrap_or(text.len())
    }

    /// Releases what stands before `until`, less what overlaps it.
    fn release(&mut self, until: usize) -> Result<String, Box<Blocked>> {
        let shared = self.shared.clone();
        let side = &shared.policy.outward;
        let hits = side.scanner.scan(&self.text, self.released);
        let restored: Vec<(Span, String)> = match &shared.restorer {
            Some(restorer) => restorer
                .places(&self.text, self.released)
                .map(|(span, value)| (span, written(value, self.form).into_owned()))
                .collect(),
            None => Vec::new(),
        };
        let until = before_all(until, &hits, &restored);
        // A placeholder of ours is no finding, nor is what stands around it one with it.
        let ready: Vec<Hit> = hits
            .into_iter()
            .filter(|hit| hit.found.whole.end <= until)
            .filter(|hit| !restored.iter().any(|(span, _)| overlap(*span, hit.found.meant)))
            .collect();
        let found = settle(side.judge(&ready, self.dropped, &mut self.tally));
        self.note(&found)?;
        let mut replacements: Vec<Replacement> = restored
            .into_iter()
            .filter(|(span, _)| span.end <= until)
            .map(|(span, with)| Replacement { span, with })
            .collect();
        for found in found.iter().filter(|found| found.action == Action::Redact) {
            let label = &side.scanner.rules[found.rule].label;
            let span = Span {
                start: found.span.start.saturating_sub(self.dropped),
                end: found.span.end.saturating_sub(self.dropped),
            };
            let value = &self.text[span.start..span.end];
            let with = shared.placeholders.lock().of(label, value, |_| false).to_string();
            replacements.push(Replacement { span, with });
        }
        Ok(self.advance(until, replacements))
    }

    /// Keeps findings; an error where one of them blocks.
    fn note(&mut self, found: &[Found]) -> Result<(), Box<Blocked>> {
        let side = &self.shared.policy.outward;
        let findings: Vec<Finding> =
            found.iter().map(|found| side.finding(found, &self.path)).collect();
        let blocks = findings.iter().any(|finding| finding.action == Action::Block);
        self.shared.findings.lock().extend(findings.iter().cloned());
        if blocks {
            self.ended = true;
            let problem = refusal(&findings, Direction::Out);
            return Err(Box::new(Blocked { problem, findings }));
        }
        Ok(())
    }

    fn advance(&mut self, until: usize, mut replacements: Vec<Replacement>) -> String {
        replacements.sort_by_key(|replacement| replacement.span.start);
        let mut out = String::with_capacity(until - self.released);
        let mut copied = self.released;
        for Replacement { span, with } in replacements {
            out.push_str(&self.text[copied..span.start]);
            out.push_str(&with);
            copied = span.end;
        }
        out.push_str(&self.text[copied..until]);
        self.released = until;
        // Rules may look a little way back.
        let keep = self.text.floor_char_boundary(until.saturating_sub(LOOK_BACK));
        self.text.drain(..keep);
        self.released -= keep;
        self.dropped += keep;
        out
    }
}

/// The last place up to `until` that no match and no placeholder lies across.
fn before_all(mut until: usize, hits: &[Hit], restored: &[(Span, String)]) -> usize {
    loop {
        let across = |span: &Span| span.start < until && until < span.end;
        let wholes = hits.iter().map(|hit| hit.found.whole);
        let spans = wholes.chain(restored.iter().map(|(span, _)| *span));
        match spans.filter(across).map(|span| span.start).min() {
            Some(earlier) => until = earlier,
            None => return until,
        }
    }
}
