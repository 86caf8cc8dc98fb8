//! What is recorded of organisations by their own people, of teams and of projects.

use ralex_kernel::{Name, OrgId, ProjectId, Slug, TeamId};
use serde::Serialize;

/// Something that happened to a place that roles, tokens and budgets are for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum PlaceEvent {
    #[serde(rename = "org.updated")]
    OrgUpdated { org: OrgId, name: Name },
    #[serde(rename = "team.created")]
    TeamCreated { team: TeamId, slug: Slug, name: Name },
    #[serde(rename = "team.updated")]
    TeamUpdated { team: TeamId, name: Name },
    #[serde(rename = "team.deleted")]
    TeamDeleted { team: TeamId, slug: Slug },
    #[serde(rename = "project.created")]
    ProjectCreated { project: ProjectId, team: TeamId, slug: Slug, name: Name },
    #[serde(rename = "project.updated")]
    ProjectUpdated { project: ProjectId, name: Name },
    #[serde(rename = "project.deleted")]
    ProjectDeleted { project: ProjectId, slug: Slug },
}

impl PlaceEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::OrgUpdated { org, .. } => format!("org:{org}"),
            Self::TeamCreated { team, .. }
            | Self::TeamUpdated { team, .. }
            | Self::TeamDeleted { team, .. } => format!("team:{team}"),
            Self::ProjectCreated { project, .. }
            | Self::ProjectUpdated { project, .. }
            | Self::ProjectDeleted { project, .. } => format!("project:{project}"),
        }
    }
}
