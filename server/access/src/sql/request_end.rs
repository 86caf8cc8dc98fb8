//! The queries by which requests for access end.

use chrono::{DateTime, Utc};
use ralex_api::access_requests::AccessEnding;
use ralex_audit::AccessRequestEvent;
use ralex_kernel::{AccessRequestId, OrgId, ProjectId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::sql::place;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A request that ended by itself.
pub(crate) struct Late {
    id: AccessRequestId,
    user: UserId,
    role: String,
    team: Option<TeamId>,
    project: Option<ProjectId>,
    /// Nothing where it was never given.
    ending: Option<String>,
}

impl Late {
    pub const fn was_given(&self) -> bool {
        self.ending.is_some()
    }

    pub fn event(&self) -> AccessRequestEvent {
        let (access_request, user, role) = (self.id, self.user, self.role.clone());
        let scope = place(self.team, self.project);
        match self.ending.as_deref().and_then(AccessEnding::named) {
            None => AccessRequestEvent::Expired { access_request, user },
            Some(ending) => {
                let ending = ending.as_str();
                AccessRequestEvent::Ended { access_request, user, role, scope, ending }
            }
        }
    }
}

/// Organisations in which something is late.
pub(crate) async fn late_orgs(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<OrgId>> {
    sqlx::query_scalar!(
        r#"select distinct r.org_id as "org: OrgId" from access_request r
           where (r.state = 'pending' and r.pending_until <= $1)
              or (r.state = 'active' and (r.expires_at <= $1 or not exists (
                  select from binding b where b.org_id = r.org_id and b.request_id = r.id)))"#,
        now,
    )
    .fetch_all(conn)
    .await
}

/// Ends what nobody decided in time; of everybody, or of one person.
pub(crate) async fn expire(
    conn: &mut PgConnection,
    org: OrgId,
    user: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Vec<Late>> {
    sqlx::query_as!(
        Late,
        r#"update access_request set state = 'expired', changed_at = pending_until
           where org_id = $1 and state = 'pending' and pending_until <= $2
             and ($3::uuid is null or user_id = $3)
           returning id as "id: AccessRequestId", user_id as "user: UserId", role,
               team_id as "team: TeamId", project_id as "project: ProjectId", ending"#,
        org as _,
        now,
        user as _,
    )
    .fetch_all(conn)
    .await
}

/// Ends what was given and is over, and takes away what is left of it. What somebody took away
/// before its time has no binding any more.
pub(crate) async fn end_late(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Vec<Late>> {
    let late = sqlx::query_as!(
        Late,
        r#"update access_request r
           set state = 'ended',
               ending = case when b.held then 'expired' else 'revoked' end,
               changed_at = case when b.held then r.expires_at else least(r.expires_at, $2) end
           from (select l.id, exists (select from binding b where b.org_id = l.org_id
                     and b.request_id = l.id) as held
                 from access_request l where l.org_id = $1 and l.state = 'active') b
           where r.org_id = $1 and r.id = b.id and r.state = 'active'
             and (r.expires_at <= $2 or not b.held)
           returning r.id as "id: AccessRequestId", r.user_id as "user: UserId", r.role,
               r.team_id as "team: TeamId", r.project_id as "project: ProjectId", r.ending"#,
        org as _,
        now,
    )
    .fetch_all(&mut *conn)
    .await?;
    let ids: Vec<Uuid> = late.iter().map(|late| late.id.uuid()).collect();
    sqlx::query!("delete from binding where org_id = $1 and request_id = any($2)", org as _, &ids)
        .execute(conn)
        .await?;
    Ok(late)
}

/// Ends one before its time.
pub(crate) async fn revoke(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessRequestId, UserId),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_request
         set state = 'ended', ending = 'revoked', ended_by = $3, changed_at = $4
         where org_id = $1 and id = $2 and state = 'active'",
        org as _,
        id as _,
        by as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many wait, in all organisations.
pub(crate) async fn waiting(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from access_request
           where state = 'pending' and pending_until > $1"#,
        now,
    )
    .fetch_one(conn)
    .await
}
