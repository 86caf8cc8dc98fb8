//! The queries of letters to those who decide in reviews of access.

use chrono::{DateTime, Utc};
use ralex_kernel::{
    AccessReviewId, Email, Name, OrgId, ProjectId, ScopePath, Slug, TeamId, UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

type Result<T> = std::result::Result<T, sqlx::Error>;

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
    let places = rows.into_iter().map(|row| match (row.team, row.project) {
        (Some(team), Some(project)) => ScopePath::Project { team, project },
        (Some(team), None) => ScopePath::Team { team },
        (None, _) => ScopePath::Org,
    });
    Ok(places.collect())
}

/// Has these people be told; who is told of it already is not told again.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    (review, occasion): (AccessReviewId, &str),
    people: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into access_review_letter (org_id, review_id, occasion, user_id, state, next_at)
         select $1, $2, $3, who, 'waiting', $5 from unnest($4::uuid[]) as who
         on conflict do nothing",
        org as _,
        review as _,
        occasion,
        people,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A letter on its way.
pub(crate) struct Letter {
    pub org: OrgId,
    pub org_name: Name,
    pub org_slug: Slug,
    pub review: AccessReviewId,
    pub name: Name,
    pub occasion: String,
    pub user: UserId,
    pub to: Email,
    pub due_at: Option<DateTime<Utc>>,
    pub tries: i32,
}

/// Takes letters that are due, and keeps them from others until `again`: whoever dies with one leaves it
/// to the next. Those to people who are no members any more are taken out.
pub(crate) async fn take(
    conn: &mut PgConnection,
    (now, again): (DateTime<Utc>, DateTime<Utc>),
    at_most: i64,
) -> Result<Vec<Letter>> {
    sqlx::query!(
        "update access_review_letter l set state = 'failed'
         where l.state = 'waiting' and l.next_at <= $1 and not exists (
             select from membership m join app_user u on u.id = m.user_id
             where m.org_id = l.org_id and m.user_id = l.user_id and m.suspended_at is null
               and u.disabled_at is null)",
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Letter,
        r#"with due as (
               select l.org_id, l.review_id, l.occasion, l.user_id from access_review_letter l
               where l.state = 'waiting' and l.next_at <= $1
               order by l.next_at limit $3 for update skip locked)
           update access_review_letter l set next_at = $2, tries = l.tries + 1
           from due d
           join access_review r on r.org_id = d.org_id and r.id = d.review_id
           join org o on o.id = d.org_id
           join app_user u on u.id = d.user_id
           where l.org_id = d.org_id and l.review_id = d.review_id and l.occasion = d.occasion
             and l.user_id = d.user_id
           returning l.org_id as "org: OrgId", o.name as "org_name: Name", o.slug as "org_slug: Slug",
               l.review_id as "review: AccessReviewId", r.name as "name: Name", l.occasion,
               l.user_id as "user: UserId", u.email as "to: Email", r.due_at, l.tries"#,
        now,
        again,
        at_most,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn done(
    conn: &mut PgConnection,
    letter: &Letter,
    (state, next): (&str, DateTime<Utc>),
) -> Result<()> {
    sqlx::query!(
        "update access_review_letter set state = $5, next_at = $6
         where org_id = $1 and review_id = $2 and occasion = $3 and user_id = $4",
        letter.org as _,
        letter.review as _,
        letter.occasion,
        letter.user as _,
        state,
        next,
    )
    .execute(conn)
    .await
    .map(drop)
}
