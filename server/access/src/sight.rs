//! Sight: which rows of one organisation a list may show, by the places that they belong to.

use ralex_kernel::{OrgId, ProjectId, ScopePath, TeamId};
use uuid::Uuid;

use crate::scope::{Reach, Scope};

/// The proof that somebody may see what is at some places: a [`Scope`] all that is at its place and
/// below, a [`Reach`] what is at every place that it names.
pub trait Sight: Sync {
    fn org(&self) -> OrgId;

    fn places(&self) -> Places;
}

/// Where a row may be that is shown.
///
/// In SQL, of a row's team and project, which it need not have:
/// `project_id = any($open) or (team_id = any($open) or $org and (team_id is null or
/// team_id <> all($closed))) and (project_id is null or project_id <> all($closed))`. What is of a
/// team or project that was deleted is seen by whoever sees what that was in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The organisation itself, and all in it that is not closed.
    pub org: bool,
    /// Teams, with all in them that is not closed, and projects.
    pub open: Vec<Uuid>,
    /// Teams and projects in the way of what was said so far.
    pub closed: Vec<Uuid>,
}

impl Places {
    /// Everywhere in the organisation, for what was decided otherwise.
    pub const ANYWHERE: Self = Self { org: true, open: Vec::new(), closed: Vec::new() };

    /// A place, and all below it.
    pub fn at(place: ScopePath) -> Self {
        let open = match place {
            ScopePath::Org => return Self::ANYWHERE,
            ScopePath::Team { team } => team.uuid(),
            ScopePath::Project { project, .. } => project.uuid(),
        };
        Self { org: false, open: vec![open], closed: Vec::new() }
    }

    /// Of all teams and projects that there are, those where somebody may.
    pub(crate) fn of(
        org: bool,
        teams: impl Iterator<Item = (TeamId, bool)>,
        projects: impl Iterator<Item = (ProjectId, bool)>,
    ) -> Self {
        let teams = teams.map(|(team, may)| (team.uuid(), may));
        let all = teams.chain(projects.map(|(project, may)| (project.uuid(), may)));
        let (open, closed): (Vec<_>, Vec<_>) = all.partition(|(_, may)| *may);
        let ids = |places: Vec<(Uuid, bool)>| places.into_iter().map(|(id, _)| id).collect();
        let open = if org && closed.is_empty() { Vec::new() } else { ids(open) };
        Self { org, open, closed: ids(closed) }
    }

    /// Whether nothing in the organisation is left out.
    pub const fn everywhere(&self) -> bool {
        self.org && self.closed.is_empty()
    }
}

impl Sight for Scope {
    fn org(&self) -> OrgId {
        self.org()
    }

    fn places(&self) -> Places {
        Places::at(self.path())
    }
}

impl Sight for Reach {
    fn org(&self) -> OrgId {
        self.org()
    }

    fn places(&self) -> Places {
        self.places.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_and_what_is_closed_is_told_apart() {
        let (blue, red) = (TeamId::generate(), TeamId::generate());
        let (web, lab) = (ProjectId::generate(), ProjectId::generate());
        let teams = |blue_too| [(blue, blue_too), (red, false)].into_iter();
        let some = Places::of(false, teams(true), [(web, true), (lab, false)].into_iter());
        assert_eq!(some.open, [blue.uuid(), web.uuid()]);
        assert_eq!(some.closed, [red.uuid(), lab.uuid()]);
        assert!(!some.everywhere());
        let all = Places::of(true, [(blue, true)].into_iter(), [(web, true)].into_iter());
        assert_eq!(all, Places::ANYWHERE);
        assert!(all.everywhere());
        let but_red = Places::of(true, teams(true), std::iter::empty());
        assert!(but_red.org && !but_red.everywhere());
        assert_eq!(but_red.closed, [red.uuid()]);
    }
}
