//! Searches of a long audit log: how long a page takes once there are tens of millions of events.
//!
//! Events of five years are written straight into the database, with their places in the log: nearly
//! all of them two for each call, of 2,000 tokens of which few make most calls, and one in twenty
//! about something else, by 300 people and the system. Then each search is asked by the API as
//! often as told.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::latency::{Latencies, Percentiles};
use crate::rig::{Api, Folder, Server};

const TIMES: usize = 11;

/// What searches are by is made once all is there, and nothing is written twice for a crash.
const BEGIN: &str = "
    set session_replication_role = replica;
    set synchronous_commit = off;
    set maintenance_work_mem = '512MB';
    create temp table later as
        select indexname as name, indexdef as sql from pg_indexes
        where tablename = 'audit_event' and indexname <> 'audit_event_pkey';
    do $$ declare it record; begin
        for it in select * from later loop execute 'drop index ' || it.name; end loop;
    end $$;
    alter table audit_event set unlogged;
    alter table audit_leaf set unlogged";

/// `$1` to `$2` of `$3` events. Numbers that look drawn come from the call's or the event's own.
const WRITE: &str = "
    insert into audit_event (org_id, id, occurred_at, xid, actor_kind, actor_id, action, outcome,
        target, call_id, leaf)
    select o.id, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000'
            || '8000' || lpad(to_hex(i), 12, '0'))::uuid as id,
        at, '1', actor_kind, actor_id, action, outcome, target, call_id,
        convert_to('{\"action\":\"' || action || '\",\"actor\":{\"id\":\"' || coalesce(actor_id::text, '-')
            || '\",\"kind\":\"' || actor_kind || '\"},\"occurred_at\":\"' || at || '\",\"outcome\":\"'
            || outcome || '\",\"target\":\"' || target || '\"}', 'utf8')
    from (select i, timestamptz '2021-01-01' + i * (interval '5 years' / $3) as at, i / 2 as call,
            power((i / 2) * 7919 % 1000003 / 1000003.0, 3) as drawn, i / 20 as k
          from generate_series($1::bigint, $2) as i) as numbers
    cross join lateral (
        select 'token' as actor_kind, md5('token' || floor(2000 * drawn)::int)::uuid as actor_id,
            case i % 2 when 0 then 'call.opened' else 'call.closed' end as action,
            case when i % 2 = 0 then 'intent' when call % 50 = 7 then 'error' else 'success' end as outcome,
            'call:' || md5('call' || call)::uuid as target, md5('call' || call)::uuid as call_id
        where i % 20 > 1
        union all
        select case when k % 8 < 2 then 'system' else 'user' end,
            case when k % 8 >= 2 then md5('user' || k % 300)::uuid end,
            a.action, case a.action when 'access.denied' then 'denied' else 'success' end,
            case a.action when 'access.denied'
                    then (array['org', 'team:' || md5('team' || k % 40)::uuid, 'project:' || md5('project' || k % 120)::uuid])[1 + k % 3]
                when 'alias.set' then 'alias:gpt-' || k % 50
                when 'session.created' then 'session:' || md5('session' || k)::uuid
                when 'token.created' then 'token:' || md5('token' || k)::uuid
                when 'team.created' then 'team:' || md5('team' || k % 40)::uuid
                else 'budget:' || md5('budget' || k % 5000)::uuid end,
            null::uuid
        from (select case when i = $3 / 3 / 20 * 20 then 'team.created'
                else (array['budget.overrun', 'budget.lease_lost', 'access.denied', 'alias.set',
                    'session.created', 'session.created', 'token.created', 'budget.updated'])[1 + k % 8]
                end as action) as a
        where i % 20 <= 1) as told
    cross join (select id from org limit 1) as o;
    insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash)
    select o.id, i + 10000000, (lpad(to_hex((extract(epoch from timestamptz '2021-01-01'
            + i * (interval '5 years' / $3)) * 1000)::bigint), 12, '0') || '7000'
            || '8000' || lpad(to_hex(i), 12, '0'))::uuid, sha256(int8send(i))
    from generate_series($1::bigint, $2) as i
    cross join (select id from org limit 1) as o";

const END: &str = "
    do $$ declare it record; begin
        for it in select * from later loop execute it.sql; end loop;
    end $$";

/// How many events are written at once.
const BATCH: i64 = 1_000_000;

/// What is looked for, and by which search. `$busy`, `$quiet` and `$person` are actors, `$call` and
/// `$budget` targets, and `$early` and `$late` times.
const SEARCHES: [(&str, &str); 20] = [
    ("the newest page", ""),
    ("the oldest page", "to=$early"),
    ("an action that is most of all", "action=call.closed"),
    ("the same, its oldest page", "action=call.closed&to=$early"),
    ("an action that was once", "action=team.created"),
    ("an action that never was", "action=nothing.ever"),
    ("a beginning of actions", "action=budget.*"),
    ("what was denied", "outcome=denied"),
    ("what failed, in one hour", "outcome=error&from=$from&to=$until"),
    ("the busiest token", "actor=token:$busy"),
    ("the same, its oldest page", "actor=token:$busy&to=$early"),
    ("the quietest token", "actor=token:$quiet"),
    ("a person's denials", "actor=user:$person&outcome=denied"),
    ("the system", "actor=system"),
    ("a call", "target=call:$call"),
    ("a budget", "target=budget:$budget"),
    ("a budget, in one year", "target=budget:$budget&from=$from&to=$late"),
    ("a beginning of targets", "target=alias:gpt-4*"),
    ("all teams", "target=team:*"),
    ("a token's doing to a budget", "actor=token:$busy&target=budget:$budget"),
];

/// How long each search took.
#[derive(Debug, Serialize)]
pub struct AuditReport {
    pub events: i64,
    /// Of the events, their places, and all their indexes.
    pub bytes: i64,
    pub searches: Vec<(String, Percentiles)>,
}

/// Fills a fresh server with `events` and searches them.
///
/// # Errors
/// Where something does not start, or an answer is refused.
pub async fn audit(program: &Path, events: i64, say: &dyn Fn(&str)) -> anyhow::Result<AuditReport> {
    let folder = Folder::create("bench-audit")?;
    let server = Server::start(program, folder.path())?;
    let url = ralex_store::BuiltIn::running(&folder.path().join("data"))
        .context("no PostgreSQL is running")?;
    let mut owner = PgConnection::connect(&url).await?;
    fill(&mut owner, events, say).await?;
    let sizes = "select (pg_total_relation_size('audit_event') + pg_total_relation_size('audit_leaf'))::bigint";
    let bytes = sqlx::raw_sql(sizes).fetch_one(&mut owner).await?.try_get(0)?;
    let names = names(&mut owner, events).await?;
    let api = Api::log_in(&server.url).await?;
    let mut searches = Vec::new();
    for (name, search) in SEARCHES {
        let search =
            names.iter().fold(search.to_owned(), |text, (name, value)| text.replace(name, value));
        let mut took = Latencies::default();
        for _ in 0..TIMES {
            let begun = std::time::Instant::now();
            api.bytes(&format!("audit?{search}")).await?;
            took.add(begun.elapsed());
        }
        searches.push((name.to_owned(), took.percentiles()));
    }
    server.stop()?;
    Ok(AuditReport { events, bytes, searches })
}

async fn fill(owner: &mut PgConnection, events: i64, say: &dyn Fn(&str)) -> anyhow::Result<()> {
    sqlx::raw_sql(BEGIN).execute(&mut *owner).await?;
    let mut first = 1;
    while first <= events {
        let last = (first + BATCH - 1).min(events);
        say(&format!("writing events up to {last} of {events}"));
        let write = WRITE
            .replace("$1", &first.to_string())
            .replace("$2", &last.to_string())
            .replace("$3", &events.to_string());
        sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut *owner).await?;
        first = last + 1;
    }
    say("making what searches are by");
    sqlx::raw_sql(END).execute(&mut *owner).await?;
    sqlx::raw_sql("vacuum analyze audit_event").execute(&mut *owner).await?;
    sqlx::raw_sql("vacuum analyze audit_leaf").execute(&mut *owner).await?;
    Ok(())
}

/// What the words in the searches stand for.
async fn names(
    owner: &mut PgConnection,
    events: i64,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let sql = format!(
        "select md5('token0')::uuid::text, md5('token1999')::uuid::text, md5('user2')::uuid::text,
            md5('call' || {events} / 3)::uuid::text, md5('budget8')::uuid::text"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(owner).await?;
    let mut names = Vec::new();
    for (at, name) in ["$busy", "$quiet", "$person", "$call", "$budget"].into_iter().enumerate() {
        names.push((name, row.try_get(at)?));
    }
    names.extend([
        ("$early", "2021-01-01T02:00:00Z".to_owned()),
        ("$from", "2023-05-01T00:00:00Z".to_owned()),
        ("$until", "2023-05-01T01:00:00Z".to_owned()),
        ("$late", "2024-05-01T00:00:00Z".to_owned()),
    ]);
    Ok(names)
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = self.bytes / 1_000_000_000;
        writeln!(
            f,
            "Searches of {} audit events ({gigabytes} GB), by the API. Milliseconds.\n",
            self.events
        )?;
        writeln!(f, "{:42}{:>9}{:>9}", "", "p50", "max")?;
        for (name, took) in &self.searches {
            writeln!(f, "{name:42}{:>9.1}{:>9.1}", took.p50, took.max)?;
        }
        Ok(())
    }
}
