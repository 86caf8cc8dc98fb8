//! Queries on `kept_id`: what providers keep of answers.

use ralex_kernel::ProviderId;
use sqlx::PgConnection;

use crate::keep::Owner;

/// An id out of an answer, and the provider that keeps what it names.
#[derive(Debug)]
pub(crate) struct Named {
    pub id: String,
    pub provider: Option<ProviderId>,
}

/// Those of these ids that stood in answers to calls of exactly this owner.
pub(crate) async fn named(
    conn: &mut PgConnection,
    owner: &Owner,
    ids: &[String],
) -> Result<Vec<Named>, sqlx::Error> {
    sqlx::query_as!(
        Named,
        r#"select distinct k.id, c.provider_id as "provider: ProviderId"
           from kept_id k join call c on c.org_id = k.org_id and c.id = k.call_id
           where k.org_id = $1 and k.id = any ($6)
             and is_owners(c.team_id, c.project_id, c.user_id, c.token_id, $2, $3, $4, $5)"#,
        owner.org as _,
        owner.at.team() as _,
        owner.at.project() as _,
        owner.user as _,
        owner.token as _,
        ids,
    )
    .fetch_all(conn)
    .await
}
