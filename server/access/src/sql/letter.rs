//! The queries of letters about reviews of access and about requests for access.

use chrono::{DateTime, Utc};
use ralex_kernel::{Email, Name, OrgId, Slug, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::letter::Occasion;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// Has these people be told; who is told of it already is not told again.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    (id, occasion): (Uuid, Occasion),
    people: &[Uuid],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into access_letter (org_id, about, about_id, occasion, user_id, state, next_at)
         select $1, $2, $3, $4, who, 'waiting', $6 from unnest($5::uuid[]) as who
         on conflict do nothing",
        org as _,
        occasion.about(),
        id,
        occasion.as_str(),
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
    /// Of the review or the request.
    pub id: Uuid,
    pub occasion: String,
    pub user: UserId,
    pub to: Email,
    pub tries: i32,
}

/// Takes letters that are due, and keeps them from others until `again`: whoever dies with one leaves it
/// to the next. Those to people who are no members any more are taken out; those of an organisation that is
/// closed wait until it is opened again.
pub(crate) async fn take(
    conn: &mut PgConnection,
    (now, again): (DateTime<Utc>, DateTime<Utc>),
    at_most: i64,
) -> Result<Vec<Letter>> {
    sqlx::query!(
        "update access_letter l set state = 'failed'
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
               select l.org_id, l.about_id, l.occasion, l.user_id from access_letter l
               join org o on o.id = l.org_id and not o.is_closed
               where l.state = 'waiting' and l.next_at <= $1
               order by l.next_at limit $3 for update of l skip locked)
           update access_letter l set next_at = $2, tries = l.tries + 1
           from due d
           join org o on o.id = d.org_id
           join app_user u on u.id = d.user_id
           where l.org_id = d.org_id and l.about_id = d.about_id and l.occasion = d.occasion
             and l.user_id = d.user_id
           returning l.org_id as "org: OrgId", o.name as "org_name: Name", o.slug as "org_slug: Slug",
               l.about_id as id, l.occasion, l.user_id as "user: UserId", u.email as "to: Email",
               l.tries"#,
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
        "update access_letter set state = $5, next_at = $6
         where org_id = $1 and about_id = $2 and occasion = $3 and user_id = $4",
        letter.org as _,
        letter.id,
        letter.occasion,
        letter.user as _,
        state,
        next,
    )
    .execute(conn)
    .await
    .map(drop)
}
