//! How far the log is read.

use chrono::{DateTime, Utc};
use ralex_kernel::{EventId, OrgId};
use sqlx::PgConnection;

use super::Result;
use crate::alerts::fact::{ACTIONS, Happened};

/// An organisation whose log has grown.
pub(crate) struct Behind {
    pub org: OrgId,
    pub next: i64,
    pub size: i64,
}

/// The one with the least to read first, so that a busy one holds up no other.
pub(crate) async fn behind(conn: &mut PgConnection) -> Result<Option<Behind>> {
    sqlx::query_as!(
        Behind,
        r#"select t.org_id as "org: OrgId", coalesce(c.next_index, 0) as "next!", t.size
           from audit_tree t left join alert_cursor c on c.org_id = t.org_id
           where t.size > coalesce(c.next_index, 0)
           order by t.size - coalesce(c.next_index, 0) limit 1"#
    )
    .fetch_optional(conn)
    .await
}

/// Those that mean anything, in the tree's order. What was pruned meanwhile means nothing any more.
pub(crate) async fn events(
    conn: &mut PgConnection,
    org: OrgId,
    from: i64,
    to: i64,
) -> Result<Vec<Happened>> {
    let actions: Vec<String> = ACTIONS.iter().map(ToString::to_string).collect();
    sqlx::query_as!(
        Happened,
        r#"select e.id as "id: EventId", e.action, e.occurred_at as at, e.leaf
           from audit_leaf l
           join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
             and e.action = any($4)
           order by l.leaf_index"#,
        org as _,
        from,
        to,
        &actions,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn advance(conn: &mut PgConnection, org: OrgId, next: i64) -> Result<()> {
    sqlx::query!(
        "insert into alert_cursor (org_id, next_index) values ($1, $2)
         on conflict (org_id) do update set next_index = $2",
        org as _,
        next,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the organisation that was not looked at for longest, where that is before a time, and it is open.
pub(crate) async fn look_at(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<OrgId>> {
    sqlx::query_scalar!(
        r#"update alert_cursor set looked_at = $2
           where org_id = (select c.org_id from alert_cursor c
                           join org o on o.id = c.org_id and not o.is_closed
                           where c.looked_at is null or c.looked_at <= $1
                           order by c.looked_at nulls first limit 1
                           for update of c skip locked)
           returning org_id as "org: OrgId""#,
        before,
        now,
    )
    .fetch_optional(conn)
    .await
}
