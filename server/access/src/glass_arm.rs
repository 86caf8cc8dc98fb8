//! Arming the break-glass access: who may open it, and what it gives, beforehand.
//!
//! Nobody arms it with more than they hold for good, and what is never given is left out before it is
//! written down. It is not changed while it is asked for or open, and what was opened is never deleted by
//! what is armed later.

use ralex_api::access::RoleName;
use ralex_audit::{BreakGlassEvent, Event, record};
use ralex_kernel::{Code, OrgId, Problem, UserId};
use ralex_store::problem;
use sqlx::PgConnection;

use crate::Permissions;
use crate::access::Access;
use crate::bind::{check_role, present};
use crate::bindings::Bearer;
use crate::change::{Change, Done, GlassTerms};
use crate::policies::OWNER;
use crate::requests::standing;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::glass_arm as sql;
use crate::unsettled::{Unsettled, lately};

/// People who may be named.
const FEWEST: usize = 2;
const MOST: usize = 5;
const SHORTEST_MINUTES: u32 = 5;
const LONGEST_MINUTES: u32 = 60;

/// How it is to be armed.
#[derive(Clone, Debug)]
pub struct GlassWish {
    pub people: Vec<UserId>,
    /// The owner's, where it is not named.
    pub role: Option<RoleName>,
    pub longest_minutes: Option<u32>,
}

impl Access {
    /// Says who may open it from now on, and what it gives.
    pub async fn arm_glass(&self, scope: &Scope, wanted: GlassWish) -> Result<Done<()>, Problem> {
        let org = scope.org();
        let GlassWish { mut people, role, longest_minutes } = wanted;
        people.sort_unstable();
        people.dedup();
        if !(FEWEST..=MOST).contains(&people.len()) {
            let rule = format!("must name {FEWEST} to {MOST} different people");
            return Err(Problem::field("people", rule));
        }
        let longest_minutes = longest_minutes.unwrap_or(LONGEST_MINUTES);
        if !(SHORTEST_MINUTES..=LONGEST_MINUTES).contains(&longest_minutes) {
            let rule = format!("must be between {SHORTEST_MINUTES} and {LONGEST_MINUTES}");
            return Err(Problem::field("longest_minutes", rule));
        }
        self.have_passkeys(&people).await?;
        let role = role.unwrap_or_else(|| RoleName(OWNER.to_owned()));
        let mut tx = self.db().tenant(org).await?;
        let current = self.lock(&mut tx, org).await?;
        let before = self.disturb_none(&mut tx, org).await?;
        people.iter().try_for_each(|user| may_be_named(&current, *user))?;
        let permissions = self.written_out(&current, &role)?.names();
        let after = GlassTerms { people, role: role.0, permissions, longest_minutes };
        self.may_arm(&mut tx, &current, scope, &after).await?;
        let now = self.clock().now();
        let by = scope.caller().subject.user();
        let by = by.ok_or_else(|| Problem::new(Code::Forbidden, "Only people arm it."))?;
        sql::arm(&mut tx, org, &after, (by, now)).await.map_err(problem)?;
        let event = BreakGlassEvent::Armed {
            org,
            people: after.people.clone(),
            role: after.role.clone(),
            permissions: after.permissions.clone(),
            longest_minutes,
        };
        record(&mut tx, scope.author(), Event::BreakGlass(event)).await.map_err(problem)?;
        let change = Change::BreakGlassArm { before, after: Some(after) };
        self.commit_change(tx, scope, Some(change)).await
    }

    /// Has nobody be able to open it.
    pub async fn disarm_glass(&self, scope: &Scope) -> Result<Done<()>, Problem> {
        let org = scope.org();
        let mut tx = self.db().tenant(org).await?;
        let before = self.disturb_none(&mut tx, org).await?;
        let Some(before) = before else { return Err(Problem::not_found("break-glass access")) };
        sql::disarm(&mut tx, org).await.map_err(problem)?;
        let event = Event::BreakGlass(BreakGlassEvent::Disarmed { org });
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        let change = Change::BreakGlassArm { before: Some(before), after: None };
        self.commit_change(tx, scope, Some(change)).await
    }

    /// Has all who arm, open and end it follow each other.
    pub async fn lock_glass(&self, conn: &mut PgConnection, org: OrgId) -> Result<(), Problem> {
        sql::lock(conn, org).await.map_err(problem)
    }

    /// How it is armed, held against others and against who opens it until the transaction ends.
    async fn disturb_none(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
    ) -> Result<Option<GlassTerms>, Problem> {
        self.lock_glass(&mut *conn, org).await?;
        if sql::is_in_use(&mut *conn, org, self.clock().now()).await.map_err(problem)? {
            let detail = "The break-glass access is open, or somebody asks for it. End that first.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        sql::terms(conn, org).await.map_err(problem)
    }

    async fn have_passkeys(&self, people: &[UserId]) -> Result<(), Problem> {
        let mut tx = self.db().system("see who has a passkey for the break-glass access").await?;
        let having = sql::with_passkey(&mut tx, people).await.map_err(problem)?;
        match people.iter().find(|user| !having.contains(user)) {
            Some(user) => {
                let rule = format!("must all have a passkey, and user:{user} has none");
                Err(Problem::field("people", rule))
            }
            None => Ok(()),
        }
    }

    /// All that a role allows now and a glass may give.
    fn written_out(&self, current: &Snapshot, role: &RoleName) -> Result<Permissions, Problem> {
        // Whom it would be given makes no difference to these rules but for programs.
        check_role(current, Bearer::User(UserId::generate()), role)?;
        let all = current.roles().permissions_of(role.as_str());
        let given = all.without(self.never_by_glass());
        if given.is_empty() {
            let rule = "allows nothing that the break-glass access may give";
            return Err(Problem::field("role", rule));
        }
        Ok(given)
    }

    async fn may_arm(
        &self,
        conn: &mut PgConnection,
        current: &Snapshot,
        scope: &Scope,
        terms: &GlassTerms,
    ) -> Result<(), Problem> {
        let Some(user) = scope.caller().subject.user() else { return Ok(()) };
        let now = self.clock().now();
        let groups = lately(conn, current, &[user], now).await?.groups;
        // Who confirms it is somebody of longer standing; who arms it may be a new owner.
        let new = Unsettled { groups, ..Unsettled::default() };
        standing(current, user, &new, now).could_arm(terms)
    }
}

/// Refuses to name somebody who could not open it.
fn may_be_named(current: &Snapshot, user: UserId) -> Result<(), Problem> {
    if present(current, user).is_err() {
        let rule = format!("must be members who are let in, and user:{user} is none");
        return Err(Problem::field("people", rule));
    }
    let groups = current.groups_of(user);
    let denied = |binding: &Binding| {
        let reaches = match binding.holder {
            Holder::User(holder) => holder == user,
            Holder::Group(group) => groups.contains(&group),
            Holder::Machine(_) => false,
        };
        reaches && binding.effect == Effect::Deny
    };
    if current.rows().bindings.iter().any(denied) {
        let rule =
            format!("must be people to whom nothing is denied, and to user:{user} something is");
        return Err(Problem::field("people", rule));
    }
    Ok(())
}
