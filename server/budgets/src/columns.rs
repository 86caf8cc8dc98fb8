//! Calls as the columns of one statement.

use chrono::{DateTime, Utc};
use ralex_kernel::Money;
use uuid::Uuid;

use crate::call::{Decision, OpenCall};

/// Rows of `call` turned by a quarter: `unnest` takes one array a column.
#[derive(Debug, Default)]
pub struct CallColumns<'a> {
    pub org: Vec<Uuid>,
    pub id: Vec<Uuid>,
    pub node: Vec<Uuid>,
    pub user: Vec<Option<Uuid>>,
    pub token: Vec<Option<Uuid>>,
    pub team: Vec<Option<Uuid>>,
    pub project: Vec<Option<Uuid>>,
    pub model: Vec<&'a str>,
    pub model_id: Vec<Option<Uuid>>,
    pub provider_id: Vec<Option<Uuid>>,
    pub provider: Vec<&'a str>,
    pub upstream_model: Vec<&'a str>,
    pub dialect: Vec<&'a str>,
    pub streamed: Vec<bool>,
    pub problem: Vec<Option<&'a str>>,
    pub input_price: Vec<i64>,
    pub output_price: Vec<i64>,
    pub cache_read_price: Vec<i64>,
    pub cache_write_price: Vec<i64>,
    pub price_version: Vec<Option<i32>>,
    pub held: Vec<i64>,
    pub budget_ids: Vec<String>,
    pub budget_starts: Vec<String>,
    pub started_at: Vec<DateTime<Utc>>,
    pub asked: Vec<&'a str>,
    pub route: Vec<Option<&'a str>>,
    pub task_type: Vec<Option<&'a str>>,
    pub difficulty: Vec<Option<i16>>,
    pub choice: Vec<Option<&'a str>>,
    pub priority: Vec<Option<&'a str>>,
    pub queued_ms: Vec<Option<i32>>,
    pub guardrails: Vec<Option<&'a str>>,
    pub purpose: Vec<Option<&'a str>>,
    pub tags: Vec<String>,
    pub run: Vec<Option<&'a str>>,
    pub operation: Vec<&'a str>,
}

impl<'a> CallColumns<'a> {
    pub fn of(calls: &'a [OpenCall]) -> Self {
        let mut columns = Self::default();
        for call in calls {
            columns.push(call);
        }
        columns
    }

    fn push(&mut self, call: &'a OpenCall) {
        self.org.push(call.org.uuid());
        self.id.push(call.id.uuid());
        self.node.push(call.node.uuid());
        self.user.push(call.user.map(Uuid::from));
        self.token.push(call.token.map(Uuid::from));
        self.team.push(call.at.team().map(Uuid::from));
        self.project.push(call.at.project().map(Uuid::from));
        self.model.push(&call.model);
        self.model_id.push(call.model_id.map(Uuid::from));
        self.provider_id.push(call.provider_id.map(Uuid::from));
        self.provider.push(&call.provider);
        self.upstream_model.push(&call.upstream_model);
        self.dialect.push(call.dialect);
        self.streamed.push(call.streamed);
        self.input_price.push(call.prices.input.as_nanos_per_million());
        self.output_price.push(call.prices.output.as_nanos_per_million());
        self.cache_read_price.push(call.prices.cache_read.as_nanos_per_million());
        self.cache_write_price.push(call.prices.cache_write.as_nanos_per_million());
        self.price_version.push(call.prices.version());
        self.started_at.push(call.started_at);
        self.asked.push(&call.asked);
        self.route.push(call.why.route.as_deref());
        self.task_type.push(call.why.task_type.as_deref());
        self.difficulty.push(call.why.difficulty.map(i16::from));
        self.choice.push(call.why.choice.as_deref());
        self.priority.push(call.why.priority);
        self.guardrails.push(call.why.guardrails.as_deref());
        self.purpose.push(call.why.purpose);
        self.tags.push(array(call.tags.iter().map(|tag| quoted(tag))));
        self.run.push(call.run.as_deref());
        self.operation.push(call.operation);
        self.queued_ms.push(call.why.queued_ms.map(|ms| i32::try_from(ms).unwrap_or(i32::MAX)));
        let (held, periods, problem) = match &call.decision {
            Decision::Open { held, periods } => (*held, periods.as_slice(), None),
            Decision::Refused { problem } => (Money::ZERO, &[][..], Some(problem.as_str())),
        };
        self.held.push(held.max(Money::ZERO).as_nanos());
        self.problem.push(problem);
        self.budget_ids.push(array(periods.iter().map(|period| period.budget.to_string())));
        self.budget_starts.push(array(periods.iter().map(|period| period.starts_at.to_rfc3339())));
    }
}

/// An element of an array's text form.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

/// The text form of a PostgreSQL array, for elements that need no quotes.
pub(crate) fn array(elements: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}
