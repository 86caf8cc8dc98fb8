//! Snapshots: one organisation's rights, compiled, and the decision over them.
//!
//! A snapshot never changes; a newer one replaces it whole. Deciding walks from the place to the
//! organisation: a live denial anywhere on the way wins, else any live right. No I/O, no locks.

use std::collections::HashMap;
use std::fmt;
use std::iter;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_kernel::{BindingId, Caller, GroupId, OrgId, ScopePath, Subject, UserId};

use crate::oracle::Oracle;
use crate::policies::{Policies, Refusal, SERVICE};
use crate::roles::Roles;
use crate::rows::{Binding, Closed, Effect, Holder, Rows, Tree};
use crate::scope::Basis;
use crate::{Permission, Permissions};

/// What an organisation's rules say to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow {
        by: Basis,
    },
    /// `by` names the denial, where one decided.
    Deny {
        by: Option<BindingId>,
        reason: Reason,
    },
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing that the subject holds gives this here.
    NotHeld,
    /// A denial says so.
    Denied,
    /// The person does not belong to the organisation.
    NotAMember,
    /// The person is suspended in the organisation.
    Suspended,
    /// The token is another organisation's.
    OtherOrg,
    /// The token is narrowed to other permissions.
    NotInToken,
    /// The organisation is closed by the deployment's operators.
    OrgClosed,
    /// There is no such team or project.
    NoSuchPlace,
    /// The deployment itself does not ask; it uses [`crate::Access::internal`].
    NotASubject,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHeld => "nothing that is held gives it",
            Self::Denied => "a denial says so",
            Self::NotAMember => "the person does not belong to the organisation",
            Self::Suspended => "the person is suspended in the organisation",
            Self::OtherOrg => "the token belongs to another organisation",
            Self::NotInToken => "the token is narrowed to other permissions",
            Self::OrgClosed => "the organisation is closed",
            Self::NoSuchPlace => "there is no such team or project",
            Self::NotASubject => "the deployment itself holds no roles",
        })
    }
}

impl Decision {
    pub const fn is_allowed(&self) -> bool {
        match self {
            Self::Allow { .. } => true,
            Self::Deny { .. } => false,
        }
    }
}

/// One organisation's rights at one version of its policies.
#[derive(Debug)]
pub struct Snapshot {
    org: OrgId,
    tree: Tree,
    held: HashMap<Holder, HashMap<ScopePath, Vec<Grant>>>,
    groups_of: HashMap<UserId, Vec<GroupId>>,
    /// The role that each binding gives.
    role_of: HashMap<BindingId, String>,
    roles: Roles,
    service: Permissions,
    rows: Rows,
}

/// A binding, ready to be asked.
#[derive(Clone, Copy, Debug)]
struct Grant {
    effect: Effect,
    permissions: Permissions,
    not_before: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    binding: BindingId,
}

impl Grant {
    /// Alive from the first instant up to, not including, the last.
    fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.not_before <= now && now < self.expires_at
    }
}

/// A row that cannot be meant; the organisation stays closed until it is mended.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    #[error("binding {0} names a project without a team")]
    NoTeam(BindingId),
    #[error("binding {0} denies by a role that is not in the policies")]
    UnknownDeny(BindingId),
    #[error("the organisation's own roles cannot be: {0}")]
    Roles(#[from] Refusal),
}

impl Snapshot {
    pub(crate) fn compile(
        org: OrgId,
        rows: Rows,
        policies: &Arc<Policies>,
    ) -> Result<Self, BadRow> {
        let tree = Tree::of(&rows);
        let roles = Roles::compile(&rows.roles, policies)?;
        let mut held: HashMap<Holder, HashMap<ScopePath, Vec<Grant>>> = HashMap::new();
        for binding in &rows.bindings {
            let scope = binding.scope().ok_or(BadRow::NoTeam(binding.id))?;
            // A role that was taken out of the policies gives nothing any more. A denial by it
            // would silently open, so that closes instead.
            if binding.effect == Effect::Deny && !roles.is_whole(&binding.role) {
                return Err(BadRow::UnknownDeny(binding.id));
            }
            let grant = Grant {
                effect: binding.effect,
                permissions: roles.permissions_of(&binding.role),
                not_before: binding.not_before.unwrap_or(DateTime::<Utc>::MIN_UTC),
                expires_at: binding.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
                binding: binding.id,
            };
            held.entry(binding.holder).or_default().entry(scope).or_default().push(grant);
        }
        let mut groups_of: HashMap<UserId, Vec<GroupId>> = HashMap::new();
        for group in &rows.groups {
            for person in &group.people {
                groups_of.entry(*person).or_default().push(group.id);
            }
        }
        let service = policies.permissions_of(SERVICE);
        let role_of = rows.bindings.iter().map(|it| (it.id, it.role.clone())).collect();
        Ok(Self { org, tree, held, groups_of, role_of, roles, service, rows })
    }

    /// May `subject` do this there, at that time?
    pub fn judge(
        &self,
        subject: Subject,
        permission: Permission,
        at: ScopePath,
        now: DateTime<Utc>,
    ) -> Decision {
        let (holder, own) = match self.standing(subject, at) {
            Ok(found) => found,
            Err(reason) => return Decision::Deny { by: None, reason },
        };
        let mut allowed = own.filter(|own| own.contains(permission)).map(|_| Basis::Service);
        for grant in self.grants(holder, at).filter(|grant| grant.is_live(now)) {
            if !grant.permissions.contains(permission) {
                continue;
            }
            match grant.effect {
                Effect::Deny => {
                    return Decision::Deny { by: Some(grant.binding), reason: Reason::Denied };
                }
                Effect::Allow => allowed = allowed.or(Some(Basis::Binding(grant.binding))),
            }
        }
        let not_held = Decision::Deny { by: None, reason: Reason::NotHeld };
        allowed.map_or(not_held, |by| Decision::Allow { by })
    }

    /// Whose bindings a subject acts by at a place, and what it may do there by itself; or why it
    /// may do nothing there.
    fn standing(
        &self,
        subject: Subject,
        at: ScopePath,
    ) -> Result<(Holder, Option<Permissions>), Reason> {
        if self.rows.closed.is_some() {
            return Err(Reason::OrgClosed);
        }
        if !self.tree.contains(at) {
            return Err(Reason::NoSuchPlace);
        }
        match subject {
            Subject::User(user) if self.is_suspended(user) => Err(Reason::Suspended),
            Subject::User(user) if !self.is_member(user) => Err(Reason::NotAMember),
            Subject::User(user) => Ok((Holder::User(user), None)),
            Subject::Token { .. }
            | Subject::Service { .. }
            | Subject::Directory { .. }
            | Subject::System => match subject.machine() {
                Some((_, org, _)) if org != self.org => Err(Reason::OtherOrg),
                Some((id, _, scope)) => {
                    Ok((Holder::Machine(id), at.is_within(scope).then_some(self.service)))
                }
                None => Err(Reason::NotASubject),
            },
        }
    }

    /// casbin with all that this snapshot holds of one subject: the reference that it is held against.
    pub async fn reference(&self, subject: Subject) -> Result<Oracle, casbin::Error> {
        Oracle::for_subject(self.org, &self.rows, subject, &self.roles).await
    }

    /// casbin with everything that this snapshot holds, and what these tokens hold by themselves.
    pub async fn whole_reference(&self, tokens: &[Subject]) -> Result<Oracle, casbin::Error> {
        Oracle::new(self.org, &self.rows, tokens, &self.roles).await
    }

    /// Whether the subject holds anything alive in this organisation, so that it may know of it.
    pub fn is_known(&self, subject: Subject, now: DateTime<Utc>) -> bool {
        let holder = match subject {
            Subject::User(user) if self.is_member(user) => Holder::User(user),
            Subject::User(_) | Subject::Directory { .. } | Subject::System => return false,
            Subject::Token { org, .. } | Subject::Service { org, .. } => return org == self.org,
        };
        let scopes = self.held_by(holder).flat_map(HashMap::values);
        scopes.flatten().any(|grant| grant.effect == Effect::Allow && grant.is_live(now))
    }

    /// Everything that the subject may do at one place.
    pub fn permissions(&self, subject: Subject, at: ScopePath, now: DateTime<Utc>) -> Permissions {
        let Ok((holder, own)) = self.standing(subject, at) else { return Permissions::NONE };
        let (mut allowed, mut denied) = (own.unwrap_or(Permissions::NONE), Permissions::NONE);
        for grant in self.grants(holder, at).filter(|grant| grant.is_live(now)) {
            match grant.effect {
                Effect::Allow => allowed = allowed.union(grant.permissions),
                Effect::Deny => denied = denied.union(grant.permissions),
            }
        }
        allowed.without(denied)
    }

    /// The places below the organisation at which the subject itself is bound.
    pub(crate) fn places(&self, subject: Subject) -> Vec<ScopePath> {
        let (holder, own) = match subject {
            Subject::User(user) => (Holder::User(user), None),
            Subject::Token { .. }
            | Subject::Service { .. }
            | Subject::Directory { .. }
            | Subject::System => {
                let Some((id, _, scope)) = subject.machine() else { return Vec::new() };
                (Holder::Machine(id), Some(scope))
            }
        };
        let bound = self.held_by(holder).flat_map(HashMap::keys).copied();
        let mut places: Vec<_> = bound.chain(own).filter(|at| *at != ScopePath::Org).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The roles that are held here by live bindings, denials left out.
    pub(crate) fn roles_at(
        &self,
        holder: Holder,
        at: ScopePath,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = &str> {
        let belongs = match holder {
            Holder::User(user) => self.is_member(user),
            Holder::Machine(_) | Holder::Group(_) => true,
        };
        let live = belongs
            .then(|| self.grants(holder, at))
            .into_iter()
            .flatten()
            .filter(move |grant| grant.effect == Effect::Allow && grant.is_live(now));
        live.filter_map(|grant| self.role_of.get(&grant.binding)).map(String::as_str)
    }

    /// What somebody holds at a place: the groups that they are in, with their slugs, and the names of
    /// the roles that they hold there by live bindings, groups' included.
    pub fn memberships(
        &self,
        subject: Subject,
        at: ScopePath,
        now: DateTime<Utc>,
    ) -> (Vec<(GroupId, &str)>, Vec<&str>) {
        let (holder, own) = match subject {
            Subject::User(user) if self.is_member(user) => (Holder::User(user), None),
            Subject::User(_) => return (Vec::new(), Vec::new()),
            Subject::Token { .. }
            | Subject::Service { .. }
            | Subject::Directory { .. }
            | Subject::System => {
                let Some((id, _, scope)) = subject.machine() else {
                    return (Vec::new(), Vec::new());
                };
                (Holder::Machine(id), at.is_within(scope).then_some(SERVICE))
            }
        };
        let groups = match holder {
            Holder::User(user) => self.groups_of(user),
            Holder::Machine(_) | Holder::Group(_) => &[],
        };
        let within = self.rows.groups.iter().filter(|group| groups.contains(&group.id));
        let groups = within.map(|group| (group.id, group.slug.as_str())).collect();
        let mut roles: Vec<&str> = self.roles_at(holder, at, now).chain(own).collect();
        roles.sort_unstable();
        roles.dedup();
        (groups, roles)
    }

    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// Whether the organisation asks for a second factor, and none is behind the caller. Who came in by
    /// its own provider was asked there for what it asks of everybody.
    pub const fn lacks_factor(&self, caller: &Caller) -> bool {
        self.rows.second_factor
            && !caller.second_factor
            && caller.sign_on.is_none()
            && matches!(caller.subject, Subject::User(_))
    }

    pub const fn version(&self) -> i64 {
        self.rows.version
    }

    pub fn slug(&self) -> &str {
        &self.rows.slug
    }

    /// Why nothing is open here, where the deployment's operators have closed it.
    pub const fn closed(&self) -> Option<&Closed> {
        self.rows.closed.as_ref()
    }

    /// Whether somebody belongs here, may log in and is not suspended.
    pub fn is_member(&self, user: UserId) -> bool {
        self.rows.counts(user)
    }

    /// Everybody who belongs here, may log in and is not suspended.
    pub(crate) fn people(&self) -> impl Iterator<Item = UserId> {
        self.rows.members.iter().copied().filter(|user| self.is_member(*user))
    }

    /// Whether somebody belongs here who holds nothing until they are let back in.
    pub fn is_suspended(&self, user: UserId) -> bool {
        self.rows.suspended.contains(&user)
    }

    /// The groups that a person is in.
    pub(crate) fn groups_of(&self, user: UserId) -> &[GroupId] {
        self.groups_of.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Whether what a binding gives or denies, this person has, by name or by a group.
    pub(crate) fn is_about(&self, binding: &Binding, user: UserId) -> bool {
        match binding.holder {
            Holder::User(holder) => holder == user,
            Holder::Group(group) => self.groups_of(user).contains(&group),
            Holder::Machine(_) => false,
        }
    }

    /// The people of a group.
    pub(crate) fn people_of(&self, group: GroupId) -> &[UserId] {
        let found = self.rows.groups.iter().find(|it| it.id == group);
        found.map_or(&[], |group| &group.people)
    }

    pub(crate) fn has_group(&self, group: GroupId) -> bool {
        self.rows.groups.iter().any(|it| it.id == group)
    }

    pub(crate) const fn roles(&self) -> &Roles {
        &self.roles
    }

    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) const fn rows(&self) -> &Rows {
        &self.rows
    }

    fn grants(&self, holder: Holder, at: ScopePath) -> impl Iterator<Item = &Grant> {
        let held = self.held_by(holder);
        held.flat_map(move |held| at.ancestors().filter_map(|scope| held.get(&scope))).flatten()
    }

    /// What is given and denied to a holder, and to each group that they are in.
    fn held_by(&self, holder: Holder) -> impl Iterator<Item = &HashMap<ScopePath, Vec<Grant>>> {
        let groups = match holder {
            Holder::User(user) => self.groups_of(user),
            Holder::Machine(_) | Holder::Group(_) => &[],
        };
        let groups = groups.iter().copied().map(Holder::Group);
        iter::once(holder).chain(groups).filter_map(|holder| self.held.get(&holder))
    }
}
