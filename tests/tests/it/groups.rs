//! Groups, and roles of the organisation's own, over the API and the command line.

use std::time::Duration;

use ralex_tests::app::{Answer, App, Client, Person, Shell, text, until};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

fn binding(subject: &str, role: &str, scope: &str) -> Value {
    json!({ "subject": subject, "role": role, "scope": scope })
}

fn denial(subject: &str, role: &str) -> Value {
    json!({ "subject": subject, "role": role, "effect": "deny" })
}

/// Until a person is answered with this status, on a node that learns of changes within a second.
async fn answers(person: &Person, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(1), async || {
        (person.client.get(path).await.status == status).then_some(())
    })
    .await;
}

async fn group(app: &App, slug: &str) {
    app.owner.post("groups", &json!({ "slug": slug, "name": slug })).await.ok();
}

async fn add(by: &Client, group: &str, email: &str) -> Answer {
    let new = json!({ "subject": format!("user:{email}") });
    by.post(&format!("groups/{group}/members"), &new).await
}

fn role(name: &str, permissions: &[&str], includes: &[&str]) -> Value {
    json!({ "name": name, "title": name, "permissions": permissions, "includes": includes })
}

#[tokio::test]
async fn what_a_group_is_given_its_people_have_while_they_are_in_it() {
    let app = App::start().await;
    app.team("blue").await;
    group(&app, "money").await;
    let ann = app.member("ann@example.com", "viewer", "team:blue").await;
    app.owner.post("bindings", &binding("group:money", "billing", "org")).await.ok();
    assert_eq!(ann.client.get("overview").await.status, 403);
    let join = json!({ "subject": "user:ann@example.com" });
    let joined = app.owner.post("groups/money/members", &join).await.ok();
    assert_eq!(joined["user"]["email"], "ann@example.com");
    app.owner.post("groups/money/members", &join).await.ok();
    answers(&ann, "overview", 200).await;

    let member = app.owner.all("members").await;
    let member = member.iter().find(|it| it["user"]["email"] == "ann@example.com").unwrap();
    let held = json!({ "role": "billing", "scope": "org", "group": "money" });
    assert!(member["roles"].as_array().unwrap().contains(&held), "{member}");
    let asked = json!({ "subject": "user:ann@example.com", "permission": "budget.set" });
    let told = app.owner.post("access/explain", &asked).await.ok();
    assert_eq!(
        (&told["allowed"], &told["binding"]["subject"]),
        (&json!(true), &json!("group:money"))
    );
    let who = app.owner.post("access/who-can", &json!({ "permission": "budget.set" })).await.ok();
    let who = who["items"].as_array().unwrap();
    assert!(who.iter().any(|it| it["subject_name"] == "ann@example.com"), "{who:?}");
    let shown = app.owner.get("groups/money").await.ok();
    assert_eq!((&shown["members"], &shown["bindings"]), (&json!(1), &json!(1)));

    let path = format!("groups/money/members/{}", ann.id);
    app.owner.delete(&path).await.ok();
    answers(&ann, "overview", 403).await;
    app.owner.delete(&path).await.ok();
    app.owner.post("groups/money/members", &join).await.ok();
    answers(&ann, "overview", 200).await;
    app.owner.delete("groups/money").await.ok();
    answers(&ann, "overview", 403).await;
    let left = app.owner.get("bindings?role=billing").await.ok();
    assert_eq!(left["items"], json!([]), "what it was given went with it");
}

#[tokio::test]
async fn a_group_is_no_way_around_the_rules_of_giving() {
    let app = App::start().await;
    for slug in ["bosses", "builders", "checked"] {
        group(&app, slug).await;
    }
    let adm = app.member("adm@example.com", "admin", "org").await;
    let sec = app.member("sec@example.com", "security", "org").await;
    app.member("ann@example.com", "developer", "org").await;
    let give = async |by: &Client, new: Value| by.post("bindings", &new).await;
    give(&app.owner, binding("group:bosses", "security", "org")).await.ok();
    add(&adm.client, "bosses", "ann@example.com").await.refused(403, "grant_exceeds_own");
    add(&adm.client, "bosses", "adm@example.com").await.refused(403, "grant_exceeds_own");
    // By name an admin makes developers of others, not of groups that they are in themselves.
    add(&adm.client, "builders", "adm@example.com").await.ok();
    let builders = binding("group:builders", "developer", "org");
    give(&adm.client, builders.clone()).await.refused(403, "grant_exceeds_own");
    let own = format!("groups/builders/members/{}", adm.id);
    adm.client.delete(&own).await.ok();
    give(&adm.client, builders).await.ok();
    add(&adm.client, "builders", "adm@example.com").await.refused(403, "grant_exceeds_own");
    add(&adm.client, "builders", "sec@example.com").await.ok();
    // Nor is anybody taken out of what one could not put them into, nor the whole of it deleted.
    add(&app.owner, "bosses", "ann@example.com").await.ok();
    let ann = app.owner.get("groups/bosses/members").await.ok();
    let ann = text(&ann["items"][0]["user"], "id");
    let out = adm.client.delete(&format!("groups/bosses/members/{ann}")).await;
    out.refused(403, "grant_exceeds_own");
    adm.client.delete("groups/bosses").await.refused(403, "grant_exceeds_own");
    // A denial by a group is one: who may not deny lets nobody in or out.
    give(&sec.client, denial("group:checked", "billing")).await.ok();
    add(&adm.client, "checked", "ann@example.com").await.refused(403, "forbidden");
    let owner = give(&app.owner, binding("group:checked", "owner", "org")).await;
    assert_eq!(owner.problem()["errors"][0]["path"], "role");
    add(&app.owner, "checked", "owner@example.com").await.refused(409, "last_owner");
    // Who checks does not do, by whichever way.
    give(&app.owner, binding("group:builders", "auditor", "org")).await.refused(409, "conflict");
    app.member("eve@example.com", "auditor", "org").await;
    add(&app.owner, "builders", "eve@example.com").await.refused(409, "conflict");
    add(&adm.client, "builders", "nobody@example.com").await.refused(422, "invalid_request");
    add(&adm.client, "nothing", "ann@example.com").await.refused(404, "not_found");
}

#[tokio::test]
async fn who_leaves_a_group_with_the_organisation_stays_denied_and_gets_nothing_back() {
    let app = App::start().await;
    let mut ann = app.member("ann@example.com", "admin", "org").await;
    // Denied by two groups alike, and once from then on.
    for slug in ["outside", "abroad"] {
        group(&app, slug).await;
        app.owner.post("bindings", &denial(&format!("group:{slug}"), "billing")).await.ok();
        add(&app.owner, slug, "ann@example.com").await.ok();
    }
    app.owner.post("bindings", &binding("group:outside", "developer", "org")).await.ok();
    answers(&ann, "budgets", 403).await;
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    let again = json!({ "email": "ann@example.com", "name": "Ann", "role": "admin" });
    let added = app.owner.post("members", &again).await.ok();
    ann.client = app.anonymous().login(&ann.email, &ann.password).await;
    ann.client.accept(&added["invitation"]).await;
    answers(&ann, "tokens", 200).await;
    assert_eq!(ann.client.get("budgets").await.status, 403, "the denial became her own");
    let found = app.owner.get(&format!("bindings?subject=user:{}", ann.id)).await.ok();
    let roles = found["items"].as_array().unwrap().iter();
    let roles: Vec<_> = roles.map(|it| (text(it, "role"), text(it, "effect"))).collect();
    let pair = |role: &str, effect: &str| (role.to_owned(), effect.to_owned());
    assert_eq!(roles, [pair("billing", "deny"), pair("admin", "allow")]);
}

#[tokio::test]
async fn a_role_of_ones_own_is_defined_held_changed_and_deleted() {
    let app = App::start().await;
    let keeper = role("keeper", &["audit.read"], &["viewer"]);
    let made = app.owner.post("roles", &keeper).await.ok();
    assert_eq!((&made["built_in"], &made["direct"]), (&json!(false), &json!(["audit.read"])));
    assert!(made["permissions"].as_array().unwrap().contains(&json!("budget.read")));
    let ann = app.member("ann@example.com", "keeper", "org").await;
    answers(&ann, "audit", 200).await;
    assert_eq!(ann.client.get("tokens").await.status, 403);

    let more = json!({ "permissions": ["audit.read", "token.read"], "title": "Key keeper" });
    let changed = app.owner.patch("roles/keeper", &more).await.ok();
    assert_eq!(changed["title"], "Key keeper");
    answers(&ann, "tokens", 200).await;
    app.owner.patch("roles/keeper", &json!({ "permissions": ["token.read"] })).await.ok();
    answers(&ann, "audit", 403).await;
    let shown = app.owner.get("roles/keeper").await.ok();
    assert_eq!(shown["includes"], json!(["viewer"]));
    assert!(app.owner.all("roles").await.iter().any(|it| it["name"] == "keeper"));
    let told = app.owner.all("permissions").await;
    assert!(told.iter().any(|it| it["name"] == "token.read" && text(it, "description").len() > 10));

    app.owner.delete("roles/keeper").await.refused(409, "conflict");
    let held = app.owner.get("bindings?role=keeper").await.ok();
    let held = format!("bindings/{}", text(&held["items"][0], "id"));
    app.owner.delete(&held).await.ok();
    app.owner.post("roles", &role("lead", &[], &["keeper"])).await.ok();
    app.owner.delete("roles/keeper").await.refused(409, "conflict");
    app.owner.delete("roles/lead").await.ok();
    app.owner.delete("roles/keeper").await.ok();
    app.owner.get("roles/keeper").await.refused(404, "not_found");
    let log = app.owner.all("audit?action=role.*").await;
    let said = |action: &str| log.iter().filter(|it| it["action"] == action).count();
    assert_eq!((said("role.created"), said("role.updated"), said("role.deleted")), (2, 2, 2));
}

#[tokio::test]
async fn nobody_defines_more_than_they_hold() {
    let app = App::start().await;
    let adm = app.member("adm@example.com", "admin", "org").await;
    let define = async |new: Value| adm.client.post("roles", &new).await;
    define(role("caller", &["llm.invoke"], &[])).await.refused(403, "grant_exceeds_own");
    define(role("caller", &[], &["developer"])).await.refused(403, "grant_exceeds_own");
    define(role("reader", &["audit.read"], &[])).await.refused(403, "grant_exceeds_own");
    define(role("helper", &["token.read"], &["viewer"])).await.ok();
    // Nor do they widen or narrow a role that allows, or would allow, what they do not hold.
    app.owner.post("roles", &role("caller", &["llm.invoke", "org.read"], &[])).await.ok();
    let less = json!({ "permissions": ["org.read"] });
    adm.client.patch("roles/caller", &less).await.refused(403, "grant_exceeds_own");
    let more = json!({ "permissions": ["token.read", "audit.read"] });
    adm.client.patch("roles/helper", &more).await.refused(403, "grant_exceeds_own");
    let more = json!({ "includes": ["caller"] });
    adm.client.patch("roles/helper", &more).await.refused(403, "grant_exceeds_own");
    // What is denied by a role is for those to decide who may deny.
    app.member("ann@example.com", "billing", "org").await;
    app.owner.post("bindings", &denial("user:ann@example.com", "helper")).await.ok();
    adm.client.patch("roles/helper", &json!({ "includes": [] })).await.refused(403, "forbidden");
    // And no definition makes one do what they check.
    app.member("eve@example.com", "auditor", "org").await;
    app.owner.post("roles", &role("watcher", &["audit.read"], &[])).await.ok();
    app.owner.post("bindings", &binding("user:eve@example.com", "watcher", "org")).await.ok();
    let doing = json!({ "permissions": ["audit.read", "budget.set"] });
    app.owner.patch("roles/watcher", &doing).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_definition_that_cannot_be_is_told_where() {
    let app = App::start().await;
    app.owner.post("roles", &role("one", &["org.read"], &[])).await.ok();
    for (new, path) in [
        (role("Two", &["org.read"], &[]), "name"),
        (role("role:owner", &["org.read"], &[]), "name"),
        (role("two", &[], &[]), "permissions"),
        (role("two", &["org.reed"], &[]), "permissions[0]"),
        (role("two", &["org.read", "org.read"], &[]), "permissions[1]"),
        (role("two", &[], &["nothing"]), "includes[0]"),
        (role("two", &[], &["two"]), "includes[0]"),
        (role("two", &[], &["viewer", "owner"]), "includes[1]"),
        (role("two", &[], &["service"]), "includes[0]"),
        (role("two", &["budget.set"], &["auditor"]), "includes"),
    ] {
        let answer = app.owner.post("roles", &new).await;
        let problem = answer.problem();
        assert_eq!(
            (answer.status, &problem["errors"][0]["path"]),
            (422, &json!(path)),
            "{answer:?}"
        );
    }
    app.owner.post("roles", &role("one", &["org.read"], &[])).await.refused(409, "already_exists");
    app.owner
        .post("roles", &role("owner", &["org.read"], &[]))
        .await
        .refused(409, "already_exists");
    let title = json!({ "title": "Mine" });
    app.owner.patch("roles/viewer", &title).await.refused(409, "conflict");
    app.owner.delete("roles/viewer").await.refused(409, "conflict");
    app.owner.patch("roles/none", &title).await.refused(404, "not_found");
    for deep in 2..=6 {
        let new = role(
            &format!("r{deep}"),
            &[],
            &[&if deep == 2 { "one".to_owned() } else { format!("r{}", deep - 1) }],
        );
        app.owner.post("roles", &new).await.ok();
    }
    let deep = app.owner.post("roles", &role("r7", &[], &["r6"])).await;
    assert!(deep.status == 422 && deep.text.contains("more than six roles deep"), "{deep:?}");
    let around = app.owner.patch("roles/one", &json!({ "includes": ["r3"] })).await;
    assert!(around.status == 422 && around.text.contains("hold itself"), "{around:?}");
}

#[tokio::test]
async fn the_command_line_knows_groups_and_roles() {
    let app = App::start().await;
    app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    assert!(shell.done("teams create harbour Harbour").await.contains("harbour"));
    assert!(shell.done("team rename harbour Pier").await.contains("Pier"));
    assert!(shell.done("projects create crane Crane --team harbour").await.contains("harbour"));
    assert!(shell.done("teams list").await.contains("Pier"));
    assert!(shell.done("project list --team harbour").await.contains("crane"));
    assert!(shell.done("project rename crane Gantry").await.contains("Gantry"));
    assert!(shell.done("org rename Shipyard").await.contains("Shipyard"));
    assert!(shell.done("org show").await.contains("Shipyard"));
    assert_eq!(shell.says("teams delete harbour").await.0, 1, "a project is left in it");
    shell.done("projects delete crane").await;
    shell.done("teams delete harbour").await;
    let made = shell.done("roles create keeper --title Keeper --permissions audit.read,token.read --includes viewer").await;
    assert!(made.contains("Keeper") && made.contains("audit.read"), "{made}");
    assert!(shell.done("roles permissions").await.contains("Make tokens"));
    shell.done("groups create night Night").await;
    assert!(shell.done("groups add night ann@example.com").await.contains("ann@example.com"));
    shell.done("roles bind group:night keeper").await;
    let listed = shell.done("groups list").await;
    assert!(listed.contains("night") && listed.contains("Night"), "{listed}");
    let bound = shell.done("roles bindings --of group:night --json").await;
    let bound: Value = serde_json::from_str(&bound).unwrap();
    assert_eq!(bound["items"][0]["subject"], "group:night");
    assert!(shell.done("groups members night").await.contains("owner@example.com"));
    shell.done("groups rename night Nights").await;
    shell.done("groups remove night ann@example.com").await;
    shell.done("roles update keeper --permissions token.read").await;
    shell.done("groups delete night").await;
    assert!(shell.done("roles delete keeper").await.contains("gone"));
}

#[tokio::test]
async fn a_role_is_changed_and_deleted_only_as_it_was_read() {
    let app = App::start().await;
    let owner = &app.owner;
    let new = json!({ "name": "keeper", "title": "Keeper", "permissions": ["secret.read"] });
    let made = owner.post("roles", &new).await;
    assert_eq!((made.header("etag"), &made.json()["version"]), (Some("\"1\""), &json!(1)));
    let ask = async |method: Method, version: &'static str, body: Option<Value>| {
        let request = owner.request(method, "roles/keeper").header("if-match", version);
        let request = body.iter().fold(request, RequestBuilder::json);
        owner.answered(request).await
    };
    let change = json!({ "title": "Keeper of keys" });
    let changed = ask(Method::PATCH, "\"1\"", Some(change.clone())).await;
    assert_eq!((changed.status, changed.header("etag")), (200, Some("\"2\"")), "{changed:?}");
    // Somebody else read it before that.
    let change = json!({ "permissions": ["secret.read", "secret.use"] });
    for body in [Some(change.clone()), None] {
        let method = if body.is_some() { Method::PATCH } else { Method::DELETE };
        ask(method, "\"1\"", body).await.refused(412, "precondition_failed");
    }
    ask(Method::PATCH, "many", Some(change.clone())).await.refused(422, "invalid_request");
    let seen = owner.get("roles/keeper").await;
    assert_eq!(
        (seen.header("etag"), &seen.json()["direct"]),
        (Some("\"2\""), &json!(["secret.read"]))
    );
    // What changes nothing is no change, and whoever says nothing means any version.
    owner.patch("roles/keeper", &json!({ "title": "Keeper of keys" })).await.ok();
    assert_eq!(ask(Method::PATCH, "*", Some(change)).await.ok()["version"], 3);
    let shell = Shell::of(&app);
    let (code, said) = shell.says("roles update keeper --title Other --if-version 2").await;
    assert!(code == 1 && said.contains("changed since you read it"), "{said}");
    assert_eq!(shell.says("roles delete keeper --if-version 2").await.0, 1);
    assert!(shell.done("roles show keeper").await.contains('3'));
    assert_eq!(ask(Method::DELETE, "\"3\"", None).await.status, 204);
}
