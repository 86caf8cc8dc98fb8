//! Queries that sum up what has ended, and compare the sums with the calls.

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, OrgId};
use ralex_store::System;
use sqlx::PgConnection;

/// The cursor, locked until the transaction ends; none while another process sums up.
pub(crate) async fn take_cursor(conn: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select xid::text::bigint as "xid!" from usage_cursor for update skip locked"#
    )
    .fetch_optional(conn)
    .await
}

/// The cursor, locked once whoever sums up is done.
pub(crate) async fn wait_for_cursor(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select xid::text from usage_cursor for update").fetch_one(conn).await?;
    Ok(())
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
             and c.xid <= pg_snapshot_xmax(pg_current_snapshot()) as "idle!"
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

/// Waits until nobody writes calls and keeps it so, with all that has ended in sight.
pub(crate) async fn hold_calls_back(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("lock table call, usage_correction in share row exclusive mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// Throws the sums away and makes them anew from all calls, and from what those came to that were
/// pruned. Transactions from `next` on have not
/// been yet, so whatever names one is of the database that this one was restored from.
pub(crate) async fn rebuild(conn: &mut PgConnection, next: i64) -> Result<u64, sqlx::Error> {
    sqlx::query!("delete from usage_sum").execute(&mut *conn).await?;
    sqlx::query!("delete from usage_correction").execute(&mut *conn).await?;
    sqlx::query!(
        "update call set settled_xid = '1' where settled_xid >= $1::bigint::text::xid8",
        next,
    )
    .execute(&mut *conn)
    .await?;
    add(conn, 0, next).await
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
