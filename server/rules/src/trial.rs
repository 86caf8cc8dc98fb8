//! Trying a call on the rules: nothing is called, recorded or kept.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use ralex_access::{Bearer, Permission};
use ralex_api::call_rules::{CallEffect, NewCallRule, TestCallRules, TestedCall, TestedRule};
use ralex_kernel::{
    CallId, CallRuleId, Caller, Code, OrgId, Problem, ProjectId, ScopePath, Subject, TeamId,
    TokenId,
};
use ralex_store::problem;
use serde_json::{Map, Value};

use crate::call::{ACTIONS, Arguments, Call, Left, Phase, Resource, Who};
use crate::judge::{counts, judge};
use crate::ruleset::{Asked, Compiled, Rules, Uses};
use crate::sql::{self, Made, Stored};
use crate::terms::{Terms, place};
use crate::{CallRules, facts};

/// All that a tried call is made of.
struct Tried {
    action: String,
    asked: String,
    model: String,
    upstream_model: String,
    provider: String,
    dialect: String,
    streamed: bool,
    at: ScopePath,
    subject: Subject,
    token: Option<TokenId>,
    tags: Vec<String>,
    now: DateTime<Utc>,
}

impl CallRules {
    /// What would become of a call, and which rules are about it.
    pub async fn test(
        &self,
        caller: &Caller,
        org: OrgId,
        test: TestCallRules,
    ) -> Result<TestedCall, Problem> {
        self.0.access.allow(caller, org, Permission::CallRuleRead, ScopePath::Org).await?;
        let tried = self.tried(caller, org, &test).await?;
        let all = Uses { arguments: true, budget: true, memberships: true };
        let sample = Caller { subject: tried.subject, ..caller.clone() };
        let who = self.who(&sample, org, tried.at, all).await?;
        let address = who.address.filter(|_| tried.subject == caller.subject);
        let who = Who { token: tried.token, address, ..who };
        let rules = self.of_org(org).await?;
        let rules = match test.draft {
            Some(draft) => Arc::new(rules.with(self.draft(org, draft).await?)),
            None => rules,
        };
        let arguments = test.arguments.as_ref().map_or_else(Arguments::none, Arguments::of);
        let max_output = match Phase::of(&tried.action) {
            Phase::List => 0,
            Phase::Call => self.max_output(test.arguments.as_ref().and_then(most)),
        };
        let left = match (test.budget_left, test.budget_left_percent) {
            (None, None) => Left::ALL,
            (micros, percent) => Left {
                micros: micros.unwrap_or(Left::ALL.micros),
                percent: percent.unwrap_or(Left::ALL.percent),
            },
        };
        let call = Call {
            action: &tried.action,
            resource: Resource {
                model: &tried.model,
                upstream_model: &tried.upstream_model,
                provider: &tried.provider,
            },
            asked: &tried.asked,
            at: tried.at,
            who: &who,
            dialect: &tried.dialect,
            streamed: tried.streamed,
            max_output,
            arguments: &arguments,
            labels: test.labels.as_deref().unwrap_or_default(),
            tags: test.tags.as_deref().unwrap_or(&tried.tags),
            left,
            now: tried.now,
        };
        Ok(told(&rules, &call))
    }

    /// A rule that is not set up, checked and compiled as if it were.
    pub(crate) async fn draft(
        &self,
        org: OrgId,
        draft: NewCallRule,
    ) -> Result<Arc<Compiled>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let at = place(&mut tx, org, draft.scope.as_deref().unwrap_or("org")).await?;
        drop(tx);
        let mut terms = Terms::new(draft);
        terms.check()?;
        terms.subjects = self.0.subjects(org, terms.subjects, &[]).await?;
        Ok(Arc::new(Compiled::of(&stored(terms, at))))
    }

    async fn tried(
        &self,
        caller: &Caller,
        org: OrgId,
        test: &TestCallRules,
    ) -> Result<Tried, Problem> {
        let mut tried = match test.call {
            Some(id) => self.made(caller, org, id).await?,
            None => Tried {
                action: "model.call.generate".to_owned(),
                asked: String::new(),
                model: String::new(),
                upstream_model: String::new(),
                provider: String::new(),
                dialect: "openai_chat".to_owned(),
                streamed: false,
                at: ScopePath::Org,
                subject: caller.subject,
                token: caller.credential.token(),
                tags: Vec::new(),
                now: self.0.clock.now(),
            },
        };
        let mut tx = self.0.db.tenant(org).await?;
        if let Some(text) = &test.scope {
            tried.at = place(&mut tx, org, text).await?;
        }
        if let Some(model) = &test.model {
            let found = sql::model(&mut tx, org, model).await.map_err(problem)?;
            (tried.upstream_model, tried.provider) = found.ok_or_else(|| no_model(model))?;
            (tried.model, tried.asked) = (model.clone(), model.clone());
        }
        drop(tx);
        if let Some(provider) = &test.provider {
            tried.provider.clone_from(provider);
        }
        if let Some(action) = &test.action {
            let unknown = || format!("is no action; there are {}", ACTIONS.join(", "));
            let known = ACTIONS.iter().find(|known| *known == action);
            (*known.ok_or_else(|| Problem::field("action", unknown()))?)
                .clone_into(&mut tried.action);
        }
        if let Some(text) = &test.subject {
            (tried.subject, tried.token) = (self.somebody(org, text, tried.at).await?, None);
        }
        tried.now = test.at.unwrap_or(tried.now);
        Ok(tried)
    }

    async fn somebody(&self, org: OrgId, text: &str, scope: ScopePath) -> Result<Subject, Problem> {
        match self.0.identity.bearer(org, text).await? {
            Bearer::User(user) => Ok(Subject::User(user)),
            Bearer::Account(account) => Ok(Subject::Service { account, org, scope }),
            Bearer::Group(_) => {
                let message = "must be `user:<id or e-mail>` or `service_account:<slug or id>`: a \
                               group calls nothing itself";
                Err(Problem::field("subject", message))
            }
        }
    }

    /// A call that was made, for who may see calls where it was made.
    async fn made(&self, caller: &Caller, org: OrgId, id: CallId) -> Result<Tried, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let made = sql::made(&mut tx, org, id).await.map_err(problem)?;
        drop(tx);
        let at = made.as_ref().map_or(ScopePath::Org, Made::place);
        self.0.access.allow(caller, org, Permission::CallRead, at).await?;
        let made = made.ok_or_else(|| Problem::not_found("call"))?;
        let subject = made.subject(org).ok_or_else(|| {
            let detail = "Nobody is known who made this call. Name a `subject`.";
            Problem::new(Code::Conflict, detail)
        })?;
        Ok(Tried {
            action: made.action(),
            asked: made.asked,
            model: made.model,
            upstream_model: made.upstream_model,
            provider: made.provider,
            dialect: made.dialect,
            streamed: made.streamed,
            at,
            subject,
            token: made.token,
            tags: made.tags,
            now: made.started_at,
        })
    }
}

impl Made {
    pub(crate) fn place(&self) -> ScopePath {
        path(self.team, self.project)
    }

    /// What was asked for. Calls of before it was recorded count as texts.
    pub(crate) fn action(&self) -> String {
        match (self.purpose.as_deref(), self.operation.as_deref()) {
            (Some("count"), _) => "model.call.count_tokens".to_owned(),
            (Some("batch"), _) => "model.call.batches".to_owned(),
            (_, operation) => format!("model.call.{}", operation.unwrap_or("generate")),
        }
    }

    /// Who made it, as far as that is known.
    pub(crate) fn subject(&self, org: OrgId) -> Option<Subject> {
        if let Some(user) = self.user {
            return Some(Subject::User(user));
        }
        let scope = path(self.home_team, self.home_project);
        match (self.account, self.token) {
            (Some(account), _) => Some(Subject::Service { account, org, scope }),
            (None, Some(token)) => Some(Subject::Token { token, org, scope }),
            (None, None) => None,
        }
    }
}

fn path(team: Option<TeamId>, project: Option<ProjectId>) -> ScopePath {
    match (team, project) {
        (Some(team), Some(project)) => ScopePath::Project { team, project },
        (Some(team), None) => ScopePath::Team { team },
        (None, _) => ScopePath::Org,
    }
}

/// How long an answer may be, as bodies of the dialects say it.
fn most(arguments: &Map<String, Value>) -> Option<u64> {
    let flat = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
    let nested = [("generationConfig", "maxOutputTokens"), ("inferenceConfig", "maxTokens")];
    let flat = flat.iter().map(|name| arguments.get(*name));
    let nested = nested.iter().map(|(outer, name)| arguments.get(*outer)?.get(name));
    flat.chain(nested).find_map(|found| found?.as_u64())
}

fn no_model(name: &str) -> Problem {
    let message = format!(
        "there is no model `{name}` in this organisation; name one as *Models* lists it, and for a \
         call of a route a model that it may go to"
    );
    Problem::field("model", message)
}

/// A draft as if it were stored.
fn stored(terms: Terms, at: ScopePath) -> Stored {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    Stored {
        id: CallRuleId::from(uuid::Uuid::nil()),
        team: at.team(),
        project: at.project(),
        scope: String::new(),
        scope_name: String::new(),
        name: terms.name,
        description: terms.description,
        effect: terms.effect.as_str().to_owned(),
        phase: terms.phase.as_str().to_owned(),
        actions: terms.actions,
        resources: terms.resources,
        subjects: terms.subjects,
        subject_names: Vec::new(),
        condition: terms.condition,
        message: terms.message,
        enabled: true,
        version: 0,
        created_by: String::new(),
        created_at: now,
        updated_by: String::new(),
        updated_at: now,
    }
}

fn told(rules: &Rules, call: &Call<'_>) -> TestedCall {
    let began = Instant::now();
    let phase = Phase::of(call.action);
    let context = facts::context(call, rules.place(call.at), |name| rules.reads(name));
    let tested: Vec<TestedRule> = rules
        .entries()
        .iter()
        .map(|rule| {
            let (matched, why) = if let Err(why) = rule.concerns(call, phase) {
                (false, why.to_owned())
            } else {
                let asked = rule.holds(|| &context);
                let why = match &asked {
                    Asked::Holds => "It is about this call.".to_owned(),
                    Asked::HoldsNot => "Its condition does not hold.".to_owned(),
                    Asked::Failed(why) => format!("Its condition {why}."),
                };
                (counts(Some(asked), rule.effect()).is_some(), why)
            };
            let id = Some(rule.id()).filter(|id| !id.uuid().is_nil());
            TestedRule { id, name: rule.name().to_owned(), effect: rule.effect(), matched, why }
        })
        .collect();
    let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let verdict = judge(rules, call);
    let message = match verdict.effect {
        CallEffect::Allow => None,
        CallEffect::Ask => Some(verdict.question().detail),
        CallEffect::Deny => Some(verdict.refusal().detail),
    };
    let decided_by = verdict.by.first().map(|applied| applied.rule.id());
    TestedCall {
        effect: verdict.effect,
        decided_by: decided_by.filter(|id| !id.uuid().is_nil()),
        message,
        default_effect: rules.default_effect(),
        rules: tested,
        took_us,
    }
}
