//! Another secret for a token, which stays the token that it is: its budgets, its limits and its line in
//! the usage go on. The former secret works beside it for a while, so that nothing has to change at once.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::{ForAWhile, Permission, Scope};
use ralex_api::tokens::{NewTokenAnswer, RotateToken};
use ralex_audit::{Event, TokenEvent};
use ralex_kernel::{Caller, Code, OrgId, Problem, ScopePath, TokenId};
use ralex_store::problem;

use super::{made_with, place_of, stored_permissions};
use crate::mint::{Minted, TokenKind};
use crate::session::within;
use crate::sql::rotation::{self as sql, Shown, Standing};
use crate::sql::token::place;
use crate::{Identity, stored};

const USUAL_OVERLAP: u32 = 86_400;
const LONGEST_OVERLAP: u32 = 30 * 86_400;

/// What follows for a token from how it stands, and from what is wished.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    former_until: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

impl Plan {
    fn of(standing: &Standing, how: &RotateToken, now: DateTime<Utc>) -> Result<Self, Problem> {
        let overlap = how.overlap_seconds.unwrap_or(USUAL_OVERLAP);
        if overlap > LONGEST_OVERLAP {
            let rule = format!("may be {LONGEST_OVERLAP} at most, which is 30 days");
            return Err(Problem::field("overlap_seconds", rule));
        }
        if standing.revoked {
            let detail = "This token is revoked, which is for good. Make a new one.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        if let Some(until) = standing.former_until.filter(|until| *until > now) {
            let detail = format!(
                "The secret before this one works until {}. End it first (DELETE …/former), once \
                 nothing uses it any more.",
                until.format("%Y-%m-%d %H:%M UTC")
            );
            return Err(Problem::new(Code::Conflict, detail));
        }
        let has_expired = standing.expires_at.is_some_and(|end| end <= now);
        if has_expired && how.expires_at.is_none() {
            let rule = "is needed, since the token has expired";
            return Err(Problem::field("expires_at", rule));
        }
        // What has expired does not come to life again because the token gets a new end.
        let former_until = (overlap > 0 && !has_expired).then(|| {
            let until = now + TimeDelta::seconds(overlap.into());
            standing.expires_at.map_or(until, |end| until.min(end))
        });
        Ok(Self { former_until, expires_at: how.expires_at.or(standing.expires_at) })
    }

    fn row<'a>(&self, id: TokenId, to: &'a Minted, now: DateTime<Utc>) -> sql::Rotation<'a> {
        sql::Rotation {
            id,
            digest: &to.digest,
            last_four: &to.last_four,
            former_until: self.former_until,
            expires_at: self.expires_at,
            now,
        }
    }
}

impl Identity {
    /// Gives a token of a team or a service account another secret.
    pub async fn rotate_token(
        &self,
        caller: &Caller,
        org: OrgId,
        id: TokenId,
        how: &RotateToken,
    ) -> Result<NewTokenAnswer, Problem> {
        let (scope, account) = self.token_scope(caller, org, id, Permission::TokenCreate).await?;
        self.check_expiry(how.expires_at)?;
        let (now, minted) = (self.clock.now(), self.mint.mint(TokenKind::Team));
        let mut tx = self.db.tenant(org).await?;
        if let Some(account) = account {
            self.access.may_act_as(&mut tx, &scope, account).await?;
        }
        let standing = sql::lock(&mut tx, org, id).await.map_err(problem)?;
        let standing = standing.ok_or_else(|| Problem::not_found("token"))?;
        let brings = stored_permissions(standing.permissions.as_deref());
        self.access.may_hand_on(&scope, brings, standing.models.as_deref()).await?;
        let plan = Plan::of(&standing, how, now)?;
        if let Some(ForAWhile { until, .. }) = self.access.for_a_while(&scope).await?
            && plan.expires_at.is_none_or(|end| end > until)
        {
            let detail = format!(
                "The new secret would outlast the role by which you may make it, which ends at {until}. \
                 Have it end before, by `expires_at`, or leave it to somebody whose role lasts."
            );
            return Err(Problem::new(Code::GrantExceedsOwn, detail));
        }
        let shown = Shown { to: caller.subject.user(), made_with: made_with(caller) };
        let rotated = sql::rotate(&mut tx, org, plan.row(id, &minted, now), &shown).await;
        rotated.map_err(problem)?;
        let event = TokenEvent::Rotated {
            token: id,
            name: stored(&standing.name)?,
            user: None,
            former_until: plan.former_until,
            expires_at: how.expires_at,
        };
        let event = Event::Token(event);
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        Ok(NewTokenAnswer { id, token: minted.text.expose().to_owned() })
    }

    /// The right to change a token at its home, and the service account that it is of.
    async fn token_scope(
        &self,
        caller: &Caller,
        org: OrgId,
        id: TokenId,
        permission: Permission,
    ) -> Result<(Scope, Option<ralex_kernel::ServiceAccountId>), Problem> {
        let mut tx = self.db.tenant(org).await?;
        let found = place(&mut tx, org, id).await.map_err(problem)?;
        drop(tx);
        let at = found.as_ref().map_or(ScopePath::Org, |it| place_of(it.team, it.project));
        let scope = self.access.allow(caller, org, permission, at).await?;
        let found = found.ok_or_else(|| Problem::not_found("token"))?;
        Ok((scope, found.account))
    }

    /// Ends the former secret of a token before its time.
    pub async fn end_former_secret(
        &self,
        caller: &Caller,
        org: OrgId,
        id: TokenId,
    ) -> Result<(), Problem> {
        let (scope, _) = self.token_scope(caller, org, id, Permission::TokenRevoke).await?;
        let mut tx = self.db.tenant(org).await?;
        let standing = sql::lock(&mut tx, org, id).await.map_err(problem)?;
        let ended = sql::end_former(&mut tx, org, id, self.clock.now()).await.map_err(problem)?;
        let standing = standing.filter(|_| ended).ok_or_else(no_former)?;
        let name = stored(&standing.name)?;
        let event = Event::Token(TokenEvent::FormerEnded { token: id, name, user: None });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
    }

    /// Gives a personal token of the caller's another secret.
    pub async fn rotate_personal_token(
        &self,
        caller: &Caller,
        id: TokenId,
        how: &RotateToken,
    ) -> Result<NewTokenAnswer, Problem> {
        let user = crate::person(caller)?;
        self.check_expiry(how.expires_at)?;
        let (now, minted) = (self.clock.now(), self.mint.mint(TokenKind::Personal));
        let mut tx = self.db.system("give a personal token another secret").await?;
        let whose = (user, within(caller));
        let standing = sql::lock_personal(&mut tx, whose, id).await.map_err(problem)?;
        let standing = standing.ok_or_else(|| Problem::not_found("token"))?;
        let plan = Plan::of(&standing, how, now)?;
        sql::rotate_personal(&mut tx, user, plan.row(id, &minted, now)).await.map_err(problem)?;
        let event = TokenEvent::Rotated {
            token: id,
            name: stored(&standing.name)?,
            user: Some(user),
            former_until: plan.former_until,
            expires_at: how.expires_at,
        };
        let orgs = self.record_everywhere(&mut tx, caller, user, &Event::Token(event)).await?;
        self.commit_everywhere(tx, &orgs).await?;
        Ok(NewTokenAnswer { id, token: minted.text.expose().to_owned() })
    }

    /// Ends the former secret of a personal token before its time.
    pub async fn end_former_personal_secret(
        &self,
        caller: &Caller,
        id: TokenId,
    ) -> Result<(), Problem> {
        let user = crate::person(caller)?;
        let mut tx = self.db.system("end a former secret of a personal token").await?;
        let whose = (user, within(caller));
        let ended = sql::end_former_personal(&mut tx, whose, id, self.clock.now()).await;
        let name = ended.map_err(problem)?.ok_or_else(no_former)?;
        let event = TokenEvent::FormerEnded { token: id, name: stored(&name)?, user: Some(user) };
        let orgs = self.record_everywhere(&mut tx, caller, user, &Event::Token(event)).await?;
        self.commit_everywhere(tx, &orgs).await
    }
}

fn no_former() -> Problem {
    Problem::not_found("former secret of this token")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn in_hours(hours: i64) -> DateTime<Utc> {
        NOW + TimeDelta::hours(hours)
    }

    fn standing(expires_at: Option<DateTime<Utc>>) -> Standing {
        let (name, former_until) = ("ci".to_owned(), None);
        Standing { name, models: None, permissions: None, expires_at, former_until, revoked: false }
    }

    fn plan(standing: &Standing, overlap: Option<u32>, end: Option<i64>) -> Result<Plan, Problem> {
        let how = RotateToken { overlap_seconds: overlap, expires_at: end.map(in_hours) };
        Plan::of(standing, &how, NOW)
    }

    #[test]
    fn the_former_secret_works_for_the_overlap_and_no_longer_than_the_token_would_have() {
        let until = |end, overlap, new| plan(&standing(end), overlap, new).unwrap().former_until;
        assert_eq!(until(None, None, None), Some(in_hours(24)));
        assert_eq!(until(None, Some(3_600), None), Some(in_hours(1)));
        assert_eq!(until(None, Some(0), None), None);
        assert_eq!(until(Some(in_hours(2)), None, None), Some(in_hours(2)));
        assert_eq!(until(Some(in_hours(2)), None, Some(500)), Some(in_hours(2)));
        assert!(plan(&standing(None), Some(LONGEST_OVERLAP + 1), None).is_err());
    }

    #[test]
    fn an_expired_secret_does_not_come_to_life_with_a_new_end() {
        let expired = standing(Some(NOW));
        assert_eq!(plan(&expired, None, None).unwrap_err().errors[0].path, "expires_at");
        let renewed = Plan { former_until: None, expires_at: Some(in_hours(5)) };
        assert_eq!(plan(&expired, None, Some(5)).unwrap(), renewed);
    }

    #[test]
    fn a_revoked_token_and_a_second_former_secret_are_refused() {
        let revoked = Standing { revoked: true, ..standing(None) };
        let twice = Standing { former_until: Some(in_hours(1)), ..standing(None) };
        let over = Standing { former_until: Some(NOW), ..standing(None) };
        for refused in [revoked, twice] {
            assert_eq!(plan(&refused, None, None).unwrap_err().code, Code::Conflict);
        }
        assert!(plan(&over, None, None).is_ok());
    }
}
