//! What counts on budgets beside calls: lost leases, exports of providers, and taking back.

use std::time::Duration;

use ralex_tests::app::{App, Dialect, Token, nanos, run, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

const DAYS_AGO: &str = "(now() at time zone 'UTC')::date";

async fn called() -> (App, Upstream, Token, String) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    let budget = app.budget("org", "10", true).await;
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    (app, upstream, token, budget)
}

/// Gives a node that never was something in hand, which the next sweep counts as spent.
async fn lose_a_lease(app: &App, budget: &str, amount: i64) -> Value {
    let sql = format!(
        "with p as (update budget_period set leased = leased + {amount}
             where budget_id = '{budget}' returning org_id, budget_id, starts_at)
         insert into budget_lease (org_id, budget_id, starts_at, node_id, amount)
         select org_id, budget_id, starts_at, gen_random_uuid(), {amount} from p"
    );
    app.database.execute(&sql).await;
    // A server takes others for dead when it has lived for half a minute itself.
    until("the lease is lost", Duration::from_mins(1), async || {
        app.owner.all(&format!("budgets/{budget}/adjustments")).await.into_iter().next()
    })
    .await
}

async fn spent(app: &App, budget: &str) -> i64 {
    nanos(&app.owner.get(&format!("budgets/{budget}")).await.ok()["spent"])
}

async fn adds_up(app: &App) {
    let url = app.database.url().to_owned();
    let verify = move || run(&["budgets", "verify"], &[("RALEX_DATABASE_URL", &url)]);
    let output = tokio::task::spawn_blocking(verify).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn what_was_lost_is_listed_and_taken_back_once() {
    let (app, _upstream, _token, budget) = called().await;
    let before = spent(&app, &budget).await;
    let lost = lose_a_lease(&app, &budget, 5_000).await;
    assert_eq!((&lost["reason"], nanos(&lost["amount"])), (&json!("lease_lost"), 5_000), "{lost}");
    assert_eq!(spent(&app, &budget).await, before + 5_000);
    let path = format!("budgets/{budget}/adjustments/{}/reverse", text(&lost, "id"));
    let empty = app.owner.post(&path, &json!({ "note": " " })).await;
    empty.refused(422, "invalid_request");
    let why = json!({ "note": "the node never sent anything" });
    let made = app.owner.post(&path, &why).await.ok();
    assert_eq!((&made["reverses"], nanos(&made["amount"])), (&lost["id"], -5_000), "{made}");
    assert_eq!(made["created_by"], "owner@example.com");
    assert_eq!(spent(&app, &budget).await, before);
    app.owner.post(&path, &why).await.refused(409, "conflict");
    let again = format!("budgets/{budget}/adjustments/{}/reverse", text(&made, "id"));
    app.owner.post(&again, &why).await.refused(409, "conflict");
    let listed = app.owner.all(&format!("budgets/{budget}/adjustments")).await;
    let shown: Vec<_> = listed.iter().map(|it| it["id"].clone()).collect();
    assert_eq!(shown, [made["id"].clone(), lost["id"].clone()], "the newest is first");
    assert_eq!(listed[1]["reversed_by"], made["id"]);
    let told = app.owner.all("audit?action=budget.adjustment_reversed").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["record"]["detail"]["note"], "the node never sent anything");
    let other = app.budget("team:blue", "1", true).await;
    let elsewhere = format!("budgets/{other}/adjustments/{}/reverse", text(&lost, "id"));
    app.owner.post(&elsewhere, &why).await.refused(404, "not_found");
    adds_up(&app).await;
}

/// Yesterday's calls, on budgets that were there before.
async fn yesterday(app: &App) -> String {
    app.database.execute("update call set started_at = started_at - interval '1 day'").await;
    app.database.execute("update budget set created_at = created_at - interval '9 days'").await;
    let days = app.database.texts(&format!("select ({DAYS_AGO} - 1)::text")).await;
    days[0].clone()
}

#[tokio::test]
async fn an_export_is_compared_first_and_adjusts_by_what_changed() {
    let (app, _upstream, _token, budget) = called().await;
    let team = app.budget("team:blue", "10", true).await;
    let day = yesterday(&app).await;
    let recorded = spent(&app, &budget).await;
    let asked = |billed: i64, apply: bool| {
        let cost = ralex_kernel::Money::nanos(billed);
        let today = day.parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(1);
        json!({ "provider": "claude", "format": "csv", "apply": apply,
            "export": format!("date,model,cost\n{day},claude,{cost}\n{today},claude,99\n") })
    };
    let reconcile =
        async |billed, apply| app.owner.post("reconciliations", &asked(billed, apply)).await.ok();
    let dry = reconcile(recorded + 700, false).await;
    assert_eq!(dry["applied"], false);
    let row = &dry["rows"][0];
    assert_eq!((nanos(&row["recorded"]), nanos(&row["difference"])), (recorded, 700), "{dry}");
    assert_eq!(dry["days"][0]["budgets"][0]["budget"], budget.as_str(), "{dry}");
    assert_eq!(dry["days"][0]["budgets"].as_array().unwrap().len(), 1, "not the team's: {dry}");
    assert_eq!((&dry["days"][1]["over"], &dry["days"][1]["budgets"]), (&json!(false), &json!([])));
    assert_eq!(spent(&app, &budget).await, recorded, "nothing is changed");
    for (billed, adds) in [(700, 700), (700, 0), (900, 200), (-100, -1_000)] {
        let report = reconcile(recorded + billed, true).await;
        assert_eq!(nanos(&report["days"][0]["budgets"][0]["adds"]), adds, "{report}");
        assert_eq!(spent(&app, &budget).await, recorded + billed);
    }
    let entries = app.owner.all(&format!("budgets/{budget}/adjustments")).await;
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert_eq!((&entries[0]["provider"], &entries[0]["day"]), (&json!("claude"), &json!(day)));
    assert!(app.owner.all(&format!("budgets/{team}/adjustments")).await.is_empty());
    assert_eq!(app.owner.all("audit?action=budget.reconciled").await.len(), 3);
    assert_eq!(app.owner.all("audit?action=usage.reconciled").await.len(), 4);
    // What a person takes back, the next export brings again.
    let path = format!("budgets/{budget}/adjustments/{}/reverse", text(&entries[0], "id"));
    app.owner.post(&path, &json!({ "note": "a wrong export" })).await.ok();
    assert_eq!(spent(&app, &budget).await, recorded + 900);
    reconcile(recorded + 700, true).await;
    assert_eq!(spent(&app, &budget).await, recorded + 700);
    adds_up(&app).await;
}

#[tokio::test]
async fn what_is_billed_beyond_a_hard_limit_stops_calls_and_what_is_not_billed_goes_back() {
    let (app, _upstream, token, budget) = called().await;
    let day = yesterday(&app).await;
    let reconcile = async |cost: &str| {
        let export = format!("date,cost\n{day},{cost}\n");
        let asked =
            json!({ "provider": "claude", "format": "csv", "export": export, "apply": true });
        app.owner.post("reconciliations", &asked).await.ok()
    };
    reconcile("12").await;
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    assert_eq!((nanos(&shown["spent"]), nanos(&shown["limit"])), (12_000_000_000, 10_000_000_000));
    // What the node has in hand comes back first.
    until("calls are refused", Duration::from_secs(10), async || {
        let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
        (answer.status == 402).then_some(())
    })
    .await;
    adds_up(&app).await;
    reconcile("0").await;
    // Only what was called today is left.
    assert!(spent(&app, &budget).await < 1_000_000_000);
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    adds_up(&app).await;
}

#[tokio::test]
async fn exports_that_are_wrong_are_refused_with_their_line() {
    let (app, _upstream, _token, _budget) = called().await;
    let ask = async |provider: &str, format: &str, export: &str| {
        let asked =
            json!({ "provider": provider, "format": format, "export": export, "apply": true });
        app.owner.post("reconciliations", &asked).await
    };
    let refused = ask("claude", "csv", "date,cost\n2026-01-01,1\n2026-01-02,one").await;
    refused.refused(422, "invalid_request");
    assert!(refused.json().to_string().contains("line 3"), "{refused:?}");
    ask("nobody", "csv", "date,cost\n2026-01-01,1").await.refused(422, "invalid_request");
    let tokens = ask("claude", "csv", "date,input_tokens\n2026-01-01,1").await;
    tokens.refused(422, "invalid_request");
    ask("claude", "csv", &"x".repeat(9 << 20)).await.refused(413, "too_large");
}

#[tokio::test]
async fn the_command_line_compares_applies_lists_and_takes_back() {
    let (app, _upstream, _token, budget) = called().await;
    let day = yesterday(&app).await;
    let recorded = spent(&app, &budget).await;
    let (url, secret) = (app.node.url().to_owned(), app.owner.secret());
    let file = app.node.data_dir().join("export.json");
    let export = json!({ "has_more": false, "data": [{
        "starting_at": format!("{day}T00:00:00Z"),
        "ending_at": format!("{day}T23:59:59Z"),
        "results": [{ "currency": "USD", "amount": "50", "model": "claude" }] }] });
    std::fs::write(&file, export.to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let ralex = async |arguments: &[&str]| {
        let (url, secret) = (url.clone(), secret.clone());
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let run = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run(&arguments, &[("RALEX_URL", &url), ("RALEX_TOKEN", &secret)])
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let reconcile =
        ["budgets", "reconcile", "--provider", "claude", "--format", "anthropic", &file];
    let said = ralex(&reconcile).await;
    assert!(said.contains("would be adjusted by") && said.contains("0.5"), "{said}");
    assert_eq!(spent(&app, &budget).await, recorded);
    let said = ralex(&[&reconcile[..], &["--apply"]].concat()).await;
    assert!(said.contains("was adjusted by"), "{said}");
    assert_eq!(spent(&app, &budget).await, 500_000_000);
    let listed = ralex(&["budgets", "adjustments", &budget, "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = text(&listed["items"][0], "id");
    let said = ralex(&["budgets", "reverse", &budget, &id, "--note", "a wrong export"]).await;
    assert!(said.contains("a wrong export") && said.contains("reversed"), "{said}");
    assert_eq!(spent(&app, &budget).await, recorded);
}

#[tokio::test]
async fn readiness_says_when_the_books_do_not_add_up() {
    let (app, _upstream, _token, budget) = called().await;
    let good = app.anonymous().get("/health/ready").await.ok();
    assert_eq!(good["status"], "ok", "{good}");
    let sql = format!("update budget_period set leased = leased + 1 where budget_id = '{budget}'");
    app.database.execute(&sql).await;
    // A node looks when it starts, and each minute from then on.
    let second = app.second().await;
    let degraded = until("it is found", Duration::from_secs(10), async || {
        let ready = app.anonymous().at(&second).get("/health/ready").await.ok();
        (ready["status"] == "degraded").then_some(ready)
    })
    .await;
    let said = degraded["problems"].to_string();
    assert!(said.contains("1 budget period") && !said.contains(&budget), "{degraded}");
    let metrics = app.anonymous().at(&second).get("/metrics").await;
    assert!(metrics.text.contains("ralex_budget_periods_off 1"));
}
