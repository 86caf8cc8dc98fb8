//! Setting up a review, and calling it off.

use ralex_api::access_reviews::{AccessReview, AccessReviewState, NewAccessReview, ReviewDecision};
use ralex_audit::{AccessReviewEvent, Event, record};
use ralex_kernel::{AccessReviewId, Caller, Code, OrgId, Problem, ScopePath, UserId};
use ralex_store::problem;
use uuid::Uuid;

use super::{count, one, person};
use crate::Permission;
use crate::access::Access;
use crate::bindings::Bearer;
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::review::{self as sql, New};
use crate::sql::review_item;

const MOST_DAYS: u32 = 90;
/// Named people and groups, and roles, of one review.
const MOST_NAMED: usize = 100;
/// Reviews of an organisation that wait or are open at a time.
const MOST_OPEN: usize = 50;

impl Access {
    /// Sets up a review, and opens it where that is for now. `scope` is the proof that the caller may
    /// manage reviews at `at`; `reviewers` are whom `new` names.
    pub async fn create_review(
        &self,
        scope: &Scope,
        new: NewAccessReview,
        (at, reviewers): (ScopePath, &[Bearer]),
    ) -> Result<AccessReview, Problem> {
        let (org, by, now) = (scope.org(), person(scope.caller())?, self.clock().now());
        let current = self.snapshot(org).await?;
        check(&current, &new)?;
        if new.undecided == ReviewDecision::Remove {
            // What nobody decides is taken away in the name of who says so here.
            self.allow(scope.caller(), org, Permission::RoleBind, at).await?;
        }
        let opens_at = new.opens_at.unwrap_or(now);
        if opens_at < now {
            return Err(Problem::field("opens_at", "is in the past"));
        }
        let (people, groups) = apart(reviewers)?;
        let (roles, subjects) = (texts(&new.roles), texts(&new.subjects));
        let id = AccessReviewId::generate();
        let row = New {
            id,
            name: &new.name,
            at,
            roles: &roles,
            subjects: &subjects,
            undecided: new.undecided.as_str(),
            repeats: new.repeats.as_str(),
            round: 1,
            series_at: opens_at,
            previous: None,
            due_days: i16::try_from(new.due_days).unwrap_or(i16::MAX),
            opens_at,
            by,
            now,
            people: &people,
            groups: &groups,
        };
        let mut tx = self.db().tenant(org).await?;
        self.room(&mut tx, org).await?;
        sql::insert(&mut tx, org, &row).await.map_err(problem)?;
        let event = Event::AccessReview(set_up(&row));
        record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("created");
        if opens_at <= now {
            self.open_review(org, id).await?;
        }
        self.access_review(scope.caller(), org, id).await
    }

    /// Refuses where so many run already that nobody could mean one more.
    async fn room(&self, tx: &mut ralex_store::Tenant, org: OrgId) -> Result<(), Problem> {
        let running = sql::running(tx, org).await.map_err(problem)?;
        if usize::try_from(running).unwrap_or(usize::MAX) < MOST_OPEN {
            return Ok(());
        }
        let detail = format!("{MOST_OPEN} reviews wait or are open already. Close or cancel some.");
        Err(Problem::new(Code::Conflict, detail))
    }

    /// Ends a review without doing anything, and with it its series: a scheduled one, or one that is
    /// open.
    pub async fn cancel_review(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<AccessReview, Problem> {
        let scope = self.manager(caller, org, id).await?;
        let (by, now) = (person(caller)?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let review = one(sql::hold(&mut tx, org, id).await)?;
        match review.stands()? {
            AccessReviewState::Scheduled => {}
            AccessReviewState::Open => self.may_call_off(&mut tx, org, (id, by)).await?,
            AccessReviewState::Closing | AccessReviewState::Closed => {
                let detail =
                    "It is closed, and what was decided is done. There is nothing to cancel.";
                return Err(Problem::new(Code::Conflict, detail));
            }
            AccessReviewState::Cancelled => {
                return Err(Problem::new(Code::Conflict, "It is cancelled already."));
            }
        }
        let items = review_item::cancel(&mut tx, org, id, now).await.map_err(problem)?;
        sql::cancel(&mut tx, org, (id, by), now).await.map_err(problem)?;
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let event = AccessReviewEvent::Cancelled { access_review: id, items };
        record(&mut tx, scope.author(), Event::AccessReview(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        count("cancelled");
        self.access_review(caller, org, id).await
    }

    /// Refuses whom an open review is about: what was decided about them would never be done.
    async fn may_call_off(
        &self,
        conn: &mut sqlx::PgConnection,
        org: OrgId,
        (id, by): (AccessReviewId, UserId),
    ) -> Result<(), Problem> {
        let current = self.snapshot(org).await?;
        let person = (by, current.groups_of(by));
        let found = sql::concerning(conn, org, &[id.uuid()], person).await.map_err(problem)?;
        if found.is_empty() {
            return Ok(());
        }
        let detail = "This review is about what you hold as well, so it is not yours to cancel. Leave it \
                      to somebody else, or let it come to its end: what nobody decides is done as it \
                      says.";
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// The proof that the caller may manage this review, which they must be able to see.
    pub(super) async fn manager(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<Scope, Problem> {
        let at = self.place_of_review(caller, org, id).await?;
        self.allow(caller, org, Permission::ReviewManage, at).await
    }

    /// Where a review is at home; the organisation where that place is gone.
    pub(super) async fn place_of_review(
        &self,
        caller: &Caller,
        org: OrgId,
        id: AccessReviewId,
    ) -> Result<ScopePath, Problem> {
        let review = self.visible_review(caller, org, id).await?;
        Ok(home(&*self.snapshot(org).await?, review.place()))
    }

    /// Writes down the next review of a series; nothing where that was done.
    pub(super) async fn follow(
        &self,
        conn: &mut sqlx::PgConnection,
        org: OrgId,
        review: &sql::Stored,
    ) -> Result<(), sqlx::Error> {
        let now = self.clock().now();
        let Some((round, opens_at)) = super::open::next(review, now) else { return Ok(()) };
        let row = New {
            id: AccessReviewId::generate(),
            name: &review.name,
            at: review.place(),
            roles: &review.roles,
            subjects: &review.subjects,
            undecided: &review.undecided,
            repeats: &review.repeats,
            round,
            series_at: review.series_at,
            previous: Some(review.id),
            due_days: review.due_days,
            opens_at,
            by: review.created_by,
            now,
            people: &review.people,
            groups: &review.groups,
        };
        if sql::insert(conn, org, &row).await? {
            let system = ralex_audit::Author::system(org);
            record(conn, &system, Event::AccessReview(set_up(&row))).await?;
        }
        Ok(())
    }
}

/// Where a place is asked about: the organisation, where the place is gone.
pub(super) fn home(current: &Snapshot, at: ScopePath) -> ScopePath {
    if current.tree().contains(at) { at } else { ScopePath::Org }
}

fn check(current: &Snapshot, new: &NewAccessReview) -> Result<(), Problem> {
    if !(1..=MOST_DAYS).contains(&new.due_days) {
        return Err(Problem::field("due_days", format!("must be between 1 and {MOST_DAYS}")));
    }
    if new.roles.len() > MOST_NAMED {
        return Err(Problem::field("roles", format!("names more than {MOST_NAMED}")));
    }
    if let Some(role) = new.roles.iter().find(|role| !current.roles().has(role.as_str())) {
        return Err(Problem::field("roles", format!("has what is not a role: \"{role}\"")));
    }
    Ok(())
}

/// People and groups; programs decide about nobody.
fn apart(reviewers: &[Bearer]) -> Result<(Vec<Uuid>, Vec<Uuid>), Problem> {
    if reviewers.len() > MOST_NAMED {
        return Err(Problem::field("reviewers", format!("names more than {MOST_NAMED}")));
    }
    let (mut people, mut groups) = (Vec::new(), Vec::new());
    for reviewer in reviewers {
        match reviewer {
            Bearer::User(user) => people.push(user.uuid()),
            Bearer::Group(group) => groups.push(group.uuid()),
            Bearer::Account(_) => {
                let rule = "names a service account; people decide, by name or by group";
                return Err(Problem::field("reviewers", rule));
            }
        }
    }
    for named in [&mut people, &mut groups] {
        named.sort_unstable();
        named.dedup();
    }
    Ok((people, groups))
}

fn texts(words: &[impl ToString]) -> Vec<String> {
    let mut texts: Vec<_> = words.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn set_up(row: &New<'_>) -> AccessReviewEvent {
    let people = row.people.iter().map(|id| format!("user:{id}"));
    let groups = row.groups.iter().map(|id| format!("group:{id}"));
    AccessReviewEvent::Created {
        access_review: row.id,
        name: row.name.clone(),
        scope: row.at,
        roles: row.roles.to_vec(),
        subjects: row.subjects.to_vec(),
        reviewers: people.chain(groups).collect(),
        opens_at: row.opens_at,
        due_days: row.due_days.unsigned_abs().into(),
        undecided: row.undecided.to_owned(),
        repeats: row.repeats.to_owned(),
        round: row.round.unsigned_abs(),
    }
}
