//! What every operation answers to everyone: the table `matrix.txt`, so that a change of it is read as one.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_tests::app::{Answer, Client, Person, checkout, text, until};
use serde_json::json;

use super::needs::Needs::{self, Call, Nothing, Person as Signed};
use super::walls::other_org;
use super::world::World;
use super::{needs, things};
use crate::operations::operations;

const TABLE: &str = "tests/tests/it/unauthorized/matrix.txt";

/// The callers, in the table's order.
const CALLERS: [&str; 7] =
    ["anonymous", "no-org", "other-owner", "no-role", "ended", "team-token", "viewer"];

/// A member, with what was given to them by name taken away.
async fn without_role(world: &World, email: &str) -> Person {
    let person = world.app.member(email, "viewer", "org").await;
    let given = world.app.owner.all(&format!("bindings?subject=user:{email}")).await;
    assert_eq!(given.len(), 1, "{given:?}");
    world.app.owner.delete(&format!("bindings/{}", text(&given[0], "id"))).await.ok();
    person
}

/// Waits until somebody may look at something, or may not any more.
async fn sees(person: &Person, path: &str, may: bool) {
    until("the change is known", Duration::from_secs(5), async || {
        ((person.client.get(path).await.status == 200) == may).then_some(())
    })
    .await;
}

/// A member whose only role was for a while, which is over.
async fn ended(world: &World) -> Person {
    let person = without_role(world, "while@example.com").await;
    let end = Utc::now() + TimeDelta::seconds(2);
    let new = json!({ "subject": "user:while@example.com", "role": "owner", "expires_at": end });
    world.app.owner.post("bindings", &new).await.ok();
    sees(&person, "scim", true).await;
    sees(&person, "scim", false).await;
    person
}

async fn callers(world: &World) -> Vec<Client> {
    let app = &world.app;
    let stranger = app.member("left@example.com", "admin", "org").await;
    let beside = app.member("beside@example.com", "viewer", "org").await;
    let none = without_role(world, "none@example.com").await;
    other_org(world, &beside).await;
    for person in [&stranger, &beside] {
        app.owner.delete(&format!("members/{}", person.id)).await.ok();
        sees(person, "teams", false).await;
    }
    sees(&none, "teams", false).await;
    let ended = ended(world).await;
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    let people = [stranger.client, beside.client, none.client, ended.client];
    let mut callers = vec![app.anonymous()];
    callers.extend(people);
    callers.extend([world.caller.clone(), viewer.client]);
    callers
}

/// The status, and the code where it is a refusal.
fn outcome(answer: &Answer) -> String {
    if answer.status < 400 {
        return answer.status.to_string();
    }
    let said = serde_json::from_str::<serde_json::Value>(&answer.text).unwrap_or_default();
    let codes = ["/code", "/error/code", "/error/status", "/error/type"];
    let code = codes.iter().find_map(|at| said.pointer(at)?.as_str());
    format!("{} {}", answer.status, code.unwrap_or("-")).trim_end().to_owned()
}

/// Whether the caller is asked: not for one's own things, nor for what a token of a team is for.
fn is_asked(needs: Needs, caller: &str) -> bool {
    match needs {
        Nothing => false,
        Signed => caller == "anonymous",
        Call => caller != "team-token",
        _ => true,
    }
}

/// Whom no role lets through: anything but a refusal is a hole, whatever the table says.
fn is_outside(caller: &str) -> bool {
    !["viewer", "team-token"].contains(&caller)
}

#[tokio::test]
async fn everyone_is_answered_as_the_table_says() {
    let world = World::new().await;
    let callers = callers(&world).await;
    let before = things(&world.app).await;
    let mut table = format!("operation | {}\n", CALLERS.join(" | "));
    for operation in operations() {
        let needs = needs(&operation);
        let mut row = operation.name.clone();
        for (caller, client) in CALLERS.iter().zip(&callers) {
            if !is_asked(needs, caller) {
                row += " | .";
                continue;
            }
            let answer = world.ask(&operation, client).await;
            let is_open = answer.status < 400 && is_outside(caller) && needs != Call;
            assert!(!is_open, "{} for {caller}: {answer:?}", operation.name);
            write!(row, " | {}", outcome(&answer)).unwrap();
        }
        if needs != Nothing {
            writeln!(table, "{row}").unwrap();
        }
    }
    assert_eq!(before, things(&world.app).await);
    compare(&checkout().join(TABLE), &table);
}

/// Writes the table anew where `WRITE_MATRIX` is set, to be read as a diff.
fn compare(path: &Path, table: &str) {
    if std::env::var_os("WRITE_MATRIX").is_some() {
        std::fs::write(path, table).unwrap();
    }
    let agreed = std::fs::read_to_string(path).unwrap_or_default();
    let (old, new): (Vec<_>, Vec<_>) = (agreed.lines().collect(), table.lines().collect());
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let come: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    let hint = "where it is meant, run this test with WRITE_MATRIX=1 and look at the diff";
    assert!(gone.is_empty() && come.is_empty(), "{hint}\nwas {gone:#?}\nis {come:#?}");
}
