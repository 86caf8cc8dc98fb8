//! Lines: an organisation's policy as casbin reads it, over the model in `policies/access/`.
//!
//! People stand there by their ids. Places, groups and service accounts stand there by their slugs, so
//! that the lines mean the same in another organisation that has such ones. What is read is looked up
//! name by name, and none is taken for what it only looks like.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_kernel::{
    Email, GroupId, OrgId, ProjectId, ScopePath, ServiceAccountId, Slug, TeamId, UserId,
};
use uuid::Uuid;

use crate::oracle::{ALWAYS, NEVER, moment};
use crate::policies::{Holding, SERVICE};
use crate::roles::OWN;
use crate::rows::{Binding, Effect, Holder};

/// What things are called, both ways.
#[derive(Debug)]
pub(crate) struct Names {
    pub org: OrgId,
    pub slug: String,
    slugs: HashMap<(Kind, Uuid), String>,
    ids: HashMap<(Kind, String), Uuid>,
    team_of: HashMap<ProjectId, TeamId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    User,
    Account,
    Group,
    Team,
    Project,
}

/// What one line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Says {
    /// `g`: somebody is in a group, which may have to be made.
    Joins { user: UserId, group: Slug },
    /// `g2`: a role holds something.
    Holds { role: String, what: Holding },
    /// `p`: somebody is given a role, or denied one.
    Given(Given),
    /// `p`: what a program holds at its home whatever anybody says.
    ByItself,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Given {
    pub to: To,
    pub role: String,
    pub at: ScopePath,
    pub deny: bool,
    pub not_before: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Whom a role is given to; a group may have to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum To {
    User(UserId),
    Machine(Uuid),
    Group(Slug),
    /// A group that there is.
    Known(GroupId),
}

impl Names {
    pub fn new(org: OrgId, slug: &str) -> Self {
        let (slugs, ids, team_of) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { org, slug: slug.to_owned(), slugs, ids, team_of }
    }

    /// Takes in something by its slug, or a person by the address in its one form.
    pub fn add(&mut self, kind: Kind, id: Uuid, slug: String) {
        self.ids.insert((kind, slug.clone()), id);
        self.slugs.insert((kind, id), slug);
    }

    pub fn add_project(&mut self, project: ProjectId, team: TeamId) {
        self.team_of.insert(project, team);
    }

    fn called(&self, kind: Kind, id: Uuid) -> String {
        self.slugs.get(&(kind, id)).cloned().unwrap_or_else(|| id.to_string())
    }

    fn find(&self, kind: Kind, name: &str) -> Option<Uuid> {
        let by_slug = self.ids.get(&(kind, name.to_owned())).copied();
        by_slug.or_else(|| name.parse().ok().filter(|id| self.slugs.contains_key(&(kind, *id))))
    }

    pub fn group(&self, slug: &Slug) -> Option<GroupId> {
        self.find(Kind::Group, slug.as_str()).map(GroupId::from)
    }

    /// What a group is called; one that has no slug is not there.
    pub fn slug_of(&self, group: GroupId) -> Option<Slug> {
        self.slugs.get(&(Kind::Group, group.uuid()))?.parse().ok()
    }

    pub fn holder(&self, holder: Holder) -> String {
        match holder {
            Holder::User(user) => format!("user:{user}"),
            Holder::Machine(id) => format!("sa:{}", self.called(Kind::Account, id)),
            Holder::Group(group) => format!("grp:{}", self.called(Kind::Group, group.uuid())),
        }
    }

    pub fn place(&self, at: ScopePath) -> String {
        let team = |team: TeamId| format!("/t/{}", self.called(Kind::Team, team.uuid()));
        let below = match at {
            ScopePath::Org => String::new(),
            ScopePath::Team { team: id } => team(id),
            ScopePath::Project { team: id, project } => {
                format!("{}/p/{}", team(id), self.called(Kind::Project, project.uuid()))
            }
        };
        format!("/o/{}{below}", self.slug)
    }

    /// A place as requests and answers name it.
    pub fn written(&self, at: ScopePath) -> String {
        match at {
            ScopePath::Org => "org".to_owned(),
            ScopePath::Team { team } => format!("team:{}", self.called(Kind::Team, team.uuid())),
            ScopePath::Project { project, .. } => {
                format!("project:{}", self.called(Kind::Project, project.uuid()))
            }
        }
    }

    pub fn joins(&self, user: UserId, group: GroupId) -> String {
        format!("g, user:{user}, {}, {}", self.holder(Holder::Group(group)), self.slug)
    }

    pub fn holds(&self, role: &str, what: &Holding) -> Option<String> {
        let what = match what {
            Holding::Role(other) => format!("role:{other}"),
            Holding::Permission(permission) => format!("perm:{permission}"),
            // A rule about giving roles, which casbin is not asked.
            Holding::Bind(_) => return None,
        };
        Some(format!("g2, role:{role}, {what}, {}", self.slug))
    }

    /// What one of the organisation's own roles holds.
    pub fn held_text(&self, role: &str, what: &str) -> String {
        format!("g2, role:{OWN}{role}, {what}, {}", self.slug)
    }

    /// `role` is what casbin calls it.
    pub fn given(&self, binding: &Binding, role: &str) -> String {
        let effect = match binding.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let bound =
            |time: Option<DateTime<Utc>>, none: &str| time.map_or_else(|| none.to_owned(), moment);
        let (from, until) = (bound(binding.not_before, ALWAYS), bound(binding.expires_at, NEVER));
        let (who, at) = (self.holder(binding.holder), binding.scope().unwrap_or(ScopePath::Org));
        let (org, at) = (&self.slug, self.place(at));
        format!("p, {who}, {org}, role:{role}, {at}, {effect}, {from}, {until}")
    }

    /// Reads a line. `from` is the organisation that the lines are of, where that is another one.
    pub fn read(&self, line: &str, from: Option<&str>) -> Result<Says, String> {
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        match fields[..] {
            ["g", user, group, org] => {
                self.check_org(org, from)?;
                let user =
                    user.strip_prefix("user:").ok_or("only people are in groups: `user:…`")?;
                let group = group.strip_prefix("grp:").ok_or("the group is not `grp:<slug>`")?;
                Ok(Says::Joins { user: self.user(user)?, group: slug(group)? })
            }
            ["g2", role, what, org] => {
                self.check_org(org, from)?;
                let role = role_of(role)?;
                let what = match what.split_once(':') {
                    Some(("perm", name)) => {
                        let known =
                            name.parse().map_err(|_| format!("\"{name}\" is no permission"))?;
                        Holding::Permission(known)
                    }
                    Some(("role", _)) => Holding::Role(role_of(what)?),
                    _ => return Err(format!("\"{what}\" is neither `perm:…` nor `role:…`")),
                };
                Ok(Says::Holds { role, what })
            }
            ["p", who, org, role, at, effect, from_time, until] => {
                self.check_org(org, from)?;
                if role_of(role)? == SERVICE && who.starts_with("sa:") && effect == "allow" {
                    return Ok(Says::ByItself);
                }
                let deny = match effect {
                    "allow" => false,
                    "deny" => true,
                    _ => return Err(format!("\"{effect}\" is neither `allow` nor `deny`")),
                };
                Ok(Says::Given(Given {
                    to: self.to(who)?,
                    role: role_of(role)?,
                    at: self.scope(at, from)?,
                    deny,
                    not_before: bound(from_time, ALWAYS)?,
                    expires_at: bound(until, NEVER)?,
                }))
            }
            _ => {
                let forms = "is none of `g, user, group, org`, `g2, role, what, org` and \
                             `p, who, org, role, place, effect, from, until`";
                Err(forms.to_owned())
            }
        }
    }

    fn is_org(&self, name: &str, from: Option<&str>) -> bool {
        match from {
            Some(from) => name == from,
            None => name == self.slug || name.parse() == Ok(self.org),
        }
    }

    fn check_org(&self, name: &str, from: Option<&str>) -> Result<(), String> {
        if self.is_org(name, from) {
            return Ok(());
        }
        Err(format!(
            "is of the organisation \"{name}\"; say so by `from` if it is meant to hold here"
        ))
    }

    fn user(&self, name: &str) -> Result<UserId, String> {
        let key = name.parse::<Email>().map_or_else(|_| name.to_owned(), |email| email.key());
        let found = self.find(Kind::User, &key).map(UserId::from);
        found.ok_or_else(|| format!("\"{name}\" is no member"))
    }

    fn to(&self, who: &str) -> Result<To, String> {
        match who.split_once(':') {
            Some(("user", name)) => Ok(To::User(self.user(name)?)),
            Some(("grp", name)) => Ok(To::Group(slug(name)?)),
            Some(("sa", name)) => {
                let found = self.find(Kind::Account, name).map(To::Machine);
                found.ok_or_else(|| format!("\"{name}\" is no service account"))
            }
            _ => Err(format!("\"{who}\" is none of `user:…`, `grp:…` and `sa:…`")),
        }
    }

    fn scope(&self, text: &str, from: Option<&str>) -> Result<ScopePath, String> {
        let no_place = || format!("\"{text}\" is no place here");
        let parts: Vec<_> = text.split('/').collect();
        let team = |name| self.find(Kind::Team, name).map(TeamId::from).ok_or_else(no_place);
        let at = match parts[..] {
            ["", "o", org] if self.is_org(org, from) => ScopePath::Org,
            ["", "o", org, "t", one] if self.is_org(org, from) => {
                ScopePath::Team { team: team(one)? }
            }
            ["", "o", org, "t", one, "p", other] if self.is_org(org, from) => {
                let project = self.find(Kind::Project, other).map(ProjectId::from);
                let project = project.ok_or_else(no_place)?;
                let at = ScopePath::Project { team: team(one)?, project };
                if self.team_of.get(&project).copied() != at.team() {
                    return Err(no_place());
                }
                at
            }
            _ => return Err(no_place()),
        };
        Ok(at)
    }

    /// What a program is, where it is a service account and no team's token.
    pub fn account(&self, id: Uuid) -> Option<ServiceAccountId> {
        self.slugs.contains_key(&(Kind::Account, id)).then(|| ServiceAccountId::from(id))
    }
}

fn slug(text: &str) -> Result<Slug, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no group's slug"))
}

fn role_of(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("role:").map(str::to_owned);
    name.ok_or_else(|| format!("\"{text}\" is not `role:…`"))
}

fn bound(text: &str, none: &str) -> Result<Option<DateTime<Utc>>, String> {
    if text == none {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| Some(time.to_utc()))
        .map_err(|_| format!("\"{text}\" is no time as RFC 3339 has it"))
}
