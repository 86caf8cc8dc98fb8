//! Rows: what the database says of one organisation, as one statement read it.
//!
//! Both the snapshot and casbin are built from these, so that the two can be compared.

use std::collections::{HashMap, HashSet};
use std::fmt;

use chrono::{DateTime, Utc};
use ralex_kernel::{
    AccessRequestId, BindingId, Code, GroupId, Problem, ProjectId, ScopePath, SsoProviderId,
    TeamId, UserId,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::roles::OwnRole;
use crate::sign_on::SignOnRule;

/// Everything that decisions about one organisation rest on.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Rows {
    pub version: i64,
    pub slug: String,
    /// Whether everybody here is asked for a second factor.
    pub second_factor: bool,
    /// Whether tokens that came of a typed code count here.
    pub device_login: bool,
    /// Why nothing is open here, where the deployment's operators have closed it.
    #[serde(default)]
    pub closed: Option<Closed>,
    pub teams: HashSet<TeamId>,
    /// Each project with its team.
    pub projects: Vec<Project>,
    /// People who belong here and may log in. What others are bound to does not count.
    pub members: HashSet<UserId>,
    /// People who belong here and hold nothing until they are let back in.
    #[serde(default)]
    pub suspended: HashSet<UserId>,
    pub groups: Vec<Group>,
    pub roles: Vec<OwnRole>,
    pub bindings: Vec<Binding>,
    /// Where people come in by one provider only.
    #[serde(default)]
    pub sign_on: Option<SignOnRule>,
    /// Who is named to open the break-glass access. It gives them nothing: it is whom to look closer at.
    #[serde(default)]
    pub glass: HashSet<UserId>,
}

/// Why an organisation is closed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Closed {
    pub reason: String,
    /// When all of it is deleted, where it waits for that.
    #[serde(default)]
    pub delete_after: Option<DateTime<Utc>>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.trim_end_matches('.');
        if let Some(at) = self.delete_after {
            let at = at.format("%Y-%m-%d %H:%M UTC");
            write!(f, "This organisation will be deleted after {at}: {reason}. ")?;
            f.write_str("Until then an operator of the deployment can keep it.")
        } else {
            write!(f, "This organisation is suspended: {reason}. ")?;
            f.write_str("An operator of the deployment can open it again.")
        }
    }
}

impl Closed {
    pub(crate) fn problem(&self) -> Problem {
        Problem::new(Code::OrganisationClosed, self.to_string())
    }
}

impl Rows {
    /// Reads what the database tells as one text.
    pub fn read(text: &str) -> Result<Self, sqlx::Error> {
        serde_json::from_str(text).map_err(|why| sqlx::Error::Decode(why.into()))
    }

    /// Whether what somebody is bound to counts.
    pub fn counts(&self, user: UserId) -> bool {
        self.members.contains(&user) && !self.suspended.contains(&user)
    }
}

/// People who are given roles together.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Group {
    pub id: GroupId,
    /// As call rules name it.
    #[serde(default)]
    pub slug: String,
    /// Whether a directory decides who is in it.
    #[serde(default)]
    pub provisioned: bool,
    pub people: Vec<UserId>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Project {
    pub id: ProjectId,
    pub team: TeamId,
}

/// One role given to one subject at one place, or denied there.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Binding {
    pub id: BindingId,
    #[serde(flatten)]
    pub holder: Holder,
    pub role: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub effect: Effect,
    pub not_before: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The provider of single sign-on whose groups give it.
    #[serde(default)]
    pub managed_by: Option<SsoProviderId>,
    /// The request that it came of, so that it is temporary.
    #[serde(default)]
    pub request: Option<AccessRequestId>,
}

/// Whom a binding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(tag = "kind", content = "subject")]
pub(crate) enum Holder {
    #[serde(rename = "user")]
    User(UserId),
    /// A team's token or a service account.
    #[serde(rename = "sa")]
    Machine(Uuid),
    #[serde(rename = "grp")]
    Group(GroupId),
}

/// Exactly two words; any other one makes the organisation's rows unreadable, so that a misspelt
/// denial closes instead of being passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl Binding {
    pub fn scope(&self) -> Option<ScopePath> {
        match (self.team, self.project) {
            (None, None) => Some(ScopePath::Org),
            (Some(team), None) => Some(ScopePath::Team { team }),
            (Some(team), Some(project)) => Some(ScopePath::Project { team, project }),
            (None, Some(_)) => None,
        }
    }
}

/// The places of one organisation.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    teams: HashSet<TeamId>,
    team_of: HashMap<ProjectId, TeamId>,
}

impl Tree {
    pub fn of(rows: &Rows) -> Self {
        let team_of = rows.projects.iter().map(|project| (project.id, project.team)).collect();
        Self { teams: rows.teams.clone(), team_of }
    }

    /// Whether there is such a place: a project under another team's name is none.
    pub fn contains(&self, at: ScopePath) -> bool {
        match at {
            ScopePath::Org => true,
            ScopePath::Team { team } => self.teams.contains(&team),
            ScopePath::Project { team, project } => self.team_of.get(&project) == Some(&team),
        }
    }

    pub fn teams(&self) -> impl Iterator<Item = TeamId> {
        self.teams.iter().copied()
    }

    pub fn projects(&self) -> impl Iterator<Item = (TeamId, ProjectId)> {
        self.team_of.iter().map(|(project, team)| (*team, *project))
    }
}
