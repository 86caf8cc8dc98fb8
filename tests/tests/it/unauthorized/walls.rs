//! What is another organisation's, and what has ended: neither opens anything, nor tells that it is there.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_tests::app::{Answer, Client, text, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::needs::Needs::{Ask, Call, More, MoreOn, Nothing, Operator, Person, Read};
use super::world::{World, fill};
use super::{body, needs, refused, things};
use crate::operations::{Operation, operations};

/// An organisation beside the first, whose only owner is this person.
pub async fn other_org(world: &World, person: &ralex_tests::app::Person) -> String {
    let (org, binding, user) = (Uuid::now_v7(), Uuid::now_v7(), &person.id);
    let sql = format!(
        "insert into org (id, slug, name) values ('{org}', 'other', 'Other');
         insert into membership (org_id, user_id) values ('{org}', '{user}');
         insert into binding (org_id, id, subject_kind, subject_id, role, created_by)
         values ('{org}', '{binding}', 'user', '{user}', 'owner', 'system');
         insert into policy_version (org_id) values ('{org}');"
    );
    world.app.database.execute(&sql).await;
    let known = async || {
        let teams = format!("/api/v1/orgs/{org}/teams");
        (person.client.get(&teams).await.status == 200).then_some(())
    };
    until("the organisation is known", Duration::from_secs(3), known).await;
    org.to_string()
}

/// An id, or a name, of the same form that nothing has.
pub fn nobodys(id: &str) -> String {
    let fresh = Uuid::now_v7();
    let prefix = ["file-", "batch_", "resp_"].into_iter().find(|it| id.starts_with(it));
    match (id.parse::<Uuid>(), prefix) {
        (Ok(_), _) => fresh.to_string(),
        (Err(_), Some(prefix)) => format!("{prefix}{}", fresh.simple()),
        (Err(_), None) => format!("nobodys-{}", fresh.simple()),
    }
}

/// What is said, without what differs by itself: what was asked for, and which request it was.
fn said(answer: &Answer, slots: &[(String, String)]) -> Value {
    // Some dialects say it within.
    let mut text = answer.text.replace(answer.header("x-request-id").unwrap_or("-"), "REQUEST");
    for (_, id) in slots {
        text = text.replace(id.as_str(), "ID");
    }
    let mut said: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if let Some(fields) = said.as_object_mut() {
        fields.remove("request_id");
        fields.remove("instance");
    }
    json!({ "status": answer.status, "said": said })
}

/// A token for calls in an organisation, of a team of its own.
async fn caller(person: &Client, org: &str) -> Client {
    let team = json!({ "slug": "outer", "name": "Outer" });
    person.post(&format!("/api/v1/orgs/{org}/teams"), &team).await.ok();
    let new = json!({ "name": "calls", "team": "outer" });
    let made = person.post(&format!("/api/v1/orgs/{org}/tokens"), &new).await.ok();
    person.with(&text(&made, "token"))
}

/// A thing that is not there for who may see it: otherwise nobody's id would be compared with nobody's.
async fn missing(world: &World, operation: &Operation) -> Option<String> {
    // What the provider keeps is asked of it; a report is there once it is made, a certificate rests
    // on what two people did.
    let elsewhere = ["/v1/responses/", "/content", "/download", "/erasures/"];
    let is_seen = operation.method == Method::GET && needs(operation) != Nothing;
    if !is_seen || elsewhere.iter().any(|it| operation.path.contains(it)) {
        return None;
    }
    let own = if needs(operation) == Call { &world.caller } else { &world.app.owner };
    let answer = world.ask(operation, own).await;
    (answer.status != 200).then(|| format!("{} is not there: {answer:?}", operation.name))
}

/// One whose path names a thing that is somebody's.
fn names_a_thing(slots: &[(String, String)]) -> bool {
    // Codes of programs are whose they are shown to; tiles are numbered in every log alike.
    let nobodys = ["org", "user_code", "level", "index"];
    slots.iter().any(|(slot, _)| !nobodys.contains(&slot.as_str()))
}

#[tokio::test]
async fn what_another_organisation_has_is_as_if_it_were_not() {
    let world = World::new().await;
    let person = world.app.member("both@example.com", "viewer", "org").await;
    let other = other_org(&world, &person).await;
    world.app.owner.delete(&format!("members/{}", person.id)).await.ok();
    until("the membership ended", Duration::from_secs(1), async || {
        (person.client.get("teams").await.status == 404).then_some(())
    })
    .await;
    let calls = caller(&person.client, &other).await;
    let before = things(&world.app).await;
    let (mut asked, mut leaks) = (0, Vec::new());
    for operation in operations() {
        let mut slots = world.slots(&operation);
        if !names_a_thing(&slots) {
            continue;
        }
        asked += 1;
        leaks.extend(missing(&world, &operation).await);
        slots.retain(|(slot, _)| slot != "org");
        let none: Vec<_> = slots.iter().map(|(slot, id)| (slot.clone(), nobodys(id))).collect();
        let body = operation.spec.get("requestBody").map(|_| body(&operation.name));
        let client = if needs(&operation) == Call { &calls } else { &person.client };
        let ask = async |slots: &[(String, String)]| {
            let path = fill(&operation.path.replace("{org}", &other), slots);
            let answer = client.send(operation.method.clone(), &path, body.as_ref()).await;
            said(&answer, slots)
        };
        let (theirs, nobodys) = (ask(&slots).await, ask(&none).await);
        // What is left out ends like what was never there, and a login ends at its page; nothing else succeeds.
        let is_ok = theirs["status"].as_u64().is_some_and(|status| status < 300);
        let may = operation.method == Method::DELETE || needs(&operation) == Nothing;
        if theirs != nobodys || (is_ok && !may) {
            leaks.push(format!("{}: {theirs} where nobody's is {nobodys}", operation.name));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    assert!(asked > 120, "{asked}");
    assert_eq!(before, things(&world.app).await);
}

/// Names of places that there are, and of the same that there are not.
const PLACES: [(&str, [&str; 2]); 4] = [
    ("team", ["blue", "nobodys"]),
    ("project", ["web", "nobodys"]),
    ("service_account", ["nightly", "nobodys"]),
    ("scope", ["team:blue", "team:nobodys"]),
];

/// What a stranger is told who asks for a place, in an organisation that there is or is not.
async fn told(
    world: &World,
    (operation, stranger): (&Operation, &ralex_tests::app::Person),
    (org, slot, place): (&str, &str, &str),
) -> Value {
    let mut slots = world.slots(operation);
    for (name, id) in &mut slots {
        match name.as_str() {
            "org" => org.clone_into(id),
            name if name == slot => place.clone_into(id),
            _ => {}
        }
    }
    let mut path = fill(&operation.path, &slots);
    let asked = operation.spec["parameters"].as_array().into_iter().flatten();
    if asked.clone().any(|it| it["in"] == "query" && it["name"] == slot) {
        path = format!("{path}?{slot}={place}");
    }
    let mut body = operation.spec.get("requestBody").map(|_| body(&operation.name));
    if operation.fields.iter().any(|it| it == slot)
        && let Some(body) = body.as_mut().and_then(Value::as_object_mut)
    {
        body.insert(slot.to_owned(), json!(place));
    }
    let answer = stranger.client.send(operation.method.clone(), &path, body.as_ref()).await;
    said(&answer, &[])
}

#[tokio::test]
async fn a_stranger_is_told_of_no_place_in_an_organisation() {
    let world = World::new().await;
    let stranger = world.app.member("left@example.com", "admin", "org").await;
    world.app.owner.delete(&format!("members/{}", stranger.id)).await.ok();
    until("the membership ended", Duration::from_secs(1), async || {
        (stranger.client.get("teams").await.status == 404).then_some(())
    })
    .await;
    let mut asked = 0;
    for operation in operations() {
        if !matches!(needs(&operation), Read | Ask | More | MoreOn) {
            continue;
        }
        for (slot, places) in PLACES {
            let named = operation.path.contains(&format!("{{{slot}}}"))
                || operation.fields.iter().any(|it| it == slot)
                || operation.spec["parameters"].as_array().is_some_and(|all| {
                    all.iter().any(|it| it["in"] == "query" && it["name"] == slot)
                });
            if !named {
                continue;
            }
            for place in places {
                asked += 1;
                let ask = (&operation, &stranger);
                let there = told(&world, ask, ("default", slot, place)).await;
                let nowhere = told(&world, ask, ("nowhere", slot, place)).await;
                assert_eq!(there, nowhere, "{} of {slot} {place}", operation.name);
                assert_eq!(there["status"], 404, "{}: {there}", operation.name);
            }
        }
    }
    assert!(asked > 60, "{asked}");
    // Nor by what is said of a body or of a query that cannot be read.
    let unread = Some(json!({ "not": "this" }));
    let asks = [(Method::POST, "teams", unread), (Method::GET, "audit?limit=many", None)];
    for (method, path, body) in asks {
        for org in ["default", "nowhere"] {
            for _ in 0..20 {
                let path = format!("/api/v1/orgs/{org}/{path}");
                let answer = stranger.client.send(method.clone(), &path, body.as_ref()).await;
                answer.refused(404, "not_found");
            }
        }
    }
}

#[tokio::test]
async fn what_was_given_for_a_while_opens_nothing_once_it_is_over() {
    let world = World::new().await;
    let person = world.app.member("while@example.com", "viewer", "org").await;
    let end = Utc::now() + TimeDelta::seconds(2);
    let new = json!({ "subject": "user:while@example.com", "role": "owner", "expires_at": end });
    world.app.owner.post("bindings", &new).await.ok();
    until("it holds", Duration::from_secs(1), async || {
        (person.client.get("scim").await.status == 200).then_some(())
    })
    .await;
    until("it is over", Duration::from_secs(4), async || {
        (person.client.get("scim").await.status == 403).then_some(())
    })
    .await;
    let before = things(&world.app).await;
    for operation in operations() {
        let ask = world.ask(&operation, &person.client);
        match needs(&operation) {
            Nothing | Person => {}
            Read => assert_eq!(ask.await.status, 200, "{}", operation.name),
            Ask => assert_eq!(ask.await.status, 201, "{}", operation.name),
            More | MoreOn | Call | Operator => refused(&operation, &ask.await, 403),
        }
    }
    assert_eq!(before, things(&world.app).await);
}
