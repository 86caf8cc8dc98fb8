//! Single sign-on, as far as rights go: which way in counts where, and roles that follow from groups.
//!
//! What always holds: who came in by the word of one organisation's provider is somebody in that
//! organisation only; an organisation that insists on its provider hears nobody else but the one owner
//! it named; and what a provider's groups give stands in rows of its own, within what whoever wrote the
//! mapping could give then. Nobody becomes an owner by a group.

use std::collections::HashSet;

use ralex_api::access::RoleName;
use ralex_audit::{Author, Event};
use ralex_kernel::{
    BindingId, Caller, Code, Credential, OrgId, Problem, ScopePath, SsoProviderId, Subject, UserId,
};
use ralex_store::problem;
use serde::Deserialize;
use sqlx::PgConnection;

use crate::access::Access;
use crate::bind::{check_role, present, subject};
use crate::bindings::{Bearer, Wanted};
use crate::groups::held_by;
use crate::owners;
use crate::policies::SERVICE;
use crate::rows::{Binding, Effect, Holder};
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql;
use crate::sql::Origin;

/// That people come in by one provider, and who still may without it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SignOnRule {
    pub provider: SsoProviderId,
    pub break_glass: UserId,
}

/// Why a way in does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// The session, or the token, is by the word of another organisation's provider.
    Elsewhere,
    /// The organisation insists on its own provider.
    NotByProvider,
    /// The token came of a typed code, which the organisation does not take.
    ByDevice,
}

/// What became of the roles that a provider gives somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    pub added: u32,
    pub removed: u32,
    /// Roles that the organisation's rules do not allow them.
    pub skipped: Vec<String>,
}

impl Barred {
    pub(crate) fn problem(self) -> Problem {
        let code = match self {
            Self::Elsewhere | Self::NotByProvider => Code::SignOnRequired,
            Self::ByDevice => Code::Forbidden,
        };
        let detail = match self {
            Self::ByDevice => {
                "This organisation takes no tokens that came of a typed code. Log in by a browser \
                 on the same machine (`ralex login`), or ask an administrator to allow them \
                 (`ralex org security --device-login allowed`)."
            }
            Self::Elsewhere => {
                "You came in by the single sign-on of another organisation, which counts there only. \
                 Log in with your password to work in this one."
            }
            Self::NotByProvider => {
                "This organisation takes only sessions that its single sign-on has opened, and tokens \
                 that were made in them. Sign in with single sign-on."
            }
        };
        Problem::new(code, detail)
    }
}

impl Snapshot {
    /// Why the caller's credential opens nothing here, whatever they hold.
    pub(crate) fn unwelcome(&self, caller: &Caller) -> Option<Problem> {
        if let Some(closed) = self.closed() {
            return Some(closed.problem());
        }
        if let Some(barred) = self.bars(caller) {
            return Some(barred.problem());
        }
        let detail = "This organisation asks everybody for a second factor. Register one in your \
                      profile (POST /api/v1/auth/totp, or /api/v1/auth/passkeys) in a session; personal tokens work again \
                      from then on.";
        self.lacks_factor(caller).then(|| Problem::new(Code::SecondFactorRequired, detail))
    }

    /// Whether the way in which somebody came does not count here. What is no person comes in by no
    /// provider.
    pub(crate) fn bars(&self, caller: &Caller) -> Option<Barred> {
        let user = match caller.subject {
            Subject::User(user) => user,
            Subject::Token { .. }
            | Subject::Service { .. }
            | Subject::Directory { .. }
            | Subject::System => return None,
        };
        if caller.sign_on.is_some_and(|by| by.org != self.org()) {
            return Some(Barred::Elsewhere);
        }
        if caller.by_device && !self.rows().device_login {
            return Some(Barred::ByDevice);
        }
        let rule = self.rows().sign_on?;
        let by_provider = caller.sign_on.is_some_and(|by| by.provider == rule.provider);
        // A token lies about for long; who breaks the glass sits there and proves who they are.
        let breaks_glass = user == rule.break_glass
            && match caller.credential {
                Credential::Session(_) => true,
                Credential::PersonalToken(_)
                | Credential::TeamToken(_)
                | Credential::ScimToken(_)
                | Credential::Internal => false,
            };
        (!by_provider && !breaks_glass).then_some(Barred::NotByProvider)
    }
}

impl Access {
    /// Whether the way in which a member came does not count in an organisation.
    pub async fn bars(&self, caller: &Caller, org: OrgId) -> Result<Option<Barred>, Problem> {
        Ok(self.snapshot(org).await?.bars(caller))
    }

    /// Refuses a mapping to a role that its writer could not give. True where they give it by name
    /// only: then it must never come back to themselves.
    pub async fn may_map(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        role: &RoleName,
        at: ScopePath,
    ) -> Result<bool, Problem> {
        let current = self.lock(conn, scope.org()).await?;
        if scope.glass().is_some() {
            let detail = "Nobody says under the break-glass access what a provider's groups give: it \
                          would outlast it.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if current.roles().is_owner(role.as_str()) {
            let rule = "nobody becomes an owner by a group: an owner has to say who else is one";
            return Err(Problem::field("role", rule));
        }
        let writer = scope.caller().subject.user().map(Bearer::User);
        // Of whom it is makes no difference to these rules but for owners.
        check_role(&current, writer.unwrap_or(Bearer::User(UserId::generate())), role)?;
        if !current.tree().contains(at) {
            return Err(Problem::not_found("team or project"));
        }
        let what = (role.as_str(), at);
        if writer.is_some() && self.may_hand_out(&current, scope, what, None, writer).is_ok() {
            return Ok(false);
        }
        self.may_hand_out(&current, scope, what, None, None)?;
        Ok(true)
    }

    /// Refuses to let anyone say who a member is to a provider, where the member holds what they could
    /// not give: whoever can come in as the member has it all.
    pub async fn may_vouch_for(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        user: UserId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        present(&current, user)?;
        self.may_be(&current, scope, user)
    }

    /// The same of all these people, who wait to come in by whatever provider names them first.
    pub async fn may_vouch_for_all(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        users: &[UserId],
    ) -> Result<(), Problem> {
        let current = self.lock(conn, scope.org()).await?;
        users.iter().try_for_each(|user| self.may_be(&current, scope, *user)).map_err(|why| {
            let detail = format!(
                "Somebody whom your directory (SCIM) has told of waits to come in by a provider, and \
                 who sets one decides who that is. {}",
                why.detail
            );
            Problem::new(why.code, detail)
        })
    }

    fn may_be(&self, current: &Snapshot, scope: &Scope, user: UserId) -> Result<(), Problem> {
        let (voucher, now) = (scope.caller().subject.user().map(Bearer::User), self.clock().now());
        let all = current.rows().bindings.iter();
        let own = all.filter(|held| held.holder == Holder::User(user));
        let by_group = current.groups_of(user).iter().flat_map(|it| held_by(current, *it));
        let held = own.chain(by_group).filter(|held| {
            held.effect == Effect::Allow && held.expires_at.is_none_or(|end| now < end)
        });
        for held in held {
            let at = held.scope().unwrap_or(ScopePath::Org);
            self.may_hand_out(current, scope, (&held.role, at), held.expires_at, voucher)?;
        }
        Ok(())
    }

    /// Refuses anybody but an owner for good, with the rights locked until the transaction ends.
    pub async fn must_be_lasting_owner(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        user: UserId,
    ) -> Result<(), Problem> {
        let current = self.lock(conn, org).await?;
        if owners::is_lasting(&current, user) {
            return Ok(());
        }
        let rule = "must be an owner of the organisation, without an end and without a denial";
        Err(Problem::field("break_glass", rule))
    }

    /// Makes what a provider gives somebody exactly what is `wanted`, and touches no other role.
    pub async fn sync_roles(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        (provider, user): (SsoProviderId, UserId),
        wanted: &[(RoleName, ScopePath)],
    ) -> Result<Synced, Problem> {
        // Most logins change nothing, and must not have every node read the organisation anew.
        let held = sql::managed(&mut *conn, org, provider, user).await.map_err(problem)?;
        if held.len() == wanted.len() && held.iter().all(|it| wanted.contains(it)) {
            return Ok(Synced::default());
        }
        let current = self.lock(conn, org).await?;
        let wants = |b: &Binding| {
            wanted.iter().any(|(role, at)| b.role == role.as_str() && b.scope() == Some(*at))
        };
        let of_user = || {
            let all = current.rows().bindings.iter();
            all.filter(|b| b.holder == Holder::User(user) && b.effect == Effect::Allow)
        };
        let (kept, gone): (Vec<_>, Vec<_>) =
            of_user().filter(|b| b.managed_by == Some(provider)).partition(|b| wants(b));
        let author = Author::system(org);
        self.end(conn, &author, &gone).await?;
        let removed: HashSet<BindingId> = gone.iter().map(|b| b.id).collect();
        let by_group = current.groups_of(user).iter().flat_map(|it| held_by(&current, *it));
        let others = by_group.filter(|b| b.effect == Effect::Allow);
        let own = of_user().filter(|b| !removed.contains(&b.id));
        let mut roles: Vec<&str> = own.chain(others).map(|b| b.role.as_str()).collect();
        let mut synced = Synced { removed: count(gone.len()), ..Synced::default() };
        for (role, at) in wanted {
            if kept.iter().any(|b| b.role == role.as_str() && b.scope() == Some(*at)) {
                continue;
            }
            let known = current.roles();
            let fits = known.has(role.as_str())
                && role.as_str() != SERVICE
                && !known.is_owner(role.as_str())
                && current.tree().contains(*at)
                && !roles.iter().any(|held| known.are_apart(held, role.as_str()));
            if !fits {
                synced.skipped.push(role.to_string());
                continue;
            }
            roles.push(role.as_str());
            self.manage(conn, &author, provider, Wanted::role(user, role.clone(), *at)).await?;
            synced.added += 1;
        }
        Ok(synced)
    }

    /// Takes away all that a provider has given, to one or to everybody, on behalf of who ends it.
    pub async fn end_managed(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        (provider, user): (SsoProviderId, Option<UserId>),
    ) -> Result<u32, Problem> {
        let current = self.lock(conn, author.org).await?;
        let gone: Vec<_> = current
            .rows()
            .bindings
            .iter()
            .filter(|b| b.managed_by == Some(provider))
            .filter(|b| user.is_none_or(|user| b.holder == Holder::User(user)))
            .collect();
        self.end(conn, author, &gone).await?;
        Ok(count(gone.len()))
    }

    async fn manage(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        provider: SsoProviderId,
        wanted: Wanted,
    ) -> Result<(), Problem> {
        let (org, id) = (author.org, BindingId::generate());
        let by = format!("sso:{provider}");
        sql::insert(
            &mut *conn,
            org,
            id,
            &wanted,
            Origin { managed_by: Some(provider), ..Origin::by(&by) },
        )
        .await
        .map_err(problem)?;
        let event = Event::RoleBound {
            binding: id,
            subject: subject(wanted.bearer.holder()),
            role: wanted.role.to_string(),
            scope: wanted.at,
            effect: None,
            not_before: None,
            expires_at: None,
        };
        ralex_audit::record(conn, author, event).await.map_err(problem)?;
        Ok(())
    }

    pub(crate) async fn end(
        &self,
        conn: &mut PgConnection,
        author: &Author,
        gone: &[&Binding],
    ) -> Result<(), Problem> {
        let ids: Vec<_> = gone.iter().map(|binding| binding.id).collect();
        sql::delete(&mut *conn, author.org, &ids).await.map_err(problem)?;
        for binding in gone {
            let event = Event::RoleUnbound {
                binding: binding.id,
                subject: subject(binding.holder),
                role: binding.role.clone(),
                scope: binding.scope().unwrap_or(ScopePath::Org),
            };
            ralex_audit::record(&mut *conn, author, event).await.map_err(problem)?;
        }
        Ok(())
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
