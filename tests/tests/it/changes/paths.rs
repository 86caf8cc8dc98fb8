//! Every way in which an action under four eyes is done: each waits for a second person, or is refused.

use ralex_tests::app::{Answer, Person, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{World, decide, waits};
use crate::sso::visitor::Visitor;

const ALWAYS: &str = "0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z";

async fn role_of(world: &World, person: &Person) -> Vec<Value> {
    let path = format!("bindings?subject=user:{}", person.email);
    world.app.owner.all(&path).await.into_iter().map(|it| it["role"].clone()).collect()
}

#[tokio::test]
async fn nobody_becomes_an_owner_by_the_way() {
    let world = World::new(&["owner.give"]).await;
    let (app, ann, ben) = (&world.app, &world.ann, &world.ben);
    let eve = app.member("eve@example.com", "viewer", "org").await;
    // A binding of its own waits.
    let owner = json!({ "subject": "user:eve@example.com", "role": "owner" });
    let asked = waits(&ann.client.post("bindings", &owner).await);
    assert_eq!(asked["summary"], "Make eve@example.com an owner.");
    assert_eq!(role_of(&world, &eve).await, ["viewer"]);

    // A new member, and lines that are taken in.
    let new = json!({ "email": "new@example.com", "name": "New", "role": "owner", "scope": "org" });
    let refused = ann.client.post("members", &new).await.refused(409, "conflict");
    assert!(text(&refused, "detail").contains("two people"), "{refused}");
    let lines = ann.client.get("policies/export").await.text;
    let lines =
        format!("{lines}\np, user:{}, default, role:owner, /o/default, allow, {ALWAYS}\n", eve.id);
    let import = json!({ "lines": lines, "apply": true });
    ann.client.post("policies/import", &import).await.refused(409, "conflict");
    // Groups, roles that have it within, and a provider's groups never give it, whoever asks.
    app.owner.post("groups", &json!({ "slug": "night", "name": "Night" })).await.ok();
    let group = json!({ "subject": "group:night", "role": "owner" });
    ann.client.post("bindings", &group).await.refused(422, "invalid_request");
    let role = json!({ "name": "almost", "title": "Almost", "includes": ["owner"] });
    ann.client.post("roles", &role).await.refused(422, "invalid_request");

    // A request for a while takes two who could give it.
    let wish = json!({ "role": "owner", "reason": "The night shift" });
    let wish = eve.client.post("access-requests", &wish).await.ok();
    assert_eq!(wish["approvals_needed"], 2, "{wish}");
    let approve = format!("access-requests/{}/approve", text(&wish, "id"));
    let reason = json!({ "reason": "yes" });
    assert_eq!(ann.client.post(&approve, &reason).await.ok()["state"], "pending");
    assert_eq!(role_of(&world, &eve).await, ["viewer"]);
    assert_eq!(ben.client.post(&approve, &reason).await.ok()["state"], "active");
    let end = format!("access-requests/{}/end", text(&wish, "id"));
    eve.client.send(Method::POST, &end, None).await.ok();

    decide(&ben.client, &asked, "confirm").await.ok();
    let mut roles = role_of(&world, &eve).await;
    roles.sort_by_key(ToString::to_string);
    assert_eq!(roles, ["owner", "viewer"]);
}

#[tokio::test]
async fn no_budget_allows_more_than_one_person_may_give_alone() {
    let world = World::new(&["budget.raise"]).await;
    let (app, ann, ben) = (&world.app, &world.ann, &world.ben);
    let limit =
        json!({ "actions": ["budget.raise"], "budget_limit": "100", "pending_minutes": 60 });
    let asked = waits(&world.set(&ann.client, &limit).await);
    decide(&ben.client, &asked, "confirm").await.ok();
    let id = app.budget("org", "50", true).await;
    let path = format!("budgets/{id}");
    let now = async || app.owner.get(&path).await.ok();
    let change = async |change: Value| ann.client.patch(&path, &change).await;
    assert_eq!(
        change(json!({ "limit": "100" })).await.status,
        200,
        "up to the limit by one person"
    );
    assert_eq!(change(json!({ "limit": "40" })).await.status, 200);
    let until = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
    let more = |amount: &str| json!({ "amount": amount, "until": until, "reason": "A sale" });
    let increase = format!("{path}/increase");

    let by_two: [(&str, Answer); 4] = [
        ("a higher limit", change(json!({ "limit": "101" })).await),
        ("one that only warns", change(json!({ "hard": false })).await),
        ("more for a while", ann.client.post(&increase, &more("61")).await),
        ("none", ann.client.delete(&path).await),
    ];
    // All of them are of one budget, of which one change waits at a time.
    let waiting = waits(&by_two[0].1);
    for (what, answer) in &by_two[1..] {
        assert_eq!(answer.status, 409, "{what}: {answer:?}");
    }
    decide(&ben.client, &waiting, "withdraw").await.refused(403, "forbidden");
    decide(&ann.client, &waiting, "withdraw").await.ok();
    assert_eq!((&now().await["limit"], &now().await["hard"]), (&json!("40"), &json!(true)));
    assert_eq!(ann.client.post(&increase, &more("60")).await.status, 200, "that is 100");
    ann.client.delete(&increase).await.ok();

    let confirmed = async |answer: Answer| {
        let asked = waits(&answer);
        decide(&ben.client, &asked, "confirm").await.ok();
    };
    confirmed(change(json!({ "limit": "150" })).await).await;
    assert_eq!(now().await["limit"], "150");
    confirmed(ann.client.post(&increase, &more("5")).await).await;
    assert_eq!(now().await["increase"]["amount"], "5");
    confirmed(change(json!({ "hard": false })).await).await;
    assert_eq!(now().await["hard"], false);
    change(json!({ "hard": true })).await.ok();
    confirmed(ann.client.delete(&path).await).await;
    assert_eq!(app.owner.get(&path).await.status, 404);
}

#[tokio::test]
async fn sign_in_is_loosened_by_two() {
    let sso = crate::sso::World::new().await;
    let world = World::with(sso.app, &["sign_in.loosen"]).await;
    let (app, ann, ben) = (&world.app, &world.ann, &world.ben);
    // As the database has it, so that nobody here needs a second factor or comes by the provider.
    app.database.execute("update org set second_factor_required = true").await;
    let off = json!({ "second_factor_required": false });
    let asked = waits(&ann.client.patch("security", &off).await);
    let required = async || {
        let now = app.owner.get("security").await.ok();
        now["second_factor_required"].clone()
    };
    assert_eq!(required().await, true);
    decide(&ben.client, &asked, "confirm").await.ok();
    assert_eq!(required().await, false);

    let insists = "insert into sso_enforcement (org_id, provider_id, break_glass, created_by)
        select b.org_id, p.id, b.subject_id, 'test' from sso_provider p
        join binding b on b.org_id = p.org_id and b.role = 'owner' limit 1";
    app.database.execute(insists).await;
    let asked = waits(&ann.client.delete("sso/enforcement").await);
    let left = async || app.database.texts("select provider_id::text from sso_enforcement").await;
    assert_eq!(left().await.len(), 1);
    decide(&ben.client, &asked, "confirm").await.ok();
    assert_eq!(left().await.len(), 0);
}

/// What a bill says less than calls have cost could be spent once more.
#[tokio::test]
async fn no_budget_is_raised_by_an_export_either() {
    let app = ralex_tests::app::App::start().await;
    let upstream = ralex_tests::upstream::Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let new = json!({ "scope": "org", "period": "total", "limit": "10", "hard": true });
    let budget = text(&app.owner.post("budgets", &new).await.ok(), "id");
    let world = World::with(app, &["budget.raise"]).await;
    let (app, ann) = (&world.app, &world.ann);
    app.database.execute("update budget set created_at = created_at - interval '3 days'").await;
    let day = (chrono::Utc::now() - chrono::TimeDelta::days(1)).date_naive();
    let apply = async |cost: &str| {
        let export = format!("date,cost\n{day},{cost}\n");
        let asked =
            json!({ "provider": "claude", "format": "csv", "export": export, "apply": true });
        ann.client.post("reconciliations", &asked).await
    };
    let spent = async || app.owner.get(&format!("budgets/{budget}")).await.ok()["spent"].clone();
    apply("5").await.ok();
    assert_eq!(spent().await, "5");
    let told = apply("0").await.refused(409, "conflict");
    assert!(text(&told, "detail").contains("budget.raise"), "{told}");
    let entries = app.owner.all(&format!("budgets/{budget}/adjustments")).await;
    let back = format!("budgets/{budget}/adjustments/{}/reverse", text(&entries[0], "id"));
    ann.client.post(&back, &json!({ "note": "why" })).await.refused(409, "conflict");
    assert_eq!(spent().await, "5", "nothing is done");
    // Under a limit for one person, all exports together.
    let rules = json!({ "actions": ["budget.raise"], "budget_limit": "12", "pending_minutes": 60 });
    let asked = waits(&world.set(&ann.client, &rules).await);
    decide(&world.ben.client, &asked, "confirm").await.ok();
    apply("3.5").await.ok();
    apply("2.5").await.refused(409, "conflict");
    apply("3").await.ok();
    assert_eq!(spent().await, "3");
}

/// To a provider of one's own, or to somebody else beside it.
#[tokio::test]
async fn single_sign_on_is_moved_by_two() {
    let sso = crate::sso::World::new().await;
    sso.provide("other", &sso.idp, &json!({})).await;
    let world = World::with(sso.app, &["sign_in.loosen"]).await;
    let World { app, ann, ben } = &world;
    for provider in ["corp", "other"] {
        app.owner.post(&format!("sso/providers/{provider}/test"), &json!({})).await.ok();
    }
    // One comes in by password if it fails, and the other by the provider.
    let link = json!({ "user": ben.email, "subject": "alice-at-idp" });
    app.owner.post("sso/providers/corp/links", &link).await.ok();
    let (mut first, mut second) = (Visitor::of(app.node.url()), Visitor::of(app.node.url()));
    first.password(&ann.email, &ann.password).await;
    let away = second.start("corp").await;
    assert_eq!(second.follow(&sso.idp.log_in(&away).unwrap()).await, "/");
    let enforce = async |provider: &str, glass: &Person| {
        let body = json!({ "provider": provider, "break_glass": glass.email });
        first.send(Method::PUT, &at("sso/enforcement"), Some(&body)).await
    };
    let decided =
        |asked: &Value, verb: &str| at(&format!("change-requests/{}/{verb}", text(asked, "id")));
    enforce("corp", ann).await.ok();
    assert_eq!(enforce("corp", ann).await.status, 200, "it is so already");

    let asked = waits(&enforce("corp", ben).await);
    assert_eq!(asked["details"][1]["after"], format!("user:{}", ben.id), "{asked}");
    let none = json!({});
    let own = first.send(Method::POST, &decided(&asked, "confirm"), Some(&none)).await;
    own.refused(403, "forbidden");
    first.send(Method::POST, &decided(&asked, "withdraw"), None).await.ok();
    let asked = waits(&enforce("other", ann).await);
    let provider = &asked["details"][0];
    assert_eq!((&provider["before"], &provider["after"]), (&json!("corp"), &json!("other")));
    let now = async || {
        let sql = "select p.slug || ' ' || e.break_glass from sso_enforcement e
            join sso_provider p on p.id = e.provider_id";
        app.database.texts(sql).await.remove(0)
    };
    assert_eq!(now().await, format!("corp {}", ann.id), "nothing is done");
    second.send(Method::POST, &decided(&asked, "confirm"), Some(&none)).await.ok();
    assert_eq!(now().await, format!("other {}", ann.id));
}

fn at(path: &str) -> String {
    format!("/api/v1/orgs/default/{path}")
}

#[tokio::test]
async fn a_program_asks_for_nothing_that_takes_two() {
    let world = World::new(&["secret.delete"]).await;
    let app = &world.app;
    app.team("blue").await;
    let account = json!({ "slug": "bot", "name": "Bot", "team": "blue" });
    app.owner.post("service-accounts", &account).await.ok();
    let bind = json!({ "subject": "service_account:bot", "role": "security" });
    app.owner.post("bindings", &bind).await.ok();
    let bot = app.token_of(&json!({ "name": "t", "service_account": "bot" })).await.client;
    let key = world.key("one").await;
    bot.delete(&format!("secrets/{key}")).await.refused(403, "forbidden");
    assert_eq!(app.owner.all("secrets").await.len(), 1);
    assert_eq!(app.owner.all("change-requests").await, Vec::<Value>::new());
}
