//! Judge models: calls that ask whether another call is a prompt injection.
//!
//! What always holds: what a judge is asked is a call like any other, by the same caller, in the
//! same place, for data of the same kind, held, recorded and paid; it makes no such call itself; it
//! gets a request as other guardrails have left it, and nothing that they stop.

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, join_all};
use ralex_access::Scope;
use ralex_api::guardrails::{Action, Direction};
use ralex_guardrails::{Finding, Judged, Prompt, Ruling, Turn, judged, note, ruling};
use ralex_identity::SignedIn;
use ralex_kernel::{CallId, Caller, Problem};
use ralex_providers::{Dialect, Inbound};
use serde_json::{Value, json};

use crate::Broker;
use crate::approval::Asks;
use crate::choice::Wishes;
use crate::exchange::{Answered, CallRequest, Failure};
use crate::guard::Looked;

/// What such calls are made for, as their records say.
const PURPOSE: &str = "guardrails";

/// What marks are made of, so that nobody who writes a text knows those around it.
pub(crate) static SECRET: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

impl Broker {
    /// Has the judges look at a request whose turn it is.
    ///
    /// # Errors
    /// Where one of them wants it blocked, or a person asked who has not approved it.
    pub(crate) async fn judge(
        &self,
        request: &CallRequest,
        scope: &Scope,
        looked: &mut Looked,
        call: CallId,
    ) -> Result<(), Failure> {
        let turns = std::mem::take(&mut looked.turns);
        if turns.is_empty() || request.wishes.purpose.is_some() {
            return Ok(());
        }
        let findings = self.rulings(request, turns).await;
        looked.guard.noted.extend(note(&findings, Direction::In));
        let refused = match judged(&findings) {
            Judged::Pass => return Ok(()),
            Judged::Block(problem) => problem,
            Judged::Ask(problem) => {
                let asks = Asks { problem, excerpts: Vec::new() };
                match self.pass(request, looked, &asks, call).await {
                    Ok(pass) => {
                        looked.guard.pass = Some(pass);
                        let noted = looked.guard.noted.iter_mut();
                        for asked in noted.filter(|noted| noted.action == Action::Ask) {
                            asked.approval = Some(pass.approval);
                        }
                        return Ok(());
                    }
                    Err(problem) => problem,
                }
            }
        };
        let failure = self.blocked(request, scope, (call, &looked.guard), refused).await;
        if let Some(pass) = looked.guard.pass {
            self.give_back(scope, pass).await;
        }
        Err(failure)
    }

    /// What all judges say; those that would be asked the same are asked once.
    async fn rulings(&self, request: &CallRequest, turns: Vec<Turn>) -> Vec<Finding> {
        type Asked<'a> = (Turn, Shared<BoxFuture<'a, Ruling>>);
        let mut asked: Vec<Asked<'_>> = Vec::new();
        for turn in turns {
            let same = asked.iter().find(|(other, _)| {
                let (one, two) = (&other.judge, &turn.judge);
                (&one.model, one.timeout, &other.prompt) == (&two.model, two.timeout, &turn.prompt)
            });
            let ruling = match same {
                Some((_, ruling)) => ruling.clone(),
                None => self.ask_judge(request, turn.clone()).boxed().shared(),
            };
            asked.push((turn, ruling));
        }
        let rulings = join_all(asked.iter().map(|(_, ruling)| ruling.clone())).await;
        let rulings = asked.iter().zip(rulings);
        rulings.filter_map(|((turn, _), ruling)| turn.judge.finding(ruling)).collect()
    }

    async fn ask_judge(&self, request: &CallRequest, turn: Turn) -> Ruling {
        let began = Instant::now();
        let ruling = match turn.prompt.as_ref().map(|prompt| inner(request, &turn, prompt)) {
            Some(Ok(inner)) => {
                let answer = self.call_inner(inner);
                match tokio::time::timeout(turn.judge.timeout, answer).await {
                    Ok(Ok(Answered::Whole { body, .. })) => ruling(&said(&body)),
                    Ok(Ok(Answered::Stream { .. }) | Err(_)) | Err(_) => Ruling::Failed,
                }
            }
            Some(Err(_)) | None => Ruling::Failed,
        };
        metrics::histogram!("ralex_guardrail_judge_seconds").record(began.elapsed());
        metrics::counter!("ralex_guardrail_judge_total", "ruling" => ruling.as_str()).increment(1);
        ruling
    }
}

/// The call that asks. The token may be bound to other models: it is the organisation that asks.
fn inner(request: &CallRequest, turn: &Turn, prompt: &Prompt) -> Result<CallRequest, Problem> {
    let body = json!({
        "model": turn.judge.model,
        "messages": [
            { "role": "system", "content": prompt.system },
            { "role": "user", "content": prompt.user },
        ],
    });
    let body = Bytes::from(body.to_string());
    let told = &request.wishes;
    let wishes = Wishes {
        labels: told.labels.clone(),
        tags: told.tags.clone(),
        run: told.run.clone(),
        residency: told.residency.clone(),
        priority: told.priority,
        // An answer for another text, however much alike, is no answer for this one.
        fresh: true,
        purpose: Some(PURPOSE),
        ..Wishes::default()
    };
    let caller = Caller { models: None, ..request.signed_in.caller.clone() };
    Ok(CallRequest {
        signed_in: SignedIn { caller, ..request.signed_in.clone() },
        org: request.org,
        at: request.at,
        inbound: Inbound::parse(Dialect::OpenaiChat, body.clone())?,
        body,
        wishes,
        meaning: String::new(),
    })
}

fn said(answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let text = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// What comes of turns where no judge can be asked: each counts as one that failed.
pub(crate) fn unasked(looked: &mut Looked) -> Judged {
    let turns = std::mem::take(&mut looked.turns);
    let failed = turns.iter().filter_map(|turn| turn.judge.finding(Ruling::Failed));
    let findings: Vec<Finding> = failed.collect();
    looked.guard.noted.extend(note(&findings, Direction::In));
    judged(&findings)
}
