//! What is told of it, and to whom.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::{Permission, breaks};
use ralex_api::access::RoleName;
use ralex_api::break_glass::{
    BreakGlass as Shown, BreakGlassArmed, BreakGlassOpening, BreakGlassPerson, BreakGlassState,
};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{Caller, Code, OrgId, Problem, UserId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::BreakGlass;
use crate::named::hindered;
use crate::review::may_review;
use crate::sql::opening::{self as sql, Stored};
use crate::sql::{self as armed, Person};

/// What nobody tries for longer than this may not work when it is needed.
pub const DRILL_EVERY: TimeDelta = TimeDelta::days(92);

/// Who looks.
pub(crate) struct Reader {
    pub user: Option<UserId>,
    is_named: bool,
    may_arm: bool,
    may_end: bool,
}

impl Reader {
    pub const fn sees_all(&self) -> bool {
        self.is_named || self.may_arm || self.may_end
    }

    /// Whether they may take it back or end it.
    pub fn may_end(&self, stored: &Stored) -> bool {
        self.may_end || self.may_arm || self.user.is_some_and(|user| stored.is_of(user))
    }

    pub fn shown(&self, stored: Stored) -> Result<BreakGlassOpening, Problem> {
        let state = stored.state()?;
        let is_current = matches!(state, BreakGlassState::Asked | BreakGlassState::Open);
        let own = self.user.is_some_and(|user| stored.asked_by_id == user);
        let may_confirm = state == BreakGlassState::Asked && self.is_named && !own;
        let may_end = is_current && self.may_end(&stored);
        let reviews = |user| may_review(&stored, user).is_ok();
        let may_review = self.may_arm && self.user.is_some_and(reviews);
        Ok(stored.shown(state, may_confirm, may_end, may_review))
    }
}

impl BreakGlass {
    /// How it stands. Who is named and what is open is for those who are named and who may arm it; that it
    /// is open is for everybody.
    pub async fn show(&self, caller: &Caller, org: OrgId) -> Result<Shown, Problem> {
        let reader = self.reader(caller, org).await?;
        if !reader.sees_all() {
            self.0.access.belongs(caller, org).await?;
        }
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("show the break-glass access").await?;
        let glance = armed::glance(&mut tx, org, now).await.map_err(problem)?;
        let (mut told, mut current) = (None, None);
        if reader.sees_all() {
            told = shown_armed(&mut tx, org, now).await?;
            let found = sql::current(&mut tx, org, now).await.map_err(problem)?;
            current = found.map(|stored| reader.shown(stored)).transpose()?;
        }
        let last = glance.last_drill_at.max(glance.last_opened_at).max(glance.armed_at);
        Ok(Shown {
            armed: told,
            current,
            open_until: glance.open_until,
            reviews_waiting: u32::try_from(glance.reviews_waiting).unwrap_or(u32::MAX),
            last_drill_at: glance.last_drill_at,
            last_opened_at: glance.last_opened_at,
            drill_due: glance.armed_at.is_some() && last.is_none_or(|at| at + DRILL_EVERY < now),
            is_named: reader.is_named,
            may_arm: reader.may_arm,
            never: self.0.access.never_by_glass().names(),
        })
    }

    /// Every use of it, the newest first; for those who are named and who may arm it.
    pub async fn openings(
        &self,
        caller: &Caller,
        org: OrgId,
        page: &PageQuery,
    ) -> Result<Page<BreakGlassOpening>, Problem> {
        let reader = self.reader(caller, org).await?;
        if !reader.sees_all() {
            self.0
                .access
                .allow(caller, org, Permission::BreakGlassArm, ralex_kernel::ScopePath::Org)
                .await?;
        }
        let (before, size) = (page.after()?, page.size());
        let mut tx = self.0.db.tenant(org).await?;
        let now = self.0.clock.now();
        let found = sql::list(&mut tx, org, before, now, size + 1).await.map_err(problem)?;
        let shown = found.into_iter().map(|stored| reader.shown(stored));
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(shown, size, |it: &BreakGlassOpening| it.id.to_string()))
    }

    /// Who looks, also where their rights cannot be read: then by what the database says of them.
    pub(crate) async fn reader(&self, caller: &Caller, org: OrgId) -> Result<Reader, Problem> {
        let nobody = || Problem::not_found("organisation");
        let user = caller.subject.user();
        let now = self.0.clock.now();
        let mut tx = self.0.db.system("see who looks at the break-glass access").await?;
        let standing = match user {
            Some(user) => armed::standing(&mut tx, org, user, now).await.map_err(problem)?,
            None => None,
        };
        drop(tx);
        let standing = standing.ok_or_else(nobody)?;
        let is_named = hindered(&standing).is_none() && breaks(caller, org).is_some();
        let (may_arm, may_end) = match self.0.access.permissions(caller, org).await {
            Ok((held, _)) => {
                let arms = held.iter().any(|name| name == Permission::BreakGlassArm.as_str());
                (arms, false)
            }
            // To end it takes rights away and gives none, so an owner is believed without them.
            Err(why) if matches!(why.code, Code::Unavailable | Code::Forbidden) => {
                let is_owner = standing.is_owner && breaks(caller, org).is_some();
                (false, is_owner && !standing.org_closed && !standing.is_denied)
            }
            Err(why) => return Err(why),
        };
        Ok(Reader { user, is_named, may_arm, may_end })
    }
}

async fn shown_armed(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Option<BreakGlassArmed>, Problem> {
    let Some(terms) = armed::terms(&mut *conn, org).await.map_err(problem)? else {
        return Ok(None);
    };
    let mut people = Vec::new();
    for Person { user, email, name } in armed::people(&mut *conn, org).await.map_err(problem)? {
        let standing = armed::standing(&mut *conn, org, user, now).await.map_err(problem)?;
        let hindered = standing.as_ref().map_or(Some("the person has left"), hindered);
        people.push(BreakGlassPerson { user, email, name, hindered: hindered.map(str::to_owned) });
    }
    Ok(Some(BreakGlassArmed {
        role: RoleName(terms.role),
        permissions: terms.permissions,
        longest_minutes: terms.longest_minutes,
        people,
        armed_by: terms.armed_by,
        armed_at: terms.armed_at,
    }))
}
