//! Which roles groups mean: written within what the writer could give, read at each login.

use ralex_access::Scope;
use ralex_api::access::RoleName;
use ralex_api::sso::SsoMapping;
use ralex_kernel::{Problem, ScopePath, SsoProviderId, UserId};
use ralex_store::{OnConstraint, problem};
use sqlx::PgConnection;

use crate::Sso;
use crate::sql::mapping::{self as sql, Row};

const MOST: usize = 200;
const LONGEST_GROUP: usize = 500;

/// Mappings as they are wished for: what everybody gets, and what groups mean.
pub(crate) struct Wished {
    pub default_role: Option<RoleName>,
    pub mappings: Vec<SsoMapping>,
}

impl Sso {
    /// Checks each mapping as if its writer gave the role to somebody now, and stores them in place of
    /// those that there are. What is written again is checked again: who changes how a provider is
    /// asked decides who gets its roles.
    pub(crate) async fn write_mappings(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        provider: SsoProviderId,
        wished: Wished,
    ) -> Result<(), Problem> {
        let rows = self.rows(conn, scope, wished).await?;
        let org = scope.org();
        let awaited = self.0.identity.all_awaited(&mut *conn, org).await?;
        if !awaited.is_empty() {
            self.0.access.may_vouch_for_all(&mut *conn, scope, &awaited).await?;
        }
        sql::clear(&mut *conn, org, provider).await.map_err(problem)?;
        for (position, row) in (0..).zip(&rows) {
            let twice = Problem::field("mappings", "name the same group, role and scope twice");
            sql::insert(&mut *conn, org, (provider, position), row)
                .await
                .or_problem([("sso_mapping_exists", twice)])?;
        }
        Ok(())
    }

    async fn rows(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        wished: Wished,
    ) -> Result<Vec<Row>, Problem> {
        if wished.mappings.len() > MOST {
            return Err(Problem::field("mappings", format!("may be {MOST} at most")));
        }
        let mut rows = Vec::new();
        if let Some(role) = wished.default_role {
            let row = self.row(conn, scope, None, (role, ScopePath::Org)).await;
            rows.push(row.map_err(|problem| of_field("default_role", problem))?);
        }
        for (at, mapping) in wished.mappings.into_iter().enumerate() {
            let field = format!("mappings[{at}]");
            if mapping.group.is_empty() || mapping.group.len() > LONGEST_GROUP {
                let rule = "must have 1 to 500 characters";
                return Err(Problem::field(format!("{field}.group"), rule));
            }
            let place = self.0.identity.scope_of(scope.org(), &mapping.scope).await;
            let place = place.map_err(|problem| of_field(&field, problem))?;
            let row = self.row(conn, scope, Some(mapping.group), (mapping.role, place)).await;
            rows.push(row.map_err(|problem| of_field(&field, problem))?);
        }
        Ok(rows)
    }

    async fn row(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        claim_value: Option<String>,
        (role, at): (RoleName, ScopePath),
    ) -> Result<Row, Problem> {
        let by_name = self.0.access.may_map(conn, scope, &role, at).await?;
        Ok(Row {
            claim_value,
            role: role.0,
            team: at.team(),
            project: at.project(),
            by_name_of: scope.caller().subject.user().filter(|_| by_name),
            scope: at.to_string(),
        })
    }
}

/// What somebody's groups mean: each role and place once.
pub(crate) fn meant(rows: &[Row], groups: &[String], user: UserId) -> Vec<(RoleName, ScopePath)> {
    let mut all = Vec::new();
    for row in rows {
        let is_meant = row.claim_value.as_ref().is_none_or(|group| groups.contains(group));
        // Who gives a role that exceeds their own by its name cannot give it to themselves.
        if !is_meant || row.by_name_of == Some(user) {
            continue;
        }
        let at = match (row.team, row.project) {
            (Some(team), Some(project)) => ScopePath::Project { team, project },
            (Some(team), None) => ScopePath::Team { team },
            (None, _) => ScopePath::Org,
        };
        let one = (RoleName(row.role.clone()), at);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// The stored rows as they are shown.
pub(crate) fn shown(rows: Vec<Row>) -> (Option<RoleName>, Vec<SsoMapping>) {
    let mut default_role = None;
    let mut mappings = Vec::new();
    for row in rows {
        let role = RoleName(row.role);
        match row.claim_value {
            None => default_role = Some(role),
            Some(group) => mappings.push(SsoMapping { group, role, scope: row.scope }),
        }
    }
    (default_role, mappings)
}

/// The same problem, with the field that it is about before what it says.
fn of_field(field: &str, mut problem: Problem) -> Problem {
    problem.detail = format!("`{field}`: {}", problem.detail);
    for error in &mut problem.errors {
        error.path = match error.path.as_str() {
            "role" if field == "default_role" => field.to_owned(),
            path => format!("{field}.{path}"),
        };
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_means_its_roles_once_and_nothing_to_who_gave_them_by_name() {
        let (writer, other) = (UserId::generate(), UserId::generate());
        let row = |group: Option<&str>, role: &str, by_name_of| Row {
            claim_value: group.map(str::to_owned),
            role: role.to_owned(),
            team: None,
            project: None,
            by_name_of,
            scope: "org".to_owned(),
        };
        let rows = [
            row(None, "viewer", None),
            row(Some("eng"), "developer", Some(writer)),
            row(Some("all"), "viewer", None),
            row(Some("Eng"), "admin", None),
        ];
        let groups = ["eng".to_owned(), "all".to_owned()];
        let roles = |user| -> Vec<String> {
            meant(&rows, &groups, user).into_iter().map(|(role, _)| role.0).collect()
        };
        assert_eq!(roles(other), ["viewer", "developer"]);
        assert_eq!(roles(writer), ["viewer"]);
        assert!(meant(&rows[1..], &[], other).is_empty());
    }
}
