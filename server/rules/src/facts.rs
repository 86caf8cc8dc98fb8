//! What a condition reads of a call: only the fields that some rule names are made.

use std::collections::HashMap;
use std::sync::LazyLock;

use cel::{Context, Value};
use chrono::{DateTime, FixedOffset, Utc};
use ralex_kernel::{OrgId, ScopePath, ServiceAccountId, Subject, TeamId};
use serde_json::json;

use crate::call::{Arguments, Call, Left, Resource, Who};
use crate::condition::ENV;

pub(crate) const CALL: [&str; 13] = [
    "action",
    "model",
    "upstream_model",
    "provider",
    "asked",
    "dialect",
    "streamed",
    "max_output",
    "arguments",
    "labels",
    "tags",
    "team",
    "project",
];
pub(crate) const CALLER: [&str; 6] = ["kind", "id", "token", "groups", "roles", "address"];
pub(crate) const BUDGET: [&str; 2] = ["left", "left_percent"];

/// The slugs of a call's place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place<'a> {
    pub team: &'a str,
    pub project: &'a str,
}

/// All that conditions may read of a call, as far as `reads` says that one does.
pub(crate) fn context(
    call: &Call<'_>,
    place: Place<'_>,
    reads: impl Fn(&str) -> bool,
) -> Context<'static, 'static> {
    let mut context = Context::with_env(ENV.clone());
    let mut object = |root: &str, names: &[&str], value: &dyn Fn(&str) -> Option<Value>| {
        let mut fields: HashMap<String, Value> = HashMap::new();
        for name in names {
            if reads(&format!("{root}.{name}"))
                && let Some(value) = value(name)
            {
                fields.insert((*name).to_owned(), value);
            }
        }
        context.add_variable_from_value(root, fields);
    };
    object("call", &CALL, &|name| of_call(call, place, name));
    object("caller", &CALLER, &|name| Some(of_caller(call.who, name)));
    object("budget", &BUDGET, &|name| {
        let Left { micros, percent } = call.left;
        Some(if name == "left" { Value::Int(micros) } else { Value::Float(percent) })
    });
    if reads("now") {
        let now: DateTime<FixedOffset> = call.now.into();
        context.add_variable_from_value("now", Value::Timestamp(now));
    }
    context
}

/// Nothing where the arguments are more than can be read: a condition that names them fails.
fn of_call(call: &Call<'_>, place: Place<'_>, name: &str) -> Option<Value> {
    Some(match name {
        "action" => call.action.into(),
        "model" => call.resource.model.into(),
        "upstream_model" => call.resource.upstream_model.into(),
        "provider" => call.resource.provider.into(),
        "asked" => call.asked.into(),
        "dialect" => call.dialect.into(),
        "streamed" => Value::Bool(call.streamed),
        "max_output" => Value::Int(i64::try_from(call.max_output).unwrap_or(i64::MAX)),
        "arguments" => return call.arguments.0.clone(),
        "labels" => list(call.labels.iter()),
        "tags" => list(call.tags.iter()),
        "team" => place.team.into(),
        _ => place.project.into(),
    })
}

fn of_caller(who: &Who, name: &str) -> Value {
    let text = |text: Option<String>| text.unwrap_or_default().as_str().into();
    match name {
        "kind" => who.subject.kind().into(),
        "id" => {
            let id = who.subject.user().map(|user| user.to_string());
            text(id.or_else(|| who.subject.machine().map(|(id, _, _)| id.to_string())))
        }
        "token" => text(who.token.map(|token| token.to_string())),
        "groups" => list(who.groups.iter().map(|(_, slug)| slug)),
        "roles" => list(who.roles.iter()),
        _ => text(who.address.map(|address| address.to_string())),
    }
}

fn list<'a>(items: impl Iterator<Item = &'a String>) -> Value {
    items.map(|item| Value::from(item.as_str())).collect::<Vec<Value>>().into()
}

/// A call with something in every field, to try a new condition on.
pub(crate) fn full() -> Context<'static, 'static> {
    static ARGUMENTS: LazyLock<Arguments> = LazyLock::new(|| {
        let said = json!({
            "model": "model", "max_tokens": 1000, "max_completion_tokens": 1000,
            "max_output_tokens": 1000, "temperature": 0.7, "top_p": 0.9, "top_k": 40, "n": 1,
            "stream": true, "stop": ["end"], "tools": ["shell"], "user": "somebody", "seed": 1,
            "store": false, "service_tier": "auto", "parallel_tool_calls": true,
            "frequency_penalty": 0.0, "presence_penalty": 0.0, "reasoning_effort": "low",
            "size": "1024x1024", "quality": "auto", "dimensions": 256,
        });
        said.as_object().map_or_else(Arguments::none, Arguments::of)
    });
    static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| vec!["env=prod".to_owned()]);
    let resource = Resource { model: "model", upstream_model: "model-1", provider: "provider" };
    let who = Who {
        subject: Subject::User(ralex_kernel::UserId::generate()),
        token: Some(ralex_kernel::TokenId::generate()),
        address: Some([192, 0, 2, 1].into()),
        groups: vec![(ralex_kernel::GroupId::generate(), "group".to_owned())],
        roles: vec!["developer".to_owned()],
    };
    let call = Call {
        action: "model.call.generate",
        resource,
        asked: "model",
        at: ScopePath::Org,
        who: &who,
        dialect: "openai_chat",
        streamed: true,
        max_output: 1000,
        arguments: &ARGUMENTS,
        labels: &TEXTS,
        tags: &TEXTS,
        left: Left { micros: 1_000_000, percent: 50.0 },
        now: DateTime::<Utc>::UNIX_EPOCH,
    };
    context(&call, Place { team: "team", project: "project" }, |_| true)
}

/// A call with nothing in it that a call can be without.
pub(crate) fn bare() -> Context<'static, 'static> {
    let (account, org) = (ServiceAccountId::generate(), OrgId::generate());
    let scope = ScopePath::Team { team: TeamId::generate() };
    let subject = Subject::Service { account, org, scope };
    let who = Who { subject, token: None, address: None, groups: Vec::new(), roles: Vec::new() };
    let call = Call {
        action: "model.list",
        resource: Resource::default(),
        asked: "",
        at: ScopePath::Org,
        who: &who,
        dialect: "",
        streamed: false,
        max_output: 0,
        arguments: &Arguments::none(),
        labels: &[],
        tags: &[],
        left: Left::ALL,
        now: DateTime::<Utc>::UNIX_EPOCH,
    };
    context(&call, Place::default(), |_| true)
}
