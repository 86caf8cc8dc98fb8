//! Every call is counted once, whoever sums up whenever.

use chrono::{TimeDelta, Utc};
use ralex_api::usage::{GroupBy, UsageQuery};
use ralex_kernel::{Money, OrgId};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::world::{Call, World, settle, write};

/// A small generator, so that a failure can be seen again by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What the calls themselves come to, for one who sees what has committed.
async fn truth(conn: &mut PgConnection, org: OrgId) -> Vec<(String, u64, Money)> {
    let rows = sqlx::query!(
        r#"select model, count(*) as "calls!", sum(cost)::bigint as "cost!: Money" from call
           where org_id = $1 and state not in ('open', 'refused') and purpose is distinct from 'count'
           group by model order by model"#,
        org as _,
    )
    .fetch_all(conn)
    .await
    .unwrap();
    rows.into_iter().map(|row| (row.model, row.calls.unsigned_abs(), row.cost)).collect()
}

const MODELS: [&str; 3] = ["a", "b", "c"];

/// One writer with a transaction that may stay open for long.
struct Writer {
    conn: PgConnection,
    begun: bool,
}

async fn step(writer: &mut Writer, dice: &mut Dice, org: OrgId, known: &[Uuid]) -> Option<Uuid> {
    if !writer.begun {
        writer.conn.execute("begin").await.unwrap();
        writer.begun = true;
    }
    let model = MODELS[usize::try_from(dice.roll(3)).unwrap()];
    let cost = i64::try_from(dice.roll(1_000)).unwrap();
    match dice.roll(6) {
        0 if !known.is_empty() => {
            let at = usize::try_from(dice.roll(known.len() as u64)).unwrap();
            let state = ["success", "error", "lost"][usize::try_from(dice.roll(3)).unwrap()];
            // Another writer may have this one; a real settlement would wait for it.
            writer.conn.execute("savepoint here; set local lock_timeout = '1ms'").await.unwrap();
            let ended = sqlx::query!(
                "update call set state = $2, model = $3, cost = $4, settled_at = now()
                 where id = $1 and state in ('open', 'lost')",
                known[at],
                state,
                model,
                cost,
            )
            .execute(&mut writer.conn)
            .await;
            let then = if ended.is_ok() {
                "release here; set local lock_timeout = 0"
            } else {
                "rollback to here"
            };
            writer.conn.execute(then).await.unwrap();
            None
        }
        1..=3 => {
            let state = ["open", "success", "lost"][usize::try_from(dice.roll(3)).unwrap()];
            let hours = i64::try_from(dice.roll(50)).unwrap();
            let started_at = Utc::now() - TimeDelta::minutes(hours * 25 + 1);
            let call = Call { state, model, cost, started_at, ..Call::default() };
            Some(write(&mut writer.conn, org, &call).await)
        }
        done => {
            let end = if done == 4 { "commit" } else { "rollback" };
            writer.conn.execute(end).await.unwrap();
            writer.begun = false;
            None
        }
    }
}

#[tokio::test]
async fn whatever_commits_when_every_answer_is_what_the_calls_say() {
    let world = World::new().await;
    let mut reader = world.database.owner().await;
    let (mut folded, mut compared) = (0, 0);
    for seed in 0..4 {
        let mut dice = Dice(seed);
        let mut writers = Vec::new();
        for _ in 0..4 {
            writers.push(Writer { conn: world.database.owner().await, begun: false });
        }
        let mut known = Vec::new();
        for _ in 0..150 {
            let at = usize::try_from(dice.roll(4)).unwrap();
            known.extend(step(&mut writers[at], &mut dice, world.org, &known).await);
            if dice.roll(4) == 0 {
                folded += world.fold().await;
            }
            if dice.roll(5) == 0 {
                let from = Some(Utc::now() - TimeDelta::days(3));
                let mut report = world.report(&UsageQuery { from, ..UsageQuery::default() }).await;
                report.rows.sort_by(|one, other| one.key.cmp(&other.key));
                let told: Vec<_> = report
                    .rows
                    .iter()
                    .map(|row| (row.key.clone(), row.sums.calls, row.sums.cost))
                    .collect();
                assert_eq!(told, truth(&mut reader, world.org).await, "seed {seed}");
                compared += 1;
            }
        }
        for writer in writers {
            writer.conn.close().await.unwrap();
        }
        world.fold().await;
        world.assert_exact().await;
    }
    assert!(folded > 40 && compared > 60, "{folded} sums changed, {compared} answers compared");
}

#[tokio::test]
async fn two_who_sum_up_at_once_count_nothing_twice() {
    let world = World::new().await;
    for _ in 0..20 {
        for _ in 0..5 {
            world.write(Call::default()).await;
        }
        let (one, other) = (world.fold(), world.fold());
        tokio::join!(one, other);
    }
    world.fold_all().await;
    assert_eq!(world.report(&UsageQuery::default()).await.total.calls, 100);
    world.assert_exact().await;
}

#[tokio::test]
async fn a_lost_calls_worst_case_gives_way_to_what_it_really_cost() {
    let world = World::new().await;
    let mut owner = world.database.owner().await;
    let lost = Call { state: "lost", model: "a", cost: 900, ..Call::default() };
    let late = world.write(lost.clone()).await;
    world.fold_all().await;
    // What a transaction left open holds back is read from the calls.
    let mut slow = world.database.owner().await;
    slow.execute("begin; create table slow (id int)").await.unwrap();
    settle(&mut owner, late, "success", "b", 100).await;
    let later = world.write(lost).await;
    settle(&mut owner, later, "success", "b", 50).await;
    for round in ["held back", "summed up"] {
        world.fold().await;
        let report = world.report(&UsageQuery::default()).await;
        assert_eq!(report.rows.len(), 1, "{round}: {:?}", report.rows);
        let (row, sums) = (&report.rows[0], &report.total);
        assert_eq!((row.key.as_str(), sums.calls, sums.failed), ("b", 2, 0), "{round}");
        assert_eq!(sums.cost, Money::nanos(150), "{round}");
        world.assert_exact().await;
        if round == "held back" {
            slow.execute("commit").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_restored_database_is_summed_up_anew() {
    let world = World::new().await;
    for _ in 0..3 {
        world.write(Call::default()).await;
    }
    world.fold_all().await;
    world.write(Call { state: "lost", ..Call::default() }).await;
    // As after a dump that was loaded into another cluster: transactions count anew.
    world.execute("update usage_cursor set xid = '4000000000000'").await;
    world
        .execute(
            "alter table call disable trigger user; update call set settled_xid = '4000000000001'
         where state = 'lost'; alter table call enable trigger user",
        )
        .await;
    let fresh = world.write(Call::default()).await;
    world.fold_all().await;
    world.assert_exact().await;
    let mut owner = world.database.owner().await;
    let lost = sqlx::query_scalar!("select id from call where state = 'lost'");
    let lost = lost.fetch_one(&mut owner).await.unwrap();
    settle(&mut owner, lost, "success", "gpt-test", 5).await;
    world.fold_all().await;
    world.assert_exact().await;
    let report = world.report(&UsageQuery::default()).await;
    assert_eq!((report.total.calls, report.total.cost), (5, Money::nanos(4_005)), "{fresh}");
}

#[tokio::test]
async fn a_sum_that_was_altered_is_found_and_can_be_made_anew() {
    let world = World::new().await;
    world.write(Call::default()).await;
    world.fold_all().await;
    world.execute("update usage_sum set cost = cost - 1 where slice = 'time_day'").await;
    let found = crate::verify(&world.database.db(), Some(world.org)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].summed.1, found[0].calls.1), (Money::nanos(999), Money::nanos(1_000)));
    let from = Some(Utc::now() - TimeDelta::days(3));
    let report = UsageQuery { group_by: GroupBy::Day, from, ..UsageQuery::default() };
    assert_eq!(world.report(&report).await.total.cost, Money::nanos(999));
    assert_eq!(
        crate::rebuild(&world.database.db()).await.unwrap(),
        1,
        "only what was wrong is written"
    );
    world.assert_exact().await;
    world.execute("delete from usage_sum where slice like 'who_%'").await;
    let extra = "insert into usage_sum select slice, org_id, starts_at - interval '5 days', tag, model, provider,
            task_type, team_id, project_id, user_id, token_id, calls, failed, refused, input_tokens,
            output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, duration_ms, cost, saved
         from usage_sum where slice = 'what_hour'";
    world.execute(extra).await;
    assert_eq!(crate::rebuild(&world.database.db()).await.unwrap(), 3);
    world.assert_exact().await;
}

#[tokio::test]
async fn calls_and_questions_go_on_while_sums_are_made_anew() {
    let world = World::new().await;
    let day = |back| Call { started_at: Utc::now() - TimeDelta::days(back), ..Call::default() };
    for back in 0..5 {
        world.write(day(back)).await;
    }
    let lost = world.write(Call { state: "lost", cost: 900, ..day(2) }).await;
    world.fold_all().await;
    world
        .execute("update usage_sum set cost = cost + 7 where slice in ('time_day', 'all_hour')")
        .await;
    world.execute("update usage_cursor set anew_before = 'infinity'").await;
    // One who writes calls holds nobody up, and is not held up.
    let mut writer = world.database.owner().await;
    writer.execute("begin").await.unwrap();
    write(&mut writer, world.org, &day(1)).await;
    let mut owner = world.database.owner().await;
    settle(&mut owner, lost, "success", "b", 100).await;
    assert!(crate::rebuild(&world.database.db()).await.unwrap() > 0);
    world.assert_exact().await;
    writer.execute("commit").await.unwrap();
    world.fold_all().await;
    world.assert_exact().await;
    let from = Some(Utc::now() - TimeDelta::days(9));
    let report = world.report(&UsageQuery { from, ..UsageQuery::default() }).await;
    assert_eq!((report.total.calls, report.total.cost), (7, Money::nanos(6_100)));
}

#[tokio::test]
async fn whoever_sums_up_next_goes_on_with_sums_that_are_made_anew() {
    let world = World::new().await;
    for back in 0..4 {
        let started_at = Utc::now() - TimeDelta::days(back);
        world.write(Call { started_at, ..Call::default() }).await;
    }
    world.fold_all().await;
    // As where a process died that had come to the day before yesterday.
    world.execute("update usage_sum set cost = 0").await;
    let begun =
        "update usage_cursor set anew_before = date_trunc('day', now() - interval '1 day', 'UTC')";
    world.execute(begun).await;
    world.fold().await;
    let found = crate::verify(&world.database.db(), None).await.unwrap();
    let days: Vec<_> =
        found.iter().filter(|it| it.slice == "time_day").map(|it| it.starts_at).collect();
    let today = Utc::now().date_naive();
    let left = [1, 0]
        .map(|back| (today - chrono::Days::new(back)).and_time(chrono::NaiveTime::MIN).and_utc());
    assert_eq!(days, left, "those from there on were not asked for");
    crate::rebuild(&world.database.db()).await.unwrap();
    world.assert_exact().await;
}

/// What is kept for 60 days goes, as retention would have it; returns how many calls that were.
async fn prune(world: &World) -> i64 {
    let pruned = sqlx::query_scalar!(
        r#"select calls as "calls!" from call_prune($1, 60, '-infinity', 1000)"#,
        world.org as _
    );
    let mut system = world.database.db().system("a test").await.unwrap();
    let pruned = pruned.fetch_one(&mut *system).await.unwrap();
    system.commit().await.unwrap();
    pruned
}

#[tokio::test]
async fn pruned_calls_stay_in_every_sum_also_when_those_are_made_anew() {
    let world = World::new().await;
    let team = Uuid::now_v7();
    let old = Utc::now() - TimeDelta::days(90);
    let mut owner = world.database.owner().await;
    let tags = vec!["night".to_owned()];
    let call = Call { started_at: old, team: Some(team), tags, ..Call::default() };
    for state in ["success", "error", "refused"] {
        world.write(Call { state, ..call.clone() }).await;
    }
    let lost = world.write(Call { state: "lost", cost: 900, ..call.clone() }).await;
    world.write(Call { state: "open", ..call.clone() }).await;
    world.write(Call { purpose: Some("count"), ..call.clone() }).await;
    world.write(Call::default()).await;
    world
        .execute(
            "insert into audit_retention (org_id, class, days) select id, 'records', 60 from org",
        )
        .await;
    world.execute("update usage_cursor set xid = '2'").await;
    assert_eq!(prune(&world).await, 0, "none of them is summed up yet");
    world.execute("update usage_cursor set xid = '1'").await;
    crate::rebuild(&world.database.db()).await.unwrap();
    settle(&mut owner, lost, "success", "gpt-test", 100).await;
    world.fold_all().await;
    let by = |group_by| UsageQuery { group_by, from: Some(old), ..UsageQuery::default() };
    let asked = [by(GroupBy::Model), by(GroupBy::Team), by(GroupBy::Tag), by(GroupBy::Hour)];
    let before = {
        let mut told = Vec::new();
        for query in &asked[..3] {
            told.push(world.report(query).await);
        }
        told
    };
    assert_eq!(prune(&world).await, 5, "all but the open one and the young one");
    assert_eq!(prune(&world).await, 0);
    for round in ["pruned", "made anew"] {
        for (query, before) in asked.iter().zip(&before) {
            let after = world.report(query).await;
            assert_eq!((&after.rows, &after.total), (&before.rows, &before.total), "{round}");
        }
        world.assert_exact().await;
        crate::rebuild(&world.database.db()).await.unwrap();
    }
}
