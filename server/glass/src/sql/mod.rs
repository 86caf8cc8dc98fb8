//! Every query of this crate. Organisations are named in each, and nothing here is remembered.

pub(crate) mod letter;
pub(crate) mod opening;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;

pub(crate) type Result<T> = std::result::Result<T, sqlx::Error>;

/// For how long who made an account counts as one person with whom it was made for, as with other changes
/// that take two.
const MADE_LATELY: TimeDelta = TimeDelta::days(7);

/// What counts of a member for opening the glass.
#[expect(clippy::struct_excessive_bools, reason = "each is one column of the answer")]
pub(crate) struct Standing {
    pub is_named: bool,
    pub has_passkey: bool,
    pub is_suspended: bool,
    pub is_disabled: bool,
    /// Whether anything is denied to them in the organisation, by name or by a group.
    pub is_denied: bool,
    pub is_owner: bool,
    pub org_closed: bool,
}

/// Nothing of who does not belong to the organisation.
pub(crate) async fn standing(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Standing>> {
    sqlx::query_as!(
        Standing,
        r#"with own as (
               select b.effect, b.role, b.team_id from binding b
               where b.org_id = $1 and (b.not_before is null or b.not_before <= $3)
                 and (b.expires_at is null or b.expires_at > $3)
                 and (b.subject_kind = 'user' and b.subject_id = $2
                      or b.subject_kind = 'grp' and exists (
                          select from group_member i where i.org_id = b.org_id
                            and i.group_id = b.subject_id and i.user_id = $2)))
           select exists (select from break_glass_person p
                   where p.org_id = m.org_id and p.user_id = m.user_id) as "is_named!",
               exists (select from passkey k where k.user_id = m.user_id) as "has_passkey!",
               m.suspended_at is not null as "is_suspended!",
               u.disabled_at is not null as "is_disabled!",
               exists (select from own where effect = 'deny') as "is_denied!",
               exists (select from own
                   where effect = 'allow' and role = 'owner' and team_id is null) as "is_owner!",
               (o.suspended_at is not null or o.delete_after is not null) as "org_closed!"
           from membership m join app_user u on u.id = m.user_id join org o on o.id = m.org_id
           where m.org_id = $1 and m.user_id = $2"#,
        org as _,
        user as _,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// Whether one of two people has made the other one's account a short while ago.
pub(crate) async fn made_lately(
    conn: &mut PgConnection,
    (one, other): (UserId, UserId),
    now: DateTime<Utc>,
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from app_user
               where (id = $1 and made_by = $2 or id = $2 and made_by = $1) and made_at > $3)
               as "made!""#,
        one as _,
        other as _,
        now - MADE_LATELY,
    )
    .fetch_one(conn)
    .await
}

/// How it is armed.
pub(crate) struct Terms {
    pub role: String,
    pub permissions: Vec<String>,
    pub longest_minutes: u32,
    pub armed_by: String,
    pub armed_at: DateTime<Utc>,
}

pub(crate) async fn terms(conn: &mut PgConnection, org: OrgId) -> Result<Option<Terms>> {
    let row = sqlx::query!(
        r#"select b.role, b.permissions, b.longest_minutes, b.armed_at,
               coalesce(u.email, b.armed_by::text) as "armed_by!"
           from break_glass b left join app_user u on u.id = b.armed_by where b.org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Terms {
        role: row.role,
        permissions: row.permissions,
        longest_minutes: row.longest_minutes.unsigned_abs(),
        armed_by: row.armed_by,
        armed_at: row.armed_at,
    }))
}

/// Somebody who is named.
pub(crate) struct Person {
    pub user: UserId,
    pub email: String,
    pub name: String,
}

pub(crate) async fn people(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Person>> {
    sqlx::query_as!(
        Person,
        r#"select p.user_id as "user: UserId", u.email, u.name
           from break_glass_person p join app_user u on u.id = p.user_id
           where p.org_id = $1 order by u.email"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

/// What is told in a few numbers.
pub(crate) struct Glance {
    pub armed_at: Option<DateTime<Utc>>,
    pub open_until: Option<DateTime<Utc>>,
    pub last_drill_at: Option<DateTime<Utc>>,
    pub last_opened_at: Option<DateTime<Utc>>,
    pub reviews_waiting: i64,
}

pub(crate) async fn glance(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Glance> {
    sqlx::query_as!(
        Glance,
        r#"select (select b.armed_at from break_glass b where b.org_id = $1) as armed_at,
               max(until) filter (where state = 'open' and until > $2) as open_until,
               max(opened_at) filter (where drill) as last_drill_at,
               max(opened_at) filter (where not drill) as last_opened_at,
               count(*) filter (where not drill and reviewed_at is null
                   and (state = 'ended' or state = 'open' and until <= $2)) as "reviews_waiting!"
           from break_glass_opening where org_id = $1"#,
        org as _,
        now,
    )
    .fetch_one(conn)
    .await
}

/// In all organisations.
pub(crate) struct Counts {
    pub armed: i64,
    pub asked: i64,
    pub open: i64,
    pub reviews: i64,
}

pub(crate) async fn counts(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Counts> {
    sqlx::query_as!(
        Counts,
        r#"select (select count(*) from break_glass) as "armed!",
               (select count(*) from break_glass_opening
                where state = 'asked' and confirm_until > $1) as "asked!",
               (select count(*) from break_glass_opening
                where state = 'open' and until > $1) as "open!",
               (select count(*) from break_glass_opening
                where state = 'ended' and not drill and reviewed_at is null) as "reviews!""#,
        now,
    )
    .fetch_one(conn)
    .await
}
