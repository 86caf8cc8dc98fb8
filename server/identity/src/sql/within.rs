//! Where lists end for those who may see some places only.

use ralex_access::Reach;
use uuid::Uuid;

/// Where a list's caller may see what is in it.
pub struct Within {
    pub everywhere: bool,
    pub teams: Vec<Uuid>,
    pub projects: Vec<Uuid>,
}

impl Within {
    /// For what was decided otherwise.
    pub const ANYWHERE: Self = Self { everywhere: true, teams: Vec::new(), projects: Vec::new() };
}

impl From<&Reach> for Within {
    fn from(reach: &Reach) -> Self {
        Self {
            everywhere: reach.everywhere(),
            teams: reach.teams().iter().copied().map(Uuid::from).collect(),
            projects: reach.projects().iter().copied().map(Uuid::from).collect(),
        }
    }
}
