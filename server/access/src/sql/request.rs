//! The queries of requests for access.

use chrono::{DateTime, Utc};
use ralex_api::access::RoleName;
use ralex_api::access_requests::{
    AccessApproval, AccessEnding, AccessRequest, AccessRequestSettings, AccessRequestState,
};
use ralex_kernel::{AccessRequestId, Code, OrgId, Problem, ProjectId, ScopePath, TeamId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::request_settings::DEFAULTS;
use crate::sql::place;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A request that begins to wait.
pub(crate) struct New<'a> {
    pub id: AccessRequestId,
    pub user: UserId,
    pub role: &'a RoleName,
    pub at: ScopePath,
    pub minutes: u32,
    pub reason: &'a str,
    pub needed: u32,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<()> {
    sqlx::query!(
        "insert into access_request (org_id, id, user_id, role, team_id, project_id, minutes, reason,
             state, needed, asked_at, pending_until, changed_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $10)",
        org as _,
        new.id as _,
        new.user as _,
        new.role.as_str(),
        new.at.team() as Option<TeamId>,
        new.at.project() as Option<ProjectId>,
        number(new.minutes),
        new.reason,
        i16::try_from(new.needed).unwrap_or(i16::MAX),
        new.now,
        new.until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// How many of a person's wait.
pub(crate) async fn count_waiting(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from access_request
           where org_id = $1 and user_id = $2 and state = 'pending'"#,
        org as _,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// A request with names for its ids.
#[derive(Debug)]
pub(crate) struct Stored {
    pub id: AccessRequestId,
    /// As it is now, also where the sweeper has not been yet.
    pub state: String,
    pub user: UserId,
    pub asker: String,
    pub role: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub scope: String,
    pub scope_name: String,
    pub minutes: i32,
    pub reason: String,
    pub asked_at: DateTime<Utc>,
    pub pending_until: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub needed: i16,
    pub approvals: Json<Vec<AccessApproval>>,
    pub approvers: Vec<Uuid>,
    pub denied_by: Option<String>,
    pub denied_reason: Option<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub ending: Option<String>,
    pub ended_by: Option<String>,
}

/// What whoever reads a request may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    Nothing,
    Decide { approve: bool, deny: bool },
    Withdraw,
    End,
}

impl Stored {
    pub const fn place(&self) -> ScopePath {
        place(self.team, self.project)
    }

    pub fn is_approved_by(&self, user: UserId) -> bool {
        self.approvers.contains(&user.uuid())
    }

    pub fn stands(&self) -> std::result::Result<AccessRequestState, Problem> {
        AccessRequestState::named(&self.state)
            .ok_or_else(|| Problem::new(Code::Internal, "A stored request cannot be read."))
    }

    pub fn shown(self, may: May) -> std::result::Result<AccessRequest, Problem> {
        let state = self.stands()?;
        Ok(AccessRequest {
            id: self.id,
            state,
            asker: self.asker,
            asker_id: self.user,
            role: RoleName(self.role),
            scope: self.scope,
            scope_name: self.scope_name,
            minutes: self.minutes.unsigned_abs(),
            reason: self.reason,
            asked_at: self.asked_at,
            pending_until: self.pending_until,
            changed_at: self.changed_at,
            approvals_needed: self.needed.unsigned_abs().into(),
            approvals: self.approvals.0,
            denied_by: self.denied_by,
            denied_reason: self.denied_reason,
            expires_at: self.expires_at,
            ending: self.ending.as_deref().and_then(AccessEnding::named),
            ended_by: self.ended_by,
            may_approve: matches!(may, May::Decide { approve: true, .. }),
            may_deny: matches!(may, May::Decide { deny: true, .. }),
            may_withdraw: may == May::Withdraw,
            may_end: may == May::End,
        })
    }
}

/// Which to read, the newest first: those of a person, and those where they may decide.
#[derive(Default)]
pub(crate) struct Filter {
    pub only: Option<AccessRequestId>,
    pub before: Option<AccessRequestId>,
    pub state: Option<AccessRequestState>,
    /// Whose own are read as well as those of the places.
    pub reader: Option<UserId>,
    pub everywhere: bool,
    pub teams: Vec<Uuid>,
    pub projects: Vec<Uuid>,
    pub mine: bool,
    pub to_decide: bool,
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    now: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"with known as (select r.*,
                   case when r.state = 'pending' and r.pending_until <= $11 then 'expired'
                        when r.state = 'active' and (b.id is null or r.expires_at <= $11) then 'ended'
                        else r.state end as stands,
                   case when r.state <> 'active' then r.ending when b.id is null then 'revoked'
                        when r.expires_at <= $11 then 'expired' end as ends
               from access_request r
               left join binding b on b.org_id = r.org_id and b.request_id = r.id
               where r.org_id = $1)
           select r.id as "id!: AccessRequestId", r.stands as "state!",
               r.user_id as "user!: UserId", coalesce(u.email, r.user_id::text) as "asker!",
               r.role as "role!", r.team_id as "team: TeamId", r.project_id as "project: ProjectId",
               coalesce('project:' || coalesce(p.slug, r.project_id::text),
                        'team:' || coalesce(t.slug, r.team_id::text), 'org') as "scope!",
               coalesce(p.name, r.project_id::text, t.name, r.team_id::text, o.name) as "scope_name!",
               r.minutes as "minutes!", r.reason as "reason!", r.asked_at as "asked_at!",
               case when r.stands = r.state then r.changed_at
                    when r.stands = 'expired' then r.pending_until
                    else least(r.expires_at, $11) end as "changed_at!",
               r.needed as "needed!", r.pending_until as "pending_until!",
               (select coalesce(json_agg(json_build_object('by', coalesce(v.email, a.user_id::text),
                       'reason', a.reason, 'approved_at', a.approved_at) order by a.approved_at), '[]')
                   from access_approval a left join app_user v on v.id = a.user_id
                   where a.org_id = r.org_id and a.request_id = r.id)
                   as "approvals!: Json<Vec<AccessApproval>>",
               array(select a.user_id from access_approval a
                   where a.org_id = r.org_id and a.request_id = r.id) as "approvers!",
               coalesce(d.email, r.denied_by::text) as denied_by, r.denied_reason,
               r.expires_at, r.ends as ending, coalesce(e.email, r.ended_by::text) as ended_by
           from known r join org o on o.id = r.org_id left join app_user u on u.id = r.user_id
           left join app_user d on d.id = r.denied_by left join app_user e on e.id = r.ended_by
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project p on p.org_id = r.org_id and p.id = r.project_id
           where r.org_id = $1 and ($2::uuid is null or r.id = $2)
             and ($3::uuid is null or r.id < $3) and ($4::text is null or r.stands = $4)
             and ($6 or r.user_id = $5 or (r.project_id is null and r.team_id = any($7))
                 or r.project_id = any($8))
             and (not $9 or r.user_id = $5) and (not $10 or (r.stands = 'pending'
                 and r.user_id is distinct from $5 and not exists (select from access_approval a where a.org_id = r.org_id
                     and a.request_id = r.id and a.user_id = $5)))
           order by r.id desc limit $12"#,
        org as _,
        filter.only as _,
        filter.before as _,
        filter.state.map(AccessRequestState::as_str),
        filter.reader as _,
        filter.everywhere,
        &filter.teams,
        &filter.projects,
        filter.mine,
        filter.to_decide,
        now,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// One, held against others until the transaction ends.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessRequestId,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    sqlx::query!(
        "select id from access_request where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(&mut *conn)
    .await?;
    find(conn, org, id, now).await
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessRequestId,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    let filter = Filter { only: Some(id), everywhere: true, ..Filter::default() };
    Ok(select(conn, org, &filter, now, 1).await?.into_iter().next())
}

pub(crate) async fn approve(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessRequestId, UserId),
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into access_approval (org_id, request_id, user_id, reason, approved_at)
         values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        by as _,
        reason,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn begin(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessRequestId,
    (minutes, now, until): (u32, DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update access_request set state = 'active', minutes = $3, changed_at = $4, expires_at = $5
         where org_id = $1 and id = $2 and state = 'pending'",
        org as _,
        id as _,
        number(minutes),
        now,
        until,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn deny(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessRequestId, UserId),
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_request
         set state = 'denied', denied_by = $3, denied_reason = $4, changed_at = $5
         where org_id = $1 and id = $2 and state = 'pending'",
        org as _,
        id as _,
        by as _,
        reason,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn withdraw(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessRequestId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_request set state = 'withdrawn', changed_at = $3
         where org_id = $1 and id = $2 and state = 'pending'",
        org as _,
        id as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn settings(conn: &mut PgConnection, org: OrgId) -> Result<AccessRequestSettings> {
    let row = sqlx::query!(
        "select approvals, default_minutes, longest_minutes, pending_minutes
         from access_request_settings where org_id = $1",
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or(DEFAULTS, |row| AccessRequestSettings {
        approvals: row.approvals.unsigned_abs().into(),
        default_minutes: row.default_minutes.unsigned_abs(),
        longest_minutes: row.longest_minutes.unsigned_abs(),
        pending_minutes: row.pending_minutes.unsigned_abs(),
    }))
}

pub(crate) async fn set_settings(
    conn: &mut PgConnection,
    org: OrgId,
    set: &AccessRequestSettings,
) -> Result<()> {
    sqlx::query!(
        "insert into access_request_settings (org_id, approvals, default_minutes, longest_minutes,
             pending_minutes)
         values ($1, $2, $3, $4, $5)
         on conflict (org_id) do update
         set approvals = excluded.approvals, default_minutes = excluded.default_minutes,
             longest_minutes = excluded.longest_minutes,
             pending_minutes = excluded.pending_minutes, updated_at = now()",
        org as _,
        i16::try_from(set.approvals).unwrap_or(i16::MAX),
        number(set.default_minutes),
        number(set.longest_minutes),
        number(set.pending_minutes),
    )
    .execute(conn)
    .await
    .map(drop)
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
