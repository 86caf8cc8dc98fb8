//! Deliveries: on their way, tried, and ended.

use chrono::{DateTime, Utc};
use ralex_kernel::{AlertChannelId, AlertId, AlertRuleId, EventId, OrgId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;
use crate::alerts::raise::Delivery;

/// Sets an alert on its way to these.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    alert: AlertId,
    deliveries: &[Delivery],
) -> Result<()> {
    for it in deliveries {
        sqlx::query!(
            "insert into alert_delivery (org_id, id, alert_id, channel_id, kind, target, held,
                 due_at, give_up_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            org as _,
            it.id as _,
            alert as _,
            it.channel,
            it.kind.as_str(),
            it.target,
            it.held,
            it.due_at,
            it.give_up_at,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A channel that something is due for.
pub(crate) struct DueChannel {
    pub org: OrgId,
    pub org_slug: String,
    pub org_name: String,
    pub id: AlertChannelId,
    pub rule: AlertRuleId,
    pub rule_name: String,
    pub kind: String,
    pub target: String,
    pub sealed_secret: Option<Vec<u8>>,
}

/// Takes one that no other server looks at now, until the transaction ends. What is on its way in an
/// organisation that is closed waits.
pub(crate) async fn due_channel(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<Option<DueChannel>> {
    sqlx::query_as!(
        DueChannel,
        r#"select c.org_id as "org: OrgId", o.slug as org_slug, o.name as org_name,
                  c.id as "id: AlertChannelId", c.rule_id as "rule: AlertRuleId",
                  r.name as rule_name, c.kind, c.target, c.sealed_secret
           from alert_channel c
           join alert_rule r on r.org_id = c.org_id and r.id = c.rule_id
           join org o on o.id = c.org_id
           where (c.org_id, c.id) in (
               select d.org_id, d.channel_id from alert_delivery d
               join org w on w.id = d.org_id and not w.is_closed
               where d.state = 'pending' and d.due_at <= $1
               order by d.due_at limit 100)
           limit 1
           for update of c skip locked"#,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// What is due first for a channel.
pub(crate) struct First {
    pub id: Uuid,
    pub batch: Option<Uuid>,
    pub held: bool,
    /// How many wait beside it that were never tried.
    pub beside: i64,
}

pub(crate) async fn first(
    conn: &mut PgConnection,
    channel: &DueChannel,
    now: DateTime<Utc>,
) -> Result<Option<First>> {
    sqlx::query_as!(
        First,
        r#"select d.id, d.batch_id as batch, d.held,
                  (select count(*) from alert_delivery o
                   where o.org_id = $1 and o.channel_id = $2 and o.state = 'pending'
                     and o.due_at <= $3 and o.batch_id is null and o.id <> d.id) as "beside!"
           from alert_delivery d
           where d.org_id = $1 and d.channel_id = $2 and d.state = 'pending' and d.due_at <= $3
           order by d.due_at, d.id limit 1"#,
        channel.org as _,
        channel.id as _,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// One that is being tried.
pub(crate) struct Taken {
    pub alert: AlertId,
    pub attempts: i32,
    pub give_up_at: DateTime<Utc>,
}

/// Takes the first one, or its batch, or with it all that wait beside it, until a time at which
/// they count as lost.
pub(crate) async fn take(
    conn: &mut PgConnection,
    channel: &DueChannel,
    first: &First,
    together: bool,
    (now, lost_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"update alert_delivery set batch_id = coalesce($4, $3), attempts = attempts + 1, due_at = $7
           where org_id = $1 and id in (
               select d.id from alert_delivery d
               where d.org_id = $1 and d.channel_id = $2 and d.state = 'pending'
                 and case when $4::uuid is not null then d.batch_id = $4
                          else d.batch_id is null and d.due_at <= $6
                               and (d.id = $3::uuid or $5::boolean) end
               order by d.id limit 200)
           returning alert_id as "alert: AlertId", attempts, give_up_at"#,
        channel.org as _,
        channel.id as _,
        first.id,
        first.batch,
        together,
        now,
        lost_at,
    )
    .fetch_all(conn)
    .await
}

/// An alert as it is told.
pub(crate) struct Telling {
    pub id: AlertId,
    pub kind: String,
    pub severity: String,
    pub state: String,
    pub subject: String,
    pub subject_name: String,
    pub title: String,
    pub detail: Value,
    pub occurrences: i64,
    pub raised_at: DateTime<Utc>,
    pub event: Option<EventId>,
}

pub(crate) async fn telling(
    conn: &mut PgConnection,
    org: OrgId,
    alerts: &[Uuid],
) -> Result<Vec<Telling>> {
    sqlx::query_as!(
        Telling,
        r#"select id as "id: AlertId", kind, severity, state, subject, subject_name, title, detail,
                  occurrences, raised_at, event_id as "event: EventId"
           from alert where org_id = $1 and id = any($2) order by id"#,
        org as _,
        alerts,
    )
    .fetch_all(conn)
    .await
}

/// What became of a try.
pub(crate) enum Noted<'a> {
    Sent,
    Again { why: &'a str, at: DateTime<Utc> },
    GaveUp { why: &'a str },
}

/// Notes it, unless another server has taken the batch over meanwhile.
pub(crate) async fn note(
    conn: &mut PgConnection,
    channel: &DueChannel,
    (batch, attempts): (Uuid, i32),
    noted: &Noted<'_>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (state, why, again) = match noted {
        Noted::Sent => ("sent", None, now),
        Noted::Again { why, at } => ("pending", Some(*why), *at),
        Noted::GaveUp { why } => ("gave_up", Some(*why), now),
    };
    let ended = (state != "pending").then_some(now);
    let done = sqlx::query!(
        "update alert_delivery set state = $5, failure = $6, due_at = $7, ended_at = $8
         where org_id = $1 and channel_id = $2 and batch_id = $3 and attempts = $4
           and state = 'pending'",
        channel.org as _,
        channel.id as _,
        batch,
        attempts,
        state,
        why,
        again,
        ended,
    )
    .execute(&mut *conn)
    .await?;
    let given_up = i32::from(matches!(noted, Noted::GaveUp { .. }));
    sqlx::query!(
        "update alert_channel set
             failures = case when $3::text is null then 0 else failures + $4 end,
             failure = $3,
             failed_at = case when $3 is null then failed_at else $5 end,
             delivered_at = case when $3 is null then $5 else delivered_at end
         where org_id = $1 and id = $2",
        channel.org as _,
        channel.id as _,
        why,
        given_up,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Of a message that was only to try.
pub(crate) async fn note_test(
    conn: &mut PgConnection,
    org: OrgId,
    channel: AlertChannelId,
    failure: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update alert_channel set failure = $3,
             failures = case when $3::text is null then 0 else failures end,
             failed_at = case when $3 is null then failed_at else $4 end,
             delivered_at = case when $3 is null then $4 else delivered_at end
         where org_id = $1 and id = $2",
        org as _,
        channel as _,
        failure,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends what is on its way to a channel that is to be no more.
pub(crate) async fn cancel(
    conn: &mut PgConnection,
    org: OrgId,
    channels: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update alert_delivery set state = 'canceled', ended_at = $3
         where org_id = $1 and channel_id = any($2) and state = 'pending'",
        org as _,
        channels,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves what quiet hours hold back for these to another time.
pub(crate) async fn hold_until(
    conn: &mut PgConnection,
    org: OrgId,
    channels: &[Uuid],
    until: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update alert_delivery set give_up_at = give_up_at + ($3 - due_at), due_at = $3
         where org_id = $1 and channel_id = any($2) and state = 'pending' and held
           and batch_id is null",
        org as _,
        channels,
        until,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many are due, and since when the oldest is.
pub(crate) async fn queue(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<(i64, Option<DateTime<Utc>>)> {
    let row = sqlx::query!(
        r#"select count(*) as "count!", min(d.created_at) filter (where not d.held) as oldest
           from alert_delivery d join org o on o.id = d.org_id and not o.is_closed
           where d.state = 'pending' and (not d.held or d.due_at <= $1)"#,
        now
    )
    .fetch_one(conn)
    .await?;
    Ok((row.count, row.oldest))
}
