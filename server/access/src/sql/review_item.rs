//! The queries of what is reviewed: bindings as they were, what was decided about them, what came of it.

use chrono::{DateTime, Utc};
use ralex_api::access::RoleName;
use ralex_api::access_reviews::{
    AccessReviewItem, ReviewAdvice, ReviewCounts, ReviewDecision, ReviewItemsOnly, ReviewOrigin,
    ReviewOutcome,
};
use ralex_audit::ReviewCounted;
use ralex_kernel::{
    AccessReviewId, BindingId, OrgId, Problem, ProjectId, ScopePath, TeamId, UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::review::unreadable;
use crate::rows::Holder;
use crate::sql::place;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// What a review writes down when it opens.
pub(crate) struct Selection<'a> {
    pub review: AccessReviewId,
    pub at: ScopePath,
    /// All where there is none.
    pub roles: &'a [String],
    pub kinds: &'a [String],
    /// Roles that there are.
    pub known: &'a [String],
    pub now: DateTime<Utc>,
    /// From when on something is not old.
    pub since: DateTime<Utc>,
}

/// Writes down what is held, with when it was last used and what that recommends: one statement, which
/// sees one state of the database. As the system, since logins belong to no organisation.
#[expect(clippy::too_many_lines, reason = "one statement, whose parts mean nothing by themselves")]
pub(crate) async fn capture(
    conn: &mut PgConnection,
    org: OrgId,
    what: &Selection<'_>,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"with selected as (
               select b.*, g.slug as group_slug, g.name as group_name, a.slug as account_slug,
                   coalesce(a.name, k.name) as program_name, coalesce(a.created_by, k.created_by) as made_by,
                   a.disabled_at is not null or k.revoked_at is not null
                       or k.expires_at <= $8 as program_over,
                   case b.subject_kind when 'user' then array[b.subject_id]
                       when 'grp' then array(select m.user_id from group_member m
                           where m.org_id = b.org_id and m.group_id = b.subject_id order by 1)
                       else '{}' end as holders,
                   coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as scope
               from binding b
               left join people_group g on b.subject_kind = 'grp' and g.org_id = b.org_id
                   and g.id = b.subject_id
               left join service_account a on b.subject_kind = 'sa' and a.org_id = b.org_id
                   and a.id = b.subject_id
               left join token k on b.subject_kind = 'sa' and k.org_id = b.org_id
                   and k.id = b.subject_id
               left join team t on t.org_id = b.org_id and t.id = b.team_id
               left join project p on p.org_id = b.org_id and p.id = b.project_id
               where b.org_id = $1 and b.effect = 'allow'
                 and (b.expires_at is null or b.expires_at > $8)
                 and ($3::uuid is null or b.team_id = $3) and ($4::uuid is null or b.project_id = $4)
                 and (cardinality($5::text[]) = 0 or b.role = any($5))
                 and (cardinality($6::text[]) = 0 or b.subject_kind = any($6))),
           seen as (
               select s.*, case when s.subject_kind = 'sa' then
                       (select max(k.last_used_at) from token k where k.org_id = s.org_id
                        and (k.id = s.subject_id or k.account_id = s.subject_id))
                   else greatest(
                       (select max(l.last_used_at) from session l where l.user_id = any(s.holders)),
                       (select max(l.last_used_at) from personal_token l
                        where l.user_id = any(s.holders))) end as used,
                   (select m.suspended_at is not null from membership m
                    where s.subject_kind = 'user' and m.org_id = s.org_id and m.user_id = s.subject_id)
                       as suspended,
                   s.subject_kind = 'user' and not exists (
                       select from membership m join app_user u on u.id = m.user_id
                       where m.org_id = s.org_id and m.user_id = s.subject_id
                         and u.disabled_at is null) as absent,
                   exists (select from binding w where w.org_id = s.org_id
                       and w.subject_kind = s.subject_kind and w.subject_id = s.subject_id
                       and w.role = s.role and w.effect = 'allow' and w.expires_at is null
                       and w.not_before is null and w.id <> s.id and w.project_id is null
                       and (w.team_id is null and s.team_id is not null
                            or w.team_id = s.team_id and s.project_id is not null)) as wider
               from selected s),
           judged as (
               select s.*, case
                   when not s.role = any($7) then 'role_gone'
                   when s.absent then 'not_member'
                   when s.suspended then 'suspended'
                   when s.program_over then 'disabled'
                   when s.subject_kind = 'grp' and cardinality(s.holders) = 0 then 'empty_group'
                   when s.expires_at is not null then 'ends'
                   when s.wider then 'held_wider'
                   when s.used >= $9 then 'used'
                   when s.used is not null then 'unused'
                   when s.created_at >= $9 then 'new'
                   else 'never_used' end as why
               from seen s)
           insert into access_review_item (org_id, review_id, binding_id, subject_kind, subject_id,
               written, subject_name, role, team_id, project_id, scope, people, made_by, not_before,
               expires_at, origin, given_by, given_at, last_used_at, advice, advice_why)
           select j.org_id, $2, j.id, j.subject_kind, j.subject_id,
               case j.subject_kind when 'grp' then coalesce('group:' || j.group_slug, 'group:' || j.subject_id)
                   when 'sa' then coalesce('service_account:' || j.account_slug, 'token:' || j.subject_id)
                   end,
               coalesce(j.group_name, j.program_name), j.role, j.team_id, j.project_id, j.scope,
               j.holders, j.made_by, j.not_before, j.expires_at,
               case when j.managed_by is not null then 'single_sign_on'
                   when j.request_id is not null then 'request'
                   when j.created_by like 'directory:%' then 'directory' else 'hand' end,
               j.created_by, j.created_at, j.used,
               case when j.why in ('used', 'new', 'ends') then 'keep' else 'remove' end, j.why
           from judged j
           on conflict do nothing"#,
        org as _,
        what.review as _,
        what.at.team() as Option<TeamId>,
        what.at.project() as Option<ProjectId>,
        what.roles,
        what.kinds,
        what.known,
        what.now,
        what.since,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// An item with names for its ids.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub binding: BindingId,
    pub kind: String,
    pub subject: Uuid,
    pub written: String,
    pub subject_name: String,
    pub role: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub scope: String,
    pub people: Vec<Uuid>,
    pub people_names: Vec<String>,
    /// Who made a program, and all who have seen a secret of it by now.
    pub makers: Vec<Uuid>,
    pub not_before: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub origin: String,
    pub given_by: String,
    pub given_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub advice: String,
    pub advice_why: String,
    pub decision: Option<String>,
    pub decided_by: Option<UserId>,
    pub decider: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    pub outcome: Option<String>,
    pub outcome_why: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Item {
    pub const fn place(&self) -> ScopePath {
        place(self.team, self.project)
    }

    pub fn holder(&self) -> Holder {
        match self.kind.as_str() {
            "user" => Holder::User(self.subject.into()),
            "grp" => Holder::Group(self.subject.into()),
            _ => Holder::Machine(self.subject),
        }
    }

    pub fn is_to_go(&self) -> bool {
        self.decision.as_deref() == Some(ReviewDecision::Remove.as_str())
    }

    /// Whether a decision needs words: every removal, and what goes against the recommendation.
    pub fn needs_reason(&self, decision: ReviewDecision) -> bool {
        decision == ReviewDecision::Remove || self.advice == ReviewDecision::Remove.as_str()
    }

    pub fn shown(self, may_decide: bool) -> std::result::Result<AccessReviewItem, Problem> {
        let word = |text: &Option<String>| text.as_deref().map(str::to_owned);
        Ok(AccessReviewItem {
            binding: self.binding,
            subject: self.written,
            subject_name: self.subject_name,
            role: RoleName(self.role),
            scope: self.scope,
            people_count: u32::try_from(self.people.len()).unwrap_or(u32::MAX),
            people: if self.kind == "grp" { self.people_names } else { Vec::new() },
            not_before: self.not_before,
            expires_at: self.expires_at,
            origin: ReviewOrigin::named(&self.origin).ok_or_else(unreadable)?,
            given_by: self.given_by,
            given_at: self.given_at,
            last_used_at: self.last_used_at,
            advice: ReviewDecision::named(&self.advice).ok_or_else(unreadable)?,
            advice_why: ReviewAdvice::named(&self.advice_why).ok_or_else(unreadable)?,
            decision: word(&self.decision).and_then(|it| ReviewDecision::named(&it)),
            decided_by: self.decider,
            decided_at: self.decided_at,
            reason: self.reason,
            outcome: word(&self.outcome).and_then(|it| ReviewOutcome::named(&it)),
            outcome_why: self.outcome_why,
            ended_at: self.ended_at,
            may_decide,
        })
    }
}

/// Which items of a review, in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub after: Option<BindingId>,
    /// These, where there are any.
    pub bindings: Vec<Uuid>,
    pub only: Option<ReviewItemsOnly>,
    pub seen: Seen,
}

/// Where somebody may see what is reviewed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// At the organisation itself, and at places that are gone.
    pub everywhere: bool,
    pub teams: Vec<Uuid>,
    pub projects: Vec<Uuid>,
}

impl Seen {
    pub fn all() -> Self {
        Self { everywhere: true, ..Self::default() }
    }
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
    filter: &Filter,
    at_most: i64,
) -> Result<Vec<Item>> {
    sqlx::query_as!(
        Item,
        r#"select i.binding_id as "binding: BindingId", i.subject_kind as kind,
               i.subject_id as subject, coalesce(i.written, 'user:' || i.subject_id) as "written!",
               coalesce(i.subject_name, u.email, i.subject_id::text) as "subject_name!", i.role,
               i.team_id as "team: TeamId", i.project_id as "project: ProjectId", i.scope, i.people,
               array(select coalesce(m.email, w::text) from unnest(i.people[1:100]) as w
                   left join app_user m on m.id = w order by 1) as "people_names!",
               array(select i.made_by where i.made_by is not null
                   union select it from token k, unnest(k.known_to || k.created_by) as it
                   where i.subject_kind = 'sa' and k.org_id = i.org_id
                     and (k.id = i.subject_id or k.account_id = i.subject_id) and it is not null
               ) as "makers!: Vec<Uuid>", i.not_before, i.expires_at, i.origin,
               coalesce(c.email, s.name, i.given_by) as "given_by!", i.given_at, i.last_used_at,
               i.advice, i.advice_why, i.decision, i.decided_by as "decided_by: UserId",
               coalesce(d.email, i.decided_by::text) as decider, i.decided_at, i.reason, i.outcome,
               i.outcome_why, i.ended_at
           from access_review_item i
           left join app_user u on i.subject_kind = 'user' and u.id = i.subject_id
           left join app_user c on i.given_by = 'user:' || c.id
           left join sso_provider s on s.org_id = i.org_id and i.given_by = 'sso:' || s.id
           left join app_user d on d.id = i.decided_by
           where i.org_id = $1 and i.review_id = $2 and ($3::uuid is null or i.binding_id > $3)
             and (cardinality($4::uuid[]) = 0 or i.binding_id = any($4))
             and case $5 when 'undecided' then i.decision is null when 'keep' then i.decision = 'keep'
                 when 'remove' then i.decision = 'remove' when 'advised' then i.advice = 'remove'
                 when 'refused' then i.outcome = 'refused' else true end
             and ($6 or i.project_id is null and i.team_id = any($7) or i.project_id = any($8))
           order by i.binding_id limit $9"#,
        org as _,
        review as _,
        filter.after as _,
        &filter.bindings,
        filter.only.map(ReviewItemsOnly::as_str),
        filter.seen.everywhere,
        &filter.seen.teams,
        &filter.seen.projects,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// How far some reviews are, of what somebody may see of them.
pub(crate) async fn counts(
    conn: &mut PgConnection,
    org: OrgId,
    reviews: &[Uuid],
    seen: &Seen,
) -> Result<Vec<(AccessReviewId, ReviewCounts)>> {
    let rows = sqlx::query!(
        r#"select i.review_id as "review: AccessReviewId", count(*) as "items!",
               count(*) filter (where i.decision is null and i.outcome is null
                   and b.id is not null) as "undecided!",
               count(*) filter (where i.decision = 'keep') as "keep!",
               count(*) filter (where i.decision = 'remove') as "remove!",
               count(*) filter (where i.outcome = 'kept') as "kept!",
               count(*) filter (where i.outcome = 'removed') as "removed!",
               count(*) filter (where i.outcome = 'refused') as "refused!",
               count(*) filter (where i.outcome = 'gone') as "gone!",
               count(*) filter (where i.outcome = 'changed') as "changed!"
           from access_review_item i
           left join binding b on b.org_id = i.org_id and b.id = i.binding_id
           where i.org_id = $1 and i.review_id = any($2)
             and ($3 or i.project_id is null and i.team_id = any($4) or i.project_id = any($5))
           group by i.review_id"#,
        org as _,
        reviews,
        seen.everywhere,
        &seen.teams,
        &seen.projects,
    )
    .fetch_all(conn)
    .await?;
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let counted = rows.into_iter().map(|row| {
        let counts = ReviewCounts {
            items: number(row.items),
            undecided: number(row.undecided),
            keep: number(row.keep),
            remove: number(row.remove),
            kept: number(row.kept),
            removed: number(row.removed),
            refused: number(row.refused),
            gone: number(row.gone),
            changed: number(row.changed),
        };
        (row.review, counts)
    });
    Ok(counted.collect())
}

/// All of one review, for the log.
pub(crate) async fn counted(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
) -> Result<ReviewCounted> {
    let found = counts(conn, org, &[review.uuid()], &Seen::all()).await?;
    Ok(found.into_iter().next().map_or_else(ReviewCounted::default, |(_, it)| ReviewCounted {
        items: it.items,
        kept: it.kept,
        removed: it.removed,
        refused: it.refused,
        gone: it.gone,
        changed: it.changed,
    }))
}

/// Items that nobody decided and whose binding is still there.
pub(crate) async fn undecided(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from access_review_item i
           join binding b on b.org_id = i.org_id and b.id = i.binding_id
           where i.org_id = $1 and i.review_id = $2 and i.decision is null and i.outcome is null"#,
        org as _,
        review as _,
    )
    .fetch_one(conn)
    .await
}

/// What somebody decided about some items.
pub(crate) struct Decided<'a> {
    pub decision: ReviewDecision,
    /// Nobody where time did.
    pub by: Option<UserId>,
    pub reason: Option<&'a str>,
    pub now: DateTime<Utc>,
}

pub(crate) async fn decide(
    conn: &mut PgConnection,
    org: OrgId,
    (review, bindings): (AccessReviewId, &[Uuid]),
    decided: &Decided<'_>,
) -> Result<()> {
    sqlx::query!(
        "update access_review_item set decision = $4, decided_by = $5, reason = $6, decided_at = $7
         where org_id = $1 and review_id = $2 and binding_id = any($3) and outcome is null",
        org as _,
        review as _,
        bindings,
        decided.decision.as_str(),
        decided.by as _,
        decided.reason,
        decided.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Items of a closing review that nothing came of yet, held until the transaction ends.
pub(crate) async fn left(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
    at_most: i64,
) -> Result<Vec<Item>> {
    let rows = sqlx::query_scalar!(
        "select binding_id from access_review_item
         where org_id = $1 and review_id = $2 and outcome is null
         order by binding_id limit $3 for update",
        org as _,
        review as _,
        at_most,
    )
    .fetch_all(&mut *conn)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter { bindings: rows, seen: Seen::all(), ..Filter::default() };
    select(conn, org, review, &filter, at_most).await
}

/// What came of one, where nothing did before.
pub(crate) async fn end(
    conn: &mut PgConnection,
    org: OrgId,
    (review, bindings): (AccessReviewId, &[Uuid]),
    (outcome, why): (ReviewOutcome, Option<&str>),
    now: DateTime<Utc>,
) -> Result<u64> {
    let done = sqlx::query!(
        "update access_review_item set outcome = $4, outcome_why = $5, ended_at = $6
         where org_id = $1 and review_id = $2 and binding_id = any($3) and outcome is null",
        org as _,
        review as _,
        bindings,
        outcome.as_str(),
        why,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends all that is left of a review that is cancelled.
pub(crate) async fn cancel(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
    now: DateTime<Utc>,
) -> Result<u64> {
    let done = sqlx::query!(
        "update access_review_item set outcome = 'cancelled', ended_at = $3
         where org_id = $1 and review_id = $2 and outcome is null",
        org as _,
        review as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Where something is reviewed.
pub(crate) async fn places(
    conn: &mut PgConnection,
    org: OrgId,
    review: AccessReviewId,
) -> Result<Vec<ScopePath>> {
    let rows = sqlx::query!(
        r#"select distinct team_id as "team: TeamId", project_id as "project: ProjectId"
           from access_review_item where org_id = $1 and review_id = $2"#,
        org as _,
        review as _,
    )
    .fetch_all(conn)
    .await?;
    let places = rows.into_iter().map(|row| place(row.team, row.project));
    Ok(places.collect())
}
