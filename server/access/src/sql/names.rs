//! What an organisation's places, groups, programs and people are called, for policy lines.

use ralex_kernel::{OrgId, ProjectId, TeamId};
use sqlx::PgConnection;

use crate::lines::{Kind, Names};

pub(crate) async fn load(
    conn: &mut PgConnection,
    org: OrgId,
    slug: &str,
) -> Result<Names, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select 'team' as "kind!", id as "id!", slug as "slug!", null::uuid as "team: TeamId"
           from team where org_id = $1
           union all select 'project', id, slug, team_id from project where org_id = $1
           union all select 'group', id, slug, null from people_group where org_id = $1
           union all select 'account', id, slug, null from service_account where org_id = $1
           union all select 'user', m.user_id, u.email_key, null
               from membership m join app_user u on u.id = m.user_id where m.org_id = $1"#,
        org as _,
    )
    .fetch_all(conn)
    .await?;
    let mut names = Names::new(org, slug);
    for row in rows {
        let kind = match row.kind.as_str() {
            "team" => Kind::Team,
            "project" => Kind::Project,
            "group" => Kind::Group,
            "account" => Kind::Account,
            _ => Kind::User,
        };
        if let Some(team) = row.team {
            names.add_project(ProjectId::from(row.id), team);
        }
        names.add(kind, row.id, row.slug);
    }
    Ok(names)
}
