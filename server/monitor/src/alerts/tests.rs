//! Alerts as a whole, with the clock in hand: what ends by time, and what only figures tell.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use ralex_access::{Access, Policies};
use ralex_api::alerts::{AlertKind, Severity};
use ralex_budgets::Budgets;
use ralex_kernel::{AlertRuleId, BudgetId, Clock, OrgId, Secret};
use ralex_mail::Mailer;
use ralex_providers::{EgressPolicy, Post};
use ralex_store::testing::Database;
use ralex_usage::Usage;
use ralex_vault::{Seal, Vault};
use serde_json::Map;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::fact::Subject;
use super::raise::{Raise, raise};
use super::{Alerts, Parts};

struct World {
    database: Database,
    alerts: Alerts,
    now: Arc<Mutex<DateTime<Utc>>>,
    org: OrgId,
}

impl World {
    async fn new() -> Self {
        let database = Database::fresh().await;
        let db = database.db();
        let now = Arc::new(Mutex::new("2026-03-02T12:00:00Z".parse().unwrap()));
        let told = Arc::clone(&now);
        let clock = Clock::from_fn(move || *told.lock());
        let policies = Policies::load(None).unwrap();
        let access = Arc::new(Access::open(db.clone(), policies, clock.clone()).await.unwrap());
        let deployment = ralex_store::deployment(&db).await.unwrap();
        let key = Secret::new(format!("{}Bwc=", "BwcH".repeat(10)));
        let seal = Seal::from_base64(&key).unwrap();
        let vault = Vault::open(db.clone(), Arc::clone(&access), deployment, seal).await.unwrap();
        let parts = Parts {
            budgets: Arc::new(Budgets::new(db.clone(), access, clock.clone())),
            usage: Usage::new(db.clone(), clock.clone()),
            mailer: Mailer::absent(),
            post: Post::new(EgressPolicy::new([])).unwrap(),
            clock,
            public_url: None,
        };
        let alerts = Alerts::open(db, &vault, parts).await.unwrap();
        let org = OrgId::generate();
        let world = Self { database, alerts, now, org };
        world
            .run(&format!("insert into org (id, slug, name) values ('{org}', 'one', 'One')"))
            .await;
        world
    }

    async fn run(&self, sql: &str) {
        let mut owner = self.database.owner().await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut owner).await.unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let mut owner = self.database.owner().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut owner).await;
        rows.unwrap().iter().map(|row| row.get::<String, _>(0)).collect()
    }

    /// A budget of the organisation, spent so far in the month.
    async fn budget(&self, limit: i64, spent: i64, degrade_at: &str) -> BudgetId {
        let (org, id) = (self.org, BudgetId::generate());
        self.run(&format!(
            "insert into budget (org_id, id, period, spend_limit, hard, degrade_at)
             values ('{org}', '{id}', 'month', {limit}, true, {degrade_at});
             insert into budget_period (org_id, budget_id, starts_at, ends_at, spend_limit, hard, spent)
             values ('{org}', '{id}', '2026-03-01', '2026-04-01', {limit}, true, {spent})"
        ))
        .await;
        id
    }

    /// A rule that tells one address of everything.
    async fn rule(&self, quiet: &str) {
        let (org, id) = (self.org, AlertRuleId::generate());
        self.run(&format!(
            "insert into alert_rule (org_id, id, name, name_key, least_severity, quiet_zone,
                 quiet_from, quiet_to, quiet_days)
             values ('{org}', '{id}', 'Ops', 'ops', 'info', {quiet});
             insert into alert_channel (org_id, id, rule_id, kind, target)
             values ('{org}', '{}', '{id}', 'email', 'ops@example.com')",
            Uuid::now_v7()
        ))
        .await;
    }

    fn later(&self, by: TimeDelta) {
        *self.now.lock() += by;
    }

    async fn raise(&self, key: &str) {
        let raised = Raise {
            org: self.org,
            kind: AlertKind::SpendAnomaly,
            severity: Some(Severity::Warning),
            subject: Subject::Budget(Uuid::nil()).written(),
            subject_name: "It".to_owned(),
            team: None,
            project: None,
            dedup: key.to_owned(),
            standing: false,
            detail: Map::new(),
            at: *self.now.lock(),
            ends_at: None,
            event: None,
            count: 1,
        };
        let db = self.database.db();
        let mut tx = db.system("a test").await.unwrap();
        let now = *self.now.lock();
        raise(&mut tx, &self.alerts.0.book, now, vec![raised]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn alerts(&self) -> Vec<String> {
        self.texts("select kind || ' ' || state from alert order by id").await
    }
}

const NO_QUIET: &str = "null, null, null, null";

#[tokio::test]
async fn a_budget_that_degrades_is_told_once_and_is_over_with_its_period() {
    let world = World::new().await;
    world.budget(1_000, 850, "20").await;
    world.budget(1_000, 700, "20").await;
    for _ in 0..3 {
        world.alerts.look().await.unwrap();
    }
    assert_eq!(world.alerts().await, ["budget.degraded open"]);
    let title = world.texts("select title from alert").await;
    assert_eq!(
        title,
        ["Less than 20% of the monthly budget of One is left, so routes leave dear models out"]
    );
    world.later(TimeDelta::days(40));
    world.alerts.look().await.unwrap();
    assert_eq!(world.alerts().await, ["budget.degraded resolved"]);
}

#[tokio::test]
async fn a_sink_that_is_late_is_told_until_it_has_caught_up_and_again_when_it_is_late_again() {
    let world = World::new().await;
    let (org, sink, event) = (world.org, Uuid::now_v7(), Uuid::now_v7());
    world
        .run(&format!(
            "insert into audit_event (org_id, id, occurred_at, actor_kind, action, outcome, leaf)
             values ('{org}', '{event}', '2026-03-02 11:30', 'system', 'org.created', 'success', '{{}}');
             insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash)
             values ('{org}', 0, '{event}', decode(repeat('00', 32), 'hex'));
             insert into audit_checkpoint (org_id, tree_size, root, note)
             values ('{org}', 1, decode(repeat('00', 32), 'hex'), '');
             insert into audit_sink (org_id, id, name, name_key, kind, url, sealed_secret, batch_size,
                 flush_seconds, at_once, created_at)
             values ('{org}', '{sink}', 'SIEM', 'siem', 'webhook', 'https://siem.example/', '', 1, 0, 1,
                 '2026-03-02 11:00')"
        ))
        .await;
    world.alerts.look().await.unwrap();
    world.alerts.look().await.unwrap();
    assert_eq!(world.alerts().await, ["sink.lagging open"]);
    world.run("update audit_sink set next_index = 1").await;
    world.alerts.look().await.unwrap();
    assert_eq!(world.alerts().await, ["sink.lagging resolved"]);
    world.run("update audit_sink set next_index = 0").await;
    world.alerts.look().await.unwrap();
    assert_eq!(world.alerts().await, ["sink.lagging resolved", "sink.lagging open"]);
}

#[tokio::test]
async fn a_night_of_alerts_is_one_message_in_the_morning() {
    let world = World::new().await;
    world.rule("'UTC', 720, 780, '{1}'").await;
    world.raise("one").await;
    world.later(TimeDelta::minutes(5));
    world.raise("two").await;
    assert!(world.alerts.take_batch().await.unwrap().is_none(), "it is quiet until 13:00");
    world.later(TimeDelta::minutes(55));
    assert_eq!(world.alerts.deliver_now().await, 1);
    let batches =
        "select count(distinct batch_id)::text || ' ' || sum(attempts) from alert_delivery";
    assert_eq!(world.texts(batches).await, ["1 2"]);
}

#[tokio::test]
async fn while_an_organisation_is_closed_nobody_is_told_and_nothing_is_foretold() {
    let world = World::new().await;
    world.rule(NO_QUIET).await;
    world.raise("before").await;
    world.run("insert into alert_cursor (org_id, next_index) select id, 0 from org").await;
    world.run("update org set suspended_at = now(), suspended_reason = 'unpaid'").await;
    world.raise("meanwhile").await;
    assert!(world.alerts.take_batch().await.unwrap().is_none());
    assert_eq!(world.alerts.look().await.unwrap(), 0);
    assert_eq!(world.alerts().await.len(), 2, "both are kept");
    world.run("update org set suspended_at = null, suspended_reason = null").await;
    assert_eq!(world.alerts.look().await.unwrap(), 1);
    assert_eq!(world.alerts.deliver_now().await, 1);
    let told = "select a.dedup from alert_delivery d join alert a on a.id = d.alert_id";
    assert_eq!(world.texts(told).await, ["before"]);
}

#[tokio::test]
async fn what_fails_is_tried_ever_later_and_given_up_after_a_day() {
    let world = World::new().await;
    world.rule(NO_QUIET).await;
    world.raise("one").await;
    // Nobody has set a mail server, so no try succeeds.
    let mut tries = 0;
    for _ in 0..2_000 {
        tries += world.alerts.deliver_now().await;
        world.later(TimeDelta::minutes(1));
    }
    assert!((25..45).contains(&tries), "{tries} tries in a day");
    let state = world.texts("select state || ' ' || failure from alert_delivery").await;
    assert!(state[0].starts_with("gave_up No mail server is set"), "{state:?}");
    assert_eq!(world.alerts().await, ["spend.anomaly open", "alert.undelivered open"]);
    let channel = world.texts("select failures::text from alert_channel").await;
    assert_eq!(channel, ["1"]);
}

#[tokio::test]
async fn a_try_whose_server_died_is_taken_over_later_under_the_same_name_and_not_twice() {
    let world = World::new().await;
    world.rule(NO_QUIET).await;
    world.raise("one").await;
    let lost = world.alerts.take_batch().await.unwrap().unwrap();
    assert!(world.alerts.take_batch().await.unwrap().is_none(), "one server at a time");
    let name = world.texts("select batch_id::text from alert_delivery").await;
    world.later(TimeDelta::seconds(91));
    let taken = world.alerts.take_batch().await.unwrap().unwrap();
    assert_eq!(world.texts("select batch_id::text from alert_delivery").await, name);
    // The first was only slow. What it says now counts no more.
    world.alerts.try_out(lost).await;
    assert_eq!(world.texts("select coalesce(failure, '-') from alert_delivery").await, ["-"]);
    world.alerts.try_out(taken).await;
    assert_ne!(world.texts("select coalesce(failure, '-') from alert_delivery").await, ["-"]);
}

#[tokio::test]
async fn a_flood_for_one_channel_is_one_message() {
    let world = World::new().await;
    world.rule(NO_QUIET).await;
    for number in 0..30 {
        world.raise(&number.to_string()).await;
    }
    assert_eq!(world.alerts.deliver_now().await, 1);
}

#[tokio::test]
async fn the_log_is_followed_from_where_it_was_left_and_each_event_once() {
    let world = World::new().await;
    let budget = world.budget(1_000, 850, "null").await;
    let (org, event) = (world.org, Uuid::now_v7());
    let detail = format!(
        "{{\"action\":\"budget.threshold_crossed\",\"detail\":{{\"budget\":\"{budget}\",\"limit\":\"1\",\"percent\":80,\"spent\":\"0.85\"}}}}"
    );
    world
        .run(&format!(
            "insert into audit_event (org_id, id, occurred_at, actor_kind, action, outcome, leaf)
             values ('{org}', '{event}', '2026-03-02 11:30', 'system', 'budget.threshold_crossed',
                 'success', convert_to('{detail}', 'UTF8'));
             insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash)
             values ('{org}', 0, '{event}', decode(repeat('00', 32), 'hex'));
             insert into audit_tree (org_id, size) values ('{org}', 1)"
        ))
        .await;
    assert_eq!(world.alerts.catch_up().await.unwrap(), 1);
    assert_eq!(world.alerts.catch_up().await.unwrap(), 0);
    assert_eq!(world.alerts().await, ["budget.threshold open"]);
    let counted = world.texts("select occurrences::text || ' ' || title from alert").await;
    assert_eq!(counted, ["1 80% of the monthly budget of One is spent: $0.85 of $1.00"]);
}

#[tokio::test]
async fn a_budget_that_is_likely_to_run_out_and_a_strange_hour_are_told_once() {
    let world = World::new().await;
    let (org, team, nil) = (world.org, Uuid::now_v7(), Uuid::nil());
    world.budget(1_000_000, 400_000, "null").await;
    // Little is spent of this one, and of that one nothing is likely to be missing.
    world.budget(1_000_000_000, 10, "null").await;
    world
        .run(&format!(
            "insert into usage_cursor (xid) values ('1') on conflict do nothing;
             insert into team (org_id, id, slug, name) values ('{org}', '{team}', 'blue', 'Blue');
             insert into usage_sum (slice, org_id, starts_at, tag, model, provider, task_type, team_id,
                 project_id, user_id, token_id, calls, failed, refused, input_tokens, output_tokens,
                 cache_read_tokens, cache_write_tokens, reasoning_tokens, duration_ms, cost, saved)
             select 'time_hour', '{org}'::uuid, at, '', '', '', '', '{nil}'::uuid, '{nil}'::uuid, '{nil}'::uuid, '{nil}'::uuid,
                 1, 0, 0, 0, 0, 0, 0, 0, 0, 10000, 0
             from generate_series('2026-02-20'::timestamptz, '2026-03-02 11:00', '1 hour') as at
             union all
             select 'place_hour', '{org}'::uuid, at, '', '', '', '', '{team}'::uuid, '{nil}'::uuid, '{nil}'::uuid, '{nil}'::uuid,
                 1, 0, 0, 0, 0, 0, 0, 0, 0,
                 case when at = '2026-03-02 11:00' then 50 else 1 end * 1000000000::bigint, 0
             from generate_series('2026-02-02 11:00'::timestamptz, '2026-03-02 11:00', '1 day') as at"
        ))
        .await;
    world.alerts.forecasts(org).await.unwrap();
    world.alerts.anomalies(org).await.unwrap();
    let titles = "select title from alert order by kind";
    let told = world.texts(titles).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("The monthly budget of One is likely to be spent by 2026-03-0"));
    assert_eq!(
        told[1],
        "Blue spent $50.00 in the hour from 2026-03-02T11:00:00Z, where $1.00 is usual"
    );
    world.alerts.forecasts(org).await.unwrap();
    world.alerts.anomalies(org).await.unwrap();
    assert_eq!(world.texts(titles).await, told);
    let team_of = "select team_id::text from alert where kind = 'spend.anomaly'";
    assert_eq!(world.texts(team_of).await, [team.to_string()]);
}
