//! The queries of uses of the glass.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::access::RoleName;
use ralex_api::break_glass::{BreakGlassOpening, BreakGlassState};
use ralex_audit::BreakGlassEvent;
use ralex_kernel::{BreakGlassId, Code, OrgId, Problem, UserId};
use sqlx::PgConnection;

use super::{Result, Terms};

/// One that begins.
pub(crate) struct New<'a> {
    pub id: BreakGlassId,
    pub drill: bool,
    pub minutes: u32,
    pub reason: &'a str,
    pub asker: UserId,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// What it would give is written down with it, whatever is armed later.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    new: &New<'_>,
    terms: &Terms,
) -> Result<()> {
    sqlx::query!(
        "insert into break_glass_opening (org_id, id, drill, state, role, permissions, minutes, reason,
             asked_by, asked_at, confirm_until)
         values ($1, $2, $3, 'asked', $4, $5, $6, $7, $8, $9, $10)",
        org as _,
        new.id as _,
        new.drill,
        terms.role,
        &terms.permissions,
        i32::try_from(new.minutes).unwrap_or(i32::MAX),
        new.reason,
        new.asker as _,
        new.now,
        new.until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// One with names for its ids, and in the state that the clock has it in.
pub(crate) struct Stored {
    pub org: OrgId,
    pub id: BreakGlassId,
    pub drill: bool,
    state: String,
    role: String,
    pub permissions: Vec<String>,
    minutes: i32,
    reason: String,
    pub asked_by_id: UserId,
    asked_by: String,
    asked_at: DateTime<Utc>,
    confirm_until: DateTime<Utc>,
    confirmed_by_id: Option<UserId>,
    confirmed_by: Option<String>,
    opened_at: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    ended_by: Option<String>,
    reviewed_by: Option<String>,
    reviewed_at: Option<DateTime<Utc>>,
    note: Option<String>,
}

impl Stored {
    pub fn state(&self) -> std::result::Result<BreakGlassState, Problem> {
        BreakGlassState::named(&self.state).ok_or_else(|| {
            Problem::new(Code::Internal, "A stored use of the break-glass access cannot be read.")
        })
    }

    /// Whether somebody is one of the two.
    pub fn is_of(&self, user: UserId) -> bool {
        self.asked_by_id == user || self.confirmed_by_id == Some(user)
    }

    pub const fn is_reviewed(&self) -> bool {
        self.reviewed_at.is_some()
    }

    /// For how long it is open.
    pub fn time(&self) -> TimeDelta {
        TimeDelta::minutes(self.minutes.into())
    }

    /// What is recorded of its end.
    pub const fn ended(
        &self,
        state: BreakGlassState,
        ended_at: DateTime<Utc>,
        by_time: bool,
    ) -> BreakGlassEvent {
        let (opening, asker) = (self.id, self.asked_by_id);
        match state {
            BreakGlassState::Expired => BreakGlassEvent::Expired { opening, asker },
            BreakGlassState::Withdrawn => BreakGlassEvent::Withdrawn { opening, asker },
            BreakGlassState::Asked | BreakGlassState::Open | BreakGlassState::Ended => {
                BreakGlassEvent::Ended { opening, asker, ended_at, by_time }
            }
        }
    }

    pub fn shown(
        self,
        state: BreakGlassState,
        may_confirm: bool,
        may_end: bool,
        may_review: bool,
    ) -> BreakGlassOpening {
        BreakGlassOpening {
            id: self.id,
            state,
            drill: self.drill,
            reason: self.reason,
            minutes: self.minutes.unsigned_abs(),
            role: RoleName(self.role),
            permissions: self.permissions,
            asked_by: self.asked_by,
            asked_by_id: self.asked_by_id,
            asked_at: self.asked_at,
            confirm_until: self.confirm_until,
            confirmed_by: self.confirmed_by,
            opened_at: self.opened_at,
            until: self.until,
            ended_at: self.ended_at,
            ended_by: self.ended_by,
            reviewed_by: self.reviewed_by,
            reviewed_at: self.reviewed_at,
            note: self.note,
            may_confirm,
            may_end,
            may_review,
        }
    }
}

/// Which to read, the newest first.
#[derive(Default)]
struct Filter<'a> {
    only: Option<BreakGlassId>,
    before: Option<BreakGlassId>,
    /// As the clock has it.
    states: Option<&'a [String]>,
}

async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter<'_>,
    now: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"with known as (select o.*,
                   case when o.state = 'asked' and o.confirm_until <= $5 then 'expired'
                        when o.state = 'open' and o.until <= $5 then 'ended'
                        else o.state end as stands
               from break_glass_opening o where o.org_id = $1)
           select k.org_id as "org!: OrgId", k.id as "id!: BreakGlassId", k.drill as "drill!",
               k.stands as "state!", k.role as "role!", k.permissions as "permissions!",
               k.minutes as "minutes!", k.reason as "reason!",
               k.asked_by as "asked_by_id!: UserId",
               coalesce(a.email, k.asked_by::text) as "asked_by!", k.asked_at as "asked_at!",
               k.confirm_until as "confirm_until!",
               k.confirmed_by as "confirmed_by_id?: UserId",
               coalesce(c.email, k.confirmed_by::text) as "confirmed_by?",
               k.opened_at as "opened_at?", k.until as "until?",
               case when k.stands = k.state then k.ended_at
                    else coalesce(k.until, k.confirm_until) end as "ended_at?",
               coalesce(e.email, k.ended_by::text) as "ended_by?",
               coalesce(r.email, k.reviewed_by::text) as "reviewed_by?",
               k.reviewed_at as "reviewed_at?", k.note as "note?"
           from known k left join app_user a on a.id = k.asked_by
           left join app_user c on c.id = k.confirmed_by
           left join app_user e on e.id = k.ended_by
           left join app_user r on r.id = k.reviewed_by
           where ($2::uuid is null or k.id = $2) and ($3::uuid is null or k.id < $3)
             and ($4::text[] is null or k.stands = any($4))
           order by k.id desc limit $6"#,
        org as _,
        filter.only as _,
        filter.before as _,
        filter.states,
        now,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: BreakGlassId,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    let filter = Filter { only: Some(id), ..Filter::default() };
    Ok(select(conn, org, &filter, now, 1).await?.into_iter().next())
}

/// What waits or is open.
pub(crate) async fn current(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    let states = [BreakGlassState::Asked, BreakGlassState::Open].map(|it| it.to_string());
    let filter = Filter { states: Some(&states), ..Filter::default() };
    Ok(select(conn, org, &filter, now, 1).await?.into_iter().next())
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    before: Option<BreakGlassId>,
    now: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Stored>> {
    select(conn, org, &Filter { before, ..Filter::default() }, now, at_most).await
}

/// Opens one that waits, or ends it where it is a drill.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    org: OrgId,
    id: BreakGlassId,
    (by, now, until): (UserId, DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update break_glass_opening
         set state = case when drill then 'ended' else 'open' end, confirmed_by = $3, opened_at = $4,
             until = $5, ended_at = case when drill then $4::timestamptz end
         where org_id = $1 and id = $2 and state = 'asked'",
        org as _,
        id as _,
        by as _,
        now,
        until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends one that waits or is open.
pub(crate) async fn end(
    conn: &mut PgConnection,
    org: OrgId,
    id: BreakGlassId,
    (state, by, now): (BreakGlassState, UserId, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update break_glass_opening set state = $3, ended_by = $4, ended_at = $5
         where org_id = $1 and id = $2 and state in ('asked', 'open')",
        org as _,
        id as _,
        state.as_str(),
        by as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends those whose time is over, of one organisation or wherever they are, and passes over what somebody
/// works on now.
pub(crate) async fn end_late(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    at_most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Stored>> {
    let late = sqlx::query!(
        r#"update break_glass_opening o
           set state = case o.state when 'open' then 'ended' else 'expired' end,
               ended_at = coalesce(o.until, o.confirm_until)
           from (select org_id, id from break_glass_opening
                 where state in ('asked', 'open') and coalesce(until, confirm_until) <= $1
                   and ($2::uuid is null or org_id = $2)
                 order by coalesce(until, confirm_until) limit $3
                 for no key update skip locked) late
           where o.org_id = late.org_id and o.id = late.id
           returning o.org_id as "org: OrgId", o.id as "id: BreakGlassId""#,
        now,
        org as _,
        at_most,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut ended = Vec::with_capacity(late.len());
    for row in late {
        ended.extend(find(&mut *conn, row.org, row.id, now).await?);
    }
    Ok(ended)
}

pub(crate) async fn review(
    conn: &mut PgConnection,
    org: OrgId,
    id: BreakGlassId,
    (by, note, now): (UserId, &str, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update break_glass_opening set reviewed_by = $3, note = $4, reviewed_at = $5
         where org_id = $1 and id = $2 and state = 'ended' and reviewed_at is null",
        org as _,
        id as _,
        by as _,
        note,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
