//! Queries that sum up what has ended, and compare the sums with the calls.

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, OrgId};
use ralex_store::System;
use sqlx::PgConnection;

/// Where the sums end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// The first transaction that is not in them.
    pub xid: i64,
    /// Whether those of some days are to be made anew.
    pub anew: bool,
}

/// The cursor, locked until the transaction ends; none while another process sums up.
pub(crate) async fn take_cursor(conn: &mut PgConnection) -> Result<Option<Cursor>, sqlx::Error> {
    sqlx::query_as!(
        Cursor,
        r#"select xid::text::bigint as "xid!", anew_before is not null as "anew!"
           from usage_cursor for update skip locked"#
    )
    .fetch_optional(conn)
    .await
}

/// The cursor, locked once whoever sums up is done.
pub(crate) async fn wait_for_cursor(conn: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
    sqlx::query_as!(
        Cursor,
        r#"select xid::text::bigint as "xid!", anew_before is not null as "anew!"
           from usage_cursor for update"#
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn move_cursor(conn: &mut PgConnection, to: i64) -> Result<(), sqlx::Error> {
    sqlx::query!("update usage_cursor set xid = $1::bigint::text::xid8", to).execute(conn).await?;
    Ok(())
}

/// Whether nothing has ended since the cursor, seen without a lock: taking one writes to the disk,
/// which a quiet deployment should not do every second.
pub(crate) async fn is_idle(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        // The newest by its index: to ask whether any is newer would be planned as a look at all.
        r#"select coalesce(c.xid > (select l.settled_xid from call l where l.settled_xid is not null
                                    order by l.settled_xid desc limit 1), true)
             and coalesce(c.xid > (select x.settled_xid from usage_correction x
                                   order by x.settled_xid desc limit 1), true)
             and c.xid <= pg_snapshot_xmax(pg_current_snapshot()) and c.anew_before is null as "idle!"
           from usage_cursor c"#
    )
    .fetch_one(conn)
    .await
}

/// Summing up after a long absence may take longer than a request may.
pub(crate) async fn wait_as_long_as_it_takes(tx: &mut System) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select set_config('statement_timeout', '0', true) as patience,
                set_config('work_mem', '64MB', true) as room,
                set_config('plan_cache_mode', 'force_custom_plan', true) as planning"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Adds what ended in transactions from `from` up to `to` to the sums, and returns how many rows that
/// changed.
pub(crate) async fn add(conn: &mut PgConnection, from: i64, to: i64) -> Result<u64, sqlx::Error> {
    let changed = sqlx::query_scalar!(
        r#"select add_usage($1::bigint::text::xid8, $2::bigint::text::xid8) as "changed!""#,
        from,
        to,
    )
    .fetch_one(conn)
    .await?;
    Ok(changed.unsigned_abs())
}

/// Has the sums of all days made anew.
pub(crate) async fn want_anew(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("update usage_cursor set anew_before = 'infinity'").execute(conn).await?;
    Ok(())
}

/// Passes to the newest of the days that are to be made anew; none where that was the last.
pub(crate) async fn next_day(
    conn: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "update usage_cursor set anew_before = usage_day_before(anew_before) returning anew_before"
    )
    .fetch_one(conn)
    .await
}

/// Puts the sums of a day right by the calls of transactions before `up_to`, and returns how many were
/// wrong.
pub(crate) async fn remake(
    conn: &mut PgConnection,
    day: DateTime<Utc>,
    up_to: i64,
) -> Result<u64, sqlx::Error> {
    let wrong = sqlx::query_scalar!(
        r#"select remake_usage($1, $2::bigint::text::xid8) as "wrong!""#,
        day,
        up_to,
    )
    .fetch_one(conn)
    .await?;
    Ok(wrong.unsigned_abs())
}

/// Takes some calls, of the newest transactions up to `up_to`, for ones that ended long ago where they
/// name a transaction that has not been yet, and returns the oldest that they named; none where
/// there were no such calls. A call that is corrected meanwhile names one of this database then.
pub(crate) async fn forget_transactions(
    conn: &mut PgConnection,
    up_to: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with foreign_calls as materialized (
               select org_id, id, settled_xid from call
               where settled_xid >= pg_snapshot_xmax(pg_current_snapshot())
                 and settled_xid <= $1::bigint::text::xid8
               order by settled_xid desc limit 20000),
           forgotten as (
               update call c set settled_xid = '1' from foreign_calls f
               where c.org_id = f.org_id and c.id = f.id and c.settled_xid = f.settled_xid)
           select min(settled_xid::text::bigint) from foreign_calls"#,
        up_to,
    )
    .fetch_one(conn)
    .await
}

/// Forgets what calls no longer are. Each is entered twice and comes to nothing, so only sums that
/// are made anew may do without.
pub(crate) async fn forget_corrections(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from usage_correction").execute(conn).await?;
    Ok(())
}

/// A time of an organisation, as the sums of a slice and as its calls tell it.
#[derive(Debug)]
pub(crate) struct Compared {
    pub slice: String,
    pub org: OrgId,
    pub starts_at: DateTime<Utc>,
    pub summed_calls: i64,
    pub calls: i64,
    pub summed_cost: Money,
    pub cost: Money,
}

/// Times whose sums, with what ended since, are not what their calls come to.
pub(crate) async fn differences(
    conn: &mut PgConnection,
    org: Option<OrgId>,
) -> Result<Vec<Compared>, sqlx::Error> {
    sqlx::query_as!(
        Compared,
        r#"with lines as (
               select slice, org_id, starts_at, calls, cost from usage_sum
               where tag = '' and ($1::uuid is null or org_id = $1)
               union all
               select k.slice, org_id, date_trunc(k.grain, hour, 'UTC'), calls, cost
               from usage_line
               cross join (values ('time_hour', 'hour'), ('time_day', 'day'), ('what_hour', 'hour'),
                   ('what_day', 'day'), ('place_hour', 'hour'), ('place_day', 'day'),
                   ('who_hour', 'hour'), ('who_day', 'day'), ('all_hour', 'hour'), ('all_day', 'day')) as k (slice, grain)
               where tag = '' and ($1::uuid is null or org_id = $1)
                 and settled_xid >= (select xid from usage_cursor)),
           summed as (
               select slice, org_id, starts_at, sum(calls) as calls, sum(cost) as cost
               from lines
               group by slice, org_id, starts_at),
           hours as materialized (
               select org_id, hour, sum(calls) as calls, sum(cost) as cost
               from (select org_id, hour, calls, cost from usage_of_calls
                     where tag = '' and ($1::uuid is null or org_id = $1)
                     union all
                     select org_id, hour, calls, cost from usage_pruned
                     where tag = '' and ($1::uuid is null or org_id = $1)) as told
               group by org_id, hour),
           called as (
               select k.slice, org_id, date_trunc(k.grain, hour, 'UTC') as starts_at,
                   sum(calls) as calls, sum(cost) as cost
               from hours
               cross join (values ('time_hour', 'hour'), ('time_day', 'day'), ('what_hour', 'hour'),
                   ('what_day', 'day'), ('place_hour', 'hour'), ('place_day', 'day'),
                   ('who_hour', 'hour'), ('who_day', 'day'), ('all_hour', 'hour'), ('all_day', 'day')) as k (slice, grain)
               group by 1, 2, 3)
           select coalesce(s.slice, c.slice) as "slice!",
               coalesce(s.org_id, c.org_id) as "org!: OrgId",
               coalesce(s.starts_at, c.starts_at) as "starts_at!",
               coalesce(s.calls, 0)::bigint as "summed_calls!",
               coalesce(c.calls, 0)::bigint as "calls!",
               least(coalesce(s.cost, 0), 9223372036854775807)::bigint as "summed_cost!: Money",
               least(coalesce(c.cost, 0), 9223372036854775807)::bigint as "cost!: Money"
           from summed s
           full join called c on c.slice = s.slice and c.org_id = s.org_id
               and c.starts_at = s.starts_at
           where coalesce(s.calls, 0) <> coalesce(c.calls, 0)
              or coalesce(s.cost, 0) <> coalesce(c.cost, 0)
           order by 2, 3, 1
           limit 1000"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}
