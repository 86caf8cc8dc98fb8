//! What is sent on: records below a signed size, where nothing changes any more, in their order.

use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::export::Row;
use crate::formats::Told;
use crate::personal::revealed;
use crate::service::Audit;

/// Records that follow each other.
#[derive(Clone, Debug)]
pub struct Onward {
    pub told: Vec<Told>,
    /// The index that comes after them.
    pub next: u64,
}

impl Audit {
    /// At most `limit` records from `from` on that are in a signed tree.
    pub async fn onward(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        from: u64,
        limit: u32,
    ) -> Result<Onward, Problem> {
        let rows = sqlx::query_as!(
            Row,
            r#"select l.leaf_index as index, l.event_id as event, l.leaf_hash as hash, e.leaf as "leaf?",
                      coalesce(u.email, t.name, s.name) as actor_name
               from audit_leaf l
               left join audit_event e on e.org_id = l.org_id and e.id = l.event_id
               left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
               left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
               left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
                   and s.id = e.actor_id
               where l.org_id = $1 and l.leaf_index >= $2
                 and l.leaf_index < (select coalesce(max(tree_size), 0) from audit_checkpoint
                                     where org_id = $1)
               order by l.leaf_index limit $3"#,
            org as _,
            i64::try_from(from).unwrap_or(i64::MAX),
            i64::from(limit),
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(problem)?;
        let events: Vec<Uuid> = rows.iter().map(|row| row.event).collect();
        let revealed = revealed(conn, org, &events).await.map_err(problem)?;
        let last = rows.last().and_then(|row| u64::try_from(row.index).ok());
        let next = last.map_or(from, |last| last + 1);
        Ok(Onward { told: rows.iter().filter_map(|row| Told::of(row, &revealed)).collect(), next })
    }

    /// The name of an organisation's log.
    pub fn origin(&self, org: OrgId) -> String {
        self.signer().origin(org)
    }
}
