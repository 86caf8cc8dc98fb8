//! How single sign-on is set: by whom, within what they hold, and from the command line.

use ralex_tests::app::{Client, EMAIL, Shell, run, text};
use ralex_tests::idp::{CLIENT, Idp, SECRET};
use reqwest::Method;
use serde_json::{Value, json};

use super::World;

fn new(idp: &Idp, changes: &Value) -> Value {
    let mut new = json!({ "slug": "mine", "name": "Mine", "issuer": idp.issuer(),
        "client_id": CLIENT, "client_secret": SECRET });
    new.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    new
}

#[tokio::test]
async fn a_mapping_gives_no_more_than_its_writer_could() {
    let world = World::new().await;
    let admin = world.app.member("admin@example.test", "admin", "org").await;
    let security = world.app.member("security@example.test", "security", "org").await;
    let developer = world.app.member("dev@example.test", "developer", "org").await;
    let map = |role: &str| json!({ "mappings": [{ "group": "g", "role": role }] });
    let make = async |by: &Client, changes: Value| {
        by.post("sso/providers", &new(&world.idp, &changes)).await
    };
    make(&developer.client, json!({})).await.refused(403, "forbidden");
    for by in [&world.app.owner, &admin.client] {
        let refused = make(by, map("owner")).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], "mappings[0].role", "{refused}");
        make(by, json!({ "default_role": "owner" })).await.refused(422, "invalid_request");
    }
    make(&admin.client, map("security")).await.refused(403, "grant_exceeds_own");
    make(&admin.client, map("service")).await.refused(422, "invalid_request");
    make(&security.client, map("viewer")).await.refused(403, "forbidden");
    // Without roles, who may set single sign-on may set it.
    let made = make(&security.client, json!({})).await.ok();
    assert_eq!(made["enabled"], false);
    world.app.owner.delete("sso/providers/mine").await.ok();

    // An owner's mapping is not an admin's to turn on others, in any way but to switch it off.
    world.provide("owners", &world.idp, &map("security")).await;
    for change in [
        json!({ "claims": { "groups": "mine" } }),
        json!({ "client_id": "mine" }),
        json!({ "name": "Mine" }),
        json!({ "client_secret": "mine" }),
        json!({ "enabled": true }),
    ] {
        let answer = admin.client.patch("sso/providers/owners", &change).await;
        answer.refused(403, "grant_exceeds_own");
    }
    admin.client.patch("sso/providers/owners", &json!({ "enabled": false })).await.ok();
    // Nor is who an owner is: that would be theirs to come in as.
    let me = world.app.owner.get("/api/v1/me").await.ok();
    let link = json!({ "user": text(&me["user"], "id"), "subject": "admin-at-idp" });
    let answer = admin.client.post("sso/providers/corp/links", &link).await;
    answer.refused(403, "grant_exceeds_own");
    world.app.owner.post("sso/providers/corp/links", &link).await.ok();
    let again = world.app.owner.post("sso/providers/corp/links", &link).await;
    again.refused(409, "already_exists");
}

#[tokio::test]
async fn what_an_admin_gives_by_name_never_comes_back_to_them() {
    let world = World::new().await;
    let admin = world.app.member("admin@example.test", "admin", "org").await;
    let map = json!({ "mappings": [{ "group": "eng", "role": "developer" }], "enabled": true });
    admin.client.post("sso/providers", &new(&world.idp, &map)).await.ok();
    let link = json!({ "user": admin.id, "subject": "alice-at-idp" });
    admin.client.post("sso/providers/mine/links", &link).await.ok();
    let mut session = world.visitor();
    assert_eq!(world.log_in(&mut session, "mine", &world.idp).await, "/");
    assert_eq!(world.roles("admin@example.test").await, ["admin at org"]);
}

#[tokio::test]
async fn a_provider_is_set_by_who_read_it_last_and_tells_what_is_wrong() {
    let world = World::new().await;
    let owner = &world.app.owner;
    let shown = owner.get("sso/providers/corp").await;
    let tag = shown.header("etag").unwrap().to_owned();
    let base = format!("{}/api/v1/auth/sso/default/corp", world.app.node.url());
    assert_eq!(shown.json()["callback_url"], format!("{base}/callback"));
    let change = async |tag: &str| {
        let request = owner.request(Method::PATCH, "sso/providers/corp").header("if-match", tag);
        owner.answered(request.json(&json!({ "session_minutes": 60 }))).await
    };
    let changed = change(&tag).await;
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    assert_eq!(changed.ok()["session_minutes"], 60);
    change(&tag).await.refused(412, "precondition_failed");
    change("x").await.refused(422, "invalid_request");
    for (field, value) in [
        ("issuer", json!("http://169.254.169.254")),
        ("issuer", json!("javascript:alert(1)")),
        ("issuer", json!("http://8.8.8.8")),
        ("domains", json!(["no domain"])),
        ("scopes", json!(["two words"])),
        ("claims", json!({ "email_verified": "email" })),
        ("session_minutes", json!(1)),
        ("create_members", json!(true)),
        ("client_secret", json!("")),
    ] {
        let wrong = new(&world.idp, &json!({ field: value }));
        let answer = owner.post("sso/providers", &wrong).await;
        assert_eq!(answer.status, 422, "{field}: {answer:?}");
    }
    let tested = owner.post("sso/providers/corp/test", &json!({})).await.ok();
    assert_eq!((&tested["passed"], tested["keys"].as_array().unwrap().len()), (&json!(true), 2));
    world.idp.change(|it| it.claims_to_be = Some("https://accounts.example".into()));
    let tested = owner.post("sso/providers/corp/test", &json!({})).await.ok();
    assert_eq!(tested["passed"], false);
    assert!(text(&tested, "detail").contains("accounts.example"), "{tested}");
    // Ways in are told by where somebody says that they belong, and never whether they are here.
    let doors = async |at: &str| {
        let path = format!("/api/v1/auth/sso?at={at}");
        world.app.anonymous().get(&path).await.ok()["items"].as_array().unwrap().len()
    };
    assert_eq!(doors("default").await, 1);
    assert_eq!(doors("nobody@example.test").await, 1);
    assert_eq!(doors("owner@example.com").await, 0);
    assert_eq!(doors("elsewhere").await, 0);
    owner.delete("sso/providers/corp").await.ok();
    assert_eq!(doors("default").await, 0);
    assert_eq!(owner.get("sso/providers/corp").await.status, 404);
}

#[tokio::test]
async fn the_command_line_sets_it_as_the_api_does() {
    let world = World::new().await;
    let token = world.app.owner.secret();
    let ralex = |arguments: &[&str], secret: &str| {
        let settings = [
            ("RALEX_URL", world.app.node.url()),
            ("RALEX_TOKEN", &token),
            ("RALEX_SSO_CLIENT_SECRET", secret),
        ];
        let done = run(arguments, &settings);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        (done.status.success(), format!("{said}{}", String::from_utf8_lossy(&done.stderr)))
    };
    let issuer = world.idp.issuer();
    let create = [
        "sso",
        "create",
        "cli",
        "--name",
        "By hand",
        "--issuer",
        &issuer,
        "--client-id",
        CLIENT,
        "--domain",
        "example.test",
        "--create-members",
        "--default-role",
        "viewer",
        "--map",
        "eng=developer@team:blue",
        "--enable",
    ];
    let (done, said) = ralex(&create, SECRET);
    assert!(done && said.contains("/auth/sso/default/cli/callback"), "{said}");
    let (done, said) = ralex(&create, "");
    assert!(!done && said.contains("RALEX_SSO_CLIENT_SECRET"), "{said}");
    let (done, said) = ralex(&["sso", "list"], "");
    assert!(done && said.contains("By hand") && said.contains("corp"), "{said}");
    let (done, said) = ralex(&["sso", "test", "cli"], "");
    assert!(done && said.contains("RS256"), "{said}");
    let (done, said) = ralex(&["sso", "update", "cli", "--name", "Other", "--minutes", "30"], "");
    assert!(done && said.contains("Other"), "{said}");
    let (done, said) = ralex(&["sso", "show", "cli", "--json"], "");
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert!(done && shown["session_minutes"] == 30 && shown["mappings"][0]["scope"] == "team:blue");
    let mut alice = world.visitor();
    assert_eq!(world.log_in(&mut alice, "cli", &world.idp).await, "/");

    let (done, said) = ralex(&["sso", "enforce", "cli", "--break-glass", EMAIL], "");
    assert!(done && said.contains(EMAIL), "{said}");
    let (done, said) = ralex(&["sso", "list"], "");
    assert!(!done && said.contains("single sign-on"), "{said}");
}

#[tokio::test]
async fn the_command_line_says_whom_the_provider_means() {
    let world = World::new().await;
    let shell = Shell::of(&world.app);
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    assert!(shell.done("sso links corp").await.contains("alice@example.test"));
    let said = shell.done(&format!("sso link corp {EMAIL} owner-there --json")).await;
    let link: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(link["subject"], "owner-there", "{said}");
    assert!(shell.done("sso links corp").await.contains("owner-there"));
    shell.done(&format!("sso unlink {}", text(&link, "id"))).await;
    assert!(!shell.done("sso links corp").await.contains("owner-there"));
}
