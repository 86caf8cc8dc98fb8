//! Reports of schedules on their way to those who should have them.

use std::time::Duration;

use ralex_tests::app::{App, text, until};
use serde_json::json;

use crate::alerts::post_office::PostOffice;

#[tokio::test]
async fn a_scheduled_report_reaches_its_recipients_once_and_is_tried_again_until_it_does() {
    let office = PostOffice::start();
    office.answer(Some("451 come again"));
    let app = App::start_with(&[
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
    ])
    .await;
    let new = json!({ "name": "Weekly", "kind": "control_health", "every": "week", "day": 1,
        "hour": 6, "recipients": ["audit@example.com", "ciso@example.com"] });
    app.owner.post("report-schedules", &new).await.ok();
    app.database.execute("update report_schedule set next_at = next_at - interval '7 days'").await;
    let told = until("it was refused", Duration::from_mins(1), async || {
        let report = app.owner.all("reports").await.into_iter().next()?;
        report["mail_failure"].is_string().then_some(report)
    })
    .await;
    assert_eq!(told["mail"], "waiting", "{told}");
    assert!(text(&told, "mail_failure").contains("451"), "{told}");
    office.answer(None);
    app.database.execute("update report set mail_at = now()").await;
    until("it is sent", Duration::from_mins(1), async || {
        let report = app.owner.all("reports").await.into_iter().next()?;
        (report["mail"] == "sent").then_some(())
    })
    .await;
    let letters = office.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0].to, ["audit@example.com", "ciso@example.com"]);
    assert!(letters[0].headers["subject"].starts_with("Control health of"), "{letters:?}");
    let id = text(&told, "id");
    assert!(letters[0].headers["message-id"].contains(&format!("report-{id}@")), "{letters:?}");
    assert!(letters[0].text.contains("application/pdf"), "{}", letters[0].text);
    let events = app.owner.all("audit?action=report.mailed").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["record"]["detail"]["attached"], true);
}
