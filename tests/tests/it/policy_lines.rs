//! The policy as lines of a file, how rights were, and what a change would do: by the API and the
//! command line.

use chrono::{SecondsFormat, TimeDelta, Utc};
use ralex_tests::app::{Answer, App, Client, Dialect, Shell, text};
use reqwest::Method;
use serde_json::{Value, json};

const ALWAYS: &str = "0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z";

async fn lines(client: &Client) -> String {
    let answer = client.get("policies/export").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text
}

async fn import(client: &Client, lines: &str, more: Value) -> Answer {
    let mut wanted = json!({ "lines": lines });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post("policies/import", &wanted).await
}

/// As a moment of the server's database, a little after what was done last.
async fn moment(app: &App) -> String {
    app.database.texts("select to_json(clock_timestamp()) #>> '{}'").await.remove(0)
}

#[tokio::test]
async fn a_policy_goes_out_is_compared_and_comes_in_by_the_rules_of_giving() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let before = lines(&app.owner).await;
    assert!(before.contains(&format!("p, user:{}, default, role:viewer, /o/default", ann.id)));
    assert!(before.contains("g2, role:developer, perm:llm.invoke, default"), "{before}");
    assert_eq!(before, lines(&ann.client).await, "who may see roles may see them as lines");

    let more = format!(
        "{before}\ng2, role:own:watch, perm:call.read, default\n\
         g, user:ann@example.com, grp:night, default\n\
         p, grp:night, default, role:own:watch, /o/default/t/blue, allow, {ALWAYS}\n"
    );
    ann.client.post("policies/import", &json!({ "lines": more })).await.refused(403, "forbidden");
    let told = import(&app.owner, &more, json!({})).await.ok();
    assert_eq!((&told["applied"], &told["refused"]), (&json!(false), &json!([])), "{told}");
    assert_eq!(told["added"].as_array().unwrap().len(), 4, "{told}");
    assert_eq!(lines(&app.owner).await, before, "nothing was done");
    let stale = app.owner.request(Method::POST, "policies/import");
    let stale = stale.header("If-Policy-Version", "1");
    let stale = stale.json(&json!({ "lines": more, "apply": true }));
    app.owner.answered(stale).await.refused(412, "precondition_failed");
    let version = told["version"].to_string();
    let timely = app.owner.request(Method::POST, "policies/import");
    let timely = timely.header("If-Policy-Version", version);
    let done = app.owner.answered(timely.json(&json!({ "lines": more, "apply": true }))).await.ok();
    assert_eq!(done["applied"], json!(true));
    for action in ["role.created", "group.created", "group.member_added", "role.bound"] {
        let entries = app.owner.all(&format!("audit?action={action}")).await;
        assert!(!entries.is_empty(), "{action}");
    }

    let odd =
        format!("{more}\np, user:{}, default, role:viewer, /o/other, allow, {ALWAYS}", ann.id);
    let refused = import(&app.owner, &odd, json!({ "apply": true, "mode": "replace" })).await;
    let refused = refused.refused(422, "invalid_request");
    let place = format!("line {}", odd.lines().count());
    assert_eq!(refused["errors"][0]["path"], json!(place), "{refused}");
    let back = import(&app.owner, &before, json!({ "apply": true, "mode": "replace" })).await.ok();
    assert_eq!(back["removed"].as_array().unwrap().len(), 3, "{back}");
    let rest = |text: &str| text.lines().skip(1).map(ToOwned::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&lines(&app.owner).await), rest(&before));
}

#[tokio::test]
async fn the_command_line_exports_compares_imports_and_simulates() {
    let app = App::start().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.csv");
    let name = file.to_str().unwrap();
    shell.done(&format!("policy export --out {name}")).await;
    let said = shell.done(&format!("policy diff {name}")).await;
    assert!(said.contains("0 added, 0 removed") && said.contains("0 refused"), "{said}");
    let exported = std::fs::read_to_string(&file).unwrap();
    let line =
        format!("p, user:{}, default, role:billing, /o/default/t/blue, allow, {ALWAYS}", ann.id);
    std::fs::write(&file, format!("{exported}{line}\n")).unwrap();
    let said = shell.done(&format!("policy import {name}")).await;
    assert!(said.contains(&format!("+ {line}")) && said.contains("--apply"), "{said}");
    let said = shell.done(&format!("policy import {name} --apply")).await;
    assert!(said.ends_with("Done."), "{said}");
    let (code, said) = shell.says(&format!("policy import {name} --apply --if-version 1")).await;
    assert!(code == 1 && said.contains("somebody has changed them"), "{said}");
    std::fs::write(&file, exported.replace("allow", "Allow")).unwrap();
    let (code, said) = shell.says(&format!("policy diff {name}")).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("! line") && said.contains("neither `allow` nor `deny`"), "{said}");

    let then = "2000-01-01T00:00:00Z";
    let explain = "roles explain user:ann@example.com budget.set --scope team:blue";
    let (code, said) = shell.says(&format!("{explain} --at {then}")).await;
    assert!(code == 1 && said.contains("since when it is known"), "{said}");
    let now = moment(&app).await;
    let said = shell.done(&format!("{explain} --at {now}")).await;
    assert!(said.contains("could do budget.set"), "{said}");
    let said = shell.done(&format!("roles who-can budget.set --scope team:blue --at {now}")).await;
    assert!(said.contains("ann@example.com"), "{said}");
    let said = shell.done(&format!("roles bindings --at {now}")).await;
    assert!(said.contains("billing"), "{said}");
    assert!(shell.done("roles history").await.starts_with("known since 20"));
    let said = shell.done("policy simulate --deny user:ann@example.com=billing@team:blue").await;
    assert!(said.contains("0 would gain, 1 would lose") && said.contains("budget.set"), "{said}");
    assert_eq!(shell.says("policy simulate --bind nonsense").await.0, 1);
    assert_eq!(shell.says("policy simulate").await.0, 1);
}

#[tokio::test]
async fn who_could_and_why_is_told_after_all_of_it_is_gone() {
    let app = App::start().await;
    app.team("red").await;
    let ann = app.member("ann@example.com", "viewer", "team:red").await;
    let new = json!({ "subject": "user:ann@example.com", "role": "billing", "scope": "team:red" });
    let bound = app.owner.post("bindings", &new).await.ok();
    let then = moment(&app).await;
    app.owner.delete(&format!("bindings/{}", text(&bound, "id"))).await.ok();
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    app.owner.delete("teams/red").await.ok();

    let subject = format!("user:{}", ann.id);
    let asked =
        json!({ "subject": subject, "permission": "budget.set", "scope": "team:red", "at": then });
    let told = app.owner.post("access/explain", &asked).await.ok();
    assert_eq!((&told["allowed"], &told["reason"]), (&json!(true), &json!("role")), "{told}");
    assert_eq!(told["binding"]["id"], bound["id"]);
    let who = json!({ "permission": "budget.set", "scope": "team:red", "at": then });
    let able = app.owner.post("access/who-can", &who).await.ok();
    let able = able["items"].as_array().unwrap();
    assert!(able.iter().any(|it| it["subject"] == json!(subject)), "{able:?}");
    let path = format!("bindings?role=billing&at={}", then.replace('+', "%2B"));
    let listed = app.owner.get(&path).await.ok();
    assert_eq!(listed["items"][0]["scope"], json!("team:red"), "{listed}");

    let late = (Utc::now() + TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    for at in ["2000-01-01T00:00:00Z", late.as_str()] {
        let asked = json!({ "permission": "budget.set", "at": at });
        let refused = app.owner.post("access/who-can", &asked).await;
        let refused = refused.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], json!("at"));
    }
    let since = app.owner.get("access/history").await.ok();
    assert!(text(&since, "known_since").as_str() < then.as_str());
}

#[tokio::test]
async fn a_change_is_held_against_who_can_and_against_what_was_done() {
    let app = App::start().await;
    app.team("blue").await;
    let new = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    app.owner.post("service-accounts", &new).await.ok();
    let job = json!({ "name": "job", "service_account": "nightly" });
    let job = app.token_of(&job).await;
    for _ in 0..3 {
        let answer = job.client.call(Dialect::Messages, "simulated", "Hello").await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let before = app.owner.get("access/history").await.header("policy-version").map(str::to_owned);
    let program = "service_account:nightly";
    let denied = json!({ "subject": program, "role": "developer", "effect": "deny" });
    let bound =
        json!({ "subject": "user:ann@example.com", "role": "billing", "scope": "team:blue" });
    let told = ann.client.post("access/simulate", &json!({ "bind": [denied, bound] })).await.ok();
    assert_eq!((&told["gaining"], &told["losing"]), (&json!(1), &json!(1)), "{told}");
    let uses = &told["uses"];
    assert_eq!((&uses["recorded"], &uses["refused"]), (&json!(3), &json!(3)), "{uses}");
    let by = &uses["by"][0];
    assert_eq!((&by["subject"], &by["scope"]), (&json!(program), &json!("team:blue")));
    let gain = told["changes"].as_array().unwrap().iter().find(|it| it["subject"] != program);
    assert!(gain.unwrap()["gains"].as_array().unwrap().contains(&json!("budget.set")), "{told}");
    let after = app.owner.get("access/history").await.header("policy-version").map(str::to_owned);
    assert_eq!(before, after, "nothing was written");
    assert_eq!(job.client.call(Dialect::Messages, "simulated", "Hello").await.status, 200);

    for (odd, path) in [
        (json!({}), "bind"),
        (json!({ "bind": [bound], "days": 0 }), "days"),
        (json!({ "unbind": ["01a205c3-fefc-70d9-bf0d-4016a9cfb51f"] }), "unbind[0]"),
        (json!({ "roles": [{ "name": "viewer", "permissions": ["org.read"] }] }), "roles[0].name"),
    ] {
        let refused = app.owner.post("access/simulate", &odd).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], json!(path), "{refused}");
    }
}
