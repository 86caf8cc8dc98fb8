//! `ralex alerts`, against a server.

use ralex_tests::app::{App, EMAIL, PASSWORD, run, text};
use reqwest::Method;
use serde_json::{Value, json};

use super::{World, holds};

/// A token of the owner's, as the command line takes one.
async fn token(app: &App) -> String {
    let cookie = app.anonymous().session(EMAIL, PASSWORD).await;
    let request =
        app.anonymous().request(Method::POST, "/api/v1/me/tokens").header("cookie", cookie);
    let made = app.anonymous().answered(request.json(&json!({ "name": "cli" }))).await.ok();
    text(&made, "token")
}

#[tokio::test]
async fn the_command_line_lists_takes_on_sets_and_tries() {
    let world = World::new().await;
    let (app, token) = (&world.app, token(&world.app).await);
    let alerts = |more: &[&str]| {
        let arguments = [&["alerts"], more, &["--url", app.node.url()]].concat();
        let output = run(&arguments, &[("RALEX_TOKEN", &token)]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let told = ["--email", "ops@example.com", "--webhook", &world.hook.url];
    let quiet = ["--least-severity", "critical", "--quiet", "22:00-07:00 Europe/Oslo sat,sun"];
    let (done, said) = alerts(&[&["rules", "add", "Ops"], &told[..], &quiet].concat());
    assert!(done && said.contains("whsec_"), "{said}");
    let (done, said) = alerts(&["rules", "list", "--json"]);
    let rules: Value = serde_json::from_str(&said).unwrap();
    assert!(done && !said.contains("whsec_"), "{said}");
    let rule = text(&rules["items"][0], "id");
    assert_eq!(rules["items"][0]["quiet"]["days"], json!(["sat", "sun"]), "{said}");
    let (done, said) = alerts(&["rules", "test", &rule]);
    assert!(done && said.contains("The mail server took it."), "{said}");
    world.hook.answer(500);
    let (done, said) = alerts(&["rules", "test", &rule]);
    assert!(!done && said.contains("not taken") && said.contains("500"), "{said}");
    world.hook.answer(204);
    let (done, said) =
        alerts(&["rules", "update", &rule, "--no-quiet", "--kind", "budget.threshold"]);
    assert!(done && said.contains("budget.threshold"), "{said}");
    let budget = world.budget("org", "0.000001").await;
    world.call().await;
    holds("it is told", async || {
        world.about(&budget).await.first().is_some_and(|it| super::states(it) == ["sent", "sent"])
    })
    .await;
    let (done, said) = alerts(&["list"]);
    assert!(done && said.contains("2 sent") && said.contains("100% of the"), "{said}");
    let id = text(&world.about(&budget).await[0], "id");
    let (done, said) = alerts(&["ack", &id]);
    assert!(done && said.contains("acknowledged"), "{said}");
    let (done, said) = alerts(&["ack", &id]);
    assert!(!done && said.contains("taken on already"), "{said}");
    let (done, said) = alerts(&["show", &id]);
    assert!(done && said.contains("email ops@example.com sent"), "{said}");
    let (done, said) = alerts(&["resolve", &id]);
    assert!(done && said.contains("resolved"), "{said}");
    let (_, said) = alerts(&["list"]);
    assert!(!said.contains(&id), "{said}");
    let (done, said) = alerts(&["read"]);
    assert!(done && said.contains("0 left"), "{said}");
    let (done, said) = alerts(&["rules", "deliveries", &rule]);
    assert!(done && said.contains("email ops@example.com"), "{said}");
    let (done, said) = alerts(&["kinds"]);
    assert!(done && said.contains("sink.parked"), "{said}");
    let (done, said) = alerts(&["rules", "remove", &rule]);
    assert!(done, "{said}");
}
