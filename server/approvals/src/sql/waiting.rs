//! How many wait: in an organisation, in all of them, and for one person.

use ralex_access::Reach;
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Result;

/// How many wait in an organisation.
pub(crate) async fn pending(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from approval where org_id = $1 and state = 'pending'"#,
        org as _,
    )
    .fetch_one(conn)
    .await
}

/// How many wait in all of them.
pub(crate) async fn waiting(conn: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from approval where state = 'pending'"#)
        .fetch_one(conn)
        .await
}

/// How many wait where somebody may decide, and are not of their own asking.
pub(crate) async fn waiting_for(
    conn: &mut PgConnection,
    reach: &Reach,
    person: UserId,
) -> Result<i64> {
    let teams: Vec<Uuid> = reach.teams().iter().copied().map(Uuid::from).collect();
    let projects: Vec<Uuid> = reach.projects().iter().copied().map(Uuid::from).collect();
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from approval a
           where a.org_id = $1 and a.state = 'pending' and a.expires_at > now()
             and ($2 or (a.project_id is null and a.team_id = any($3)) or a.project_id = any($4))
             and a.user_id is distinct from $5
             and not exists (select from token k
                             where k.org_id = $1 and k.id = a.token_id and a.user_id is null
                               and (k.created_by = $5 or $5 = any(k.known_to)))"#,
        reach.org() as _,
        reach.everywhere(),
        &teams,
        &projects,
        person as _,
    )
    .fetch_one(conn)
    .await
}
