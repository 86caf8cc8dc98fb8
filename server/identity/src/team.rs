//! Teams and their projects.

use std::collections::HashMap;

use ralex_access::{Reach, Scope};
use ralex_api::identity::{NewProject, NewTeam, Project, Team, UpdateProject, UpdateTeam};
use ralex_api::page::{Page, PageQuery};
use ralex_audit::{Event, PlaceEvent};
use ralex_kernel::{Code, OrgId, Problem, ProjectId, ScopePath, TeamId};
use ralex_store::{OnConstraint, problem};
use uuid::Uuid;

use crate::sql::Within;
use crate::sql::team as sql;
use crate::{Identity, count, stored};

impl Identity {
    /// The place of a team, by its id or slug.
    pub async fn team_scope(&self, org: OrgId, reference: &str) -> Result<ScopePath, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let found = sql::find(&mut tx, org, reference).await.map_err(problem)?;
        let team = found.ok_or_else(|| Problem::not_found("team"))?;
        Ok(ScopePath::Team { team: team.id })
    }

    /// The place of a project, by its id or slug.
    pub async fn project_scope(&self, org: OrgId, reference: &str) -> Result<ScopePath, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let found = sql::find_project(&mut tx, org, reference).await.map_err(problem)?;
        let project = found.ok_or_else(|| Problem::not_found("project"))?;
        Ok(ScopePath::Project { team: project.team, project: project.id })
    }

    /// The place that a text names: `org`, `team:<id or slug>` or `project:<id or slug>`.
    pub async fn scope_of(&self, org: OrgId, text: &str) -> Result<ScopePath, Problem> {
        match text.split_once(':') {
            None if text == "org" => Ok(ScopePath::Org),
            Some(("team", reference)) => self.team_scope(org, reference).await,
            Some(("project", reference)) => self.project_scope(org, reference).await,
            _ => Err(Problem::field("scope", "is not `org`, `team:<slug>` or `project:<slug>`")),
        }
    }

    pub async fn create_team(&self, scope: &Scope, new: NewTeam) -> Result<Team, Problem> {
        let (org, id) = (scope.org(), TeamId::generate());
        let mut tx = self.db.tenant(org).await?;
        sql::insert(&mut tx, org, id, &new.slug, &new.name)
            .await
            .or_problem([("team_slug_taken", slug_taken("team", &new.slug))])?;
        let event =
            Event::Place(PlaceEvent::TeamCreated { team: id, slug: new.slug, name: new.name });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.team(scope, id).await
    }

    /// One team; `scope` is at the team or above it.
    pub async fn team(&self, scope: &Scope, id: TeamId) -> Result<Team, Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let rows = sql::list(&mut tx, scope.org(), Some(id), &Within::ANYWHERE, None, 1).await;
        let row = rows.map_err(problem)?.into_iter().next();
        row.map(team).ok_or_else(|| Problem::not_found("team"))?
    }

    /// The teams that the caller may see.
    pub async fn teams(&self, reach: &Reach, page: &PageQuery) -> Result<Page<Team>, Problem> {
        let mut tx = self.db.tenant(reach.org()).await?;
        let (size, within) = (page.size(), Within::from(reach));
        let rows = sql::list(&mut tx, reach.org(), None, &within, page.after()?, size + 1).await;
        let items = rows.map_err(problem)?.into_iter().map(team).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |team: &Team| team.id.to_string()))
    }

    pub async fn rename_team(
        &self,
        scope: &Scope,
        id: TeamId,
        change: UpdateTeam,
    ) -> Result<Team, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        if !sql::rename(&mut tx, org, id, &change.name).await.map_err(problem)? {
            return Err(Problem::not_found("team"));
        }
        let event = Event::Place(PlaceEvent::TeamUpdated { team: id, name: change.name });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.team(scope, id).await
    }

    /// Deletes a team that nothing hangs on any more.
    pub async fn delete_team(&self, scope: &Scope, id: TeamId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let found = sql::find(&mut tx, org, &id.to_string()).await.map_err(problem)?;
        let found = found.ok_or_else(|| Problem::not_found("team"))?;
        refuse_in_use("team", &sql::uses(&mut tx, org, id).await.map_err(problem)?)?;
        let raced = || Problem::new(Code::Conflict, "The team came into use; nothing was deleted.");
        sql::delete(&mut tx, org, id).await.or_problem([
            ("project_team", raced()),
            ("service_account_team", raced()),
            ("token_team", raced()),
            ("budget_team", raced()),
            ("rate_limit_team", raced()),
        ])?;
        let event = Event::Place(PlaceEvent::TeamDeleted { team: id, slug: stored(&found.slug)? });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
    }

    pub async fn create_project(
        &self,
        scope: &Scope,
        team: TeamId,
        new: NewProject,
    ) -> Result<Project, Problem> {
        let (org, id) = (scope.org(), ProjectId::generate());
        let mut tx = self.db.tenant(org).await?;
        sql::insert_project(&mut tx, org, id, team, &new.slug, &new.name)
            .await
            .or_problem([("project_slug_taken", slug_taken("project", &new.slug))])?;
        let event = Event::Place(PlaceEvent::ProjectCreated {
            project: id,
            team,
            slug: new.slug,
            name: new.name,
        });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.project(scope, id).await
    }

    /// One project; `scope` is at the project or above it.
    pub async fn project(&self, scope: &Scope, id: ProjectId) -> Result<Project, Problem> {
        let mut tx = self.db.tenant(scope.org()).await?;
        let row =
            sql::find_project(&mut tx, scope.org(), &id.to_string()).await.map_err(problem)?;
        row.map(project).ok_or_else(|| Problem::not_found("project"))?
    }

    pub async fn projects(
        &self,
        reach: &Reach,
        team: Option<TeamId>,
        page: &PageQuery,
    ) -> Result<Page<Project>, Problem> {
        let mut tx = self.db.tenant(reach.org()).await?;
        let (size, within) = (page.size(), Within::from(reach));
        let after = page.after()?;
        let rows = sql::projects(&mut tx, reach.org(), team, &within, after, size + 1).await;
        let items = rows.map_err(problem)?.into_iter().map(project).collect::<Result<_, _>>()?;
        Ok(Page::of(items, size, |project: &Project| project.id.to_string()))
    }

    pub async fn rename_project(
        &self,
        scope: &Scope,
        id: ProjectId,
        change: UpdateProject,
    ) -> Result<Project, Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        if !sql::rename_project(&mut tx, org, id, &change.name).await.map_err(problem)? {
            return Err(Problem::not_found("project"));
        }
        let event = Event::Place(PlaceEvent::ProjectUpdated { project: id, name: change.name });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await?;
        self.project(scope, id).await
    }

    /// Deletes a project that nothing hangs on any more.
    pub async fn delete_project(&self, scope: &Scope, id: ProjectId) -> Result<(), Problem> {
        let org = scope.org();
        let mut tx = self.db.tenant(org).await?;
        let found = sql::find_project(&mut tx, org, &id.to_string()).await.map_err(problem)?;
        let found = found.ok_or_else(|| Problem::not_found("project"))?;
        refuse_in_use("project", &sql::project_uses(&mut tx, org, id).await.map_err(problem)?)?;
        let raced =
            || Problem::new(Code::Conflict, "The project came into use; nothing was deleted.");
        sql::delete_project(&mut tx, org, id).await.or_problem(
            ["service_account_project", "token_project", "budget_project", "rate_limit_project"]
                .map(|it| (it, raced())),
        )?;
        let event =
            Event::Place(PlaceEvent::ProjectDeleted { project: id, slug: stored(&found.slug)? });
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        self.access.commit(tx, org).await
    }
}

/// A place by the slug that it has among `slugs`: `org`, `team:<slug>` or `project:<slug>`.
pub(crate) fn named(at: ScopePath, slugs: &HashMap<Uuid, String>) -> String {
    let name = match at {
        ScopePath::Org => None,
        ScopePath::Team { team } => slugs.get(&team.uuid()).map(|slug| format!("team:{slug}")),
        ScopePath::Project { project, .. } => {
            slugs.get(&project.uuid()).map(|slug| format!("project:{slug}"))
        }
    };
    name.unwrap_or_else(|| at.to_string())
}

pub(crate) fn slug_taken(what: &str, slug: &ralex_kernel::Slug) -> Problem {
    let detail = format!("There is a {what} `{slug}` already; choose another slug.");
    Problem::new(Code::AlreadyExists, detail)
}

/// Tokens stay on record after they are revoked, so what ever had one stays too.
fn refuse_in_use(what: &str, uses: &sql::InUse) -> Result<(), Problem> {
    let parts = [
        (uses.projects, "projects"),
        (uses.accounts, "service accounts"),
        (uses.tokens, "tokens"),
        (uses.budgets, "budgets"),
        (uses.rate_limits, "rate limits"),
    ];
    let hanging: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, name)| format!("{number} {name}"))
        .collect();
    if hanging.is_empty() {
        return Ok(());
    }
    let detail = format!("The {what} still has {}, revoked ones included.", hanging.join(", "));
    Err(Problem::new(Code::Conflict, detail))
}

fn team(row: sql::TeamRow) -> Result<Team, Problem> {
    Ok(Team {
        id: row.id,
        slug: stored(&row.slug)?,
        name: stored(&row.name)?,
        projects: count(row.projects),
        tokens: count(row.tokens),
        members: count(row.members),
        created_at: row.created_at,
    })
}

fn project(row: sql::ProjectRow) -> Result<Project, Problem> {
    Ok(Project {
        id: row.id,
        slug: stored(&row.slug)?,
        name: stored(&row.name)?,
        team: row.team,
        team_slug: stored(&row.team_slug)?,
        created_at: row.created_at,
    })
}
