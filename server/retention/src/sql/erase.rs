//! The queries of erasure. As the system, since accounts belong to no organisation.

use chrono::{DateTime, Utc};
use ralex_kernel::{AuditRequestId, EventId, OrgId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgQueryResult;
use uuid::Uuid;

use super::Result;

/// Somebody who is or was here.
#[derive(Debug)]
pub(crate) struct Person {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub is_member: bool,
    /// Their account is another organisation's matter too: they are a member there, or its log, which
    /// tells of them, is held.
    pub is_needed: bool,
    pub erased: bool,
}

/// By id or e-mail address; nobody where this organisation's log knows nothing of them.
pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: Option<Uuid>,
    email_key: Option<String>,
) -> Result<Option<Person>> {
    sqlx::query_as!(
        Person,
        r#"select u.id as "id: UserId", u.email, u.name,
                  exists (select from membership m
                          where m.org_id = $1 and m.user_id = u.id) as "is_member!",
                  (exists (select from membership m where m.user_id = u.id)
                   or exists (select from audit_hold h
                              where h.org_id <> $1 and h.lifted_at is null
                                and (exists (select from audit_event e where e.org_id = h.org_id
                                               and e.target collate "C" = 'user:' || u.id::text
                                               and e.target not like 'call:%')
                                     or exists (select from audit_event e
                                                where e.org_id = h.org_id and e.actor_id = u.id)))
                  ) as "is_needed!",
                  exists (select from audit_erasure x
                          where x.org_id = $1 and x.user_id = u.id) as "erased!"
           from app_user u
           where (u.id = $2 or u.email_key = $3)
             and (exists (select from membership m where m.org_id = $1 and m.user_id = u.id)
                  or exists (select from audit_event e
                             where e.org_id = $1 and e.target collate "C" = 'user:' || u.id::text
                               and e.target not like 'call:%')
                  or exists (select from audit_event e
                             where e.org_id = $1 and e.actor_id = u.id))"#,
        org as _,
        id,
        email_key,
    )
    .fetch_optional(conn)
    .await
}

/// What still sends to an address: alert rules and schedules of reports, by name.
pub(crate) async fn reached_by(
    conn: &mut PgConnection,
    org: OrgId,
    email_key: &str,
) -> Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select 'the alert rule "' || r.name || '"' as "name!"
           from alert_channel c join alert_rule r on r.org_id = c.org_id and r.id = c.rule_id
           where c.org_id = $1 and c.kind = 'email' and lower(c.target) = $2
           union
           select 'the report schedule "' || s.name || '"'
           from report_schedule s
           where s.org_id = $1 and exists (select from unnest(s.recipients) r where lower(r) = $2)
           order by 1"#,
        org as _,
        email_key,
    )
    .fetch_all(conn)
    .await
}

/// A key that opens nothing any more.
#[derive(Debug)]
pub(crate) struct Destroyed {
    pub id: Uuid,
    pub kind: String,
    pub fingerprint: String,
    pub disclosures: i64,
}

/// Destroys the keys of a person and of their address. Of an address the name goes as well: with the
/// vault at hand it could be found again.
pub(crate) async fn destroy(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    contact: Uuid,
) -> Result<Vec<Destroyed>> {
    sqlx::query_as!(
        Destroyed,
        r#"with gone as (
               update audit_subject_key
               set wrapped = null, destroyed_at = now(),
                   subject = case kind when 'user' then subject else gen_random_uuid() end
               where org_id = $1 and destroyed_at is null
                 and (kind = 'user' and subject = $2 or kind = 'contact' and subject = $3)
               returning id, kind, fingerprint)
           select g.id as "id!", g.kind as "kind!", g.fingerprint as "fingerprint!",
                  (select count(*) from audit_disclosure d
                   where d.org_id = $1 and d.key_id = g.id) as "disclosures!"
           from gone g order by g.kind desc, g.id"#,
        org as _,
        user as _,
        contact,
    )
    .fetch_all(conn)
    .await
}

/// What the organisation's other tables say of the person beyond their id: how many alerts about
/// them, deliveries to them, reports about them, mailings of reports, and what they gave as reasons
/// where access was asked for and decided.
pub(crate) async fn remove_mentions(
    conn: &mut PgConnection,
    org: OrgId,
    person: &Person,
    email_key: &str,
) -> Result<[(&'static str, u64); 5]> {
    let subject = format!("user:{}", person.id);
    let alerts =
        sqlx::query!("delete from alert where org_id = $1 and subject = $2", org as _, subject)
            .execute(&mut *conn)
            .await?;
    let deliveries = sqlx::query!(
        "update alert_delivery set target = '[erased]'
         where org_id = $1 and kind = 'email' and lower(target) = $2",
        org as _,
        email_key
    )
    .execute(&mut *conn)
    .await?;
    let reports = sqlx::query!(
        "delete from report
         where org_id = $1 and kind = 'data_subject'
           and lower(ask #>> '{filters,person}') in ($2, $3)",
        org as _,
        email_key,
        person.id.to_string(),
    )
    .execute(&mut *conn)
    .await?;
    let mailings = sqlx::query!(
        "update report set recipients = array(select r from unnest(recipients) r where lower(r) <> $2)
         where org_id = $1 and exists (select from unnest(recipients) r where lower(r) = $2)",
        org as _,
        email_key
    )
    .execute(&mut *conn)
    .await?;
    let reasons = forget_reasons(conn, org, person.id).await?;
    Ok([
        ("alerts about the person", alerts.rows_affected()),
        ("addresses of alerts sent to them", deliveries.rows_affected()),
        ("reports about the person", reports.rows_affected()),
        ("addresses of reports mailed to them", mailings.rows_affected()),
        ("reasons they gave about access", reasons),
    ])
}

async fn forget_reasons(conn: &mut PgConnection, org: OrgId, user: UserId) -> Result<u64> {
    let asked = sqlx::query!(
        "update access_request set reason = '[erased]' where org_id = $1 and user_id = $2",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let approved = sqlx::query!(
        "update access_approval set reason = '[erased]' where org_id = $1 and user_id = $2",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let denied = sqlx::query!(
        "update access_request set denied_reason = '[erased]' where org_id = $1 and denied_by = $2",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let decided = sqlx::query!(
        "update change_request set reason = '[erased]'
         where org_id = $1 and decided_by = $2 and reason is not null",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let raised = sqlx::query!(
        r#"update change_request set change = jsonb_set(change, '{reason}', '"[erased]"')
         where org_id = $1 and asked_by = $2 and change ? 'reason'"#,
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let all = [asked, approved, denied, decided, raised];
    let reviews = forget_reviews(&mut *conn, org, user).await?;
    let reviews = reviews + forget_break_glass(conn, org, user).await?;
    Ok(reviews + all.iter().map(PgQueryResult::rows_affected).sum::<u64>())
}

/// What they wrote in reviews of access.
async fn forget_reviews(conn: &mut PgConnection, org: OrgId, user: UserId) -> Result<u64> {
    let reviewed = sqlx::query!(
        "update access_review_item set reason = '[erased]'
         where org_id = $1 and decided_by = $2 and reason is not null",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let signed = sqlx::query!(
        "update access_review set signed_note = '[erased]' where org_id = $1 and signed_by = $2",
        org as _,
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(reviewed.rows_affected() + signed.rows_affected())
}

/// What they wrote where the break-glass access was opened and reviewed. They are not named for it any more.
async fn forget_break_glass(conn: &mut PgConnection, org: OrgId, user: UserId) -> Result<u64> {
    sqlx::query!(
        "delete from break_glass_person where org_id = $1 and user_id = $2",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let asked = sqlx::query!(
        "update break_glass_opening set reason = '[erased]' where org_id = $1 and asked_by = $2",
        org as _,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    let reviewed = sqlx::query!(
        "update break_glass_opening set note = '[erased]' where org_id = $1 and reviewed_by = $2",
        org as _,
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(asked.rows_affected() + reviewed.rows_affected())
}

/// What an account began and did not end: logins, and links by which a password is chosen.
async fn remove_what_waits(conn: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("delete from login_challenge where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from passkey_ceremony where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from account_link where user_id = $1", user as _).execute(conn).await?;
    Ok(())
}

/// Leaves nothing of an account but its id: what is removed, and how much of it.
pub(crate) async fn remove_account(
    conn: &mut PgConnection,
    user: UserId,
    email_key: &str,
) -> Result<[(&'static str, u64); 4]> {
    let sessions = sqlx::query!("delete from session where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    let tokens = sqlx::query!("delete from personal_token where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    remove_what_waits(conn, user).await?;
    sqlx::query!("delete from operator where user_id = $1", user as _).execute(&mut *conn).await?;
    sqlx::query!("delete from operator_removal where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    let programs = sqlx::query!("delete from program_login where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    let codes = sqlx::query!("delete from recovery_code where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    let apps =
        sqlx::query!("delete from totp where user_id = $1", user as _).execute(&mut *conn).await?;
    let passkeys = sqlx::query!("delete from passkey where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    let tries = sqlx::query!(
        "delete from throttle where starts_with(key, 'login:' || $1 || ':')
            or key in ('account:' || $1, 'forgotten:' || $1)
            or starts_with(key, 'factor:' || $2::uuid::text)
            or key = 'device-code:' || $2::uuid::text",
        email_key,
        user as _,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update app_user
         set email = 'erased-' || id::text || '@erased.invalid',
             email_key = 'erased-' || id::text || '@erased.invalid',
             name = 'Erased person', password_hash = '', password_one_time = false,
             disabled_at = coalesce(disabled_at, now()), deactivated_reason = null,
             deactivated_by = null
         where id = $1",
        user as _
    )
    .execute(conn)
    .await?;
    Ok([
        ("sessions", sessions.rows_affected()),
        ("second factors", apps.rows_affected() + codes.rows_affected() + passkeys.rows_affected()),
        ("personal tokens", tokens.rows_affected() + programs.rows_affected()),
        ("counts of failed logins", tries.rows_affected()),
    ])
}

/// How many events from before there were commitments name the address in their text, though the
/// person neither did them nor had them done to them.
pub(crate) async fn mentions(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    email: &str,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from audit_event
           where org_id = $1 and action = any($4) and actor_id is distinct from $2
             and position('"schema_version":1,'::bytea in leaf) > 0
             and position(convert_to($3, 'UTF8') in leaf) > 0"#,
        org as _,
        user as _,
        email,
        &MENTIONING.map(str::to_owned),
    )
    .fetch_one(conn)
    .await
}

/// Actions whose events may name an address of somebody who is neither actor nor target.
const MENTIONING: [&str; 8] = [
    "alert_rule.created",
    "alert_rule.updated",
    "approval.approved",
    "approval.denied",
    "audit.retention_changed",
    "report.mailed",
    "report_schedule.created",
    "report_schedule.updated",
];

/// Events of an action that name the person in their text.
#[derive(Debug)]
pub(crate) struct Readable {
    pub action: String,
    pub count: i64,
    pub last_at: DateTime<Utc>,
}

/// Events from before there were commitments that the person did, or that were done to them, and
/// that tell more of them than their id.
pub(crate) async fn readable(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<Vec<Readable>> {
    sqlx::query_as!(
        Readable,
        r#"select e.action as "action!", count(*) as "count!",
                  max(e.occurred_at) as "last_at!"
           from (select action, occurred_at, leaf from audit_event
                 where org_id = $1 and actor_id = $2
                 union all
                 select action, occurred_at, leaf from audit_event
                 where org_id = $1 and target collate "C" = 'user:' || $2::uuid::text
                   and target not like 'call:%' and actor_id is distinct from $2
                   and action in ('member.added', 'login.failed', 'login.factor_failed')) as e
           where position('"schema_version":1,'::bytea in e.leaf) > 0
             and (position('"address":null,'::bytea in e.leaf) = 0 or e.action = 'member.added')
           group by e.action order by e.action"#,
        org as _,
        user as _,
    )
    .fetch_all(conn)
    .await
}

/// Files of reports from before, which may name anybody: how many, and until when.
pub(crate) async fn reports_before(
    conn: &mut PgConnection,
    org: OrgId,
    at: DateTime<Utc>,
) -> Result<(i64, Option<DateTime<Utc>>)> {
    let row = sqlx::query!(
        r#"select count(*) as "count!", max(expires_at) as until from report
           where org_id = $1 and ended_at < $2 and state = 'done'"#,
        org as _,
        at,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.count, row.until))
}

/// What was erased.
pub(crate) struct Erasure<'a> {
    pub id: AuditRequestId,
    pub user: UserId,
    pub event: EventId,
    pub destroyed: &'a Value,
    pub mentions: i64,
}

pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &Erasure<'_>) -> Result<()> {
    sqlx::query!(
        "insert into audit_erasure (org_id, id, user_id, event_id, destroyed, mentions)
         values ($1, $2, $3, $4, $5, $6)",
        org as _,
        new.id as _,
        new.user as _,
        new.event as _,
        new.destroyed,
        new.mentions,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was erased, with who asked and who approved.
#[derive(Debug)]
pub(crate) struct Done {
    pub user: UserId,
    pub event: EventId,
    pub erased_at: DateTime<Utc>,
    pub destroyed: Value,
    pub mentions: i64,
    pub asked_by: UserId,
    pub asked_at: DateTime<Utc>,
    pub approved_by: UserId,
}

pub(crate) async fn done(
    conn: &mut PgConnection,
    org: OrgId,
    id: AuditRequestId,
) -> Result<Option<Done>> {
    sqlx::query_as!(
        Done,
        r#"select x.user_id as "user: UserId", x.event_id as "event: EventId", x.erased_at,
                  x.destroyed, x.mentions, r.asked_by as "asked_by: UserId", r.asked_at,
                  r.decided_by as "approved_by!: UserId"
           from audit_erasure x join audit_request r on r.org_id = x.org_id and r.id = x.id
           where x.org_id = $1 and x.id = $2"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}
