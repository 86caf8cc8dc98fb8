//! A call as rules see it.

use std::net::IpAddr;

use cel::Value;
use chrono::{DateTime, Utc};
use ralex_kernel::{GroupId, ScopePath, Subject, TokenId};
use serde_json::{Map, Value as Json};

/// Every action that somebody can ask for today. A rule about none of them would do nothing.
pub const ACTIONS: [&str; 13] = [
    "model.list",
    "model.call.generate",
    "model.call.embeddings",
    "model.call.moderations",
    "model.call.images",
    "model.call.image_edits",
    "model.call.image_variations",
    "model.call.speech",
    "model.call.transcriptions",
    "model.call.translations",
    "model.call.rerank",
    "model.call.count_tokens",
    "model.call.batches",
];

/// Whether something is shown or called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    List,
    Call,
}

impl Phase {
    pub(crate) fn of(action: &str) -> Self {
        if action.rsplit('.').next() == Some("list") { Self::List } else { Self::Call }
    }
}

/// What is called. A model has two names: the organisation's, and the provider's own; a rule about
/// either is about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource<'a> {
    pub model: &'a str,
    pub upstream_model: &'a str,
    pub provider: &'a str,
}

impl<'a> Resource<'a> {
    /// Every name of it with its kind.
    pub(crate) fn names(&self) -> [(&'static str, &'a str); 3] {
        [("model", self.model), ("model", self.upstream_model), ("provider", self.provider)]
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Who {
    pub subject: Subject,
    pub token: Option<TokenId>,
    pub address: Option<IpAddr>,
    /// With their slugs.
    pub groups: Vec<(GroupId, String)>,
    /// What they hold at the call's place.
    pub roles: Vec<String>,
}

/// What the budgets of a call have left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Left {
    /// In millionths of a US dollar.
    pub micros: i64,
    pub percent: f64,
}

impl Left {
    /// Where there is no budget.
    pub const ALL: Self = Self { micros: i64::MAX, percent: 100.0 };
}

/// A call that is asked about. What no rule reads may be left empty: see [`crate::Uses`].
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub action: &'a str,
    pub resource: Resource<'a>,
    /// What the caller named: a model, or a route that chooses one.
    pub asked: &'a str,
    pub at: ScopePath,
    pub who: &'a Who,
    pub dialect: &'a str,
    pub streamed: bool,
    /// The most tokens that the answer may have.
    pub max_output: u64,
    pub arguments: &'a Arguments,
    pub labels: &'a [String],
    pub tags: &'a [String],
    pub left: Left,
    pub now: DateTime<Utc>,
}

/// The fields of a call's body, without what is said in it.
#[derive(Clone, Debug)]
pub struct Arguments(pub(crate) Option<Value>);

/// More values than this in the arguments of one call nobody reads through for every rule. Such a
/// call cannot be judged by them, and a rule that would stop it does.
const MOST_VALUES: usize = 4_096;
/// Within one list; what conditions cost is reckoned with it.
pub(crate) const MOST_ITEMS: usize = 1_024;
const MOST_TEXT: usize = 256 * 1024;
const DEEPEST: usize = 16;

impl Arguments {
    pub fn none() -> Self {
        Self(Some(Value::from(std::collections::HashMap::<String, Value>::new())))
    }

    pub fn of(fields: &Map<String, Json>) -> Self {
        let mut room = Room { values: MOST_VALUES, text: MOST_TEXT };
        Self(room.object(fields, 0))
    }
}

struct Room {
    values: usize,
    text: usize,
}

impl Room {
    fn value(&mut self, json: &Json, depth: usize) -> Option<Value> {
        self.values = self.values.checked_sub(1)?;
        Some(match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => number
                .as_i64()
                .map(Value::Int)
                .or_else(|| number.as_u64().map(Value::UInt))
                .or_else(|| number.as_f64().map(Value::Float))?,
            Json::String(text) => self.text(text)?,
            Json::Array(items) if items.len() <= MOST_ITEMS && depth < DEEPEST => {
                let items = items.iter().map(|item| self.value(item, depth + 1));
                items.collect::<Option<Vec<Value>>>()?.into()
            }
            Json::Object(fields) if depth < DEEPEST => self.object(fields, depth + 1)?,
            Json::Array(_) | Json::Object(_) => return None,
        })
    }

    fn object(&mut self, fields: &Map<String, Json>, depth: usize) -> Option<Value> {
        let mut map = std::collections::HashMap::with_capacity(fields.len());
        for (name, value) in fields {
            self.text = self.text.checked_sub(name.len())?;
            map.insert(name.clone(), self.value(value, depth)?);
        }
        Some(map.into())
    }

    fn text(&mut self, text: &str) -> Option<Value> {
        self.text = self.text.checked_sub(text.len())?;
        Some(text.into())
    }
}
