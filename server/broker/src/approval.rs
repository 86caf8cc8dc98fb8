//! Calls about which a person is asked: they go out once the very same has been approved.
//!
//! What always holds: nothing of such a call is sent before a person has approved it; what was
//! approved is this caller's request with every byte of meaning that it had, to the model that it
//! named, under the rules that asked; an approval for one call is used by one call that is
//! answered, and given back by one that is not.

use ralex_access::Scope;
use ralex_api::approvals::{ApprovalKind, Excerpt};
use ralex_api::guardrails::{Action, Noted};
use ralex_approvals::{Answer, Question};
use ralex_kernel::{ApprovalId, CallId, Code, Problem};
use serde_json::Value;

use crate::Broker;
use crate::exchange::CallRequest;
use crate::guard::Looked;

/// What lets a call pass about which a person was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub approval: ApprovalId,
    /// The call that it lets pass.
    pub call: CallId,
}

/// What a person is asked about.
#[derive(Debug)]
pub(crate) struct Asks {
    /// What the caller is told.
    pub problem: Problem,
    pub excerpts: Vec<Excerpt>,
}

impl Broker {
    /// Uses what a person has approved, or begins to wait for one.
    ///
    /// # Errors
    /// `approval_required` while it waits, `approval_denied` after a denial.
    pub(crate) async fn pass(
        &self,
        request: &CallRequest,
        looked: &Looked,
        asks: &Asks,
        call: CallId,
    ) -> Result<Pass, Problem> {
        let noted = looked.guard.noted.iter().filter(|noted| noted.action == Action::Ask);
        let rules: Vec<Noted> = noted.cloned().collect();
        let binding = binding(request);
        let mut content: Vec<&[u8]> = vec![looked.guard.stamp()];
        content.extend(binding.iter().map(Vec::as_slice));
        let question = question(request, call, (&rules, &asks.excerpts), &content);
        match self.parts.approvals.ask(&question).await? {
            Answer::Approved(approval) => Ok(Pass { approval, call }),
            waits => Err(waiting(&asks.problem, waits)),
        }
    }

    /// Gives back what a call has used that got no answer.
    pub(crate) async fn give_back(&self, scope: &Scope, pass: Pass) {
        self.parts.approvals.give_back(scope.author(), pass.approval, pass.call).await;
    }
}

/// What the approvals are asked about a call.
pub(crate) fn question<'a>(
    request: &'a CallRequest,
    call: CallId,
    (rules, excerpts): (&'a [Noted], &'a [Excerpt]),
    content: &'a [&'a [u8]],
) -> Question<'a> {
    Question {
        kind: ApprovalKind::Call,
        asker: &request.signed_in.caller,
        org: request.org,
        at: request.at,
        call,
        model: request.inbound.model(),
        dialect: request.inbound.dialect().as_str(),
        size: request.body.len() as u64,
        rules,
        excerpts,
        content,
    }
}

/// What the caller is told of a call that does not go on yet, or not at all. `asks`: why a person
/// is asked.
pub(crate) fn waiting(asks: &Problem, answer: Answer) -> Problem {
    match answer {
        Answer::Approved(id) => asks.clone().with_approval(id),
        Answer::Pending { id, until } => {
            let mut problem = asks.clone().with_approval(id);
            problem.detail = format!(
                "{} It waits as approval {id}, under Approvals in the console, until {}. Send \
                 the same request again once it is approved.",
                problem.detail,
                until.format("%Y-%m-%d %H:%M UTC"),
            );
            problem
        }
        Answer::Denied { id, reason, until } => {
            let detail = format!(
                "A person has denied this request (approval {id}): {reason}. The same can be \
                 asked again from {} on.",
                until.format("%Y-%m-%d %H:%M UTC"),
            );
            Problem::new(Code::ApprovalDenied, detail).with_approval(id)
        }
    }
}

/// All of a request that must stay the same: its content, and what says where it goes.
pub(crate) fn binding(request: &CallRequest) -> Vec<Vec<u8>> {
    let (inbound, wishes) = (&request.inbound, &request.wishes);
    let content = match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) => sorted(&body).to_string().into_bytes(),
        Err(_) => without_boundary(&request.body),
    };
    let place = [
        inbound.dialect().as_str(),
        &format!("{:?}", inbound.operation()),
        inbound.model(),
        if inbound.streamed() { "streamed" } else { "whole" },
        &request.meaning,
        wishes.model.as_deref().unwrap_or_default(),
        wishes.route.as_deref().unwrap_or_default(),
        wishes.residency.as_deref().unwrap_or_default(),
        &wishes.labels.join(","),
    ];
    let place = place.iter().map(|part| part.as_bytes().to_vec());
    place.chain([content]).collect()
}

/// The same value for the same content, in whatever order its fields came.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A form without the line between its parts, which clients make up anew for each request. What
/// else stands in the body stays as it is.
fn without_boundary(body: &[u8]) -> Vec<u8> {
    let end = body.iter().position(|byte| *byte == b'\r').unwrap_or(0);
    let Some(boundary) = body.get(..end).filter(|line| line.len() > 2 && line.starts_with(b"--"))
    else {
        return body.to_vec();
    };
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(boundary.len()).position(|window| window == boundary) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        out.extend_from_slice(b"--");
        rest = rest.get(at + boundary.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_fields_is_no_other_content_and_every_value_is() {
        let one = json!({ "a": 1, "b": [{ "c": "x", "d": null }] });
        let two: Value = serde_json::from_str(r#"{"b":[{"d":null,"c":"x"}],"a":1}"#).unwrap();
        assert_eq!(sorted(&one).to_string(), sorted(&two).to_string());
        let other = json!({ "a": 1, "b": [{ "c": "y", "d": null }] });
        assert_ne!(sorted(&one).to_string(), sorted(&other).to_string());
        assert_ne!(sorted(&json!([1, 2])).to_string(), sorted(&json!([2, 1])).to_string());
    }

    #[test]
    fn a_form_is_the_same_under_another_boundary_and_another_with_other_content() {
        let form = |boundary: &str, said: &str| {
            let part = "Content-Disposition: form-data; name=\"prompt\"";
            format!("--{boundary}\r\n{part}\r\n\r\n{said}\r\n--{boundary}--\r\n").into_bytes()
        };
        assert_eq!(without_boundary(&form("abc", "hi")), without_boundary(&form("xyz", "hi")));
        assert_ne!(without_boundary(&form("abc", "hi")), without_boundary(&form("abc", "ho")));
        assert_eq!(without_boundary(b"plain\r\ntext"), b"plain\r\ntext");
    }
}
