//! The queries of letters about changes.

use chrono::{DateTime, Utc};
use ralex_kernel::{ChangeRequestId, OrgId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::letter::pause;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A change that is to be told of.
pub(crate) struct Due {
    pub org: OrgId,
    pub org_slug: String,
    pub org_name: String,
    pub id: ChangeRequestId,
    pub until: DateTime<Utc>,
    pub tries: i16,
}

/// Takes some that are due, so that no other process tells of them for a while. Those of an organisation
/// that is closed wait.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    at_most: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Due>> {
    let due = sqlx::query_as!(
        Due,
        r#"update change_request c set tell_tries = c.tell_tries + 1
           from (select w.org_id, w.id from change_request w
                 join org a on a.id = w.org_id and not a.is_closed
                 where w.tell_after <= $1 and w.state = 'pending' and w.pending_until > $1
                 order by w.tell_after limit $2 for update of w skip locked) due, org o
           where c.org_id = due.org_id and c.id = due.id and o.id = c.org_id
           returning c.org_id as "org: OrgId", o.slug as org_slug, o.name as org_name,
               c.id as "id: ChangeRequestId", c.pending_until as until, c.tell_tries as tries"#,
        now,
        at_most,
    )
    .fetch_all(&mut *conn)
    .await?;
    for one in &due {
        sqlx::query!(
            "update change_request set tell_after = $3 where org_id = $1 and id = $2",
            one.org as _,
            one.id as _,
            now + pause(one.tries),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(due)
}

/// Nobody has to be told of it any more.
pub(crate) async fn told(conn: &mut PgConnection, org: OrgId, id: ChangeRequestId) -> Result<()> {
    sqlx::query!(
        "update change_request set tell_after = null where org_id = $1 and id = $2",
        org as _,
        id as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The addresses of people who can still log in.
pub(crate) async fn addresses(
    conn: &mut PgConnection,
    people: &[UserId],
) -> Result<Vec<(UserId, String)>> {
    let people: Vec<Uuid> = people.iter().map(|user| user.uuid()).collect();
    let rows = sqlx::query!(
        r#"select id as "id: UserId", email from app_user
           where id = any($1) and disabled_at is null"#,
        &people,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.email)).collect())
}
