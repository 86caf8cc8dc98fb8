//! Rights that were changed at one server count at the next one, for who says so.

use ralex_tests::app::{Answer, App, Client, text};
use reqwest::Method;
use serde_json::json;

fn version(answer: &Answer) -> i64 {
    answer.header("policy-version").unwrap().parse().unwrap()
}

async fn ask(client: &Client, path: &str, at_least: &str) -> Answer {
    let request = client.request(Method::GET, path);
    client.answered(request.header("If-Policy-Version-At-Least", at_least)).await
}

#[tokio::test]
async fn who_names_a_version_is_answered_by_no_older_rules_at_any_server() {
    let app = App::start().await;
    let other = app.second().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let elsewhere = ann.client.at(&other);
    let role = json!({ "subject": "user:ann@example.com", "role": "developer" });
    for _ in 0..25 {
        let made = app.owner.post("bindings", &role).await;
        let binding = format!("bindings/{}", text(&made.ok(), "id"));
        let given = version(&made);
        let now = ask(&elsewhere, "tokens", &given.to_string()).await;
        assert_eq!(now.status, 200, "given a moment ago: {now:?}");
        assert!(version(&now) >= given, "{now:?}");
        let gone = app.owner.delete(&binding).await;
        assert!(version(&gone) > given, "{gone:?}");
        let then = ask(&elsewhere, "tokens", &version(&gone).to_string()).await;
        assert_eq!(then.status, 403, "taken a moment ago: {then:?}");
        assert!(version(&then) >= version(&gone), "a refusal tells it as well: {then:?}");
    }
}

#[tokio::test]
async fn a_version_that_is_none_is_refused_and_strangers_are_told_of_none() {
    let app = App::start().await;
    let here = version(&app.owner.get("teams").await);
    let none = ask(&app.owner, "teams", &(here + 1_000).to_string()).await;
    let problem = none.refused(412, "precondition_failed");
    assert!(text(&problem, "detail").contains(&format!("version {here}")), "{none:?}");
    for odd in ["-1", "one", "", "9".repeat(40).as_str()] {
        let answer = ask(&app.owner, "teams", odd).await;
        let path = &answer.problem()["errors"][0]["path"];
        assert_eq!((answer.status, path), (422, &json!("If-Policy-Version-At-Least")), "{odd}");
    }
    // A person of no organisation learns nothing of this one, also not by its versions.
    let ann = app.member("ann@example.com", "viewer", "org").await;
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    for at_least in ["0", "1000000"] {
        let stranger = ask(&ann.client, "teams", at_least).await;
        stranger.refused(404, "not_found");
        assert_eq!(stranger.header("policy-version"), None);
    }
    let nowhere = ask(&ann.client, "/api/v1/orgs/nowhere/teams", "0").await;
    nowhere.refused(404, "not_found");
}
