//! Searches of the audit log, and exports of what they find.

use ralex_tests::app::text;
use serde_json::json;

use super::exported;

#[tokio::test]
async fn a_search_finds_by_target_and_by_outcome() {
    let (app, _bundle) = exported().await;
    let team = app.owner.post("teams", &json!({ "slug": "sought", "name": "Sought" })).await.ok();
    let target = format!("team:{}", text(&team, "id"));
    let of_team = app.owner.all(&format!("audit?target={target}")).await;
    let actions: Vec<String> = of_team.iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(actions, ["team.created"], "{of_team:?}");

    let all = app.owner.all("audit").await;
    let outcomes = ["success", "intent", "denied", "error"];
    let mut found = 0;
    for outcome in outcomes {
        let ended = app.owner.all(&format!("audit?outcome={outcome}")).await;
        assert!(ended.iter().all(|entry| entry["outcome"] == outcome), "{outcome}: {ended:?}");
        found += ended.len();
    }
    assert_eq!(found, all.len(), "each event has one outcome");
    let teams = app.owner.all("audit?target=team:*&outcome=success&actor=system").await;
    assert!(teams.is_empty(), "{teams:?}");

    let path = format!("audit/export?format=csv&target={target}&outcome=success");
    let table = app.owner.get(&path).await;
    assert_eq!(table.header("x-ralex-events"), Some("1"), "{}", table.text);
    assert_eq!(table.text.lines().count(), 2, "{}", table.text);
    for (wrong, field) in [("outcome=done", "outcome"), ("target=*", "target")] {
        let answer = app.owner.get(&format!("audit?{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text);
        assert!(answer.text.contains(field), "{wrong}: {}", answer.text);
    }
}
