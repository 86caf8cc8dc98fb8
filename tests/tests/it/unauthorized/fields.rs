//! What bodies and queries name: another organisation's things are named as if they were not.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::DateTime;
use ralex_tests::app::{Answer, Client, DIALECTS, Person, text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bodies::{guardrail, route};
use super::slots::{Slot, Step, in_body, in_query, put};
use super::walls::{nobodys, other_org};
use super::world::{World, fill};
use super::{body, needs};
use crate::operations::{Operation, contract, operations};
use crate::unauthorized::needs::Needs::{Call, Nothing, Operator, Person as Signed};

type Things = BTreeMap<&'static str, Vec<String>>;

/// What a field's text may name, with the kinds of things in braces; none for what names nothing.
fn named(operation: &Operation, slot: &Slot) -> &'static [&'static str] {
    match (slot.name.as_str(), slot.is_id) {
        // These take ids alone.
        ("team", _)
            if ["/preferences", "/preview"].iter().any(|it| operation.path.ends_with(it)) =>
        {
            &["{team_id}"]
        }
        ("team", _) => &["{team}", "{team_id}"],
        ("project", true) => &["{project_id}"],
        ("project", false) => &["{project}", "{project_id}"],
        ("scope", _) => &["team:{team}", "project:{project}", "team:{team_id}", "token:{token}"],
        (
            "subject" | "subjects" | "actor" | "target" | "asker" | "people" | "reviewers"
            | "person",
            _,
        ) if !operation.path.contains("/aliases") => {
            &["user:{email}", "group:{group}", "service_account:{account}", "{email}", "{user}"]
        }
        ("user" | "break_glass", _) => &["{email}", "{user}"],
        ("role" | "roles" | "includes" | "default_role", _) => &["{role}"],
        ("group", _) => &["{group}"],
        ("provider", _) => &["{provider}", "{sso}"],
        (
            "model" | "models" | "force_model" | "embedding_model" | "fallbacks" | "target"
            | "route" | "banned" | "preferred" | "default_route",
            _,
        ) => &["{model}", "{route}", "{alias}"],
        ("name", _) if slot.way.len() > 1 => &["{model}", "{route}", "{alias}", "{role}"],
        ("resources", _) => &["model:{model}", "provider:{provider}"],
        ("service_account", _) => &["{account}", "{account_id}"],
        ("token", _) => &["{token}"],
        ("binding" | "bindings" | "unbind", _) => &["{binding}"],
        ("rule" | "without", _) => &["{guardrail}", "{rule}"],
        ("call" | "run", _) => &["{call}"],
        ("alerts", _) => &["{alert}"],
        ("opening", _) => &["{opening}"],
        ("hold", _) => &["{hold}"],
        ("budget", _) => &["{budget}"],
        ("key", _) => &["{secret}"],
        (name, is_id) => {
            let is_plain = PLAIN.split_whitespace().any(|plain| plain == name);
            assert!(
                is_plain && !is_id,
                "say in fields.rs what `{name}` of {} names",
                operation.name
            );
            &[]
        }
    }
}

/// Fields that name nothing of the organisation's, or what is to be new.
const PLAIN: &str = "access_key_id action actions addresses after allow amount at base_url
    budget_limit ca_pem carry_over_at_most ceremony checksum class client_certificate client_id
    client_key client_secret condition cursor description direction domains effect email
    email_verified every except expires_at export format from group_by groups
    id issuer keywords kind label labels lines message mode name not_before note
    opens_at operation outcome pack pattern permission permissions phrases pick prompt q reason
    recipients region residency retires_on rules scopes secret_access_key seed session
    session_token slug specialities state supports system tag tags task_type text time_zone title
    to until upstream_model url value when worth limit input_price output_price cache_read_price
    cache_write_price cache_write_1h_price audio_input_price audio_output_price unit_price
    period measure type";

type New = (&'static str, &'static str, Value);

/// Who works together, and who may what.
fn people(it: &impl Fn(&str) -> String) -> Vec<New> {
    let (team, project, account) = (it("team"), it("proj"), it("acct"));
    let (group, role) = (it("group"), it("role").replace('-', "_"));
    vec![
        ("team", "teams", json!({ "slug": team, "name": team })),
        ("project", "projects", json!({ "slug": project, "name": project, "team": team })),
        ("account", "service-accounts", json!({ "slug": account, "name": account, "team": team })),
        ("group", "groups", json!({ "slug": group, "name": group })),
        ("role", "roles", json!({ "name": role, "title": role, "permissions": ["org.read"] })),
        ("binding", "bindings", json!({ "subject": format!("group:{group}"), "role": role })),
        (
            "budget",
            "budgets",
            json!({ "scope": format!("team:{team}"), "period": "day", "limit": "100",
            "hard": true }),
        ),
    ]
}

/// What is called, and what rules calls.
fn calls(it: &impl Fn(&str) -> String) -> Vec<New> {
    let (model, provider) = (it("model"), it("provider"));
    let step = json!({ "pick": "order", "targets": [{ "name": model }] });
    let check = json!({ "kind": "topic", "phrases": [it("phrase")] });
    let keyed = json!({ "slug": it("keyed"), "kind": "openai_compatible",
        "base_url": "http://127.0.0.1:9/v1" });
    let secret = json!({ "name": it("key"), "provider": it("keyed"),
        "value": "sk-canary-of-theirs" });
    let called = json!({ "name": model, "provider": provider, "upstream_model": model,
        "input_price": "1", "output_price": "1", "context_window": 1000, "max_output": 10 });
    let sso = json!({ "slug": it("sso"), "name": it("sso"), "issuer": "http://127.0.0.1:9",
        "client_id": "ralex", "client_secret": "x" });
    let guardrail = json!({ "name": it("guard"), "scope": "org", "check": check, "action": "flag",
        "direction": "in" });
    vec![
        ("provider", "providers", json!({ "slug": provider, "kind": "simulated" })),
        ("provider", "providers", keyed),
        ("secret", "secrets", secret),
        ("model", "models", called),
        ("route", "routes", json!({ "name": it("route"), "spec": { "steps": [step] } })),
        ("alias", "aliases", json!({ "name": it("alias"), "target": model })),
        ("sso", "sso/providers", sso),
        ("guardrail", "guardrails", guardrail),
        ("rule", "call-rules", json!({ "name": it("rule"), "effect": "allow" })),
        ("token", "tokens", json!({ "name": it("token"), "team": it("team") })),
    ]
}

/// Random numbers of things with random names, made by the organisation's own owner.
async fn settle(world: &World, owner: &Client, org: &str, rng: &mut StdRng) -> Things {
    let mut things = Things::new();
    for at in 0..rng.random_range(2..5) {
        let tail: u64 = rng.random();
        let it = |kind: &str| format!("{kind}-{at}-{tail:016x}");
        let mut token = None;
        for (kind, path, new) in people(&it).into_iter().chain(calls(&it)) {
            let made = owner.post(&format!("/api/v1/orgs/{org}/{path}"), &new).await.ok();
            let id = made["id"].as_str().map(str::to_owned);
            let name = new["slug"].as_str().or(new["name"].as_str()).map(str::to_owned);
            let is_by_id =
                ["guardrail", "rule", "binding", "budget", "token", "secret"].contains(&kind);
            let called = if is_by_id { id.clone() } else { name };
            things.entry(kind).or_default().extend(called);
            if let ("team" | "project" | "account", Some(id)) = (kind, id) {
                let key = ["team_id", "project_id", "account_id"];
                let key = key.into_iter().find(|key| key.starts_with(kind)).unwrap();
                things.entry(key).or_default().push(id);
            }
            if kind == "token" {
                token = Some(text(&made, "token"));
            }
        }
        let client = owner.with(&token.unwrap());
        let call = client.call(DIALECTS[0], &it("model"), "Hello").await;
        assert_eq!(call.status, 200, "{call:?}");
        things.entry("call").or_default().extend(call.header("x-ralex-call-id").map(str::to_owned));
    }
    things.extend(rows(world, org).await);
    things
}

/// What takes an alarm, two people or an authenticator.
async fn rows(world: &World, org: &str) -> [(&'static str, Vec<String>); 3] {
    let [alert, opening, hold] = std::array::from_fn(|_| Uuid::now_v7().to_string());
    let sql = format!(
        "insert into alert (org_id, id, kind, severity, subject, subject_name, title, detail,
             dedup, raised_at, last_at)
         values ('{org}', '{alert}', 'budget.threshold', 'warning', 'org:{org}', 'org', 'Half',
             '{{}}', 'walls', now(), now());
         insert into audit_hold (org_id, id, reason) values ('{org}', '{hold}', 'Case 4711');
         insert into break_glass_opening (org_id, id, drill, state, role, permissions, minutes,
             reason, asked_by, asked_at, confirm_until, ended_at)
         select '{org}', '{opening}', true, 'withdrawn', 'owner', '{{org.read}}', 30, 'A drill',
             id, now(), now(), now() from app_user limit 1"
    );
    world.app.database.execute(&sql).await;
    [("alert", vec![alert]), ("opening", vec![opening]), ("hold", vec![hold])]
}

/// What a template names: one of theirs, and one of nobody's.
fn pair(template: &str, things: &Things, rng: &mut StdRng) -> (String, String) {
    let (head, rest) = template.split_once('{').unwrap();
    let all = &things[rest.trim_end_matches('}')];
    let theirs = &all[rng.random_range(0..all.len())];
    let none = match theirs.split_once('@') {
        Some((_, domain)) => format!("{}@{domain}", nobodys("somebody")),
        None if head.is_empty() && rest == "role}" => nobodys(theirs).replace('-', "_"),
        None => nobodys(theirs),
    };
    (format!("{head}{theirs}"), format!("{head}{none}"))
}

/// What an answer says, without what differs by itself.
fn plain(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Object(fields) => {
            fields.remove("request_id");
            fields.values_mut().for_each(plain);
        }
        // Where something is missing or wrong comes after what was sent, or shows a letter of it.
        Value::String(text) if text.contains(" at line ") || text.contains(": found `") => {
            let kept = text.find(" at line ").or_else(|| text.find(": found `"));
            text.truncate(kept.unwrap_or_default());
        }
        Value::String(text) if Uuid::parse_str(text).is_ok() => "UUID".clone_into(text),
        Value::String(text) if DateTime::parse_from_rfc3339(text).is_ok() => {
            "TIME".clone_into(text);
        }
        _ => {}
    }
}

fn said(method: &Method, answer: &Answer, sent: &str) -> Value {
    // What is made is not the same twice, nor is what is signed.
    let is_signed = answer.asked.ends_with("/audit/export");
    if answer.status < 400 && (method != Method::GET || is_signed) {
        return json!({ "status": answer.status });
    }
    let bare = sent.split_once(':').map_or(sent, |(_, bare)| bare);
    let text = answer.text.replace(bare, "ASKED");
    let mut said = serde_json::from_str(&text).unwrap_or(Value::String(text));
    plain(&mut said);
    json!({ "status": answer.status, "said": said })
}

/// What is needed around a slot, where the accepted body goes without it.
fn frame(operation: &Operation, slot: &Slot, body: &mut Value) {
    let Some(Step::Field(outer)) = slot.way.first() else { return };
    if slot.way.len() < 2 || !body[outer.as_str()].is_null() {
        return;
    }
    let whole = match outer.as_str() {
        "mappings" => json!([{ "group": "staff", "role": "viewer" }]),
        "budget" => json!({ "scope": "org", "period": "day", "limit": "1", "hard": true }),
        "rate_limit" => json!({ "scope": "org", "measure": "requests", "amount": 5 }),
        "draft" if operation.path.contains("/guardrails/") => guardrail("Draft"),
        "draft" => json!({ "name": "Draft", "effect": "allow" }),
        "spec" => route("framed")["spec"].take(),
        "roles" if slot.way.len() > 2 => json!([{ "name": "seer", "permissions": ["org.read"] }]),
        _ => return,
    };
    body[outer.as_str()] = whole;
}

/// The first organisation's owner, who asks with what the other organisation has.
struct Asker {
    world: World,
    theirs: Things,
    rng: StdRng,
    asked: usize,
    leaks: String,
    /// Questions that were refused for their form, so that nothing was compared.
    vacuous: Vec<String>,
}

impl Asker {
    /// A body that is accepted but for the slot, and makes something of a new name.
    fn body(&mut self, operation: &Operation, slot: &Slot, sent: &str) -> Value {
        let mut new = body(&operation.name);
        self.asked += 1;
        for field in ["slug", "name", "email"] {
            if operation.method == Method::POST && new[field].is_string() {
                let at = if field == "email" { "@example.com" } else { "" };
                new[field] = format!("fresh{}{at}", self.asked).into();
            }
        }
        frame(operation, slot, &mut new);
        if let [Step::Field(spec), Step::Field(part), ..] = slot.way.as_slice()
            && ["canary", "shadow"].contains(&part.as_str())
        {
            new[spec.as_str()][part.as_str()] = json!({ "percent": 5 });
        }
        put(&mut new, &slot.way, sent);
        new
    }

    async fn ask(&mut self, operation: &Operation, slot: &Slot, sent: &str) -> Answer {
        let path = self.world.path(operation);
        let owner = self.world.app.owner.clone();
        if slot.way.is_empty() {
            let body = operation.spec.get("requestBody").map(|_| body(&operation.name));
            let path = format!("{path}?{}={}", slot.name, sent.replace('+', "%2B"));
            return owner.send(operation.method.clone(), &path, body.as_ref()).await;
        }
        let body = self.body(operation, slot, sent);
        owner.send(operation.method.clone(), &path, Some(&body)).await
    }

    async fn compare(&mut self, operation: &Operation, slot: &Slot, template: &str) {
        let (theirs, nobodys) = pair(template, &self.theirs, &mut self.rng);
        let there = self.ask(operation, slot, &theirs).await;
        let nowhere = self.ask(operation, slot, &nobodys).await;
        let method = &operation.method;
        let (a, b) = (said(method, &there, &theirs), said(method, &nowhere, &nobodys));
        let what = format!("{} {} {template}", operation.name, slot.name);
        if a != b {
            writeln!(self.leaks, "{what}: {a} where nobody's is {b}").unwrap();
        }
        // What fallbacks, places of the cache and checks by a model need beside a name is not made up here.
        let is_known = ["/routing", "/cache", "/guardrails/{guardrail}"]
            .iter()
            .any(|it| operation.path.ends_with(it));
        if there.text.contains("missing field") && !is_known {
            self.vacuous.push(format!("{what}: {}", there.text));
        }
        self.shows(&what, &there, &theirs);
    }

    /// Nothing of theirs is in the answer but what was sent.
    fn shows(&mut self, what: &str, answer: &Answer, sent: &str) {
        let bare = sent.split_once(':').map_or(sent, |(_, bare)| bare);
        for it in self.theirs.values().flatten() {
            if it != bare && answer.text.contains(it.as_str()) {
                writeln!(self.leaks, "{what} shows {it}: {}", answer.text).unwrap();
            }
        }
    }
}

/// Whether it is of an organisation, and not a call of a model.
fn is_within(operation: &Operation) -> bool {
    let within = operation.path.starts_with("/api/v1/orgs/{org}");
    within && !matches!(needs(operation), Nothing | Signed | Operator | Call)
}

async fn asker(seed: u64) -> (Asker, Person, String) {
    let world = World::new().await;
    let person = world.app.member("both@example.com", "viewer", "org").await;
    let org = other_org(&world, &person).await;
    world.app.owner.delete(&format!("members/{}", person.id)).await.ok();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut theirs = settle(&world, &person.client, &org, &mut rng).await;
    let email = "theirs@example.com";
    let new = json!({ "email": email, "name": "Theirs", "role": "viewer" });
    let made = person.client.post(&format!("/api/v1/orgs/{org}/members"), &new).await.ok();
    theirs.insert("user", vec![text(&made["member"]["user"], "id")]);
    theirs.insert("email", vec![email.to_owned()]);
    let asker = Asker { world, theirs, rng, asked: 0, leaks: String::new(), vacuous: Vec::new() };
    (asker, person, org)
}

#[tokio::test]
async fn bodies_and_queries_name_nothing_of_another_organisation() {
    let seed = rand::rng().random();
    println!("the other organisation is made from the seed {seed}");
    let (mut asker, person, org) = asker(seed).await;
    let contract = contract();
    let mut slots = 0;
    for operation in operations().iter().filter(|operation| is_within(operation)) {
        let all = [in_query(&contract, operation), in_body(&contract, operation)].concat();
        for slot in all {
            for template in named(operation, &slot) {
                asker.compare(operation, &slot, template).await;
                slots += 1;
            }
            if slot.name == "cursor" && slot.way.is_empty() {
                let path = fill(&operation.path, &[("org".to_owned(), org.clone())]);
                let page = person.client.get(&format!("{path}?limit=1")).await;
                let Some(cursor) = page.json()["next_cursor"].as_str().map(str::to_owned) else {
                    continue;
                };
                let answer = asker.ask(operation, &slot, &cursor).await;
                asker.shows(&format!("{} by a cursor", operation.name), &answer, &cursor);
                slots += 1;
            }
        }
    }
    assert!(asker.leaks.is_empty(), "seed {seed}:\n{}", asker.leaks);
    println!("{slots} slots");
    assert!(slots > 200, "{slots}");
    assert!(asker.vacuous.is_empty(), "{}", asker.vacuous.join("\n"));
}
