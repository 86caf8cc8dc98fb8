//! Operators: organisations made, closed, opened again and deleted by people who see nothing inside them.

use std::time::Duration;

use ralex_tests::app::{App, Client, DIALECTS, Dialect, EMAIL, PASSWORD, Shell, text, until};
use serde_json::{Value, json};

use crate::factors::register;
use crate::invitations::{choose, secret};
use crate::scim::Directory;

const ORGS: &str = "/api/v1/operator/orgs";

/// An organisation that an operator made, with its owner.
pub struct Made {
    pub id: String,
    pub owner: Client,
    owner_id: String,
}

pub async fn make(app: &App, slug: &str, owner: &str) -> Made {
    let new = json!({ "slug": slug, "owner_email": owner, "owner_name": "First" });
    let made = app.owner.post(ORGS, &new).await.ok();
    let link = text(&made["invitation"], "link");
    assert_eq!(choose(app, &secret(&link), "the-owner-chose-this").await.status, 204);
    let owner = app.anonymous().login(owner, "the-owner-chose-this").await;
    Made { id: text(&made["org"], "id"), owner, owner_id: text(&made["owner"], "id") }
}

/// What a command says that succeeds.
async fn done(shell: &Shell, line: &str) -> Value {
    serde_json::from_str(&shell.done(&format!("{line} --json")).await).unwrap()
}

async fn answers(client: &Client, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(1), async || {
        (client.get(path).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operator_makes_an_organisation_and_sees_nothing_inside_it() {
    let app = App::start().await;
    let acme = make(&app, "acme", "ann@example.com").await;
    acme.owner
        .post("/api/v1/orgs/acme/teams", &json!({ "slug": "blue", "name": "Blue" }))
        .await
        .ok();
    let all = app.owner.get(ORGS).await.ok();
    let slugs: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|it| text(it, "slug")).collect();
    assert_eq!(slugs, ["default", "acme"]);
    let shown = app.owner.get(&format!("{ORGS}/acme")).await.ok();
    assert_eq!((&shown["id"], &shown["people"]), (&json!(acme.id), &json!(1)));
    for inside in ["teams", "members", "budgets", "audit", "bindings", "secrets", "security"] {
        app.owner.get(&format!("/api/v1/orgs/acme/{inside}")).await.refused(404, "not_found");
    }
    let again = json!({ "slug": "acme", "owner_email": "ann@example.com" });
    app.owner.post(ORGS, &again).await.refused(409, "already_exists");
    // Somebody who is known gets no password, and belongs to both once they say so.
    let more = json!({ "slug": "acme-two", "owner_email": "ann@example.com" });
    let more = app.owner.post(ORGS, &more).await.ok();
    assert_eq!(more["invitation"]["has_account"], json!(true), "{more}");
    let me = acme.owner.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"].as_array().unwrap().len(), 1, "{me}");
    acme.owner.accept(&more["invitation"]).await;
    let me = acme.owner.get("/api/v1/me").await.ok();
    assert_eq!((me["orgs"].as_array().unwrap().len(), &me["operator"]), (2, &json!(false)));
    let unnamed = json!({ "slug": "third", "owner_email": "new@example.com" });
    let refused = app.owner.post(ORGS, &unnamed).await.refused(422, "invalid_request");
    assert_eq!(refused["errors"][0]["path"], json!("owner_name"));
    // An owner of one is no operator.
    acme.owner.get(ORGS).await.refused(403, "forbidden");
    acme.owner
        .post(&format!("{ORGS}/default/suspend"), &json!({ "reason": "Mine" }))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_suspended_organisation_is_closed_to_people_and_programs_until_it_is_resumed() {
    let app = App::start().await;
    let token = app.token("blue").await;
    let ann = app.member("ann@example.com", "admin", "org").await;
    let second = app.second().await;
    let there = [ann.client.clone(), ann.client.at(&second)];
    let directory = Directory::of(&app).await;
    assert_eq!(directory.get("/Users").await.status, 200);
    for client in &there {
        answers(client, "teams", 200).await;
    }
    let path = format!("{ORGS}/default");
    app.owner
        .post(&format!("{path}/suspend"), &json!({ "reason": " " }))
        .await
        .refused(422, "invalid_request");
    let why = json!({ "reason": "The invoice of June is open." });
    let shown = app.owner.post(&format!("{path}/suspend"), &why).await.ok();
    assert_eq!(shown["state"], json!("suspended"));
    for client in &there {
        answers(client, "teams", 403).await;
        let told = client.get("members").await.refused(403, "organisation_closed");
        assert!(
            text(&told, "detail").contains("The invoice of June is open. An operator"),
            "{told}"
        );
    }
    let told = directory.get("/Users").await;
    assert_eq!(told.status, 403, "{told:?}");
    assert!(told.text.contains("The invoice of June"), "{told:?}");
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "simulated", "Hello").await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains("The invoice of June"), "{}", answer.text);
    }
    let me = ann.client.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"][0]["permissions"], json!([]));
    assert!(text(&me["orgs"][0], "closed").contains("The invoice of June"), "{me}");
    app.owner.post(&format!("{path}/suspend"), &why).await.refused(409, "conflict");
    // A stranger is not told that there is one.
    let acme = make(&app, "acme", "eve@example.com").await;
    acme.owner.get("teams").await.refused(404, "not_found");

    app.owner.post(&format!("{path}/resume"), &json!({})).await.ok();
    for client in &there {
        answers(client, "teams", 200).await;
    }
    assert_eq!(token.client.call(Dialect::Chat, "simulated", "Hello").await.status, 200);
    app.owner.post(&format!("{path}/resume"), &json!({})).await.refused(409, "conflict");
    let log = app.owner.get("audit?action=org.suspended").await.ok();
    assert_eq!(
        log["items"][0]["record"]["detail"]["reason"],
        json!("The invoice of June is open."),
        "{log}"
    );
    assert_eq!(app.owner.all("audit?action=org.resumed").await.len(), 1);
}

/// Every table with rows of an organisation, the log of logs left out.
async fn left_of(app: &App, org: &str) -> Vec<String> {
    let tables = "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
         and a.attname = 'org_id' and not a.attisdropped
         where c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'audit_super_leaf'
           and c.relnamespace = 'public'::regnamespace";
    let mut left = Vec::new();
    for table in app.database.texts(tables).await {
        let some = format!("select '{table}' from {table} where org_id = '{org}' limit 1");
        left.extend(app.database.texts(&some).await);
    }
    left
}

async fn fill(app: &App, acme: &Made) {
    let at = |path: &str| format!("/api/v1/orgs/acme/{path}");
    acme.owner.post(&at("teams"), &json!({ "slug": "blue", "name": "Blue" })).await.ok();
    let project = json!({ "slug": "web", "name": "Web", "team": "blue" });
    acme.owner.post(&at("projects"), &project).await.ok();
    let provider = json!({ "slug": "sim", "kind": "simulated" });
    acme.owner.post(&at("providers"), &provider).await.ok();
    let budget = json!({ "scope": "team:blue", "period": "month", "limit": "5", "hard": true });
    acme.owner.post(&at("budgets"), &budget).await.ok();
    acme.owner.post(&at("groups"), &json!({ "slug": "all", "name": "All" })).await.ok();
    let member = json!({ "email": "bob@example.com", "name": "Bob", "role": "viewer" });
    acme.owner.post(&at("members"), &member).await.ok();
    let both = json!({ "email": "both@example.com", "name": "Both", "role": "viewer" });
    acme.owner.post(&at("members"), &both).await.ok();
    app.owner.post("members", &both).await.ok();
    let secret = json!({ "name": "key", "value": "sk-something-secret-0123456789" });
    acme.owner.post(&at("secrets"), &secret).await;
}

/// Has the time of an organisation be over that waits to be deleted, and shows that nothing goes before
/// that or under a hold.
async fn its_time_is_over(app: &App, acme: &Made, path: &str, why: &Value) {
    let signed = format!(
        "select max(tree_size)::text from audit_checkpoint where org_id = '{}' having max(tree_size) > 3",
        acme.id
    );
    until("the end of its log is signed", Duration::from_secs(10), async || {
        app.database.texts(&signed).await.first().cloned()
    })
    .await;
    // Nobody removes anything before its time, and nothing while it is held.
    let early = format!("select org_erase('{}', 100)", acme.id);
    assert!(app.database.try_execute(&early).await.is_err());
    let over = format!(
        "update org set delete_after = now() - interval '1 minute' where id = '{}'",
        acme.id
    );
    app.database.execute(&over).await;
    let hold = format!(
        "insert into audit_hold (org_id, id, reason) values ('{0}', '{0}', 'A suit')",
        acme.id
    );
    app.database.execute(&hold).await;
    assert!(app.database.try_execute(&early).await.is_err());
    let held = app.owner.post(path, why).await.refused(409, "conflict");
    assert!(text(&held, "detail").contains("held"), "{held}");
    app.database.execute("update audit_hold set lifted_at = now()").await;
}

#[tokio::test]
async fn a_deleted_organisation_is_closed_kept_if_wished_and_else_gone_with_all_that_it_had() {
    let mut app = App::start().await;
    let acme = make(&app, "acme", "ann@example.com").await;
    fill(&app, &acme).await;
    let path = format!("{ORGS}/acme/deletion");
    let why = json!({ "reason": "They have left.", "grace_days": 0 });
    let refused = app.owner.post(&path, &why).await.refused(422, "invalid_request");
    assert_eq!(refused["errors"][0]["path"], json!("grace_days"));
    let why = json!({ "reason": "They have left." });
    let shown = app.owner.post(&path, &why).await.ok();
    assert_eq!(shown["state"], json!("deleting"));
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 403).await;
    assert_eq!(app.owner.delete(&path).await.ok()["state"], json!("active"));
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 200).await;
    app.owner.delete(&path).await.refused(409, "conflict");

    let acted = format!(
        "select action from audit_event where org_id = '{}' and action like 'org.%' order by id",
        acme.id
    );
    assert_eq!(app.database.texts(&acted).await, ["org.created", "org.deletion_set", "org.kept"]);
    app.owner.post(&path, &why).await.ok();
    its_time_is_over(&app, &acme, &path, &why).await;
    app.node.kill();
    app.restart().await;
    let gone = async || {
        let all = app.owner.get("/api/v1/operator/deleted-orgs").await.ok();
        all["items"].as_array().unwrap().first().cloned()
    };
    let gone = until("it is gone", Duration::from_secs(20), gone).await;
    assert_eq!((&gone["slug"], &gone["reason"]), (&json!("acme"), &json!("They have left.")));
    assert!(gone["tree_size"].as_u64().unwrap() > 0, "{gone}");
    assert_eq!(left_of(&app, &acme.id).await, Vec::<String>::new());
    app.owner.get(&format!("{ORGS}/acme")).await.refused(404, "not_found");
    // Who belonged nowhere else has no account any more, and who did has it.
    let names = app
        .database
        .texts("select email from app_user where email like '%@example.com' order by 1")
        .await;
    assert_eq!(names, ["both@example.com", "owner@example.com"]);
    let erased = format!("select email from app_user where id = '{}'", acme.owner_id);
    assert!(app.database.texts(&erased).await[0].ends_with("@erased.invalid"));
    // The log of logs is whole, the other organisation untouched, and the name free again.
    assert_eq!(app.owner.post("audit/verify", &Value::Null).await.ok()["good"], json!(true));
    let again = make(&app, "acme", "new@example.com").await;
    answers(&again.owner, "/api/v1/orgs/acme/teams", 200).await;
    assert_ne!(again.id, acme.id);
}

#[tokio::test]
async fn the_last_operator_stays_and_no_lesser_credential_is_one() {
    let app = App::start().await;
    let me = text(&app.owner.get("/api/v1/me").await.ok()["user"], "id");
    let operators = "/api/v1/operator/operators";
    app.owner.delete(&format!("{operators}/{me}")).await.refused(409, "conflict");
    let nobody = json!({ "email": "nobody@example.com" });
    app.owner.post(operators, &nobody).await.refused(422, "invalid_request");
    let ann = app.member("ann@example.com", "viewer", "org").await;
    ann.client.get(operators).await.refused(403, "forbidden");
    app.owner.post(operators, &json!({ "email": "ann@example.com" })).await.ok();
    app.owner
        .post(operators, &json!({ "email": "ann@example.com" }))
        .await
        .refused(409, "already_exists");
    assert_eq!(ann.client.get(operators).await.ok()["items"].as_array().unwrap().len(), 2);
    // A narrowed token of an operator is none.
    let session = app.anonymous().session(&ann.email, &ann.password).await;
    let narrow = json!({ "name": "calls", "permissions": ["budget.read"] });
    let session = app.anonymous().in_session(&session);
    let narrowed = session.post("/api/v1/me/tokens", &narrow).await.ok();
    app.with(&text(&narrowed, "token")).get(operators).await.refused(403, "forbidden");
    app.owner.delete(&format!("{operators}/{}", ann.id)).await.ok();
    ann.client.get(operators).await.refused(403, "forbidden");
}

#[tokio::test]
async fn the_command_line_does_all_of_it() {
    let app = App::start().await;
    let shell = Shell::of(&app);
    let made =
        done(&shell, "operator orgs create acme --owner ann@example.com --owner-name Ann").await;
    assert_eq!(made["org"]["state"], json!("active"));
    let shown = done(&shell, "operator orgs suspend acme --reason Unpaid").await;
    assert_eq!(shown["state"], json!("suspended"));
    assert_eq!(done(&shell, "operator orgs resume acme").await["state"], json!("active"));
    let shown = done(&shell, "operator orgs delete acme --reason Over --grace-days 2").await;
    assert_eq!(shown["state"], json!("deleting"));
    assert_eq!(done(&shell, "operator orgs keep acme").await["state"], json!("active"));
    assert_eq!(done(&shell, "operator orgs list").await["items"].as_array().unwrap().len(), 2);
    // Another operator confirms what one has read.
    let ben = another(&app, "ben@example.com").await;
    later(&app, 8).await;
    let asked = ben.post(&format!("{ORGS}/acme/deletion"), &json!({ "reason": "Over" })).await.ok();
    let told = shell.done("operator orgs confirm-delete acme").await;
    assert!(told.contains("ben@example.com wants acme deleted"), "{told}");
    let read = text(&asked["deletion_asked"], "asked_at");
    let shown = done(&shell, &format!("operator orgs confirm-delete acme --asked-at {read}")).await;
    assert_eq!(shown["state"], json!("deleting"));
    done(&shell, "operator orgs keep acme").await;
    done(&shell, "operator remove ben@example.com").await;
    done(&shell, "operator add ann@example.com").await;
    assert_eq!(done(&shell, "operator list").await["items"].as_array().unwrap().len(), 2);
    done(&shell, "operator remove ann@example.com").await;
    assert_eq!(done(&shell, "operator list").await["items"].as_array().unwrap().len(), 1);
}

/// Whoever has an account, as an operator that counts beside the first one.
async fn another(app: &App, email: &str) -> Client {
    let person = app.member(email, "viewer", "org").await;
    app.owner.post("/api/v1/operator/operators", &json!({ "email": email })).await.ok();
    person.client
}

async fn later(app: &App, days: u32) {
    let sql = format!(
        "update operator set created_at = created_at - interval '{days} days';
         update operator_removal set removed_at = removed_at - interval '{days} days';
         update app_user set made_at = made_at - interval '{days} days'"
    );
    app.database.execute(&sql).await;
}

#[tokio::test]
async fn one_operator_asks_that_an_organisation_is_deleted_and_another_one_confirms_it() {
    let app = App::start().await;
    let acme = make(&app, "acme", "eve@example.com").await;
    let ann = another(&app, "ann@example.com").await;
    let ben = another(&app, "ben@example.com").await;
    later(&app, 8).await;
    let path = format!("{ORGS}/acme/deletion");
    let confirm = format!("{path}/confirm");
    let why = json!({ "reason": "They have left.", "grace_days": 3 });
    let shown = app.owner.post(&path, &why).await.ok();
    let asked = &shown["deletion_asked"];
    assert_eq!((&shown["state"], &asked["grace_days"]), (&json!("active"), &json!(3)), "{shown}");
    assert_eq!((&asked["may_confirm"], shown.get("delete_after")), (&json!(false), None));
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 200).await;
    let seen = json!({ "asked_at": asked["asked_at"] });
    app.owner.post(&path, &why).await.refused(409, "conflict");
    ann.post(&path, &why).await.refused(409, "conflict");
    app.owner.post(&confirm, &seen).await.refused(403, "forbidden");
    acme.owner.post(&confirm, &seen).await.refused(403, "forbidden");

    // Either withdraws it, and what was read before is confirmed by nobody.
    let shown = ann.delete(&path).await.ok();
    assert!(shown.get("deletion_asked").is_none(), "{shown}");
    ann.post(&confirm, &seen).await.refused(409, "conflict");
    app.owner.post(&path, &why).await.ok();
    ann.post(&confirm, &seen).await.refused(409, "conflict");
    let shown = ann.get(&format!("{ORGS}/acme")).await.ok();
    assert_eq!(shown["deletion_asked"]["may_confirm"], json!(true), "{shown}");
    let seen = json!({ "asked_at": shown["deletion_asked"]["asked_at"] });
    let hold = format!(
        "insert into audit_hold (org_id, id, reason) values ('{0}', '{0}', 'A suit')",
        acme.id
    );
    app.database.execute(&hold).await;
    ann.post(&confirm, &seen).await.refused(409, "conflict");
    app.database.execute("update audit_hold set lifted_at = now()").await;
    let (first, second) = tokio::join!(ann.post(&confirm, &seen), ben.post(&confirm, &seen));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    let shown = app.owner.get(&format!("{ORGS}/acme")).await.ok();
    assert_eq!((&shown["state"], &shown["deletion_by_one"]), (&json!("deleting"), &json!(false)));
    assert!(shown.get("deletion_asked").is_none(), "{shown}");
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 403).await;
    let acted = format!(
        "select action from audit_event where org_id = '{}' and action like 'org.del%' order by id",
        acme.id
    );
    let acted = app.database.texts(&acted).await;
    let [asked, withdrawn, set] =
        ["org.deletion_asked", "org.deletion_withdrawn", "org.deletion_set"];
    assert_eq!(acted, [asked, withdrawn, asked, set]);
}

#[tokio::test]
async fn who_does_not_count_confirms_no_deletion_and_nobody_makes_themselves_the_only_one() {
    let app = App::start().await;
    let acme = make(&app, "acme", "eve@example.com").await;
    let path = format!("{ORGS}/acme/deletion");
    let why = json!({ "reason": "They have left." });
    let ann = another(&app, "ann@example.com").await;
    // Nobody but who was made an operator a moment ago: one alone decides, and the answer says so.
    let shown = app.owner.post(&path, &why).await.ok();
    assert_eq!((&shown["state"], &shown["deletion_by_one"]), (&json!("deleting"), &json!(true)));
    app.owner.delete(&path).await.ok();

    later(&app, 8).await;
    let puppet = another(&app, "puppet@example.com").await;
    let shown = app.owner.post(&path, &why).await.ok();
    let seen = json!({ "asked_at": shown["deletion_asked"]["asked_at"] });
    let confirm = format!("{path}/confirm");
    let refused = puppet.post(&confirm, &seen).await.refused(403, "forbidden");
    assert!(text(&refused, "detail").contains("24 hours"), "{refused}");
    later(&app, 2).await;
    puppet.post(&confirm, &seen).await.refused(403, "forbidden");
    app.owner.delete(&path).await.ok();

    // Who is alone because they took it from the others is so for a week.
    let operators = "/api/v1/operator/operators";
    for item in app.owner.get(operators).await.ok()["items"].as_array().unwrap() {
        if text(&item["user"], "email") != EMAIL {
            let id = text(&item["user"], "id");
            app.owner.delete(&format!("{operators}/{id}")).await.ok();
        }
    }
    ann.get(operators).await.refused(403, "forbidden");
    let refused = app.owner.post(&path, &why).await.refused(409, "conflict");
    assert!(text(&refused, "detail").contains("7 days"), "{refused}");
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 200).await;
    later(&app, 8).await;
    app.owner.post(&path, &why).await.ok();
    answers(&acme.owner, "/api/v1/orgs/acme/teams", 403).await;
}

#[tokio::test]
async fn an_operator_without_a_second_factor_changes_nothing_where_the_deployment_asks_for_one() {
    let app = App::start_with(&[("RALEX_OPERATORS_SECOND_FACTOR", "required")]).await;
    let new = json!({ "slug": "acme", "owner_email": "ann@example.com", "owner_name": "Ann" });
    let why = json!({ "reason": "Why" });
    let session = app.anonymous();
    let session = session.in_session(&session.session(EMAIL, PASSWORD).await);
    for client in [&app.owner, &session] {
        client.get(ORGS).await.ok();
        for (path, body) in [
            (ORGS.to_owned(), &new),
            (format!("{ORGS}/default/suspend"), &why),
            (format!("{ORGS}/default/deletion"), &why),
            (format!("{ORGS}/default/export"), &Value::Null),
            ("/api/v1/operator/operators".to_owned(), &json!({ "email": EMAIL })),
        ] {
            client.post(&path, body).await.refused(403, "second_factor_required");
        }
        client
            .delete(&format!("{ORGS}/default/deletion"))
            .await
            .refused(403, "second_factor_required");
    }
    // Nobody else is told more than before.
    let ann = app.member("bob@example.com", "viewer", "org").await;
    ann.client.post(ORGS, &new).await.refused(403, "forbidden");
    let (session, ..) = register(session).await;
    session.post(ORGS, &new).await.ok();
}
