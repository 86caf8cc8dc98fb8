//! OCSF: which class and activity an event has is data, `policies/audit/ocsf.toml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use ralex_kernel::{Code, Problem};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Told, is_grave};

const AUTHENTICATION: u32 = 3002;
const ACCESS: u32 = 3005;
const API: u32 = 6003;
const OTHER: u32 = 99;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub version: String,
    pub classes: BTreeMap<String, Class>,
    pub actions: BTreeMap<String, Place>,
    pub verbs: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Class {
    pub name: String,
    category: String,
    pub activities: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub class: u32,
    pub activity: u32,
}

static MAPPING: LazyLock<Result<Mapping, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../../policies/audit/ocsf.toml"))
        .map_err(|error| error.to_string())
});

impl Mapping {
    pub fn built_in() -> Result<&'static Self, Problem> {
        MAPPING.as_ref().map_err(|error| {
            tracing::error!(error, "the mapping of audit events to OCSF cannot be read: {error}");
            Problem::new(Code::Internal, "The mapping to OCSF cannot be read; the log says more.")
        })
    }

    fn place(&self, action: &str) -> Place {
        let verb = || action.rsplit('.').next().and_then(|verb| self.verbs.get(verb));
        self.actions
            .get(action)
            .copied()
            .unwrap_or_else(|| Place { class: API, activity: verb().copied().unwrap_or(OTHER) })
    }
}

pub fn event(told: &Told, origin: &str) -> Result<Value, Problem> {
    let mapping = Mapping::built_in()?;
    let action = told.text("/action");
    let Place { class: class_uid, activity } = mapping.place(&action);
    let class = mapping.classes.get(&class_uid.to_string());
    let (severity_id, severity, status_id, status) = match told.text("/outcome").as_str() {
        "success" => (1, "Informational", 1, "Success"),
        "intent" => (1, "Informational", 99, "Intent"),
        "denied" => (3, "Medium", 2, "Failure"),
        "error" => (2, "Low", 2, "Failure"),
        _ => (0, "Unknown", 0, "Unknown"),
    };
    let (severity_id, severity) =
        if is_grave(&action) { (5, "Critical") } else { (severity_id, severity) };
    let mut event = json!({
        "category_uid": class_uid / 1_000,
        "category_name": class.map(|class| &class.category),
        "class_uid": class_uid,
        "class_name": class.map(|class| &class.name),
        "activity_id": activity,
        "activity_name": class.and_then(|class| class.activities.get(&activity.to_string())),
        "type_uid": class_uid * 100 + activity,
        "time": told.milliseconds(),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "message": action,
        "metadata": metadata(told, &mapping.version),
        "actor": actor(told),
        "src_endpoint": source(told),
    });
    if let Some(fields) = event.as_object_mut() {
        add_what_the_class_wants(fields, told, class_uid);
        let unmapped = json!({
            "detail": told.detail(),
            "leaf_hash": told.leaf_hash,
            "origin": origin,
            "credential_kind": told.text("/actor/credential_kind"),
        });
        fields.insert("unmapped".to_owned(), unmapped);
    }
    Ok(event)
}

fn add_what_the_class_wants(fields: &mut Map<String, Value>, told: &Told, class: u32) {
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if class == API {
        let mut api = json!({ "operation": told.text("/action"), "service": { "name": "Ralex" } });
        if let Some(request) = some(told.text("/request")) {
            api["request"] = json!({ "uid": request });
        }
        add("api", api);
        if let Some(target) = some(told.text("/target")) {
            let (kind, id) = target.split_once(':').unwrap_or(("", &target));
            add("resources", json!([{ "uid": id, "type": kind }]));
        }
        return;
    }
    add("user", user(told));
    if class == AUTHENTICATION {
        add("service", json!({ "name": "Ralex" }));
    }
    if class == ACCESS {
        add("privileges", json!([told.text("/detail/role")]));
        add("resource", json!({ "uid": told.text("/detail/scope"), "type": "scope" }));
    }
}

fn metadata(told: &Told, version: &str) -> Value {
    json!({
        "version": version,
        "uid": told.id(),
        "sequence": told.index,
        "event_code": told.text("/action"),
        "original_time": told.text("/occurred_at"),
        "tenant_uid": told.text("/org"),
        "correlation_uid": some(told.text("/request")).unwrap_or_else(|| told.id()),
        "log_name": "audit",
        "product": { "name": "Ralex", "vendor_name": "Ralex", "version": env!("CARGO_PKG_VERSION") },
    })
}

fn actor(told: &Told) -> Value {
    let kind = told.text("/actor/kind");
    let mut actor = json!({ "user": person(&kind, &told.text("/actor/id"), &told.actor_name) });
    if let Some(credential) = some(told.text("/actor/credential_id")) {
        actor["session"] = json!({ "uid": credential });
    }
    actor
}

/// Whom it was done to: what the event is about, or else who did it.
fn user(told: &Told) -> Value {
    let target = told.text("/target");
    let subject = some(told.text("/detail/subject")).unwrap_or(target);
    match subject.split_once(':') {
        Some((kind @ ("user" | "token" | "service_account"), id)) => {
            person(kind, id, &told.text("/detail/email"))
        }
        _ => person(&told.text("/actor/kind"), &told.text("/actor/id"), &told.actor_name),
    }
}

fn person(kind: &str, id: &str, name: &str) -> Value {
    let (type_id, type_name) = match kind {
        "user" => (1, "User"),
        "system" => (3, "System"),
        "token" => (99, "Token"),
        "service_account" => (99, "Service account"),
        "directory" => (99, "Directory"),
        _ => (0, "Unknown"),
    };
    let mut person = json!({ "type_id": type_id, "type": type_name });
    // One of the two there must be.
    if !id.is_empty() || name.is_empty() {
        person["uid"] = Value::from(if id.is_empty() { kind } else { id });
    }
    if !name.is_empty() {
        person["name"] = Value::from(name);
    }
    person
}

fn source(told: &Told) -> Value {
    // What was erased is no address.
    some(told.text("/address"))
        .filter(|address| address.parse::<IpAddr>().is_ok())
        .map_or_else(|| json!({ "name": "ralex" }), |address| json!({ "ip": address }))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
