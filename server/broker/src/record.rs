//! What is written of a call before it goes out: its row and its intent.

use ralex_access::Scope;
use ralex_audit::{CallOpened, Candidate};
use ralex_budgets::{Decision, OpenCall, Prices, Why};
use ralex_kernel::{CallId, Code, Money, Price};
use ralex_vault::KeyRef;

use crate::Broker;
use crate::call::Decided;
use crate::exchange::CallRequest;
use crate::in_flight::prices;

impl Broker {
    pub(crate) fn row(&self, request: &CallRequest, decided: &Decided) -> OpenCall {
        let plan = &decided.first().plan;
        OpenCall {
            model: plan.name.clone(),
            model_id: Some(plan.model),
            provider_id: Some(plan.provider),
            provider: plan.provider_slug.to_string(),
            upstream_model: plan.target.upstream_model.clone(),
            prices: prices(plan),
            why: Why { purpose: request.purpose(), ..decided.why.clone() },
            ..self.asked(request, decided.call)
        }
    }

    /// The row of a call for which nobody has been chosen.
    pub(crate) fn asked(&self, request: &CallRequest, id: CallId) -> OpenCall {
        let caller = &request.signed_in.caller;
        let model = request.inbound.model().to_owned();
        OpenCall {
            org: request.org,
            id,
            node: self.parts.node,
            user: caller.subject.user(),
            token: caller.credential.token(),
            at: request.at,
            asked: model.clone(),
            model,
            model_id: None,
            provider_id: None,
            provider: String::new(),
            upstream_model: String::new(),
            dialect: request.inbound.dialect().as_str(),
            operation: request.inbound.operation().as_str(),
            streamed: request.inbound.streamed(),
            prices: Prices::default(),
            decision: Decision::Refused { problem: Code::Unavailable },
            started_at: self.parts.clock.now(),
            tags: request.wishes.tags.clone(),
            run: request.wishes.run.clone(),
            why: Why {
                priority: Some(request.wishes.priority().as_str()),
                purpose: request.purpose(),
                ..Why::default()
            },
        }
    }
}

pub(crate) fn intent(request: &CallRequest, decided: &Decided, held: Money) -> CallOpened {
    let first = decided.first();
    let (plan, key) = (&first.plan, first.key(decided.first.key));
    CallOpened {
        call: decided.call,
        model: plan.name.clone(),
        provider: plan.provider_slug.to_string(),
        upstream_model: plan.target.upstream_model.clone(),
        dialect: request.inbound.dialect().as_str(),
        streamed: request.inbound.streamed(),
        scope: request.at,
        token: request.signed_in.caller.credential.token(),
        allowed_by: decided.scope.by().to_string(),
        policy_version: decided.scope.policy_version(),
        secret: key.map(|key| key.secret),
        secret_version: key.map(|key| key.version),
        held,
        budgets: decided.first_charges().map(|charge| charge.budget).collect(),
        input_price: plan.input_price,
        output_price: plan.output_price,
        prompt_digest: decided.digest.clone(),
        others: others(decided),
        approval: decided.pass().map(|pass| pass.approval),
        call_rules: decided.ruled.applied.clone(),
        purpose: request.purpose(),
    }
}

/// Every candidate and key that the call may use beside the first.
fn others(decided: &Decided) -> Vec<Candidate> {
    let mut others = Vec::new();
    for (index, ready) in decided.ready.iter().enumerate() {
        let plan = &ready.plan;
        let candidate = |key: Option<&KeyRef>| Candidate {
            model: plan.name.clone(),
            provider: plan.provider_slug.to_string(),
            upstream_model: plan.target.upstream_model.clone(),
            secret: key.map(|key| key.secret),
            secret_version: key.map(|key| key.version),
        };
        let first = index == decided.first.candidate;
        if ready.keys.is_empty() && !first {
            others.push(candidate(None));
        }
        let rest = ready.keys.iter().enumerate();
        let rest = rest.filter(|(at, _)| !(first && decided.first.key == Some(*at)));
        others.extend(rest.map(|(_, key)| candidate(Some(key))));
    }
    others
}

/// A refused call sends nothing, and so has no intent of its own but for what was asked.
pub(crate) fn refused_intent(request: &CallRequest, scope: &Scope, call: CallId) -> CallOpened {
    CallOpened {
        call,
        model: request.inbound.model().to_owned(),
        provider: String::new(),
        upstream_model: String::new(),
        dialect: request.inbound.dialect().as_str(),
        streamed: request.inbound.streamed(),
        scope: request.at,
        token: request.signed_in.caller.credential.token(),
        allowed_by: scope.by().to_string(),
        policy_version: scope.policy_version(),
        secret: None,
        secret_version: None,
        held: Money::ZERO,
        budgets: Vec::new(),
        input_price: Price::default(),
        output_price: Price::default(),
        prompt_digest: String::new(),
        others: Vec::new(),
        approval: None,
        call_rules: Vec::new(),
        purpose: request.purpose(),
    }
}
