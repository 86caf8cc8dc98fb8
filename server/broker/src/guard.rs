//! Guardrails around a call: its texts are looked at before anything is decided, and its answer's
//! on their way back.
//!
//! What always holds: nothing that a guardrail takes out or blocks reaches a provider; a call that
//! is blocked is on record; what was found is named by its rule, and never repeated.

use std::collections::HashMap;
use std::sync::Arc;

use ralex_access::Scope;
use ralex_api::guardrails::{Direction, Noted};
use ralex_audit::{CallOpened, RuleApplied};
use ralex_budgets::Hold;
use ralex_guardrails::{
    Finding, Form, Guards, Judged, Outcome, Output, OutputGuard, Policy, Restorer, Role, Text,
    Turn, note, note_approved,
};
use ralex_kernel::{CallId, Code, Money, Problem};
use ralex_providers::{Channel, Inbound, Operation, TextFilter};
use serde_json::Value;

use crate::Broker;
use crate::approval::{Asks, Pass};
use crate::exchange::{CallRequest, Failure};
use crate::injection::{SECRET, unasked};
use crate::record::refused_intent;
use crate::writer::{Opening, Otherwise};

/// Larger bodies are looked at away from the threads that serve.
const SMALL_BODY: usize = 16 * 1024;

/// What guards one call.
#[derive(Clone)]
pub(crate) struct Guard {
    policy: Arc<Policy>,
    pub restorer: Option<Arc<Restorer>>,
    /// What was found in the request.
    pub noted: Vec<Noted>,
    /// What let the call pass, where a person was asked about it.
    pub pass: Option<Pass>,
}

/// What a look at a request says.
pub(crate) struct Looked {
    pub guard: Guard,
    /// The request without what was taken out of it.
    pub inbound: Option<Inbound>,
    /// Why it does not go out.
    pub blocked: Option<Problem>,
    /// What a person is asked about first, where that is why.
    pub asks: Option<Asks>,
    /// Judge models whose turn it is, where nothing else stops it.
    pub turns: Vec<Turn>,
}

impl Broker {
    /// Looks at what is asked, takes out of it what is to be taken out, and refuses it where a
    /// guardrail does, or where a person has to approve it first.
    pub(crate) async fn guard(
        &self,
        request: &mut CallRequest,
        scope: &Scope,
        (pass, judges): (Option<Pass>, bool),
    ) -> Result<Option<Guard>, Failure> {
        let Some(mut looked) = self.look(request, pass).await? else { return Ok(None) };
        let call = CallId::generate();
        if let Some(asks) = &looked.asks {
            let pass = match self.pass(request, &looked, asks, call).await {
                Ok(pass) => pass,
                Err(problem) => {
                    return Err(self.blocked(request, scope, (call, &looked.guard), problem).await);
                }
            };
            let Some(again) = self.look(request, Some(pass)).await? else { return Ok(None) };
            looked = again;
        }
        if let Some(problem) = looked.blocked {
            return Err(self.blocked(request, scope, (call, &looked.guard), problem).await);
        }
        if let Some(redacted) = looked.inbound.take() {
            request.inbound = redacted;
        }
        // What is embedded, counted or ranked instructs nobody.
        if judges && request.inbound.operation() == Operation::Generate {
            self.judge(request, scope, &mut looked, call).await?;
        }
        Ok(Some(looked.guard))
    }

    /// Records that a guardrail refused a call.
    pub(crate) async fn blocked(
        &self,
        request: &CallRequest,
        scope: &Scope,
        (id, guard): (CallId, &Guard),
        problem: Problem,
    ) -> Failure {
        self.refused(request, scope, (id, &guard.noted, Vec::new()), problem).await
    }

    /// Records that guardrails or rules refused a call.
    pub(crate) async fn refused(
        &self,
        request: &CallRequest,
        scope: &Scope,
        (id, noted, call_rules): (CallId, &[Noted], Vec<RuleApplied>),
        problem: Problem,
    ) -> Failure {
        let refused = Some(problem.code);
        let mut row = self.asked(request, id);
        row.why.guardrails = Guard::record(noted, &[]);
        let hold = Hold::new(request.org, id, Money::ZERO, Vec::new());
        let intent = CallOpened { call_rules, ..refused_intent(request, scope, id) };
        let author = scope.author().clone();
        let (overlaps, otherwise) = (false, Otherwise::Refused);
        let opening = Opening { hold, row, author, intent, refused, overlaps, otherwise };
        let recorded = self.writer.open(opening).await;
        metrics::counter!("ralex_calls_refused_total", "code" => problem.code.as_str())
            .increment(1);
        match recorded {
            Ok(()) => Failure { problem, call: Some(id), cost: Money::ZERO, upstream: None },
            // Refused all the same; only the record has to wait for a database.
            Err(unrecorded) => unrecorded.into(),
        }
    }

    /// Looks at a request's texts; nothing where nothing is looked for there.
    async fn look(
        &self,
        request: &CallRequest,
        pass: Option<Pass>,
    ) -> Result<Option<Looked>, Problem> {
        let policy = self.parts.guards.for_scope(request.org, request.at).await?;
        if policy.is_empty() {
            return Ok(None);
        }
        let (inbound, body) = (request.inbound.clone(), request.body.clone());
        let guards = self.parts.guards.clone();
        let look = move || look_at(policy, &inbound, &body, (pass, Some(&guards)));
        let looked = if request.body.len() <= SMALL_BODY {
            look()
        } else {
            let lost = |_| Problem::new(Code::Internal, "The request could not be inspected.");
            tokio::task::spawn_blocking(look).await.map_err(lost)?
        };
        looked.map(Some)
    }
}

/// The same for whoever has the policy at hand, and cannot wait for a person.
pub(crate) fn look(policy: Arc<Policy>, inbound: &Inbound, body: &[u8]) -> Result<Looked, Problem> {
    let mut looked = look_at(policy, inbound, body, (None, None))?;
    looked.blocked = match unasked(&mut looked) {
        Judged::Pass => looked.blocked,
        Judged::Ask(problem) => Some(cannot_wait(&problem)),
        Judged::Block(problem) => Some(problem),
    };
    Ok(looked)
}

/// `pass`: what a person has approved. `guards`: where a person can be asked.
fn look_at(
    policy: Arc<Policy>,
    inbound: &Inbound,
    body: &[u8],
    (pass, guards): (Option<Pass>, Option<&Guards>),
) -> Result<Looked, Problem> {
    let mut said: Vec<(String, String)> = Vec::new();
    inbound.texts(|path, text| said.push((path.to_owned(), text.to_owned())));
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let texts: Vec<Text<'_>> =
        said.iter().map(|(path, text)| Text { path, text, role: role_of(&body, path) }).collect();
    let verdict = match pass {
        None => policy.inspect_input(&texts)?,
        Some(_) => policy.inspect_approved(&texts)?,
    };
    let restorer = verdict.restorer().cloned();
    let noted = match pass {
        None => note(&verdict.findings, Direction::In),
        Some(pass) => note_approved(&verdict.findings, pass.approval),
    };
    let guard = Guard { policy, restorer, noted, pass };
    let looked = Looked { guard, inbound: None, blocked: None, asks: None, turns: Vec::new() };
    let turns = |texts: &[Text<'_>]| looked.guard.policy.turns(texts, pass.is_some(), &SECRET);
    match verdict.outcome {
        Outcome::Allow => Ok(Looked { turns: turns(&texts), ..looked }),
        Outcome::Block(problem) => Ok(Looked { blocked: Some(problem), ..looked }),
        Outcome::Ask(problem) => match guards {
            None => Ok(Looked { blocked: Some(cannot_wait(&problem)), ..looked }),
            Some(guards) => {
                let excerpts = guards.excerpts(&texts, &verdict.findings)?;
                Ok(Looked { asks: Some(Asks { problem, excerpts }), ..looked })
            }
        },
        Outcome::Redact { texts: changed, .. } => {
            let mut left = texts.clone();
            for (at, text) in &changed {
                if let Some(left) = left.get_mut(*at) {
                    left.text = text;
                }
            }
            let turns = turns(&left);
            let inbound = Some(redacted(inbound, changed)?);
            Ok(Looked { inbound, turns, ..looked })
        }
    }
}

/// The request with other texts in their places.
fn redacted(inbound: &Inbound, texts: Vec<(usize, String)>) -> Result<Inbound, Problem> {
    let mut changed: HashMap<usize, String> = texts.into_iter().collect();
    // The texts come in the same order as before.
    let mut at = 0..;
    let redacted = inbound.with_texts(|_, _| changed.remove(&at.next()?))?;
    let incomplete = "A guardrail could not take out what it found, so nothing was sent.";
    let broken = || Problem::new(Code::Internal, incomplete);
    redacted.filter(|_| changed.is_empty()).ok_or_else(broken)
}

/// What is sent later, among others, has nobody who would send it again once it is approved.
fn cannot_wait(asks: &Problem) -> Problem {
    let detail = format!("{} Here it cannot wait for one: send it as a call.", asks.detail);
    let mut problem = Problem::new(Code::GuardrailBlocked, detail);
    problem.errors.clone_from(&asks.errors);
    problem
}

impl Guard {
    /// What tells the policy that was looked by from every other one.
    pub fn stamp(&self) -> &[u8; 32] {
        self.policy.stamp()
    }

    /// What watches one answer; nothing where nothing is looked for or put back in it.
    pub fn output(&self) -> Option<Output> {
        self.policy.output(self.restorer.as_ref())
    }

    /// What goes to the call's record, as JSON; nothing where no rule acted.
    pub fn record(noted: &[Noted], answer: &[Finding]) -> Option<String> {
        let mut all = noted.to_vec();
        all.extend(note(answer, Direction::Out));
        if all.is_empty() { None } else { serde_json::to_string(&all).ok() }
    }
}

/// Passes an answer's texts through their guards.
pub(crate) struct Watch {
    output: Output,
    open: HashMap<Channel, OutputGuard>,
}

impl Watch {
    pub fn boxed(output: Output) -> Box<dyn TextFilter> {
        Box::new(Self { output, open: HashMap::new() })
    }
}

impl TextFilter for Watch {
    fn piece(&mut self, channel: Channel, piece: &str) -> Result<String, Problem> {
        let output = &self.output;
        let guard =
            self.open.entry(channel).or_insert_with(|| output.guard(name(channel), form(channel)));
        guard.push(piece).map_err(|blocked| blocked.problem)
    }

    fn end(&mut self, channel: Channel) -> Result<String, Problem> {
        match self.open.remove(&channel) {
            Some(mut guard) => guard.finish().map_err(|blocked| blocked.problem),
            None => Ok(String::new()),
        }
    }
}

const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Text => "answer",
        Channel::Refusal => "answer.refusal",
        Channel::Thinking => "answer.thinking",
        Channel::Arguments => "answer.arguments",
    }
}

const fn form(channel: Channel) -> Form {
    match channel {
        Channel::Arguments => Form::Json,
        Channel::Text | Channel::Refusal | Channel::Thinking => Form::Text,
    }
}

/// Who wrote the text at a path: the innermost part of the body that says so.
fn role_of(body: &Value, path: &str) -> Role {
    let mut role = Role::User;
    let mut here = body;
    for step in path.split(['.', '[']) {
        let step = step.trim_end_matches(']');
        match step {
            "system" | "instructions" | "systemInstruction" | "system_instruction" | "tools" => {
                role = Role::System;
            }
            "functionResponse" | "function_response" | "toolResult" => role = Role::Tool,
            _ => {}
        }
        let Some(next) = step.parse::<usize>().map_or_else(|_| here.get(step), |at| here.get(at))
        else {
            return role;
        };
        here = next;
        role = said_by(here).unwrap_or(role);
    }
    role
}

fn said_by(part: &Value) -> Option<Role> {
    let kind = part.get("type").and_then(Value::as_str);
    if matches!(kind, Some("tool_result" | "function_call_output" | "custom_tool_call_output")) {
        return Some(Role::Tool);
    }
    match part.get("role").and_then(Value::as_str)? {
        "system" | "developer" => Some(Role::System),
        "assistant" | "model" => Some(Role::Assistant),
        "tool" | "function" => Some(Role::Tool),
        _ => Some(Role::User),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_innermost_part_says_who_wrote_a_text() {
        let body = json!({
            "system": "s",
            "messages": [
                { "role": "developer", "content": "d" },
                { "role": "assistant", "content": "a" },
                { "role": "user", "content": [
                    { "type": "text", "text": "u" },
                    { "type": "tool_result", "content": [{ "type": "text", "text": "t" }] },
                ] },
                { "role": "tool", "content": "t" },
            ],
            "contents": [{ "role": "model", "parts": [{ "functionResponse": { "x": "y" } }] }],
        });
        for (path, role) in [
            ("system", Role::System),
            ("messages[0].content", Role::System),
            ("messages[1].content", Role::Assistant),
            ("messages[2].content[0].text", Role::User),
            ("messages[2].content[1].content[0].text", Role::Tool),
            ("messages[3].content", Role::Tool),
            ("contents[0].parts[0].functionResponse.x", Role::Tool),
            ("tools[0].description", Role::System),
            ("input", Role::User),
        ] {
            assert_eq!(role_of(&body, path), role, "{path}");
        }
    }
}
