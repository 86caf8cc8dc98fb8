//! Insisting: people come in by one provider and in no other way, but for one owner who is named.

use ralex_access::{Change, Done, Scope, SignOnTerms};
use ralex_api::sso::{EnforceSso, SsoEnforcement};
use ralex_audit::{Event, SsoEvent, record};
use ralex_kernel::{Code, Problem};
use ralex_store::problem;

use crate::Sso;
use crate::provider::{enforced, unknown};
use crate::sql::{enforcement as sql, link, provider};

impl Sso {
    /// Insists on a provider that has proven itself, once there is somebody who comes in if it fails. To insist
    /// on another one, or on another owner, may take two people.
    pub async fn enforce(
        &self,
        scope: &Scope,
        wished: EnforceSso,
    ) -> Result<Done<SsoEnforcement>, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let stored = provider::lock(&mut tx, org, &wished.provider).await.map_err(problem)?;
        let stored = stored.ok_or_else(unknown)?;
        if !stored.enabled {
            return Err(Problem::field("provider", "is switched off; enable it first"));
        }
        if stored.tested_at.is_none() && stored.used_at.is_none() {
            let rule =
                "was neither tested nor used as it is set now; test it, or log in by it, first";
            return Err(Problem::field("provider", rule));
        }
        let member = link::member(&mut tx, org, &wished.break_glass).await.map_err(problem)?;
        let rule = "names no member who can log in";
        let (user, has_password) = member.ok_or_else(|| Problem::field("break_glass", rule))?;
        self.0.access.must_be_lasting_owner(&mut tx, org, user).await?;
        if !has_password {
            let rule = "has no password of their own choice, so they could not come in without the \
                        provider";
            return Err(Problem::field("break_glass", rule));
        }
        let before = sql::find(&mut tx, org).await.map_err(problem)?.map(terms);
        let by = scope.caller().subject.to_string();
        sql::set(&mut tx, org, (stored.id, user), &by).await.map_err(problem)?;
        let event = SsoEvent::Enforced { provider: stored.id, break_glass: user };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        let now = sql::find(&mut tx, org).await.map_err(problem)?.ok_or_else(not_enforced)?;
        let after = SignOnTerms { provider: stored.id, slug: stored.slug, break_glass: user };
        let change = before.filter(|before| *before != after);
        let change = change.map(|before| Change::SignOnMove { before, after });
        let done = self.0.access.commit_change(tx, scope, change).await?;
        let now = enforced(now)?;
        Ok(done.map(|()| now))
    }

    /// Lets people come in in any way again, which may take two people.
    pub async fn relax(&self, scope: &Scope) -> Result<Done<()>, Problem> {
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let provider = sql::clear(&mut tx, org).await.map_err(problem)?;
        let provider = provider.ok_or_else(not_enforced)?;
        let event = SsoEvent::Relaxed { provider };
        record(&mut tx, scope.author(), Event::Sso(event)).await.map_err(problem)?;
        self.0.access.commit_change(tx, scope, Some(Change::SignOnOff { provider })).await
    }
}

fn terms(row: sql::Row) -> SignOnTerms {
    SignOnTerms { provider: row.id, slug: row.provider, break_glass: row.break_glass }
}

fn not_enforced() -> Problem {
    Problem::new(Code::NotFound, "The organisation does not insist on single sign-on.")
}
