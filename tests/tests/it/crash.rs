//! Ends that nobody planned: of the server, of the database, and of the line between them.

use std::fs;
use std::time::Duration;

use futures_util::future::join_all;
use ralex_tests::app::{App, DIALECTS, Database, Dialect, Link, Token, nanos, until};
use ralex_tests::upstream::{Script, Upstream};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A silent node is known to be dead after 30 seconds; its calls are swept within 5 more.
const SWEPT: Duration = Duration::from_secs(50);
const LATER: Duration = Duration::from_secs(10);

async fn with_provider(app: &App) -> (Upstream, Token) {
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let token = app.token("blue").await;
    (upstream, token)
}

async fn spent_and_held(app: &App, budget: &str) -> (i64, i64) {
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    (nanos(&shown["spent"]), nanos(&shown["held"]))
}

/// Every call has ended, every intent has its outcome, and all sums agree.
async fn adds_up(app: &App, budget: &str) {
    let calls = app.owner.all("calls").await;
    let ends = ["success", "error", "canceled", "lost"];
    for call in &calls {
        assert!(ends.contains(&call["state"].as_str().unwrap()), "{call}");
    }
    let sum: i64 = calls.iter().map(|call| nanos(&call["cost"])).sum();
    let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
    // What a killed server had in hand counts as spent too.
    let spent = nanos(&shown["spent"]) - nanos(&shown["adjusted"]);
    assert_eq!((spent, nanos(&shown["held"])), (sum, 0), "{shown}, {calls:?}");
    let targets = async |action: &str| -> Vec<Value> {
        let entries = app.owner.all(&format!("audit?action={action}")).await;
        let mut targets: Vec<_> = entries.iter().map(|entry| entry["target"].clone()).collect();
        targets.sort_by_key(Value::to_string);
        targets
    };
    assert_eq!(targets("call.opened").await, targets("call.closed").await);
    assert_eq!(targets("call.opened").await.len(), calls.len());
    let found = ralex_tests::app::run(
        &["budgets", "verify"],
        &[("RALEX_DATABASE_URL", app.database.url())],
    );
    assert!(found.status.success(), "{found:?}");
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_loses_no_call_and_no_money() {
    let mut app = App::start().await;
    let (upstream, token) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    let chunks = Some(vec!["one ".to_owned(), "two ".to_owned()]);
    upstream.script(Script { chunks, stall_after: Some(1), ..Script::default() });
    let mut streams = Vec::new();
    for dialect in DIALECTS.into_iter().cycle().take(6) {
        let mut stream = token.client.stream(dialect, "claude", "Hello").await;
        stream.read_until("one ").await;
        streams.push(stream);
    }
    let (spent, held) = spent_and_held(&app, &budget).await;
    assert!(spent > 0 && held > 0);
    app.node.kill();
    for stream in &mut streams {
        stream.read_all().await;
    }
    app.restart().await;
    // What was held stays held until it is known that nobody can settle it any more.
    let (_, held) = spent_and_held(&app, &budget).await;
    assert!(held > 0);
    until("the lost calls were swept", SWEPT, async || {
        (spent_and_held(&app, &budget).await.1 == 0).then_some(())
    })
    .await;
    let lost = app.owner.all("calls?state=lost").await;
    assert_eq!(lost.len(), 6, "{lost:?}");
    assert!(lost.iter().all(|call| call["cost"] == call["held"]), "{lost:?}");
    adds_up(&app, &budget).await;
    upstream.script(Script::default());
    Dialect::Chat.said(&app.with(&token.secret).call(Dialect::Chat, "claude", "Hello").await);
    let checked = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(checked["good"], true, "{checked}");
}

#[tokio::test]
async fn calls_that_are_under_way_end_before_a_server_that_is_asked_to() {
    let mut app = App::start().await;
    let (upstream, token) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    upstream.script(Script { delay_first_ms: 1_000, ..Script::default() });
    let calls = (0..4).map(|_| token.client.call(Dialect::Chat, "claude", "Hello"));
    let begun = async {
        until("the provider was asked", LATER, async || {
            (upstream.counts().begun == 4).then_some(())
        })
        .await;
        app.node.stop().await
    };
    let (answers, ended) = tokio::join!(join_all(calls), begun);
    assert!(ended.success(), "{ended:?}");
    for answer in &answers {
        Dialect::Chat.said(answer);
    }
    app.restart().await;
    adds_up(&app, &budget).await;
}

#[tokio::test]
async fn without_its_database_a_server_answers_nothing_and_recovers_by_itself() {
    away_and_back(Link::cut).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_as_one_that_is_gone() {
    away_and_back(Link::silence).await;
}

async fn away_and_back(trouble: fn(&Link)) {
    let database = Database::fresh().await;
    let link = Link::to(&database).await;
    let app = App::start_on(database, &[("RALEX_DATABASE_URL", link.url())]).await;
    let (upstream, known) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    let unknown = app.token("red").await;
    Dialect::Chat.said(&known.client.call(Dialect::Chat, "claude", "Hello").await);
    assert_eq!(spent_and_held(&app, &budget).await.1, 0);
    let before = upstream.counts().begun;
    trouble(&link);
    for (dialect, token) in DIALECTS.into_iter().zip([&known, &unknown]) {
        let asked = token.client.call(dialect, "claude", "Hello");
        let answer = tokio::time::timeout(LATER, asked).await.unwrap();
        dialect.refusal(&answer, 503);
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    app.anonymous().get("/health/ready").await.refused(503, "unavailable");
    assert_eq!(app.anonymous().get("/health/live").await.status, 200);
    app.owner.get("teams").await.refused(503, "unavailable");
    // The one call that leases covered, when nobody knew yet that its record would fail.
    assert!(upstream.counts().begun <= before + 1, "something was sent");
    link.mend();
    until("it serves again", LATER, async || {
        (app.anonymous().get("/health/ready").await.status == 200).then_some(())
    })
    .await;
    until("calls pass again", LATER, async || {
        let answer = known.client.call(Dialect::Chat, "claude", "Hello").await;
        (answer.status == 200).then_some(())
    })
    .await;
    until("nothing is held any more", LATER, async || {
        (spent_and_held(&app, &budget).await.1 == 0).then_some(())
    })
    .await;
    adds_up(&app, &budget).await;
    let sent = upstream.counts().begun;
    assert!(app.owner.all("calls").await.len() as u64 >= sent, "sent without a record");
}

#[tokio::test]
async fn a_database_that_falls_silent_under_load_keeps_no_caller_waiting() {
    let database = Database::fresh().await;
    let link = Link::to(&database).await;
    let app = App::start_on(database, &[("RALEX_DATABASE_URL", link.url())]).await;
    let (_upstream, token) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    for _ in 0..3 {
        let callers = (0..8).map(|_| async {
            // Goes on until it is refused once, so that the silence comes amid all that is done.
            loop {
                let asked = token.client.call(Dialect::Chat, "claude", "Hello");
                let answer = tokio::time::timeout(2 * LATER, asked).await.unwrap();
                if answer.status != 200 {
                    return answer;
                }
            }
        });
        let silence = async {
            until("calls are under way", LATER, async || {
                (app.owner.all("calls").await.len() > 20).then_some(())
            })
            .await;
            link.silence();
        };
        let (answers, ()) = tokio::join!(join_all(callers), silence);
        for answer in &answers {
            Dialect::Chat.refusal(answer, 503);
        }
        link.mend();
        until("calls pass again", LATER, async || {
            let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    until("nothing is held any more", LATER, async || {
        (spent_and_held(&app, &budget).await.1 == 0).then_some(())
    })
    .await;
    adds_up(&app, &budget).await;
}

#[tokio::test]
async fn a_call_whose_end_cannot_be_written_at_once_is_written_later() {
    let database = Database::fresh().await;
    let link = Link::to(&database).await;
    let app = App::start_on(database, &[("RALEX_DATABASE_URL", link.url())]).await;
    let (upstream, token) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    let chunks = Some(vec!["one ".to_owned(), "two ".to_owned()]);
    upstream.script(Script { chunks, delay_chunk_ms: 1_500, ..Script::default() });
    let mut stream = token.client.stream(Dialect::Chat, "claude", "Hello").await;
    stream.read_until("one ").await;
    link.cut();
    let (said, ended) = Dialect::Chat.heard(stream.read_all().await);
    assert_eq!((said.as_str(), ended), ("one two ", true));
    link.mend();
    let cost = nanos(&Value::from(stream.cost().unwrap()));
    until("the call settled", LATER, async || {
        let answer = app.owner.get(&format!("budgets/{budget}")).await;
        (answer.status == 200 && nanos(&answer.json()["spent"]) == cost).then_some(())
    })
    .await;
    adds_up(&app, &budget).await;
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let app = App::start().await;
    let (upstream, token) = with_provider(&app).await;
    let before = upstream.counts().begun;
    app.database
        .execute("alter table audit_event add constraint full_disk check (false) not valid")
        .await;
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "claude", "Hello").await;
        assert!(answer.status >= 500, "{answer:?}");
        dialect.refusal(&answer, answer.status);
    }
    let team = serde_json::json!({ "slug": "red", "name": "Red" });
    assert!(app.owner.post("teams", &team).await.status >= 500);
    assert_eq!(upstream.counts().begun, before, "something was sent");
    app.database.execute("alter table audit_event drop constraint full_disk").await;
    assert_eq!(app.owner.all("teams").await.len(), 1);
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
}

#[tokio::test]
async fn what_was_sent_while_its_record_failed_is_never_answered_and_recorded_later() {
    let app = App::start().await;
    let (upstream, token) = with_provider(&app).await;
    let budget = app.budget("org", "10", true).await;
    upstream.script(Script { delay_first_ms: 200, ..Script::default() });
    for _ in 0..3 {
        Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    }
    until("a lease is there", LATER, async || {
        let shown = app.owner.get(&format!("budgets/{budget}")).await.ok();
        (nanos(&shown["leased"]) > 0).then_some(())
    })
    .await;
    let before = upstream.counts().begun;
    app.database
        .execute("alter table audit_event add constraint full_disk check (false) not valid")
        .await;
    let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
    Dialect::Chat.refusal(&answer, 503);
    assert_eq!(upstream.counts().begun, before + 1, "leases cover it");
    let next = token.client.call(Dialect::Chat, "claude", "Hello").await;
    assert!(next.status >= 500, "{next:?}");
    assert_eq!(upstream.counts().begun, before + 1, "it is known now that nothing can be recorded");
    app.database.execute("alter table audit_event drop constraint full_disk").await;
    until("what was sent is recorded and paid", LATER, async || {
        let calls = app.owner.all("calls").await;
        let usual = calls.iter().find(|call| call["state"] == "success").unwrap();
        let thrown_away = calls.iter().find(|call| call["state"] == "error")?;
        // The provider has answered, and bills it, whoever gets it.
        let paid = ["cost", "output_tokens"].iter().all(|it| thrown_away[it] == usual[it]);
        (paid && spent_and_held(&app, &budget).await.1 == 0).then_some(())
    })
    .await;
    adds_up(&app, &budget).await;
}

#[tokio::test]
async fn a_built_in_database_that_dies_is_started_again() {
    let app = App::start_with(&[("RALEX_DATABASE_URL", "")]).await;
    let (_upstream, token) = with_provider(&app).await;
    app.budget("org", "10", true).await;
    Dialect::Chat.said(&token.client.call(Dialect::Chat, "claude", "Hello").await);
    let file = app.node.data_dir().join("postgres/data/postmaster.pid");
    let pid = fs::read_to_string(file).unwrap().lines().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let answer = until("calls pass again", Duration::from_secs(30), async || {
        let answer = token.client.call(Dialect::Chat, "claude", "Hello").await;
        if answer.status == 200 {
            return Some(answer);
        }
        Dialect::Chat.refusal(&answer, 503);
        None
    })
    .await;
    Dialect::Chat.said(&answer);
    // A call that was let in before rights were too old to go by may have waited for the database;
    // rights are known again only when they are next read.
    let budgets = until("rights are known again", Duration::from_secs(30), async || {
        let answer = app.owner.get("budgets").await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    assert_eq!(budgets.ok()["items"].as_array().unwrap().len(), 1);
}
