//! The queries of reviews of access: the reviews themselves.

use chrono::{DateTime, Utc};
use ralex_api::access::RoleName;
use ralex_api::access_reviews::{
    AccessReview, AccessReviewState, ReviewCounts, ReviewDecision, ReviewRepeats, ReviewedKind,
};
use ralex_kernel::{
    AccessReviewId, Code, GroupId, Name, OrgId, Problem, ProjectId, ScopePath, TeamId, UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::review_item::Seen;
use crate::sql::place;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A review with names for its ids.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub id: AccessReviewId,
    pub name: Name,
    pub state: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub scope: String,
    pub scope_name: String,
    pub roles: Vec<String>,
    pub subjects: Vec<String>,
    pub undecided: String,
    pub repeats: String,
    pub round: i32,
    pub series_at: DateTime<Utc>,
    pub due_days: i16,
    pub opens_at: DateTime<Utc>,
    pub created_by: UserId,
    pub creator: String,
    pub created_at: DateTime<Utc>,
    pub due_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub closer: Option<String>,
    pub signer: Option<String>,
    pub signed_at: Option<DateTime<Utc>>,
    pub signed_note: Option<String>,
    pub next: Option<AccessReviewId>,
    /// People and groups that decide; nobody where whoever may bind there does.
    pub people: Vec<Uuid>,
    pub groups: Vec<Uuid>,
    pub reviewers: Vec<String>,
}

/// What whoever reads a review may do with it.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a step of its own, and any may go with any"
)]
pub(crate) struct May {
    pub close: bool,
    pub cancel: bool,
    pub sign: bool,
    pub export: bool,
}

impl Stored {
    pub const fn place(&self) -> ScopePath {
        place(self.team, self.project)
    }

    pub fn stands(&self) -> std::result::Result<AccessReviewState, Problem> {
        AccessReviewState::named(&self.state).ok_or_else(unreadable)
    }

    pub fn removes_undecided(&self) -> bool {
        self.undecided == ReviewDecision::Remove.as_str()
    }

    /// Whether only the people and groups that it names decide.
    pub const fn names_reviewers(&self) -> bool {
        !self.people.is_empty() || !self.groups.is_empty()
    }

    pub fn shown(
        self,
        counts: ReviewCounts,
        may: May,
    ) -> std::result::Result<AccessReview, Problem> {
        let subjects = self.subjects.iter().map(|it| ReviewedKind::named(it));
        Ok(AccessReview {
            id: self.id,
            state: self.stands()?,
            name: self.name,
            scope: self.scope,
            scope_name: self.scope_name,
            roles: self.roles.into_iter().map(RoleName).collect(),
            subjects: subjects.collect::<Option<_>>().ok_or_else(unreadable)?,
            reviewers: self.reviewers,
            undecided: ReviewDecision::named(&self.undecided).ok_or_else(unreadable)?,
            repeats: ReviewRepeats::named(&self.repeats).ok_or_else(unreadable)?,
            round: self.round.unsigned_abs(),
            opens_at: self.opens_at,
            due_days: self.due_days.unsigned_abs().into(),
            due_at: self.due_at,
            created_by: self.creator,
            created_at: self.created_at,
            ended_at: self.ended_at,
            closed_by: self.closer,
            signed_by: self.signer,
            signed_at: self.signed_at,
            signed_note: self.signed_note,
            next: self.next,
            counts,
            may_close: may.close,
            may_cancel: may.cancel,
            may_sign: may.sign,
            may_export: may.export,
        })
    }
}

pub(crate) fn unreadable() -> Problem {
    Problem::new(Code::Internal, "A stored review cannot be read.")
}

/// A review that is set up.
pub(crate) struct New<'a> {
    pub id: AccessReviewId,
    pub name: &'a Name,
    pub at: ScopePath,
    pub roles: &'a [String],
    pub subjects: &'a [String],
    pub undecided: &'a str,
    pub repeats: &'a str,
    pub round: i32,
    pub series_at: DateTime<Utc>,
    pub previous: Option<AccessReviewId>,
    pub due_days: i16,
    pub opens_at: DateTime<Utc>,
    pub by: UserId,
    pub now: DateTime<Utc>,
    pub people: &'a [Uuid],
    pub groups: &'a [Uuid],
}

/// False where another one follows the previous one already.
pub(crate) async fn insert(conn: &mut PgConnection, org: OrgId, new: &New<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "insert into access_review (org_id, id, name, state, team_id, project_id, roles, subjects,
             undecided, repeats, round, series_at, previous_id, due_days, opens_at, created_by,
             created_at)
         values ($1, $2, $3, 'scheduled', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict do nothing",
        org as _,
        new.id as _,
        new.name.as_str(),
        new.at.team() as Option<TeamId>,
        new.at.project() as Option<ProjectId>,
        new.roles,
        new.subjects,
        new.undecided,
        new.repeats,
        new.round,
        new.series_at,
        new.previous as _,
        new.due_days,
        new.opens_at,
        new.by as _,
        new.now,
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "insert into access_review_reviewer (org_id, review_id, subject_kind, subject_id)
         select $1::uuid, $2::uuid, 'user', id from unnest($3::uuid[]) as id
         union all select $1, $2, 'grp', id from unnest($4::uuid[]) as id",
        org as _,
        new.id as _,
        new.people,
        new.groups,
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// How many wait or are open.
pub(crate) async fn running(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from access_review
           where org_id = $1 and state in ('scheduled', 'open')"#,
        org as _,
    )
    .fetch_one(conn)
    .await
}

/// Which reviews, the newest first.
#[derive(Default)]
pub(crate) struct Filter {
    pub only: Option<AccessReviewId>,
    pub before: Option<AccessReviewId>,
    pub state: Option<AccessReviewState>,
    /// Those that are about something that the reader may see.
    pub seen: Seen,
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    at_most: i64,
) -> Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"select r.id as "id: AccessReviewId", r.name as "name: Name", r.state,
               r.team_id as "team: TeamId", r.project_id as "project: ProjectId",
               coalesce('project:' || coalesce(p.slug, r.project_id::text),
                        'team:' || coalesce(t.slug, r.team_id::text), 'org') as "scope!",
               coalesce(p.name, r.project_id::text, t.name, r.team_id::text, o.name) as "scope_name!",
               r.roles, r.subjects, r.undecided, r.repeats, r.round, r.series_at, r.due_days,
               r.opens_at, r.created_by as "created_by: UserId",
               coalesce(c.email, r.created_by::text) as "creator!", r.created_at, r.due_at,
               r.ended_at, coalesce(e.email, r.closed_by::text) as closer,
               coalesce(s.email, r.signed_by::text) as signer, r.signed_at, r.signed_note,
               n.id as "next?: AccessReviewId",
               array(select v.subject_id from access_review_reviewer v where v.org_id = r.org_id
                   and v.review_id = r.id and v.subject_kind = 'user') as "people!",
               array(select v.subject_id from access_review_reviewer v where v.org_id = r.org_id
                   and v.review_id = r.id and v.subject_kind = 'grp') as "groups!",
               array(select case v.subject_kind when 'user' then 'user:' || coalesce(u.email, v.subject_id::text)
                       else 'group:' || coalesce(g.slug, v.subject_id::text) end
                   from access_review_reviewer v
                   left join app_user u on v.subject_kind = 'user' and u.id = v.subject_id
                   left join people_group g on v.subject_kind = 'grp' and g.org_id = v.org_id
                       and g.id = v.subject_id
                   where v.org_id = r.org_id and v.review_id = r.id order by 1) as "reviewers!"
           from access_review r join org o on o.id = r.org_id
           left join app_user c on c.id = r.created_by left join app_user e on e.id = r.closed_by
           left join app_user s on s.id = r.signed_by
           left join access_review n on n.org_id = r.org_id and n.previous_id = r.id
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project p on p.org_id = r.org_id and p.id = r.project_id
           where r.org_id = $1 and ($2::uuid is null or r.id = $2)
             and ($3::uuid is null or r.id < $3) and ($4::text is null or r.state = $4)
             and ($5 or cardinality($6::uuid[]) + cardinality($7::uuid[]) > 0
                     and (r.team_id is null or r.team_id = any($6) or r.project_id = any($7)
                         or r.project_id is null and exists (select from project q
                             where q.org_id = r.org_id and q.team_id = r.team_id and q.id = any($7))))
           order by r.id desc limit $8"#,
        org as _,
        filter.only as _,
        filter.before as _,
        filter.state.map(AccessReviewState::as_str),
        filter.seen.everywhere,
        &filter.seen.teams,
        &filter.seen.projects,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessReviewId,
) -> Result<Option<Stored>> {
    let filter = Filter { only: Some(id), seen: Seen::all(), ..Filter::default() };
    Ok(select(conn, org, &filter, 1).await?.into_iter().next())
}

/// One, held against all others until the transaction ends.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessReviewId,
) -> Result<Option<Stored>> {
    sqlx::query!(
        "select id from access_review where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(&mut *conn)
    .await?;
    find(conn, org, id).await
}

pub(crate) async fn opened(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessReviewId,
    (now, due): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update access_review set state = 'open', opened_at = $3, due_at = $4
         where org_id = $1 and id = $2 and state = 'scheduled'",
        org as _,
        id as _,
        now,
        due,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn closing(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessReviewId, Option<UserId>),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_review set state = 'closing', decided_at = $4, closed_by = $3
         where org_id = $1 and id = $2 and state = 'open'",
        org as _,
        id as _,
        by as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends it where nothing is left of it; false where something is, or where it has ended.
pub(crate) async fn close(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessReviewId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update access_review r set state = 'closed', ended_at = $3
         where r.org_id = $1 and r.id = $2 and r.state = 'closing' and not exists (
             select from access_review_item i
             where i.org_id = r.org_id and i.review_id = r.id and i.outcome is null)",
        org as _,
        id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Those of these that are about somebody: about what they hold by name or by a group, when the review
/// opened or now, or about a program that they made.
pub(crate) async fn concerning(
    conn: &mut PgConnection,
    org: OrgId,
    reviews: &[Uuid],
    (user, groups): (UserId, &[GroupId]),
) -> Result<Vec<AccessReviewId>> {
    let groups: Vec<Uuid> = groups.iter().map(|group| group.uuid()).collect();
    sqlx::query_scalar!(
        r#"select distinct review_id as "id: AccessReviewId" from access_review_item
           where org_id = $1 and review_id = any($2)
             and ($3 = any(people) or made_by = $3 or subject_kind = 'grp' and subject_id = any($4))"#,
        org as _,
        reviews,
        user as UserId,
        &groups,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn cancel(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessReviewId, UserId),
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_review set state = 'cancelled', ended_at = $4, closed_by = $3
         where org_id = $1 and id = $2 and state in ('scheduled', 'open')",
        org as _,
        id as _,
        by as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn sign(
    conn: &mut PgConnection,
    org: OrgId,
    (id, by): (AccessReviewId, UserId),
    (note, now): (&str, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update access_review set signed_by = $3, signed_at = $4, signed_note = $5
         where org_id = $1 and id = $2 and state = 'closed' and signed_by is null",
        org as _,
        id as _,
        by as _,
        now,
        note,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the end was told of before it came.
pub(crate) async fn reminded(
    conn: &mut PgConnection,
    org: OrgId,
    id: AccessReviewId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update access_review set reminded_at = $3 where org_id = $1 and id = $2",
        org as _,
        id as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives reviews that were open while nobody could come in a few more days, since their organisation would
/// otherwise lose what nobody was able to decide about.
pub(crate) async fn extend_reopened(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "update access_review r set due_at = o.reopened_at + interval '3 days', reminded_at = null
         from org o
         where o.id = r.org_id and not o.is_closed and r.state = 'open'
           and r.opened_at < o.reopened_at and r.due_at < o.reopened_at + interval '3 days'",
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What waits for its time, and for what: to be opened, closed, gone on with, or told of.
pub(crate) async fn late(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<(OrgId, AccessReviewId, String)>> {
    let rows = sqlx::query!(
        r#"select r.org_id as "org: OrgId", r.id as "id: AccessReviewId",
               case when r.state = 'open' and r.due_at > $1 then 'soon' else r.state end as "what!"
           from access_review r join org o on o.id = r.org_id
           where (r.state = 'scheduled' and r.opens_at <= $1 or r.state = 'closing'
                  or r.state = 'open' and (r.due_at <= $1 or r.reminded_at is null
                      and r.due_days > 3 and r.due_at - interval '3 days' <= $1))
             and not o.is_closed
             -- Opened again this moment: it is given more days first.
             and (r.state <> 'open' or o.reopened_at is null or r.opened_at >= o.reopened_at
                  or r.due_at >= o.reopened_at + interval '3 days')
           order by r.org_id, r.id limit $2"#,
        now,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id, row.what)).collect())
}
