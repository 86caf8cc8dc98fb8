//! The queries of changes that take two people.

use chrono::{DateTime, Utc};
use ralex_api::changes::{ChangeRequest, ChangeState, GuardedAction};
use ralex_audit::{ChangeEvent, Event};
use ralex_kernel::{
    ChangeRequestId, Code, Money, OrgId, Permission, Problem, ProjectId, ScopePath, TeamId, UserId,
};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::change::Change;
use crate::change_decide::MADE_LATELY;
use crate::four_eyes::Rules;
use crate::sql::place;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A change that begins to wait.
pub(crate) struct New<'a> {
    pub id: ChangeRequestId,
    pub change: &'a Change,
    pub permission: Permission,
    pub at: ScopePath,
    pub asker: UserId,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<()> {
    sqlx::query!(
        "insert into change_request (org_id, id, action, permission, team_id, project_id, change,
             target, state, asked_by, asked_at, pending_until, changed_at, tell_after)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $10, $10)",
        org as _,
        new.id as _,
        new.change.action().as_str(),
        new.permission.as_str(),
        new.at.team() as Option<TeamId>,
        new.at.project() as Option<ProjectId>,
        Json(new.change) as _,
        new.change.target(),
        new.asker as _,
        new.now,
        new.until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A change with names for its ids.
#[derive(Debug)]
pub(crate) struct Stored {
    pub id: ChangeRequestId,
    action: String,
    permission: String,
    team: Option<TeamId>,
    project: Option<ProjectId>,
    scope: String,
    change: Json<serde_json::Value>,
    /// The address of whom it is about.
    user: Option<String>,
    pub target: String,
    /// As it is now, also where the sweeper has not been yet.
    state: String,
    pub asker_id: UserId,
    asker: String,
    asked_at: DateTime<Utc>,
    pending_until: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    decided_by: Option<String>,
    reason: Option<String>,
    /// Whether the reader's account is new, and made by who asked or by nobody known.
    pub made_lately: bool,
}

impl Stored {
    pub const fn place(&self) -> ScopePath {
        place(self.team, self.project)
    }

    pub fn state(&self) -> std::result::Result<ChangeState, Problem> {
        ChangeState::named(&self.state).ok_or_else(unreadable)
    }

    pub fn action(&self) -> std::result::Result<GuardedAction, Problem> {
        GuardedAction::named(&self.action).ok_or_else(unreadable)
    }

    pub fn permission(&self) -> std::result::Result<Permission, Problem> {
        self.permission.parse().map_err(|_| unreadable())
    }

    pub fn change(&self) -> std::result::Result<Change, Problem> {
        serde_json::from_value(self.change.0.clone()).map_err(|_| unreadable())
    }

    pub fn shown(
        self,
        may_confirm: bool,
        may_refuse: bool,
        may_withdraw: bool,
    ) -> std::result::Result<ChangeRequest, Problem> {
        let (summary, details) = self.change()?.told(self.user.as_deref(), &self.scope);
        Ok(ChangeRequest {
            action: self.action()?,
            state: self.state()?,
            id: self.id,
            summary,
            details,
            target: self.target,
            scope: self.scope,
            permission: self.permission,
            asker: self.asker,
            asker_id: self.asker_id,
            asked_at: self.asked_at,
            pending_until: self.pending_until,
            changed_at: self.changed_at,
            decided_by: self.decided_by,
            reason: self.reason,
            may_confirm,
            may_refuse,
            may_withdraw,
        })
    }
}

fn unreadable() -> Problem {
    Problem::new(Code::Internal, "A stored change cannot be read.")
}

/// Which to read, the newest first.
#[derive(Default)]
pub(crate) struct Filter {
    pub only: Option<ChangeRequestId>,
    pub before: Option<ChangeRequestId>,
    pub state: Option<ChangeState>,
    pub reader: Option<UserId>,
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
        r#"with known as (select c.*,
                   case when c.state = 'pending' and c.pending_until <= $6 then 'expired'
                        else c.state end as stands
               from change_request c where c.org_id = $1)
           select c.id as "id!: ChangeRequestId", c.action as "action!", c.permission as "permission!",
               c.team_id as "team: TeamId", c.project_id as "project: ProjectId",
               coalesce('project:' || coalesce(p.slug, c.project_id::text),
                        'team:' || coalesce(t.slug, c.team_id::text), 'org') as "scope!",
               c.change as "change!: Json<serde_json::Value>",
               (select u.email from app_user u where u.id = (c.change ->> 'user')::uuid) as "user",
               c.target as "target!", c.stands as "state!", c.asked_by as "asker_id!: UserId",
               coalesce(a.email, c.asked_by::text) as "asker!", c.asked_at as "asked_at!",
               c.pending_until as "pending_until!",
               case when c.stands = c.state then c.changed_at else c.pending_until end as "changed_at!",
               coalesce(d.email, c.decided_by::text) as decided_by, c.reason,
               exists (select from app_user m join membership j on j.org_id = $1 and j.user_id = m.id
                   where m.id = $5 and (m.made_by = c.asked_by and m.made_at > $7
                       or m.made_by is null and j.joined_at > $7 and not exists (
                           select from binding b where b.org_id = $1 and b.subject_kind = 'user'
                               and b.subject_id = m.id and b.created_by = 'system')))
                   as "made_lately!"
           from known c left join app_user a on a.id = c.asked_by
           left join app_user d on d.id = c.decided_by
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join project p on p.org_id = c.org_id and p.id = c.project_id
           where c.org_id = $1 and ($2::uuid is null or c.id = $2)
             and ($3::uuid is null or c.id < $3) and ($4::text is null or c.stands = $4)
           order by c.id desc limit $8"#,
        org as _,
        filter.only as _,
        filter.before as _,
        filter.state.map(ChangeState::as_str),
        filter.reader as _,
        now,
        now - MADE_LATELY,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: ChangeRequestId,
    reader: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    let filter = Filter { only: Some(id), reader, ..Filter::default() };
    Ok(select(conn, org, &filter, now, 1).await?.into_iter().next())
}

/// One, held against others until the transaction ends.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    org: OrgId,
    id: ChangeRequestId,
    reader: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<Stored>> {
    sqlx::query!(
        "select id from change_request where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(&mut *conn)
    .await?;
    find(conn, org, id, reader, now).await
}

/// Ends one that waits and is held.
pub(crate) async fn decide(
    conn: &mut PgConnection,
    org: OrgId,
    id: ChangeRequestId,
    (state, by, reason): (ChangeState, Option<UserId>, Option<&str>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update change_request
         set state = $3, decided_by = $4, reason = $5, changed_at = $6, tell_after = null
         where org_id = $1 and id = $2 and state = 'pending'",
        org as _,
        id as _,
        state.as_str(),
        by as _,
        reason,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether one person has made another one's account since a moment. One that came by single sign-on or
/// by a directory nobody has made: it is as old as its membership. Whom the deployment itself let in as an
/// owner nobody else has chosen.
pub(crate) async fn made_lately(
    conn: &mut PgConnection,
    org: OrgId,
    (user, by): (UserId, UserId),
    since: DateTime<Utc>,
) -> Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from app_user m join membership j on j.org_id = $1 and j.user_id = m.id
               where m.id = $2 and (m.made_by = $3 and m.made_at > $4
                   or m.made_by is null and j.joined_at > $4 and not exists (
                       select from binding b where b.org_id = $1 and b.subject_kind = 'user'
                           and b.subject_id = m.id and b.created_by = 'system')))
               as "made!""#,
        org as _,
        user as _,
        by as _,
        since,
    )
    .fetch_one(conn)
    .await
}

/// A change that nobody decided about in time.
pub(crate) struct Late {
    pub org: OrgId,
    id: ChangeRequestId,
    asker: UserId,
}

impl Late {
    pub const fn event(&self) -> Event {
        Event::Change(ChangeEvent::Expired { change_request: self.id, asker: self.asker })
    }
}

/// Ends what is late in one organisation.
pub(crate) async fn expire(
    conn: &mut PgConnection,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<Vec<Late>> {
    sqlx::query_as!(
        Late,
        r#"update change_request
           set state = 'expired', changed_at = pending_until, tell_after = null
           where org_id = $1 and state = 'pending' and pending_until <= $2
           returning org_id as "org: OrgId", id as "id: ChangeRequestId", asked_by as "asker: UserId""#,
        org as _,
        now,
    )
    .fetch_all(conn)
    .await
}

/// Ends so many that are late, wherever they are, and passes over those that somebody decides about now.
pub(crate) async fn expire_some(
    conn: &mut PgConnection,
    at_most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Late>> {
    sqlx::query_as!(
        Late,
        r#"update change_request c
           set state = 'expired', changed_at = pending_until, tell_after = null
           from (select org_id, id from change_request
                 where state = 'pending' and pending_until <= $1
                 order by pending_until limit $2 for no key update skip locked) late
           where c.org_id = late.org_id and c.id = late.id
           returning c.org_id as "org: OrgId", c.id as "id: ChangeRequestId",
               c.asked_by as "asker: UserId""#,
        now,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// How many of a person's wait.
pub(crate) async fn count_waiting(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from change_request
           where org_id = $1 and asked_by = $2 and state = 'pending'"#,
        org as _,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// How many wait, in all organisations.
pub(crate) async fn waiting(conn: &mut PgConnection, now: DateTime<Utc>) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from change_request
           where state = 'pending' and pending_until > $1"#,
        now,
    )
    .fetch_one(conn)
    .await
}

/// What takes two people in an organisation.
pub(crate) async fn rules(conn: &mut PgConnection, org: OrgId) -> Result<Rules> {
    let row = sqlx::query!(
        r#"select actions, budget_limit as "budget_limit: Money", pending_minutes
           from four_eyes where org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or_else(Rules::none, |row| Rules {
        actions: row.actions.iter().filter_map(|name| GuardedAction::named(name)).collect(),
        budget_limit: row.budget_limit,
        pending_minutes: row.pending_minutes.unsigned_abs(),
    }))
}

/// Has two who change the rules at once follow each other, also where there are none yet.
pub(crate) async fn lock_rules(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('four eyes ' || $1::uuid::text, 0))",
        org as _,
    )
    .fetch_one(conn)
    .await
    .map(drop)
}

pub(crate) async fn set_rules(conn: &mut PgConnection, org: OrgId, rules: &Rules) -> Result<()> {
    let actions: Vec<String> = rules.actions.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "insert into four_eyes (org_id, actions, budget_limit, pending_minutes)
         values ($1, $2, $3, $4)
         on conflict (org_id) do update
         set actions = excluded.actions, budget_limit = excluded.budget_limit,
             pending_minutes = excluded.pending_minutes, updated_at = now()",
        org as _,
        &actions,
        rules.budget_limit as _,
        i32::try_from(rules.pending_minutes).unwrap_or(i32::MAX),
    )
    .execute(conn)
    .await
    .map(drop)
}
