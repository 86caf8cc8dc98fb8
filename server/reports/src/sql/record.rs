//! The records of reports: asked for, under way, done.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, ReportId, ReportScheduleId, UserId};
use serde_json::Value;
use sqlx::PgConnection;

use super::Result;

pub(crate) struct New<'a> {
    pub id: ReportId,
    pub kind: &'a str,
    pub ask: Value,
    pub formats: Vec<String>,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub asked_by: UserId,
    pub schedule: Option<ReportScheduleId>,
    pub recipients: Vec<String>,
}

/// False where the schedule has this period already.
pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "insert into report (org_id, id, kind, ask, formats, from_at, to_at, asked_by, schedule_id, recipients)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict on constraint report_of_schedule do nothing",
        org as _,
        new.id as _,
        new.kind,
        new.ask,
        &new.formats,
        new.from,
        new.to,
        new.asked_by as _,
        new.schedule as _,
        &new.recipients,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

#[derive(Debug)]
pub(crate) struct Stored {
    pub id: ReportId,
    pub kind: String,
    pub ask: Value,
    pub formats: Vec<String>,
    pub from_at: DateTime<Utc>,
    pub to_at: DateTime<Utc>,
    pub state: String,
    pub percent: i16,
    pub step: String,
    pub failure: Option<String>,
    pub asker: String,
    pub asked_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub schedule_id: Option<ReportScheduleId>,
    pub recipients: Vec<String>,
    pub mail: Option<String>,
    pub mail_why: Option<String>,
    pub tree_size: Option<i64>,
    pub root: Option<Vec<u8>>,
    pub key: Option<String>,
    pub row_count: Option<i64>,
    pub seed: Option<String>,
    pub population: Option<i64>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Format, bytes and hash of each file, side by side.
    pub file_formats: Vec<String>,
    pub file_bytes: Vec<i64>,
    pub file_hashes: Vec<String>,
}

/// The newest first; those below a cursor, of some kinds, or the one of an id.
pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: (Option<ReportId>, &[String]),
    below: Option<ReportId>,
    limit: i64,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select r.id as "id: ReportId", r.kind, r.ask, r.formats, r.from_at, r.to_at, r.state,
                  r.percent, r.step, r.failure, coalesce(u.email, r.asked_by::text) as "asker!",
                  r.asked_at, r.ended_at, r.schedule_id as "schedule_id: ReportScheduleId",
                  r.recipients, r.mail, r.mail_why, r.tree_size, r.root, r.key, r.row_count, r.seed,
                  r.population, r.expires_at,
                  array(select f.format from report_file f
                        where f.org_id = r.org_id and f.report_id = r.id order by f.format) as "file_formats!",
                  array(select f.bytes from report_file f
                        where f.org_id = r.org_id and f.report_id = r.id order by f.format) as "file_bytes!",
                  array(select encode(f.sha256, 'hex') from report_file f
                        where f.org_id = r.org_id and f.report_id = r.id order by f.format) as "file_hashes!"
           from report r left join app_user u on u.id = r.asked_by
           where r.org_id = $1 and ($2::uuid is null or r.id = $2) and r.kind = any($3)
             and ($4::uuid is null or r.id < $4)
           order by r.id desc limit $5"#,
        org as _,
        only.0 as _,
        only.1,
        below as _,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// How many of an organisation wait or run.
pub(crate) async fn under_way(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from report where org_id = $1 and state in ('queued', 'running')"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// A report that is to be made.
#[derive(Debug)]
pub(crate) struct Due {
    pub org: OrgId,
    pub id: ReportId,
    pub kind: String,
    pub ask: Value,
    pub formats: Vec<String>,
    pub from_at: DateTime<Utc>,
    pub to_at: DateTime<Utc>,
    pub tries: i32,
    pub asked_by: UserId,
    pub asker: String,
}

/// Takes up the oldest that is due, apart from those that this process works on: also one that
/// another process began, which leads no more. Those of an organisation that is closed wait.
pub(crate) async fn take(conn: &mut PgConnection, busy: &[ReportId]) -> Result<Option<Due>> {
    let busy: Vec<uuid::Uuid> = busy.iter().map(|id| id.uuid()).collect();
    sqlx::query_as!(
        Due,
        r#"update report r
           set state = 'running', tries = r.tries + 1, started_at = now(), percent = 0,
               step = 'Begins'
           from (select w.org_id, w.id from report w
                 join org o on o.id = w.org_id and not o.is_closed
                 where w.state in ('queued', 'running') and w.next_try_at <= now() and w.id <> all($1)
                 order by w.next_try_at, w.id limit 1 for update of w skip locked) as next
           where r.org_id = next.org_id and r.id = next.id
           returning r.org_id as "org: OrgId", r.id as "id: ReportId", r.kind, r.ask, r.formats,
               r.from_at, r.to_at, r.tries, r.asked_by as "asked_by: UserId",
               coalesce((select email from app_user where id = r.asked_by), r.asked_by::text) as "asker!""#,
        &busy,
    )
    .fetch_optional(conn)
    .await
}

/// How many wait, and how old the oldest of them is in seconds.
pub(crate) async fn waiting(conn: &mut PgConnection) -> Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select count(*) as "count!",
                  coalesce(extract(epoch from now() - min(r.asked_at))::bigint, 0) as "oldest!"
           from report r join org o on o.id = r.org_id and not o.is_closed
           where r.state in ('queued', 'running')"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.count, row.oldest))
}

pub(crate) async fn progress(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    (percent, step): (i16, &str),
) -> Result<()> {
    sqlx::query!(
        "update report set percent = $3, step = $4
         where org_id = $1 and id = $2 and state = 'running'",
        org as _,
        id as _,
        percent,
        step,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) struct Finish<'a> {
    pub tree_size: Option<i64>,
    pub root: Option<&'a [u8]>,
    pub key: Option<&'a str>,
    pub rows: i64,
    pub seed: Option<&'a str>,
    pub population: Option<i64>,
    pub kept_days: i32,
}

/// False where it is no longer there to be finished.
pub(crate) async fn finish(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    done: &Finish<'_>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update report set state = 'done', percent = 100, step = '', failure = null, ended_at = now(),
             tree_size = $3, root = $4, key = $5, row_count = $6, seed = $7, population = $8,
             expires_at = now() + make_interval(days => $9),
             mail = case when cardinality(recipients) > 0 then 'waiting' end,
             mail_at = case when cardinality(recipients) > 0 then now() end
         where org_id = $1 and id = $2 and state = 'running'",
        org as _,
        id as _,
        done.tree_size,
        done.root,
        done.key,
        done.rows,
        done.seed,
        done.population,
        done.kept_days,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Tries again later, or not at all.
pub(crate) async fn fail(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    (why, again_in, kept_days): (&str, Option<i32>, i32),
) -> Result<bool> {
    let done = sqlx::query!(
        "update report
         set state = case when $4::integer is null then 'failed' else 'queued' end, failure = $3,
             step = '', ended_at = case when $4::integer is null then now() end,
             next_try_at = now() + make_interval(secs => coalesce($4, 0)),
             expires_at = case when $4::integer is null then now() + make_interval(days => $5) end
         where org_id = $1 and id = $2 and state = 'running'",
        org as _,
        id as _,
        why,
        again_in,
        kept_days,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "delete from report where org_id = $1 and id = $2 returning kind",
        org as _,
        id as _
    )
    .fetch_optional(conn)
    .await
}

/// Reports whose time is over.
pub(crate) async fn expired(conn: &mut PgConnection) -> Result<Vec<(OrgId, ReportId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: ReportId" from report
           where expires_at < now() order by expires_at limit 100"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

/// A report that waits to be mailed.
#[derive(Debug)]
pub(crate) struct Letter {
    pub org: OrgId,
    pub org_name: String,
    pub id: ReportId,
    pub kind: String,
    pub from_at: DateTime<Utc>,
    pub to_at: DateTime<Utc>,
    pub recipients: Vec<String>,
    pub tries: i32,
}

pub(crate) async fn letters(conn: &mut PgConnection) -> Result<Vec<Letter>> {
    sqlx::query_as!(
        Letter,
        r#"select r.org_id as "org: OrgId", o.name as org_name, r.id as "id: ReportId", r.kind,
                  r.from_at, r.to_at, r.recipients, r.mail_tries as tries
           from report r join org o on o.id = r.org_id and not o.is_closed
           where r.mail = 'waiting' and r.mail_at <= now() order by r.mail_at limit 10"#
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn mailed(
    conn: &mut PgConnection,
    org: OrgId,
    id: ReportId,
    (state, why, again_in): (&str, Option<&str>, i32),
) -> Result<()> {
    sqlx::query!(
        "update report set mail = $3, mail_why = $4, mail_tries = mail_tries + 1,
             mail_at = now() + make_interval(secs => $5)
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        state,
        why,
        f64::from(again_in),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The newest report of each kind that is done.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Vec<(String, ReportId, DateTime<Utc>)>> {
    let rows = sqlx::query!(
        r#"select distinct on (kind) kind, id as "id: ReportId", ended_at as "ended_at!" from report
           where org_id = $1 and state = 'done' order by kind, ended_at desc"#,
        org as _
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.kind, row.id, row.ended_at)).collect())
}
