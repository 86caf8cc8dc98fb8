//! What whoever holds a role at a team or a project only sees of calls, usage and budgets.

use std::collections::BTreeSet;
use std::time::Duration;

use ralex_tests::app::{App, Client, Dialect, Shell, nanos, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

/// Three calls of blue and one of its project web, one of red, one of nobody's team.
struct World {
    app: App,
    _upstream: Upstream,
}

impl World {
    async fn new() -> Self {
        let app = App::start().await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
        let (blue, red) = (app.token("blue").await, app.token("red").await);
        let project = json!({ "slug": "web", "name": "Web", "team": "blue" });
        app.owner.post("projects", &project).await.ok();
        let web = json!({ "name": "web", "team": "blue", "project": "web" });
        let web = app.token_of(&web).await;
        let callers = [&blue.client, &blue.client, &blue.client, &web.client, &red.client];
        for caller in callers.into_iter().chain([&app.owner]) {
            caller.call(Dialect::Chat, "scripted", "Hello").await.ok();
        }
        Self { app, _upstream: upstream }
    }

    async fn member(&self, email: &str, role: &str, scope: &str) -> Client {
        self.app.member(email, role, scope).await.client
    }
}

fn ids(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| text(item, "id")).collect()
}

#[tokio::test]
async fn calls_are_seen_where_they_are_and_elsewhere_do_not_exist() {
    let world = World::new().await;
    let (owner, ann) =
        (&world.app.owner, world.member("ann@example.com", "developer", "team:blue").await);
    let all = owner.all("calls").await;
    assert_eq!(all.len(), 6);
    let of_blue = owner.all("calls?team=blue").await;
    assert_eq!((of_blue.len(), ids(&of_blue)), (4, ids(&ann.all("calls").await)));
    assert_eq!(ids(&of_blue), ids(&ann.all("calls?team=blue&state=success").await));
    assert_eq!(ann.all("calls?team=red").await, Vec::<Value>::new());
    for call in &all {
        let path = format!("calls/{}", text(call, "id"));
        if call["team"] == "blue" {
            assert_eq!(ann.get(&path).await.ok(), owner.get(&path).await.ok());
            continue;
        }
        let nothing = format!("calls/{}", "01890a5d-ac96-774b-bcce-b302099a8057");
        let (there, gone) = (ann.get(&path).await, ann.get(&nothing).await);
        assert_eq!(
            there.refused(404, "not_found")["detail"],
            gone.refused(404, "not_found")["detail"]
        );
    }
    let lines = |client: Client| async move { client.get("calls/export").await };
    let exported = lines(ann.clone()).await;
    assert_eq!((exported.header("x-ralex-calls"), exported.text.lines().count()), (Some("4"), 4));
    assert!(ann.all("batches").await.is_empty());
    let wes = world.member("wes@example.com", "developer", "project:web").await;
    let of_web = wes.all("calls").await;
    assert_eq!((of_web.len(), &of_web[0]["token"]), (1, &json!("web")));
    let bill = world.member("vic@example.com", "viewer", "team:blue").await;
    bill.get("calls").await.refused(403, "forbidden");
}

#[tokio::test]
async fn usage_of_a_place_is_what_the_owner_sees_with_the_filter() {
    let world = World::new().await;
    let owner = &world.app.owner;
    let ann = world.member("ann@example.com", "viewer", "team:blue").await;
    let wes = world.member("wes@example.com", "viewer", "project:web").await;
    let groups = ["model", "team", "project", "user", "token", "task_type", "tag", "day", "hour"];
    let summed_up = "select coalesce(sum(calls), 0)::text from usage_sum where slice = 'time_day'";
    for _ in 0..2 {
        for by in groups {
            for (client, place) in [(&ann, "team=blue"), (&wes, "project=web")] {
                let asked = format!("usage?group_by={by}");
                let seen = client.get(&asked).await.ok();
                let filtered = owner.get(&format!("{asked}&{place}")).await.ok();
                let parts = |usage: &Value| (usage["rows"].clone(), usage["total"].clone());
                assert_eq!(parts(&seen), parts(&filtered), "{by} {place}");
                let named = client.get(&format!("{asked}&{place}")).await.ok();
                assert_eq!(parts(&named), parts(&filtered), "{by} {place}");
            }
        }
        // Once as the calls tell it, once as the sums do.
        until("the calls are summed up", Duration::from_secs(20), async || {
            (world.app.database.texts(summed_up).await == ["6"]).then_some(())
        })
        .await;
    }
    assert_eq!(ann.get("usage").await.ok()["total"]["calls"], 4);
    assert_eq!(wes.get("usage?team=blue").await.ok()["total"]["calls"], 1);
    for other in ["team=red", "project=none", "team=nowhere"] {
        let refused = ann.get(&format!("usage?{other}")).await.refused(422, "invalid_request");
        let detail = refused["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(!detail.contains("red"), "{refused}");
    }
    let spent = |forecast: Value| nanos(&forecast["spent"]);
    let of_blue = spent(owner.get("usage/forecast?team=blue").await.ok());
    assert_eq!((spent(ann.get("usage/forecast").await.ok()), of_blue > 0), (of_blue, true));
    assert!(ann.get("usage/anomalies?group_by=team").await.ok()["items"].is_array());
    let try_it = json!({ "price": { "model": "scripted", "input_price": "6" } });
    assert_eq!(ann.post("usage/replay", &try_it).await.ok()["calls"], 4);
    for path in ["overview", "cache", "reports/routing"] {
        ann.get(path).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn who_others_are_is_not_told_by_asking_for_what_they_used() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", "viewer", "team:blue").await;
    world.member("rob@example.com", "developer", "team:red").await;
    let parts = |usage: &Value| (usage["rows"].clone(), usage["total"].clone());
    let member = ann.get("usage?user=rob@example.com").await.ok();
    let nobody = ann.get("usage?user=nobody@example.com").await.ok();
    assert_eq!(parts(&member), parts(&nobody));
    assert_eq!(member["total"]["calls"], 0);
}

#[tokio::test]
async fn what_is_denied_at_one_place_stays_out_of_everything() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", "developer", "org").await;
    let deny = |scope: &str| {
        json!({ "subject": "user:ann@example.com", "role": "developer", "scope": scope,
            "effect": "deny" })
    };
    assert_eq!(ann.all("calls").await.len(), 6);
    for (scope, calls) in [("project:web", 5), ("team:red", 4)] {
        world.app.owner.post("bindings", &deny(scope)).await.ok();
        until("the denial is known", Duration::from_secs(5), async || {
            (ann.all("calls").await.len() == calls).then_some(())
        })
        .await;
        assert_eq!(ann.get("usage").await.ok()["total"]["calls"], calls);
    }
    let teams: Vec<_> = ann.all("calls").await.iter().map(|call| call["team"].clone()).collect();
    assert!(teams.contains(&Value::Null) && !teams.contains(&json!("red")), "{teams:?}");
}

#[tokio::test]
async fn budgets_are_seen_at_their_place_and_not_above() {
    let world = World::new().await;
    let app = &world.app;
    let ann = world.member("ann@example.com", "developer", "team:blue").await;
    let mut made = Vec::new();
    for scope in ["team:blue", "project:web", "org", "team:red", "user:ann@example.com"] {
        made.push(app.budget(scope, "10", false).await);
    }
    let (hers, others) = made.split_at(2);
    let listed = ann.all("budgets").await;
    assert_eq!(ids(&listed), hers.iter().cloned().collect());
    for budget in hers {
        let path = format!("budgets/{budget}");
        assert_eq!(ann.get(&path).await.ok(), app.owner.get(&path).await.ok());
        for more in ["forecast", "runs", "adjustments"] {
            ann.get(&format!("{path}/{more}")).await.ok();
        }
        let more = json!({ "limit": "100" });
        ann.patch(&path, &more).await.refused(403, "forbidden");
    }
    for budget in others {
        for more in ["", "/forecast", "/runs", "/adjustments"] {
            let path = format!("budgets/{budget}{more}");
            ann.get(&path).await.refused(404, "not_found");
        }
    }
    for scope in ["team:blue", "team:red", "org"] {
        let limit = json!({ "scope": scope, "measure": "requests", "amount": 1_000 });
        app.owner.post("rate-limits", &limit).await.ok();
    }
    let limits = ann.all("rate-limits").await;
    assert_eq!((limits.len(), &limits[0]["scope"]), (1, &json!("team:blue")));
}

#[tokio::test]
async fn the_command_line_shows_a_team_s_own_to_its_admin() {
    let world = World::new().await;
    let budget = world.app.budget("team:blue", "10", false).await;
    world.app.budget("org", "70", false).await;
    let tam = world.member("tam@example.com", "team_admin", "team:blue").await;
    let shell = Shell::by(&tam);
    assert!(shell.done("usage report --by team --team blue").await.contains("blue"));
    let (code, said) = shell.says("usage report --team red").await;
    assert!(code != 0 && said.contains("names no team"), "{said}");
    let calls = shell.done("usage calls --team blue").await;
    assert_eq!(calls.lines().count(), 4, "{calls}");
    let budgets = shell.done("budgets list").await;
    assert!(budgets.contains("team:blue") && !budgets.contains("70"), "{budgets}");
    assert!(shell.done(&format!("budgets show {budget}")).await.contains("team:blue"));
}
