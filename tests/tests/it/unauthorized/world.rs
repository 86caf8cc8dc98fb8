//! One of everything, and what the operations' paths and bodies need to name it.

use std::collections::BTreeMap;

use ralex_tests::app::{Answer, App, Client, DIALECTS, text};
use ralex_tests::upstream::Upstream;
use serde_json::json;

use super::bodies::{guardrail, route};
use super::{beside, body, changes};
use crate::operations::Operation;

pub struct World {
    pub app: App,
    /// A team's token, which made the calls.
    pub caller: Client,
    ids: BTreeMap<&'static str, String>,
}

/// A well-formed name of a file that nobody has.
pub const FILE: &str = "file-00000000000070008000000000000000";

/// What belongs to no organisation: a code that a program shows, and places in a log's tree.
const NOWHERE: [(&str, &str); 3] =
    [("user_code", "BCDF-GHJK"), ("level", "0"), ("index", "000.p/1")];

/// A group and a role that can be named.
async fn rights(app: &App) {
    let group = json!({ "slug": "night", "name": "Night shift" });
    app.owner.post("groups", &group).await.ok();
    let role = json!({ "name": "keeper", "title": "Keeper", "permissions": ["org.read"] });
    app.owner.post("roles", &role).await.ok();
}

async fn review(app: &App) -> String {
    let review = json!({ "name": "Roles", "due_days": 14, "undecided": "keep" });
    text(&app.owner.post("access-reviews", &review).await.ok(), "id")
}

/// A call that waits for a person, by the approval's id.
async fn asked(app: &App, client: &Client) -> String {
    let check = json!({ "kind": "topic", "phrases": ["may I please"] });
    let ask = json!({ "name": "Asks", "scope": "org", "check": check, "action": "ask",
        "direction": "in" });
    app.owner.post("guardrails", &ask).await.ok();
    let asked = client.call(DIALECTS[0], "scripted", "May I please?").await;
    asked.header("x-ralex-approval").unwrap().to_owned()
}

/// What is named by its slug or its name.
async fn named(app: &App) -> BTreeMap<&'static str, String> {
    let project = json!({ "slug": "web", "name": "Web", "team": "blue" });
    app.owner.post("projects", &project).await.ok();
    let account = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    app.owner.post("service-accounts", &account).await.ok();
    rights(app).await;
    app.owner.post("routes", &route("steady")).await.ok();
    let alias = json!({ "name": "other-name", "target": "scripted" });
    app.owner.post("aliases", &alias).await.ok();
    let names = [
        ("org", "default"),
        ("team", "blue"),
        ("project", "web"),
        ("provider", "scripted"),
        ("model", "scripted"),
        ("service_account", "nightly"),
        ("group", "night"),
        ("role", "keeper"),
        ("route", "steady"),
        ("alias", "other-name"),
    ];
    names.into_iter().chain(NOWHERE).map(|(name, id)| (name, id.to_owned())).collect()
}

/// A slot that more than one kind of thing stands in, by whose it is in this path.
fn key<'a>(path: &str, slot: &'a str) -> &'a str {
    match slot {
        "provider" if path.contains("/sso/") => "sso_provider",
        "token" if path.contains("/scim/") => "scim_token",
        "token" if path.contains("/me/") => "own_token",
        slot => slot,
    }
}

/// The names in a path's braces.
fn braced(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

impl World {
    pub async fn new() -> Self {
        let app = App::start().await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
        let token = app.token("blue").await;
        let mut ids = named(&app).await;
        let budget = app.budget("org", "100", true).await;
        let call = token.client.call(DIALECTS[0], "scripted", "Hello").await;
        let call = call.header("x-ralex-call-id").unwrap().to_owned();
        let secrets = app.owner.all("secrets").await;
        let guardrail = app.owner.post("guardrails", &guardrail("Orders")).await.ok();
        let ruled = json!({ "name": "More", "effect": "allow" });
        let ruled = app.owner.post("call-rules", &ruled).await.ok();
        let request = json!({ "role": "billing", "reason": "The invoices" });
        let request = app.owner.post("access-requests", &request).await.ok();
        let limit = json!({ "scope": "org", "measure": "requests", "amount": 1_000_000 });
        let limit = app.owner.post("rate-limits", &limit).await.ok();
        let me = app.owner.get("/api/v1/me").await.ok();
        let sessions = app.owner.all("/api/v1/me/sessions").await;
        ids.extend(beside::made(&app, &budget, &call).await);
        ids.extend([
            ("binding", text(&app.owner.all("bindings").await[0], "id")),
            ("token", token.id),
            ("budget", budget),
            ("guardrail", text(&guardrail, "id")),
            ("call_rule", text(&ruled, "id")),
            ("approval", asked(&app, &token.client).await),
            ("access_request", text(&request, "id")),
            ("change_request", changes::asked(&app).await),
            ("access_review", review(&app).await),
            ("secret", text(&secrets[0], "id")),
            ("call", call),
            ("user", text(&me["user"], "id")),
            ("session", text(&sessions[0], "id")),
            ("event", text(&app.owner.all("audit").await[0], "id")),
            ("limit", text(&limit, "id")),
        ]);
        Self { app, caller: token.client, ids }
    }

    /// What stands in the slots of an operation's path.
    pub fn slots(&self, operation: &Operation) -> Vec<(String, String)> {
        let slots = braced(&operation.path).map(|slot| {
            let id = self.ids.get(key(&operation.path, slot));
            let id = id
                .unwrap_or_else(|| panic!("nothing is there for {{{slot}}} of {}", operation.name));
            (slot.to_owned(), id.clone())
        });
        slots.collect()
    }

    pub fn path(&self, operation: &Operation) -> String {
        fill(&operation.path, &self.slots(operation))
    }

    pub async fn ask(&self, operation: &Operation, client: &Client) -> Answer {
        let path = self.path(operation);
        let body = operation.spec.get("requestBody").map(|_| body(&operation.name));
        client.send(operation.method.clone(), &path, body.as_ref()).await
    }
}

/// A path with what stands in its slots.
pub fn fill(path: &str, slots: &[(String, String)]) -> String {
    let fill =
        |path: String, (slot, id): &(String, String)| path.replace(&format!("{{{slot}}}"), id);
    slots.iter().fold(path.to_owned(), fill)
}
