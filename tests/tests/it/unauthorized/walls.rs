//! What is another organisation's, and what has ended: neither opens anything, nor tells that it is there.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_tests::app::{Answer, until};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::needs::Needs::{Ask, Call, More, MoreOn, Nothing, Operator, Person, Read};
use super::{World, body, needs, refused, things};
use crate::operations::{Operation, operations};

/// An organisation beside the first, whose only owner is this person.
async fn other_org(world: &World, person: &ralex_tests::app::Person) -> String {
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
fn nobodys(id: &str) -> String {
    match id.parse::<Uuid>() {
        Ok(_) => Uuid::now_v7().to_string(),
        Err(_) => format!("nobodys-{}", Uuid::now_v7().simple()),
    }
}

/// The operation's path in an organisation, with what stands in its slots.
fn path(operation: &Operation, org: &str, slots: &[(&str, String)]) -> String {
    let path = operation.path.replace("{org}", org);
    slots.iter().fold(path, |path, (name, id)| path.replace(&format!("{{{name}}}"), id))
}

/// What is said, without what differs by itself: what was asked for, and which request it was.
fn said(answer: &Answer, slots: &[(&str, String)]) -> Value {
    let mut text = answer.text.clone();
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
    let before = things(&world.app).await;
    let mut asked = 0;
    for operation in operations() {
        let slots: Vec<(&str, String)> = world
            .ids
            .iter()
            .filter(|(name, _)| **name != "org" && operation.path.contains(&format!("{{{name}}}")))
            .map(|(name, id)| (*name, id.clone()))
            .collect();
        // Tiles of a log are numbered in every organisation alike.
        let is_numbered = slots.iter().any(|(name, _)| ["level", "index"].contains(name));
        if !operation.path.contains("{org}") || slots.is_empty() || is_numbered {
            continue;
        }
        asked += 1;
        let none: Vec<_> = slots.iter().map(|(name, id)| (*name, nobodys(id))).collect();
        let body = operation.spec.get("requestBody").map(|_| body(&operation.name));
        let ask = async |slots: &[(&str, String)]| {
            let path = path(&operation, &other, slots);
            let answer = person.client.send(operation.method.clone(), &path, body.as_ref()).await;
            said(&answer, slots)
        };
        let (theirs, nobodys) = (ask(&slots).await, ask(&none).await);
        assert_eq!(theirs, nobodys, "{}", operation.name);
        // What is left out ends like what was never there, and a login ends at its page; nothing else succeeds.
        let is_ok = theirs["status"].as_u64().is_some_and(|status| status < 300);
        let may = operation.method == Method::DELETE || matches!(needs(&operation), Nothing);
        assert!(!is_ok || may, "{}: {theirs}", operation.name);
    }
    assert!(asked > 60, "{asked}");
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
    let slots: Vec<(&str, String)> = world
        .ids
        .iter()
        .map(|(name, id)| (*name, if *name == slot { place.to_owned() } else { id.clone() }))
        .collect();
    let mut path = path(operation, org, &slots);
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
