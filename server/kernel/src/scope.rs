//! Scopes: where in an organisation something is, or holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{OrgId, ProjectId, TeamId};

/// A place in the tree `org -> team -> project`. A right held at one holds at all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ScopePath {
    Org,
    Team { team: TeamId },
    Project { team: TeamId, project: ProjectId },
}

impl ScopePath {
    /// True when `self` is `other` or lies below it.
    pub fn is_within(self, other: Self) -> bool {
        match other {
            Self::Org => true,
            Self::Team { team } => self.team() == Some(team),
            Self::Project { .. } => self == other,
        }
    }

    pub const fn team(self) -> Option<TeamId> {
        match self {
            Self::Org => None,
            Self::Team { team } | Self::Project { team, .. } => Some(team),
        }
    }

    pub const fn project(self) -> Option<ProjectId> {
        match self {
            Self::Org | Self::Team { .. } => None,
            Self::Project { project, .. } => Some(project),
        }
    }

    /// This scope and every one above it, the org last.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        let team = match self {
            Self::Project { team, .. } => Some(Self::Team { team }),
            Self::Org | Self::Team { .. } => None,
        };
        let org = (self != Self::Org).then_some(Self::Org);
        [Some(self), team, org].into_iter().flatten()
    }

    /// The name policies use: `/o/{org}/t/{team}/p/{project}`, ids only.
    pub fn path(self, org: OrgId) -> String {
        match self {
            Self::Org => format!("/o/{org}"),
            Self::Team { team } => format!("/o/{org}/t/{team}"),
            Self::Project { team, project } => format!("/o/{org}/t/{team}/p/{project}"),
        }
    }
}

impl fmt::Display for ScopePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Org => f.write_str("org"),
            Self::Team { team } => write!(f, "team:{team}"),
            Self::Project { project, .. } => write!(f, "project:{project}"),
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_right_holds_at_its_scope_and_below_and_nowhere_else() {
        let (team, other) = (TeamId::generate(), TeamId::generate());
        let project = ScopePath::Project { team, project: ProjectId::generate() };
        assert!(project.is_within(ScopePath::Org));
        assert!(project.is_within(ScopePath::Team { team }));
        assert!(!project.is_within(ScopePath::Team { team: other }));
        assert!(!ScopePath::Team { team }.is_within(project));
        assert!(!ScopePath::Org.is_within(ScopePath::Team { team }));
        let up: Vec<_> = project.ancestors().collect();
        assert_eq!(up, [project, ScopePath::Team { team }, ScopePath::Org]);
        assert_eq!(ScopePath::Org.ancestors().count(), 1);
    }
}
