//! Bulk requests: many changes in one, which may name what others of them make.
//!
//! Each operation stands for itself: it is done or refused as if it had been sent alone. One that names
//! what another makes (`bulkId:…`) waits for that one, in whatever order they are written.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::patch::field;
use crate::serve::{Ask, Told};
use crate::{Directory, Refusal, Scim};

pub(crate) const MOST_OPERATIONS: usize = 500;

/// One operation as it was sent.
struct Operation<'a> {
    method: String,
    path: &'a str,
    bulk_id: Option<&'a str>,
    version: Option<&'a str>,
    data: Value,
}

/// What the operations have made, by the names that they gave it.
type Made = HashMap<String, String>;

impl Scim {
    pub(crate) async fn bulk(&self, directory: &Directory, ask: &Ask<'_>) -> Result<Told, Refusal> {
        let body = ask.body()?;
        let operations = field(body, "Operations").and_then(Value::as_array);
        let operations = operations
            .ok_or_else(|| Refusal::syntax("A bulk request has `Operations`, a list."))?;
        if operations.len() > MOST_OPERATIONS {
            let most = format!("A bulk request has at most {MOST_OPERATIONS} operations.");
            return Err(Refusal::new(413, Some("tooLarge"), most));
        }
        // The request itself is counted already.
        self.take_room(directory, operations.len().saturating_sub(1)).await?;
        let most = field(body, "failOnErrors").and_then(Value::as_u64).filter(|most| *most > 0);
        let mut waiting = Vec::with_capacity(operations.len());
        for (at, operation) in operations.iter().enumerate() {
            waiting.push((at, read(operation)?));
        }
        let mut done = self.all(directory, ask, waiting, most).await;
        done.sort_by_key(|(at, _)| *at);
        let done: Vec<_> = done.into_iter().map(|(_, told)| told).collect();
        Ok(Told::body(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
            "Operations": done,
        })))
    }

    /// Carries the operations out whose names are known, over and over until there are no more.
    async fn all(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
        mut waiting: Vec<(usize, Operation<'_>)>,
        most: Option<u64>,
    ) -> Vec<(usize, Value)> {
        let (mut made, mut done, mut errors) = (Made::new(), Vec::new(), 0);
        loop {
            let (mut later, before) = (Vec::new(), waiting.len());
            for (at, operation) in waiting {
                if most.is_some_and(|most| errors >= most) {
                    return done;
                }
                let resolved = resolve(&operation, &made);
                let Some((path, data)) = resolved else {
                    later.push((at, operation));
                    continue;
                };
                let told = self.one(directory, ask, &operation, (&path, data)).await;
                errors += u64::from(told.is_err());
                if let (Ok(told), Some(name)) = (&told, operation.bulk_id) {
                    let id = told.body.as_ref().and_then(|it| it["id"].as_str());
                    made.extend(id.map(|id| (name.to_owned(), id.to_owned())));
                }
                done.push((at, shown(&operation, told, (ask.base, &path))));
            }
            if later.len() == before {
                done.extend(later.into_iter().map(|(at, operation)| {
                    let rule = "It names a `bulkId` that no operation of this request has made.";
                    let refused = Err(Refusal::value(rule));
                    (at, shown(&operation, refused, (ask.base, operation.path)))
                }));
                return done;
            }
            waiting = later;
        }
    }

    async fn one(
        &self,
        directory: &Directory,
        ask: &Ask<'_>,
        operation: &Operation<'_>,
        (path, data): (&str, Value),
    ) -> Result<Told, Refusal> {
        let parts: Vec<String> = path.trim_matches('/').split('/').map(str::to_owned).collect();
        let changes = matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        let resource = matches!(parts.first().map(String::as_str), Some("Users" | "Groups"));
        if !changes || !resource || parts.iter().any(|part| part == ".search") {
            let rule = "A bulk operation is POST, PUT, PATCH or DELETE on `/Users` or `/Groups`.";
            return Err(Refusal::syntax(rule));
        }
        if operation.method == "POST" && operation.bulk_id.is_none() {
            return Err(Refusal::syntax("A bulk operation that makes something has a `bulkId`."));
        }
        let ask = Ask {
            method: &operation.method,
            path: &parts,
            query: &[],
            if_match: operation.version,
            if_none_match: None,
            body: &Ok(data),
            base: ask.base,
        };
        self.simple(directory, &ask).await
    }
}

fn read(operation: &Value) -> Result<Operation<'_>, Refusal> {
    let text = |name: &str| field(operation, name).and_then(Value::as_str);
    let (Some(method), Some(path)) = (text("method"), text("path")) else {
        return Err(Refusal::syntax("A bulk operation has a `method` and a `path`."));
    };
    Ok(Operation {
        method: method.to_ascii_uppercase(),
        path,
        bulk_id: text("bulkId"),
        version: text("version"),
        data: field(operation, "data").cloned().unwrap_or(Value::Null),
    })
}

/// The path and the data with identifiers for names; nothing while one of these is not known.
fn resolve(operation: &Operation<'_>, made: &Made) -> Option<(String, Value)> {
    let parts: Option<Vec<_>> = operation.path.split('/').map(|part| named(part, made)).collect();
    let mut data = operation.data.clone();
    put(&mut data, made).then_some((parts?.join("/"), data))
}

fn named(text: &str, made: &Made) -> Option<String> {
    match text.strip_prefix("bulkId:") {
        Some(name) => made.get(name).cloned(),
        None => Some(text.to_owned()),
    }
}

/// Puts identifiers for names; false while one of these is not known.
fn put(value: &mut Value, made: &Made) -> bool {
    match value {
        Value::String(text) => named(text, made).is_some_and(|found| {
            *text = found;
            true
        }),
        Value::Array(all) => all.iter_mut().all(|it| put(it, made)),
        Value::Object(all) => all.values_mut().all(|it| put(it, made)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn shown(
    operation: &Operation<'_>,
    told: Result<Told, Refusal>,
    (base, path): (&str, &str),
) -> Value {
    let mut shown = json!({ "method": operation.method });
    if let Some(name) = operation.bulk_id {
        shown["bulkId"] = json!(name);
    }
    match told {
        Ok(told) => {
            let place = format!("{base}/{}", path.trim_matches('/'));
            shown["location"] = json!(told.location.unwrap_or(place));
            shown["status"] = json!(told.status.to_string());
            if let Some(version) = told.version {
                shown["version"] = json!(version);
            }
        }
        Err(refusal) => {
            if operation.method != "POST" {
                shown["location"] = json!(format!("{base}/{}", path.trim_matches('/')));
            }
            shown["status"] = json!(refusal.status.to_string());
            shown["response"] = refusal.told();
        }
    }
    shown
}
