//! Searches of 200,000 events, by what they read: a plan may promise little and read a lot. The planner
//! is also told that there are 50 million, so that it plans as it would for those.

use ralex_api::audit::AuditEntry;
use ralex_api::page::PAGE_DEFAULT;
use ralex_kernel::Problem;
use sqlx::Row;

use super::*;

const EVENTS: i64 = 200_000;

/// Events of calls but for one in twenty, one actor for most, denials of every third kind of scope,
/// and one team, in the middle.
const PLANT: &str = "
    insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action, outcome, target,
        call_id, leaf)
    select $org, (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7000'
            || lpad(to_hex(32768), 4, '8') || lpad(to_hex(i), 12, '0'))::uuid,
        at, case when action like 'budget.%' then 'system' else 'token' end,
        case when action not like 'budget.%'
            then ('0000000000000000000000000000000' || case when i % 10 < 9 then 0 else i % 7 end)::uuid end,
        action, case action when 'call.opened' then 'intent' when 'access.denied' then 'denied'
            else 'success' end,
        case when action like 'call.%' then 'call:' || call
            when action = 'access.denied' then (array['org', 'org', 'team:x'])[1 + i / 20 % 3]
            when action = 'alias.set' then 'alias:gpt-' || i / 20 % 50
            when action = 'team.created' then 'team:y' else 'budget:b' || i / 20 % 9 end,
        case when action like 'call.%' then call end, convert_to('{}', 'utf8')
    from (select i, timestamptz '2026-03-01' + i * interval '10 s' as at, md5((i / 2)::text)::uuid as call,
            case when i = 100000 then 'team.created' when i % 20 > 0 then
                (array['call.opened', 'call.closed'])[1 + i % 2]
                else (array['access.denied', 'alias.set', 'budget.overrun', 'budget.lease_lost'])[1 + i / 20 % 4]
            end as action
          from generate_series(1, 200000) as i) as made";

/// Where each of them is in the log.
const PLACES: &str = "
    insert into audit_leaf (org_id, leaf_index, event_id, leaf_hash)
    select org_id, row_number() over (order by id) - 1, id, sha256(uuid_send(id))
    from audit_event where org_id = $org";

const BUSY: &str = "00000000-0000-0000-0000-000000000000";
const OTHER: &str = "00000000-0000-0000-0000-000000000003";

/// How often the search went through a whole table, and how many rows it fetched.
#[derive(Debug)]
struct Read {
    scans: i64,
    rows: i64,
}

impl World {
    async fn search(&self, query: &AuditQuery) -> Result<(Vec<AuditEntry>, Read), Problem> {
        let mut tenant = self.database.db().tenant(self.org).await.unwrap();
        // What was read before on this connection may still be counted with it.
        let before = read_so_far(&mut tenant).await;
        let page = self.audit.list(&mut tenant, query).await?;
        let after = read_so_far(&mut tenant).await;
        let read = Read { scans: after.scans - before.scans, rows: after.rows - before.rows };
        tenant.rollback().await.unwrap();
        Ok((page.items, read))
    }

    async fn searched() -> Self {
        let world = Self::new().await;
        world.tamper(PLANT).await;
        world.tamper(PLACES).await;
        // Not a vacuum: where nothing is known to be visible to all, what an index alone would
        // answer is fetched as well, and so counted.
        let analyze = "analyze audit_event; analyze audit_leaf";
        world.database.owner().await.execute(analyze).await.unwrap();
        world
    }

    /// The same, where the planner takes the log for one of fifty million events.
    async fn searched_as_if_long() -> Self {
        let world = Self::searched().await;
        let longer = "update pg_class set reltuples = reltuples * 250
            where relname like 'audit_event%' or relname like 'audit_leaf%'";
        world.database.owner().await.execute(longer).await.unwrap();
        world
    }

    /// A call of the busiest token, and the event in the middle of the log.
    async fn a_call_and_the_middle(&self) -> [uuid::Uuid; 2] {
        let row = sqlx::query!(
            r#"select (select call_id from audit_event
                       where action = 'call.opened' and actor_id = $1 order by id limit 1) as "call!",
                   (select event_id from audit_leaf where leaf_index = $2) as "middle!""#,
            BUSY.parse::<uuid::Uuid>().unwrap(),
            EVENTS / 2,
        )
        .fetch_one(&mut self.database.owner().await)
        .await
        .unwrap();
        [row.call, row.middle]
    }

    /// The same by reading everything.
    async fn truly(&self, rule: &str, limit: usize) -> (Vec<uuid::Uuid>, usize) {
        let sql = format!("select id from audit_event where {rule} order by id desc");
        let rows = self.database.owner().await.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        let all: Vec<uuid::Uuid> = rows.iter().map(|row| row.get("id")).collect();
        (all.iter().take(limit).copied().collect(), all.len())
    }
}

async fn read_so_far(conn: &mut PgConnection) -> Read {
    sqlx::query_as!(
        Read,
        r#"select sum(seq_scan)::bigint as "scans!",
               sum(seq_tup_read + idx_tup_fetch)::bigint as "rows!"
           from pg_stat_xact_user_tables where relname in ('audit_event', 'audit_leaf')"#
    )
    .fetch_one(conn)
    .await
    .unwrap()
}

/// `actor action target outcome`, where `-` is nothing.
fn asked(words: &str) -> AuditQuery {
    let mut words = words.split(' ').map(|word| Some(word.to_owned()).filter(|it| it != "-"));
    let mut next = || words.next().flatten();
    AuditQuery {
        actor: next(),
        action: next(),
        target: next(),
        outcome: next(),
        ..AuditQuery::default()
    }
}

/// What is asked for, and the rule by which reading everything finds it. `$busy` and `$other` are
/// actors, `$call` is a call.
const SHAPES: &[(&str, &str)] = &[
    ("- - - -", "true"),
    ("- team.created - -", "action = 'team.created'"),
    ("- nothing.ever - -", "false"),
    ("- call.* - -", "action like 'call.%'"),
    ("- team.* - -", "action like 'team.%'"),
    ("- - - denied", "outcome = 'denied'"),
    ("- - - error", "false"),
    ("- call.opened - success", "false"),
    ("token:$busy - - -", "actor_id = '$busy'"),
    ("token:$busy call.closed - -", "actor_id = '$busy' and action = 'call.closed'"),
    ("token:$other access.* - denied", "actor_id = '$other' and action = 'access.denied'"),
    ("user:$busy - - -", "false"),
    ("system - - -", "actor_kind = 'system'"),
    ("system call.* - -", "false"),
    ("- - budget:b3 -", "target = 'budget:b3'"),
    ("- budget.overrun budget:b3 -", "target = 'budget:b3' and action = 'budget.overrun'"),
    ("token:$busy - budget:b3 -", "false"),
    ("- - budget:none -", "false"),
    ("- - org -", "target = 'org'"),
    ("token:$other - org -", "target = 'org' and actor_id = '$other'"),
    ("- - budget:* -", "target like 'budget:%'"),
    ("- - call:* intent", "action = 'call.opened'"),
    ("- - team:* -", "target like 'team:%'"),
    ("- - project:* -", "false"),
    ("- - alias:gpt-4* -", "target like 'alias:gpt-4%'"),
    ("- - session:* -", "false"),
    ("token:$busy - budget:* -", "false"),
    ("token:$other - team:* -", "actor_id = '$other' and target like 'team:%'"),
    ("- - call:$call -", "target = 'call:$call'"),
    ("token:$busy - call:$call intent", "target = 'call:$call' and action = 'call.opened'"),
];

const SPANS: [Option<(&str, &str)>; 3] = [
    None,
    Some(("2026-03-05T00:00:00Z", "2026-03-05T06:00:00Z")),
    Some(("2025-01-01T00:00:00Z", "2026-03-12T12:00:00Z")),
];

#[tokio::test]
async fn every_search_reads_little_of_a_long_log_and_finds_what_reading_all_of_it_finds() {
    let world = World::searched().await;
    let [call, _] = world.a_call_and_the_middle().await;
    let fill = |text: &str| {
        let named = text.replace("$busy", BUSY).replace("$other", OTHER);
        named.replace("$call", &call.to_string())
    };
    for ((words, rule), span) in SHAPES.iter().flat_map(|shape| SPANS.map(|span| (shape, span))) {
        let mut query = asked(&fill(words));
        let mut rule = fill(rule);
        if let Some((from, to)) = span {
            query.from = Some(from.parse().unwrap());
            query.to = Some(to.parse().unwrap());
            rule = format!("({rule}) and occurred_at >= '{from}' and occurred_at < '{to}'");
        }
        let (found, read) = world.search(&query).await.unwrap();
        let ids: Vec<uuid::Uuid> = found.iter().map(|entry| entry.id.uuid()).collect();
        let (all, count) = world.truly(&rule, usize::try_from(PAGE_DEFAULT).unwrap()).await;
        assert_eq!(ids, all, "{words} {span:?}");
        assert_eq!(read.scans, 0, "{words} {span:?} of {count}: {read:?}");
        // These may go through all of an action whose targets begin in several ways.
        let mixed = words.contains("team:*") || words.contains("alias:gpt-4*");
        let most = if mixed { EVENTS / 50 } else { EVENTS / 100 };
        assert!(read.rows < most, "{words} {span:?} of {count}: {read:?}");
    }
}

/// What each filter can be: nothing, what is frequent, what is rare, and what there is none of.
const FILTERS: [&[&str]; 4] = [
    &["-", "token:$busy", "token:$other", "user:$busy", "system"],
    &["-", "call.closed", "team.created", "nothing.ever", "call.*", "access.*"],
    &[
        "-",
        "org",
        "budget:b3",
        "none:ever",
        "budget:*",
        "call:*",
        "team:*",
        "alias:gpt-4*",
        "call:$call",
    ],
    &["-", "success", "intent", "denied", "error"],
];

/// By turns the newest page, one from the middle, and one of a few hours. A search that sorted what
/// it found would have fetched all of that.
#[tokio::test]
async fn no_combination_of_filters_goes_through_a_table_or_sorts_what_it_finds() {
    let world = World::searched_as_if_long().await;
    let [call, middle] = world.a_call_and_the_middle().await.map(|id| id.to_string());
    let named =
        |text: &str| text.replace("$busy", BUSY).replace("$other", OTHER).replace("$call", &call);
    let (from, to) = SPANS[1].unwrap();
    let [from, to] = [from, to].map(|time| Some(time.parse().unwrap()));
    let mut turn = 0;
    for words in combinations().iter().map(|words| named(words)) {
        turn += 1;
        let query = match turn % 3 {
            0 => asked(&words),
            1 => AuditQuery { cursor: Some(middle.clone()), ..asked(&words) },
            _ => AuditQuery { from, to, ..asked(&words) },
        };
        let (found, read) = world.search(&query).await.unwrap();
        assert_eq!(read.scans, 0, "{words}: {read:?}");
        assert!(read.rows < EVENTS / 50, "{words} found {}: {read:?}", found.len());
        assert!(read.rows >= i64::try_from(found.len()).unwrap(), "nothing was measured: {words}");
    }
    assert_eq!(turn, 5 * 6 * 9 * 5);
}

/// Every filter with every other.
fn combinations() -> Vec<String> {
    FILTERS.into_iter().fold(vec![String::new()], |begun, next| {
        let longer = |words: &String| {
            next.iter()
                .map(|it| format!("{words} {it}").trim_start().to_owned())
                .collect::<Vec<_>>()
        };
        begun.iter().flat_map(longer).collect()
    })
}

#[tokio::test]
async fn pages_of_a_filter_hold_each_event_once_down_to_the_oldest() {
    let world = World::searched().await;
    for words in ["- - budget:b3 -", "- - team:* denied", "system budget.* - success"] {
        let mut query = AuditQuery { limit: Some(500), ..asked(words) };
        let mut seen = Vec::new();
        loop {
            let mut tenant = world.database.db().tenant(world.org).await.unwrap();
            let page = world.audit.list(&mut tenant, &query).await.unwrap();
            seen.extend(page.items.into_iter().map(|entry| entry.id));
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        let whole = AuditQuery { limit: Some(1), ..asked(words) };
        assert_eq!(world.search(&whole).await.unwrap().0[0].id, seen[0], "{words}");
        assert!(seen.is_sorted_by(|newer, older| newer > older), "{words}");
        let rule = match words {
            "- - budget:b3 -" => "target = 'budget:b3'",
            "- - team:* denied" => "target like 'team:%' and outcome = 'denied'",
            _ => "actor_kind = 'system'",
        };
        assert_eq!(seen.len(), world.truly(rule, 0).await.1, "{words}");
    }
}

#[tokio::test]
async fn an_export_counts_what_its_filter_lets_through() {
    let world = World::with_events(30).await;
    for (target, outcome, events) in
        [(Some("team:*"), None, 30), (None, Some("denied"), 0), (Some("budget:*"), None, 0)]
    {
        let query = ExportQuery {
            target: target.map(str::to_owned),
            outcome: outcome.map(str::to_owned),
            ..ExportQuery::default()
        };
        let verdict = verify_bundle(world.export(&query).await.as_slice(), None).unwrap();
        assert!(verdict.good() && verdict.filtered, "{verdict:?}");
        assert_eq!(verdict.events, events, "{target:?} {outcome:?}");
    }
}

#[tokio::test]
async fn a_target_or_an_outcome_that_cannot_be_is_refused() {
    let world = World::with_events(1).await;
    for words in
        ["- - * -", "- - bud* -", "- - a:*b -", "- - call:x -", "- - call:01* -", "- - - done"]
    {
        assert_eq!(world.search(&asked(words)).await.unwrap_err().status, 422, "{words}");
    }
}
