//! Roles given and denied over the API, to people and programs.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_tests::app::{App, Person, Shell, text, until};
use serde_json::{Value, json};

/// Until a person is answered with this status, on a node that learns of changes within a second.
async fn answers(person: &Person, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(1), async || {
        (person.client.get(path).await.status == status).then_some(())
    })
    .await;
}

fn binding(subject: &str, role: &str, scope: &str) -> Value {
    json!({ "subject": subject, "role": role, "scope": scope })
}

#[tokio::test]
async fn a_role_is_given_for_a_time_listed_and_taken_away() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    assert_eq!(ann.client.get("tokens").await.status, 403);
    let end = Utc::now() + TimeDelta::hours(1);
    let mut new = binding("user:ann@example.com", "developer", "org");
    new["expires_at"] = json!(end);
    let made = app.owner.post("bindings", &new).await.ok();
    answers(&ann, "tokens", 200).await;
    assert_eq!(
        (&made["subject_name"], &made["effect"]),
        (&json!("ann@example.com"), &json!("allow"))
    );
    assert_eq!(made["created_by"], json!("owner@example.com"));
    assert_eq!(app.owner.post("bindings", &new).await.status, 409, "the same once more");

    let of = async |query: &str| app.owner.get(&format!("bindings?{query}")).await;
    let count = |page: Value| page["items"].as_array().unwrap().len();
    assert_eq!(count(of("subject=user:ann@example.com").await.ok()), 2);
    assert_eq!(count(of("role=developer").await.ok()), 1);
    assert_eq!(count(of("scope=team:blue").await.ok()), 0);
    app.owner.post("bindings", &binding("user:ann@example.com", "billing", "team:blue")).await.ok();
    assert_eq!(count(of("scope=team:blue").await.ok()), 1);
    let first = of("limit=2").await.ok();
    let rest = of(&format!("limit=2&cursor={}", text(&first, "next_cursor"))).await.ok();
    assert_eq!((count(first), count(rest)), (2, 2));

    app.owner.delete(&format!("bindings/{}", text(&made, "id"))).await.ok();
    answers(&ann, "tokens", 403).await;
    let gone = app.owner.delete(&format!("bindings/{}", text(&made, "id"))).await;
    assert_eq!(gone.status, 404);
    let log = app.owner.all("audit?action=role.*").await;
    let said = log.iter().find(|it| it["record"]["detail"]["binding"] == made["id"]).unwrap();
    assert!(said["action"] == "role.unbound", "{said}");
}

#[tokio::test]
async fn a_denial_beats_every_role_and_outlasts_leaving() {
    let app = App::start().await;
    let mut ann = app.member("ann@example.com", "admin", "org").await;
    let sam = app.member("sam@example.com", "security", "org").await;
    assert_eq!(ann.client.get("budgets").await.status, 200);
    let mut denial = binding("user:ann@example.com", "billing", "org");
    denial["effect"] = json!("deny");
    assert_eq!(ann.client.post("bindings", &denial).await.status, 403, "an admin may not deny");
    let made = sam.client.post("bindings", &denial).await.ok();
    answers(&ann, "budgets", 403).await;
    assert_eq!(ann.client.get("tokens").await.status, 200, "what else she holds stays");
    let taken = ann.client.delete(&format!("bindings/{}", text(&made, "id"))).await;
    assert_eq!(taken.status, 403, "nor take it away");

    // She leaves and comes back, and is as denied as before.
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    let again = json!({ "email": "ann@example.com", "name": "Ann", "role": "admin" });
    let added = app.owner.post("members", &again).await.ok();
    ann.client = app.anonymous().login(&ann.email, &ann.password).await;
    ann.client.accept(&added["invitation"]).await;
    answers(&ann, "tokens", 200).await;
    assert_eq!(ann.client.get("budgets").await.status, 403);
    sam.client.delete(&format!("bindings/{}", text(&made, "id"))).await.ok();
    answers(&ann, "budgets", 200).await;
}

#[tokio::test]
async fn the_rules_of_giving_hold() {
    let app = App::start().await;
    app.team("blue").await;
    app.team("red").await;
    let lead = app.member("lead@example.com", "team_admin", "team:blue").await;
    app.member("ann@example.com", "viewer", "org").await;
    let give = async |role: &str, scope: &str| {
        lead.client.post("bindings", &binding("user:ann@example.com", role, scope)).await
    };
    assert_eq!(give("developer", "team:blue").await.status, 201);
    assert_eq!(give("developer", "team:red").await.status, 403);
    assert_eq!(give("developer", "org").await.status, 403);
    let more = give("auditor", "team:blue").await;
    assert!(more.status == 403 && more.text.contains("grant_exceeds_own"), "{more:?}");

    let owner = async |new: Value| app.owner.post("bindings", &new).await;
    let auditor = owner(binding("user:ann@example.com", "auditor", "org")).await;
    assert!(auditor.status == 409 && auditor.text.contains("exclude each other"), "{auditor:?}");
    let me = app.owner.get("/api/v1/me").await.ok();
    let me = format!("user:{}", text(&me["user"], "id"));
    let mut denial = binding(&me, "viewer", "org");
    denial["effect"] = json!("deny");
    let last = owner(denial).await;
    assert!(last.status == 409 && last.text.contains("last_owner"), "{last:?}");
    for (new, field) in [
        (binding("user:nobody@example.com", "viewer", "org"), "subject"),
        (binding("ann@example.com", "viewer", "org"), "subject"),
        (binding("service_account:nothing", "viewer", "org"), "subject"),
        (binding("user:ann@example.com", "nothing", "org"), "role"),
        (binding("user:ann@example.com", "service", "org"), "role"),
        (binding("user:ann@example.com", "viewer", "everywhere"), "scope"),
    ] {
        let answer = owner(new).await;
        let problem = answer.problem();
        assert_eq!(
            (answer.status, &problem["errors"][0]["path"]),
            (422, &json!(field)),
            "{answer:?}"
        );
    }
    let mut late = binding("user:ann@example.com", "billing", "org");
    late["expires_at"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(owner(late).await.problem()["errors"][0]["path"], "expires_at");
}

#[tokio::test]
async fn a_program_holds_what_it_is_given_beyond_its_home() {
    let app = App::start().await;
    app.team("blue").await;
    let new = json!({ "slug": "terraform", "name": "Terraform", "team": "blue" });
    app.owner.post("service-accounts", &new).await.ok();
    let token = app.token_of(&json!({ "name": "one", "service_account": "terraform" })).await;
    assert_eq!(token.client.get("budgets").await.status, 403);
    app.owner.post("bindings", &binding("service_account:terraform", "billing", "org")).await.ok();
    until("it may", Duration::from_secs(1), async || {
        (token.client.get("budgets").await.status == 200).then_some(())
    })
    .await;
    let budget = json!({ "scope": "team:blue", "period": "month", "limit": "5", "hard": true });
    token.client.post("budgets", &budget).await.ok();
    let said = app.owner.all("audit?action=budget.created").await.remove(0);
    assert_eq!(said["actor_name"], "Terraform");
    let owner =
        app.owner.post("bindings", &binding("service_account:terraform", "owner", "org")).await;
    assert_eq!(owner.problem()["errors"][0]["path"], "role");
    // Whoever makes it a token acts as it, so its home's admins make none that can do more than they.
    let lead = app.member("lead@example.com", "team_admin", "team:blue").await;
    let mine = json!({ "name": "mine", "service_account": "terraform" });
    lead.client.post("tokens", &mine).await.refused(403, "forbidden");
    let plain = json!({ "slug": "plain", "name": "Plain", "team": "blue" });
    lead.client.post("service-accounts", &plain).await.ok();
    let own = json!({ "name": "own", "service_account": "plain" });
    lead.client.post("tokens", &own).await.ok();
    let next = app.token_of(&json!({ "name": "two", "service_account": "terraform" })).await;
    assert_eq!(next.client.get("budgets").await.status, 200, "by whichever token");
}

#[tokio::test]
async fn roles_are_given_from_a_command_line() {
    let app = App::start().await;
    app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    let (code, said) = shell.says("roles list").await;
    assert!(code == 0 && said.contains("auditor") && said.contains("Team admin"), "{said}");
    let (code, said) = shell.says("role show billing").await;
    assert!(code == 0 && said.contains("budget.set"), "{said}");
    let until = (Utc::now() + TimeDelta::hours(4)).format("%Y-%m-%dT%H:%M:%SZ");
    let line = format!("roles bind user:ann@example.com billing --until {until} --json");
    let (code, said) = shell.says(&line).await;
    assert_eq!(code, 0, "{said}");
    let made: Value = serde_json::from_str(&said).unwrap();
    let (_, said) = shell.says("roles bindings --of user:ann@example.com").await;
    assert!(said.contains("viewer") && said.contains(&text(&made, "id")), "{said}");
    let (code, said) = shell.says("roles bind user:ann@example.com developer --deny").await;
    assert!(code == 0 && said.contains("deny"), "{said}");
    let (code, said) = shell.says(&format!("roles unbind {}", text(&made, "id"))).await;
    assert!(code == 0 && said.contains("no longer"), "{said}");
    let (_, said) = shell.says("roles explain user:ann@example.com llm.invoke").await;
    assert!(said.contains("may not do llm.invoke") && said.contains("deny"), "{said}");
    let (_, said) = shell.says("roles who-can budget.set").await;
    assert!(said.contains("owner@example.com") && !said.contains("ann@"), "{said}");
    assert_eq!(shell.says("roles show nothing").await.0, 1);
}

#[tokio::test]
async fn why_somebody_may_and_who_can_is_told_as_it_is_decided() {
    let app = App::start().await;
    let blue = app.token("blue").await;
    app.team("red").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let new = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    app.owner.post("service-accounts", &new).await.ok();
    let why = async |subject: &str, permission: &str, scope: &str| -> Value {
        let asked = json!({ "subject": subject, "permission": permission, "scope": scope });
        ann.client.post("access/explain", &asked).await.ok()
    };
    let not = why("user:ann@example.com", "llm.invoke", "team:blue").await;
    assert_eq!((&not["allowed"], &not["reason"]), (&json!(false), &json!("not_held")));
    assert!(not["roles"].as_array().unwrap().contains(&json!("developer")), "{not}");
    let given = binding("user:ann@example.com", "developer", "team:blue");
    let given = app.owner.post("bindings", &given).await.ok();
    let may = why("user:ann@example.com", "llm.invoke", "team:blue").await;
    assert_eq!((&may["reason"], &may["binding"]["id"]), (&json!("role"), &given["id"]));
    assert_eq!(
        why("user:ann@example.com", "llm.invoke", "team:red").await["allowed"],
        json!(false)
    );
    let home = why("service_account:nightly", "llm.invoke", "team:blue").await;
    assert_eq!((&home["allowed"], &home["reason"]), (&json!(true), &json!("home")));

    let who = async |limit: u32, cursor: Value| -> (Vec<String>, Value) {
        let mut asked = json!({ "permission": "llm.invoke", "scope": "team:blue", "limit": limit });
        if cursor.is_string() {
            asked["cursor"] = cursor;
        }
        let page = ann.client.post("access/who-can", &asked).await.ok();
        let names = page["items"].as_array().unwrap().iter().map(|it| text(it, "subject_name"));
        (names.collect(), page["next_cursor"].clone())
    };
    let (all, _) = who(50, Value::Null).await;
    assert_eq!(all, ["Nightly", "blue", "owner@example.com", "ann@example.com"]);
    let (first, cursor) = who(3, Value::Null).await;
    let (rest, end) = who(3, cursor).await;
    assert_eq!(([first, rest].concat(), end), (all, Value::Null));

    let mut denial = binding("user:ann@example.com", "developer", "org");
    denial["effect"] = json!("deny");
    app.owner.post("bindings", &denial).await.ok();
    let off = json!({ "disabled": true });
    app.owner.patch("service-accounts/nightly", &off).await.ok();
    app.owner.delete(&format!("tokens/{}", blue.id)).await.ok();
    // What was denied is all that the role allows, seeing roles among it: the owner asks from here on.
    let asked = json!({ "subject": "user:ann@example.com", "permission": "llm.invoke",
        "scope": "team:blue" });
    let denied = app.owner.post("access/explain", &asked).await.ok();
    assert_eq!(
        (&denied["reason"], &denied["binding"]["effect"]),
        (&json!("denied"), &json!("deny"))
    );
    let asked = json!({ "permission": "llm.invoke", "scope": "team:blue" });
    let left = app.owner.post("access/who-can", &asked).await.ok();
    assert_eq!(left["items"].as_array().unwrap().len(), 1, "{left}");
    let nonsense = json!({ "subject": "user:ann@example.com", "permission": "fly" });
    let problem = app.owner.post("access/explain", &nonsense).await.problem();
    assert_eq!(problem["errors"][0]["path"], "permission");
}
