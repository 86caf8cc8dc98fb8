//! What an organisation does by schedule rests while it is closed, and goes on without a burst.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_tests::app::{App, Client, text, until};
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;
use crate::invitations::{choose, secret};

const ORGS: &str = "/api/v1/operator/orgs";

async fn acme(app: &App) -> Client {
    let new = json!({ "slug": "acme", "owner_email": "eve@example.com", "owner_name": "Eve" });
    let made = app.owner.post(ORGS, &new).await.ok();
    let link = secret(&text(&made["invitation"], "link"));
    assert_eq!(choose(app, &link, "the-owner-chose-this").await.status, 204);
    app.anonymous().login("eve@example.com", "the-owner-chose-this").await
}

/// How many rows of each of the two there are: of the one that was closed, and of the other.
async fn counts(app: &App, table: &str, where_: &str) -> [String; 2] {
    let mut both = Vec::new();
    for slug in ["default", "acme"] {
        let count = format!(
            "select count(*)::text from {table} t join org o on o.id = t.org_id
             where o.slug = '{slug}' and {where_}"
        );
        both.extend(app.database.texts(&count).await);
    }
    both.try_into().unwrap()
}

async fn suspend(app: &App) {
    let why = json!({ "reason": "The invoice of June is open." });
    app.owner.post(&format!("{ORGS}/default/suspend"), &why).await.ok();
}

async fn resume(app: &App) {
    app.owner.post(&format!("{ORGS}/default/resume"), &Value::Null).await.ok();
}

#[tokio::test]
async fn scheduled_reports_rest_and_the_last_that_was_missed_is_made_once() {
    let app = App::start().await;
    let eve = acme(&app).await;
    let new = json!({ "name": "Weekly", "kind": "control_health", "every": "week", "day": 1,
        "hour": 6 });
    app.owner.post("report-schedules", &new).await.ok();
    eve.post("/api/v1/orgs/acme/report-schedules", &new).await.ok();
    suspend(&app).await;
    // The closed one has missed ten, and would come first.
    let missed = "update report_schedule s set next_at = next_at - case o.slug
                      when 'default' then interval '70 days' else interval '7 days' end
                  from org o where o.id = s.org_id";
    app.database.execute(missed).await;
    until("the other one has its report", Duration::from_secs(30), async || {
        (counts(&app, "report", "t.state = 'done'").await == ["0", "1"]).then_some(())
    })
    .await;
    assert_eq!(counts(&app, "report", "true").await, ["0", "1"]);
    resume(&app).await;
    let report = until("it goes on", Duration::from_secs(30), async || {
        let reports = app.owner.get("reports").await.ok();
        let report = reports["items"].as_array()?.first()?.clone();
        (report["state"] == "done").then_some(report)
    })
    .await;
    let to: DateTime<Utc> = text(&report, "to").parse().unwrap();
    assert!(to > Utc::now() - TimeDelta::days(15), "{report}");
    assert_eq!(counts(&app, "report", "true").await, ["1", "1"]);
    let waiting = "select count(*)::text from report_schedule where next_at <= now()";
    assert_eq!(app.database.texts(waiting).await, ["0"]);
}

#[tokio::test]
async fn letters_wait_and_reviews_are_not_closed_before_anybody_could_decide() {
    let office = PostOffice::start();
    let app = App::start_with(&[
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
    ])
    .await;
    office.answer(Some("451 come again"));
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let wanted = json!({ "role": "developer", "reason": "to mend it" });
    ann.client.post("access-requests", &wanted).await.ok();
    let review = json!({ "name": "Quarter", "due_days": 14, "undecided": "remove" });
    app.owner.post("access-reviews", &review).await.ok();
    // Refused by the mail server: what is only on its way is due again later than that.
    let tried = "t.state = 'waiting' and t.tries > 0 and t.next_at < now() + interval '4 minutes'";
    until("both letters were tried", Duration::from_mins(1), async || {
        (counts(&app, "access_letter", tried).await == ["2", "0"]).then_some(())
    })
    .await;
    suspend(&app).await;
    office.answer(None);
    app.database.execute("update access_letter set next_at = now()").await;
    app.database.execute("update access_review set due_at = now()").await;
    // Another organisation's letters go out meanwhile, later in line than these.
    let id = "select id::text from org where slug = 'default'";
    let org = app.database.texts(id).await.remove(0);
    let copied = format!(
        "insert into org (id, slug, name) values ('00000000-0000-7000-8000-000000000001', 'twin', 'Twin');
         insert into membership (org_id, user_id)
             select '00000000-0000-7000-8000-000000000001', user_id from membership where org_id = '{org}';
         insert into access_review select '00000000-0000-7000-8000-000000000001', r.* from (
             select id, name, state, team_id, project_id, roles, subjects, undecided, repeats, round,
                 series_at, previous_id, due_days, opens_at, created_by, created_at, opened_at,
                 now() + interval '9 days', reminded_at, decided_at, closed_by, ended_at, signed_by,
                 signed_at, signed_note from access_review) r;
         insert into access_letter select '00000000-0000-7000-8000-000000000001', about, about_id,
             occasion, user_id, state, 0, now() from access_letter where about = 'review'"
    );
    app.database.execute(&copied).await;
    until("the other one's letter is sent", Duration::from_mins(1), async || {
        (office.letters().len() == 1).then_some(())
    })
    .await;
    assert!(office.letters()[0].headers["subject"].contains("of Twin"), "{:?}", office.letters());
    resume(&app).await;
    until("both are told", Duration::from_mins(1), async || {
        (office.letters().len() >= 3).then_some(())
    })
    .await;
    let left =
        "select state || ' ' || (due_at > now() + interval '2 days')::text from access_review";
    // It is looked at steadily, and never closed before it has been given more time.
    until("the review has more time", Duration::from_mins(1), async || {
        let left = app.database.texts(left).await;
        assert!(left.iter().all(|it| it.starts_with("open")), "{left:?}");
        (left == ["open true", "open true"]).then_some(())
    })
    .await;
}
