//! Break-glass: what two people hold together for a short time, by what the database says at that moment.
//!
//! What always holds: it is looked at only where the usual rights do not allow something, or cannot be
//! read; never in memory; and only for a session in which more than a password vouches for the person.
//! What it gives was written out when it was armed, without what stands in `break-glass.toml`, and what
//! is denied to somebody is not given to them by this either: whoever is denied anything at all in the
//! organisation holds nothing by it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ralex_kernel::{
    BreakGlassId, Caller, Code, Credential, OrgId, Problem, ProjectId, ScopePath, Subject, TeamId,
    UserId,
};
use ralex_store::problem;
use tracing::warn;

use crate::Permissions;
use crate::access::Access;
use crate::denial::{self, Denial};
use crate::policies::OWNER;
use crate::scope::{Reach, Scope};
use crate::sight::Places;
use crate::snapshot::Snapshot;
use crate::sql::glass as sql;

/// For so long somebody is told that it has ended, and not that rights cannot be read.
const LATELY: TimeDelta = TimeDelta::hours(1);

/// What somebody holds by an opened glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glass {
    pub id: BreakGlassId,
    pub rights: Permissions,
    pub until: DateTime<Utc>,
    /// The two who opened it.
    pub people: [UserId; 2],
}

/// What is known of somebody who is not allowed something otherwise.
enum Found {
    Open(Glass),
    /// They held something by it a short while ago.
    Ended,
    Nothing,
}

/// The person by whose credential a glass can be opened and used in an organisation: a session that
/// proved more than a password, and not by the word of another organisation's provider.
pub fn breaks(caller: &Caller, org: OrgId) -> Option<UserId> {
    let Subject::User(user) = caller.subject else { return None };
    let is_session = match caller.credential {
        Credential::Session(_) => caller.narrowed.is_none() && !caller.by_device,
        Credential::PersonalToken(_)
        | Credential::TeamToken(_)
        | Credential::ScimToken(_)
        | Credential::Internal => false,
    };
    let vouched = caller.sign_on.map_or(caller.second_factor, |by| by.org == org);
    (is_session && vouched).then_some(user)
}

impl Access {
    /// Permissions that an opened glass never gives.
    pub fn never_by_glass(&self) -> Permissions {
        self.node.policies.never_by_glass()
    }

    /// What somebody holds by an opened glass at this moment.
    pub async fn glass(&self, caller: &Caller, org: OrgId) -> Result<Option<Glass>, Problem> {
        Ok(match self.find_glass(caller, org).await? {
            Found::Open(glass) => Some(glass),
            Found::Ended | Found::Nothing => None,
        })
    }

    async fn find_glass(&self, caller: &Caller, org: OrgId) -> Result<Found, Problem> {
        let Some(user) = breaks(caller, org) else { return Ok(Found::Nothing) };
        let now = self.clock().now();
        let mut tx = self.db().tenant(org).await?;
        let found = sql::held(&mut tx, org, user, (now, now - LATELY)).await.map_err(problem)?;
        let Some(row) = found else { return Ok(Found::Nothing) };
        let until = match row.until {
            Some(until) if row.is_open && now < until => until,
            Some(_) | None => return Ok(Found::Ended),
        };
        // What the policies add to the list counts for what was armed before as well.
        let never = self.never_by_glass();
        let rights = frozen(&row.permissions).without(never);
        let Some(confirmed_by) = row.confirmed_by else { return Ok(Found::Nothing) };
        let people = [row.asked_by, confirmed_by];
        Ok(Found::Open(Glass { id: row.id, rights, until, people }))
    }

    /// The same where the memory of this node may say whom to ask about: most people never are.
    pub(crate) async fn glass_of(&self, snapshot: &Snapshot, caller: &Caller) -> Option<Glass> {
        let user = breaks(caller, snapshot.org())?;
        if !snapshot.rows().glass.contains(&user) || snapshot.closed().is_some() {
            return None;
        }
        match self.glass(caller, snapshot.org()).await {
            Ok(glass) => glass,
            Err(why) => {
                warn!(org.id = %snapshot.org(), "break-glass cannot be looked at: {}", why.detail);
                None
            }
        }
    }

    /// The proof that a glass allows something that the usual rights do not.
    pub(crate) async fn allow_by_glass(
        &self,
        snapshot: &Arc<Snapshot>,
        caller: &Caller,
        asked: Denial,
    ) -> Option<Scope> {
        if !snapshot.tree().contains(asked.at) {
            return None;
        }
        let glass = self.glass_of(snapshot, caller).await?;
        glass
            .rights
            .contains(asked.permission)
            .then(|| Scope::by_glass(caller, snapshot.org(), (asked.permission, asked.at), glass))
    }

    /// The same where nobody's rights can be read, which is what `why` says.
    pub(crate) async fn allow_blind(
        &self,
        caller: &Caller,
        org: OrgId,
        asked: Denial,
        why: Problem,
    ) -> Result<Scope, Problem> {
        let glass = self.blind_glass(caller, org, why).await?;
        if !self.has_place(org, asked.at).await? {
            return Err(Problem::not_found("team or project"));
        }
        if !glass.rights.contains(asked.permission) {
            return Err(denial::problem(asked));
        }
        Ok(Scope::by_glass(caller, org, (asked.permission, asked.at), glass))
    }

    /// What somebody holds where nobody's rights can be read; `why` where that is nothing.
    pub(crate) async fn blind_glass(
        &self,
        caller: &Caller,
        org: OrgId,
        why: Problem,
    ) -> Result<Glass, Problem> {
        if why.code != Code::Unavailable {
            return Err(why);
        }
        match self.find_glass(caller, org).await {
            Ok(Found::Open(glass)) => Ok(glass),
            // What they opened by it has to end, and to try again later would not help.
            Ok(Found::Ended) => Err(ended()),
            Ok(Found::Nothing) | Err(_) => Err(why),
        }
    }

    /// Everywhere in the organisation.
    pub(crate) async fn reach_by_glass(
        &self,
        caller: &Caller,
        org: OrgId,
    ) -> Result<Reach, Problem> {
        let mut tx = self.db().tenant(org).await?;
        let places = sql::places(&mut tx, org).await.map_err(problem)?;
        let author = ralex_audit::Author::of(caller, org);
        let teams = places.iter().filter(|place| place.project.is_none()).map(|it| it.team);
        let projects = places.iter().filter_map(|place| place.project);
        let (teams, projects) = (teams.collect(), projects.collect());
        Ok(Reach { author, everywhere: true, teams, projects, places: Places::ANYWHERE })
    }

    async fn has_place(&self, org: OrgId, at: ScopePath) -> Result<bool, Problem> {
        let wanted: Option<(TeamId, Option<ProjectId>)> = at.team().map(|it| (it, at.project()));
        let Some(wanted) = wanted else { return Ok(true) };
        let mut tx = self.db().tenant(org).await?;
        let places = sql::places(&mut tx, org).await.map_err(problem)?;
        Ok(places.iter().any(|place| (place.team, place.project) == wanted))
    }

    /// Refuses what nobody gives or takes under an opened glass, whatever it has.
    pub(crate) fn may_by_glass(
        scope: &Scope,
        role: &str,
        reaches: impl Fn(UserId) -> bool,
    ) -> Result<(), Problem> {
        let Some(glass) = scope.glass() else { return Ok(()) };
        let detail = if role == OWNER {
            "Nobody becomes an owner, or ceases to be one, under the break-glass access."
        } else if glass.people.into_iter().any(reaches) {
            "Nobody gives a role to the two who opened the break-glass access by what it gives them: \
             it would outlast it."
        } else {
            return Ok(());
        };
        Err(Problem::new(Code::Forbidden, detail))
    }

    /// What somebody held by a glass at one moment, now or before.
    pub(crate) async fn glass_at(
        &self,
        conn: &mut sqlx::PgConnection,
        org: OrgId,
        user: UserId,
        at: DateTime<Utc>,
    ) -> Result<Option<(BreakGlassId, Permissions)>, Problem> {
        let found = sql::held_at(conn, org, user, at).await.map_err(problem)?;
        Ok(found.map(|(id, names)| (id, frozen(&names).without(self.never_by_glass()))))
    }
}

/// What stands in a row. A permission that is no more gives nothing.
pub(crate) fn frozen(names: &[String]) -> Permissions {
    let known = names.iter().filter_map(|name| name.parse().ok());
    known.fold(Permissions::NONE, Permissions::with)
}

fn ended() -> Problem {
    let detail = "The break-glass access that you had has ended, and the rights of this organisation \
                  cannot be checked at the moment.";
    Problem::new(Code::Forbidden, detail)
}
