//! Proofs: a [`Scope`] exists only where a check passed, so a query that takes one cannot skip it.

use std::fmt;

use ralex_audit::Author;
use ralex_kernel::ProjectId;
use ralex_kernel::{
    BindingId, BreakGlassId, Caller, ChangeRequestId, Credential, OrgId, RequestId, ScopePath,
    Subject, TeamId,
};

use crate::Permission;
use crate::glass::Glass;
use crate::sight::Places;

/// The proof that a caller may do one thing at one place of one organisation.
#[derive(Clone, Debug)]
pub struct Scope {
    caller: Caller,
    author: Author,
    path: ScopePath,
    permission: Option<Permission>,
    by: Basis,
    version: i64,
    confirming: Option<Confirming>,
    glass: Option<Glass>,
}

/// That what is done now is what somebody else has asked for, and that its holder agrees to it.
#[derive(Clone, Debug)]
pub(crate) struct Confirming {
    pub id: ChangeRequestId,
    pub reason: Option<String>,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A role that was given.
    Binding(BindingId),
    /// The built-in role that a team token holds at its scope.
    Service,
    /// An opened break-glass access, and nothing that the caller holds otherwise.
    BreakGlass(BreakGlassId),
    /// The deployment itself.
    System,
}

/// As the audit log names it: `binding:{id}`, `role:service`, `break_glass:{id}` or `system`.
impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding(id) => write!(f, "binding:{id}"),
            Self::BreakGlass(id) => write!(f, "break_glass:{id}"),
            Self::Service => f.write_str("role:service"),
            Self::System => f.write_str("system"),
        }
    }
}

impl Scope {
    pub(crate) fn proven(
        caller: &Caller,
        org: OrgId,
        (permission, path): (Permission, ScopePath),
        by: Basis,
        version: i64,
    ) -> Self {
        let author = Author::of(caller, org);
        Self {
            caller: caller.clone(),
            author,
            path,
            permission: Some(permission),
            by,
            version,
            confirming: None,
            glass: None,
        }
    }

    /// The proof that an opened glass allows it.
    pub(crate) fn by_glass(
        caller: &Caller,
        org: OrgId,
        asked: (Permission, ScopePath),
        glass: Glass,
    ) -> Self {
        let by = Basis::BreakGlass(glass.id);
        Self { glass: Some(glass), ..Self::proven(caller, org, asked, by, 0) }
    }

    /// The deployment's own rights in `org`.
    pub(crate) fn internal(org: OrgId) -> Self {
        let caller = Caller {
            subject: Subject::System,
            credential: Credential::Internal,
            second_factor: false,
            sign_on: None,
            by_device: false,
            narrowed: None,
            models: None,
            request: RequestId::generate(),
            address: None,
        };
        let author = Author::system(org);
        Self {
            caller,
            author,
            path: ScopePath::Org,
            permission: None,
            by: Basis::System,
            version: 0,
            confirming: None,
            glass: None,
        }
    }

    /// The same, to do what somebody else has asked for.
    pub(crate) fn for_confirming(self, confirming: Confirming) -> Self {
        Self { confirming: Some(confirming), ..self }
    }

    pub(crate) const fn confirming(&self) -> Option<&Confirming> {
        self.confirming.as_ref()
    }

    /// What the caller holds by an opened glass, where nothing else allowed it.
    pub(crate) const fn glass(&self) -> Option<Glass> {
        self.glass
    }

    pub const fn org(&self) -> OrgId {
        self.author.org
    }

    /// Where the right was checked. It holds there and below.
    pub const fn path(&self) -> ScopePath {
        self.path
    }

    /// What was checked; the deployment itself is not asked.
    pub const fn permission(&self) -> Option<Permission> {
        self.permission
    }

    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// The binding or built-in rule that allowed it.
    pub const fn by(&self) -> Basis {
        self.by
    }

    /// The version of the organisation's policies that was asked.
    pub const fn policy_version(&self) -> i64 {
        self.version
    }
}

/// The proof of where in one organisation a caller may do one thing: for lists.
///
/// In SQL: `where org_id = $1 and ($2 or team_id = any($3) or project_id = any($4))`. A list of
/// teams takes `teams`, a list of things in teams or projects both.
#[derive(Clone, Debug)]
pub struct Reach {
    pub(crate) author: Author,
    pub(crate) everywhere: bool,
    pub(crate) teams: Vec<TeamId>,
    pub(crate) projects: Vec<ProjectId>,
    pub(crate) places: Places,
}

impl Reach {
    pub const fn org(&self) -> OrgId {
        self.author.org
    }

    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// In the whole organisation, without exception.
    pub const fn everywhere(&self) -> bool {
        self.everywhere
    }

    /// Teams in which it holds, except for projects that are not in [`Self::projects`].
    pub fn teams(&self) -> &[TeamId] {
        &self.teams
    }

    /// Every project in which it holds.
    pub fn projects(&self) -> &[ProjectId] {
        &self.projects
    }
}
