//! Changes that take two people, as those see them who asked and those who may confirm.

use ralex_api::changes::{ChangeRequest, ChangeRequestsQuery, ChangeState, ChangesOnly};
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::{Caller, ChangeRequestId, OrgId, Problem, UserId};
use ralex_store::problem;

use crate::access::Access;
use crate::change_decide::{counts, one};
use crate::requests::standing;
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::change::{self as sql, Filter, Stored};
use crate::standing::Standing;
use crate::unsettled::{Unsettled, lately};

/// Read at once. They are few; most of them are seen by who looks.
const AT_ONCE: i64 = 200;

/// Who looks, with all that it takes to say what they may do.
struct Reader<'a> {
    user: Option<UserId>,
    standing: Option<Standing<'a>>,
    /// Whether by a token that gives less than its person has.
    is_narrowed: bool,
}

impl Access {
    /// One's own changes that took two people, and those one may confirm, the newest first.
    pub async fn change_requests(
        &self,
        caller: &Caller,
        org: OrgId,
        query: &ChangeRequestsQuery,
    ) -> Result<Page<ChangeRequest>, Problem> {
        self.belongs(caller, org).await?;
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let (mut before, size) = (page.after()?, page.size());
        let enough = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1);
        let (current, now) = (self.snapshot(org).await?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let people = caller.subject.user();
        let new = lately(&mut tx, &current, people.as_slice(), now).await?;
        let reader = reader(&current, caller, &new, now);
        let mut shown = Vec::new();
        // What somebody sees is not for the database to say, so it is read on until a page is full.
        while shown.len() < enough {
            let filter = Filter { before, state: query.state, reader: reader.user, only: None };
            let found = sql::select(&mut tx, org, &filter, now, AT_ONCE).await.map_err(problem)?;
            let is_last = found.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            before = found.last().map(|last| last.id).or(before);
            for stored in found {
                if !self.sees(&current, caller, &stored)? {
                    continue;
                }
                let it = reader.shown(stored)?;
                let wanted = match query.only {
                    None => true,
                    Some(ChangesOnly::Mine) => Some(it.asker_id) == reader.user,
                    Some(ChangesOnly::ToDecide) => it.may_confirm,
                };
                if wanted {
                    shown.push(it);
                }
            }
            if is_last {
                break;
            }
        }
        shown.truncate(enough);
        Ok(Page::of(shown, size, |it: &ChangeRequest| it.id.to_string()))
    }

    /// One, for who asked for it and for who may do it there.
    pub async fn change_request(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
    ) -> Result<ChangeRequest, Problem> {
        let stored = self.seen_change(caller, org, id).await?;
        let (current, now) = (self.snapshot(org).await?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let people = caller.subject.user();
        let new = lately(&mut tx, &current, people.as_slice(), now).await?;
        reader(&current, caller, &new, now).shown(stored)
    }

    /// One, for who has confirmed it just now: what was done may be that they do not come in this way any more.
    pub async fn confirmed_change(
        &self,
        scope: &Scope,
        id: ChangeRequestId,
    ) -> Result<ChangeRequest, Problem> {
        let (org, now) = (scope.org(), self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let by = scope.caller().subject.user();
        one(sql::find(&mut tx, org, id, by, now).await)?.shown(false, false, false)
    }

    /// One, where the caller may know of it.
    pub(crate) async fn seen_change(
        &self,
        caller: &Caller,
        org: OrgId,
        id: ChangeRequestId,
    ) -> Result<Stored, Problem> {
        self.belongs(caller, org).await?;
        let (current, now) = (self.snapshot(org).await?, self.clock().now());
        let mut tx = self.db().tenant(org).await?;
        let stored = one(sql::find(&mut tx, org, id, caller.subject.user(), now).await)?;
        if self.sees(&current, caller, &stored)? {
            return Ok(stored);
        }
        // The answer is the problem: who belongs here and may not do this is told so.
        self.allow(caller, org, stored.permission()?, stored.place()).await?;
        Ok(stored)
    }

    fn sees(
        &self,
        current: &std::sync::Arc<Snapshot>,
        caller: &Caller,
        stored: &Stored,
    ) -> Result<bool, Problem> {
        let own = caller.narrowed.is_none() && caller.subject.user() == Some(stored.asker_id);
        if own {
            return Ok(true);
        }
        let decision = self.decide_for(current, caller, stored.permission()?, stored.place());
        Ok(decision.is_allowed())
    }
}

fn reader<'a>(
    current: &'a Snapshot,
    caller: &Caller,
    new: &'a Unsettled,
    now: chrono::DateTime<chrono::Utc>,
) -> Reader<'a> {
    let user = caller.subject.user();
    let standing = user.map(|user| standing(current, user, new, now));
    Reader { user, standing, is_narrowed: caller.is_narrowed() }
}

impl Reader<'_> {
    fn shown(&self, stored: Stored) -> Result<ChangeRequest, Problem> {
        let pending = stored.state()? == ChangeState::Pending;
        let own = self.user == Some(stored.asker_id);
        let holds = self.standing.as_ref().is_some_and(|own| counts(own, &stored).is_ok());
        let decides = pending && !own && holds && !self.is_narrowed;
        let may_confirm = decides && !stored.made_lately;
        stored.shown(may_confirm, decides, pending && own)
    }
}
