//! The queries of letters: each is a row until it is sent.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::break_glass::BreakGlassState;
use ralex_kernel::{BreakGlassId, OrgId, UserId};
use sqlx::PgConnection;

use super::Result;
use crate::letter::pause;

/// Between two letters about the same review.
const DAILY: TimeDelta = TimeDelta::days(1);

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Asked,
    Opened,
    Ended,
    /// It comes again each day.
    Review,
}

impl Step {
    const ALL: [Self; 4] = [Self::Asked, Self::Opened, Self::Ended, Self::Review];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Opened => "opened",
            Self::Ended => "ended",
            Self::Review => "review",
        }
    }
}

pub(crate) async fn add(
    conn: &mut PgConnection,
    org: OrgId,
    id: BreakGlassId,
    step: Step,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into break_glass_letter (org_id, opening_id, step, tell_after)
         values ($1, $2, $3, $4) on conflict do nothing",
        org as _,
        id as _,
        step.as_str(),
        at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Tells of an end, and from the next day on of the review where there is to be one.
pub(crate) async fn ended(
    conn: &mut PgConnection,
    org: OrgId,
    (id, state): (BreakGlassId, BreakGlassState),
    now: DateTime<Utc>,
) -> Result<()> {
    add(&mut *conn, org, id, Step::Ended, now).await?;
    if state == BreakGlassState::Ended {
        add(conn, org, id, Step::Review, now + DAILY).await?;
    }
    Ok(())
}

pub(crate) async fn reviewed(conn: &mut PgConnection, org: OrgId, id: BreakGlassId) -> Result<()> {
    sqlx::query!(
        "delete from break_glass_letter where org_id = $1 and opening_id = $2 and step = 'review'",
        org as _,
        id as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A letter that is to be sent now.
pub(crate) struct Due {
    pub org: OrgId,
    pub org_slug: String,
    pub org_name: String,
    pub id: BreakGlassId,
    pub step: String,
    pub tries: i16,
    /// The day of a letter that comes each day, so that it is another one each time.
    pub tells: String,
    pub drill: bool,
    pub asked_by: String,
    pub confirmed_by: Option<String>,
    pub confirm_until: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

impl Due {
    pub fn step(&self) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.as_str() == self.step)
    }
}

/// Takes some that are due, so that no other process sends them for a while.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    at_most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Due>> {
    let due = sqlx::query_as!(
        Due,
        r#"update break_glass_letter l set tries = l.tries + 1
           from (select org_id, opening_id, step from break_glass_letter
                 where tell_after <= $1 order by tell_after limit $2
                 for no key update skip locked) due
           join org o on o.id = due.org_id
           join break_glass_opening b on b.org_id = due.org_id and b.id = due.opening_id
           left join app_user a on a.id = b.asked_by left join app_user c on c.id = b.confirmed_by
           where l.org_id = due.org_id and l.opening_id = due.opening_id and l.step = due.step
           returning l.org_id as "org: OrgId", o.slug as org_slug, o.name as org_name,
               l.opening_id as "id: BreakGlassId", l.step, l.tries,
               to_char($1 at time zone 'utc', 'YYYYMMDD') as "tells!", b.drill,
               coalesce(a.email, b.asked_by::text) as "asked_by!",
               coalesce(c.email, b.confirmed_by::text) as confirmed_by, b.confirm_until, b.until"#,
        now,
        at_most,
    )
    .fetch_all(&mut *conn)
    .await?;
    for one in &due {
        sqlx::query!(
            "update break_glass_letter set tell_after = $4
             where org_id = $1 and opening_id = $2 and step = $3",
            one.org as _,
            one.id as _,
            one.step,
            now + pause(one.tries),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(due)
}

/// It is sent, or never will be. That of a review comes again.
pub(crate) async fn told(conn: &mut PgConnection, due: &Due, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "delete from break_glass_letter
         where org_id = $1 and opening_id = $2 and step = $3 and step <> 'review'",
        due.org as _,
        due.id as _,
        due.step,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update break_glass_letter set tries = 0, tell_after = $4
         where org_id = $1 and opening_id = $2 and step = $3",
        due.org as _,
        due.id as _,
        due.step,
        now + DAILY,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whoever is told: owners, who looks after security, and who is named, as the rows have it; a role that
/// cannot be read tells nobody the less.
pub(crate) async fn told_people(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Vec<(UserId, String)>> {
    let rows = sqlx::query!(
        r#"select u.id as "id: UserId", u.email from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1 and m.suspended_at is null and u.disabled_at is null
             and (exists (select from break_glass_person p
                      where p.org_id = m.org_id and p.user_id = m.user_id)
                  or exists (select from binding b
                      where b.org_id = m.org_id and b.effect = 'allow' and b.team_id is null
                        and b.role in ('owner', 'security')
                        and (b.not_before is null or b.not_before <= $2)
                        and (b.expires_at is null or b.expires_at > $2)
                        and (b.subject_kind = 'user' and b.subject_id = m.user_id
                             or b.subject_kind = 'grp' and exists (
                                 select from group_member i where i.org_id = b.org_id
                                   and i.group_id = b.subject_id and i.user_id = m.user_id))))
           order by u.id"#,
        org as _,
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.email)).collect())
}
