//! Reading: pages of the log for people, and how much of it is signed.

use ralex_api::Page;
use ralex_api::audit::{AuditEntry, AuditQuery, Checkpoint};
use ralex_api::page::PageQuery;
use ralex_kernel::{EventId, OrgId, Problem};
use ralex_store::{Db, Tenant, problem};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::filter::{Filter, Words};
use crate::kinds::{columns, kinds, plan_each_time};
use crate::personal::revealed;
use crate::service::Audit;
use crate::tree::Range;

impl Audit {
    /// One page of the organisation's log, the newest events first.
    pub async fn list(
        &self,
        tenant: &mut Tenant,
        query: &AuditQuery,
    ) -> Result<Page<AuditEntry>, Problem> {
        let words = Words {
            actor: query.actor.as_deref(),
            action: query.action.as_deref(),
            target: query.target.as_deref(),
            outcome: query.outcome.as_deref(),
            from: query.from,
            to: query.to,
        };
        let filter = Filter::read(&mut *tenant, words).await?;
        let cursor = read_cursor(query.cursor.as_deref())?;
        let size = PageQuery { cursor: None, limit: query.limit }.size();
        let org = tenant.org();
        let mut items =
            page(&mut *tenant, org, &filter, cursor, size + 1).await.map_err(problem)?;
        let more = i64::try_from(items.len()).is_ok_and(|count| count > size);
        if more {
            items.pop();
        }
        let next_cursor = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, next_cursor })
    }

    /// The newest signed head, and how much is not in it yet. Before the first event of an
    /// organisation is signed there is none.
    pub async fn newest_checkpoint(&self, tenant: &mut Tenant) -> Result<Checkpoint, Problem> {
        let org = tenant.org();
        // An event goes from being written to a place to a signed head. Looked for in this order, one
        // that moves on meanwhile counts twice rather than not at all.
        let unplaced = pending(self.db(), Some(org)).await?;
        let tree = crate::sequencer::stored_tree(tenant, org).await.unwrap_or_default();
        let row = sqlx::query!(
            "select tree_size, root, note, signed_at from audit_checkpoint
             where org_id = $1 order by tree_size desc limit 1",
            org as _
        )
        .fetch_optional(&mut **tenant)
        .await
        .map_err(problem)?;
        let row = row.ok_or_else(|| Problem::not_found("checkpoint"))?;
        let tree_size = u64::try_from(row.tree_size).unwrap_or(0);
        Ok(Checkpoint {
            tree_size,
            root: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, row.root),
            note: row.note,
            signed_at: row.signed_at,
            pending: unplaced + Range::size(&tree).saturating_sub(tree_size),
        })
    }
}

fn read_cursor(text: Option<&str>) -> Result<Option<Uuid>, Problem> {
    text.map(str::parse)
        .transpose()
        .map_err(|_| Problem::field("cursor", "is not a `next_cursor` of an earlier page"))
}

async fn page(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let (first, last) = filter.ids();
    let span = (first, last.into_iter().chain(before).min());
    let ids = if filter.is_of_time_only() {
        newest(&mut *conn, org, filter, span, limit).await?
    } else {
        newest_of_kinds(&mut *conn, org, filter, span, limit).await?
    };
    let rows = sqlx::query!(
        r#"select e.id as "id: EventId", l.leaf_index as "leaf_index?", e.occurred_at,
                  e.actor_kind, e.actor_id, e.action, e.outcome, e.target, e.leaf,
                  coalesce(u.email, t.name, s.name) as actor_name
           from audit_event e
           left join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
               and s.id = e.actor_id
           where e.org_id = $1 and e.id = any($2)
           order by e.id desc"#,
        org as _,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let revealed = revealed(conn, org, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| AuditEntry {
            id: row.id,
            index: row.leaf_index.and_then(|index| u64::try_from(index).ok()),
            occurred_at: row.occurred_at,
            actor: written_actor(&row.actor_kind, row.actor_id),
            actor_name: actor_name(&row.actor_kind, row.actor_id, row.actor_name),
            action: row.action,
            outcome: row.outcome,
            target: row.target,
            record: revealed
                .record(row.id.uuid(), &row.leaf)
                .unwrap_or_else(|| unreadable(&row.leaf)),
        })
        .collect())
}

/// The newest events of a span of ids, which bounds their times already. Bare comparisons of the
/// times would be a second narrowing to the planner, which then reads the whole span to sort it.
async fn newest(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    (first, before): (Option<Uuid>, Option<Uuid>),
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    plan_each_time(conn).await?;
    sqlx::query_scalar!(
        "select id from audit_event
         where org_id = $1
           and ($2::uuid is null or id >= $2) and ($3::uuid is null or id < $3)
           and coalesce(occurred_at >= $4, true) and coalesce(occurred_at < $5, true)
         order by id desc limit $6",
        org as _,
        first,
        before,
        filter.from,
        filter.to,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The newest of each kind that the filter can meet, and of these the newest. Where both an actor
/// and a target are named, the planner may know which of them is the rarer.
async fn newest_of_kinds(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    (first, before): (Option<Uuid>, Option<Uuid>),
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let (actions, outcomes) = columns(&kinds(&mut *conn, org, filter).await?);
    let (target_from, target_to) = filter.targets().unzip();
    sqlx::query_scalar!(
        r#"select found.id from unnest($2::text[], $3::text[]) as k (action, outcome)
           cross join unnest(array[$9::uuid], array[$11::text]) as a (actor_id, target)
           cross join lateral (
               select e.id from audit_event e
               where e.org_id = $1 and e.action = k.action and e.outcome = k.outcome
                 and ($4::uuid is null or e.id >= $4) and ($5::uuid is null or e.id < $5)
                 and coalesce(e.occurred_at >= $6, true) and coalesce(e.occurred_at < $7, true)
                 and ($8::text is null or e.actor_kind = $8)
                 and ($8 is null or $9::uuid is null and e.actor_id is null
                      or $9 is not null and $11 is null and e.actor_id = a.actor_id
                      or $9 is not null and $11 is not null and e.actor_id = $9)
                 and ($10::uuid is null or e.call_id = $10)
                 and ($11 is null or $8 is null and e.target collate "C" = a.target
                      or $8 is not null and e.target collate "C" = $11)
                 and ($12::text is null or e.target collate "C" >= $12)
                 and ($13::text is null or e.target collate "C" < $13)
                 and ($10 is not null or $11 is null and $12 is null
                      or e.target not like 'call:%')
                 and coalesce(starts_with(e.target, $14), $14 is null)
               order by case when $8 = 'system' then e.actor_id end desc, e.id desc
               limit $15) as found
           order by found.id desc limit $15"#,
        org as _,
        &actions,
        &outcomes,
        first,
        before,
        filter.from,
        filter.to,
        filter.actor_kind,
        filter.actor_id,
        filter.call,
        filter.target,
        target_from,
        target_to,
        filter.target_prefix,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A leaf that was altered need not be JSON any more; it is shown as it is.
fn unreadable(leaf: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(leaf).into_owned())
}

pub(crate) fn written_actor(kind: &str, id: Option<Uuid>) -> String {
    id.map_or_else(|| kind.to_owned(), |id| format!("{kind}:{id}"))
}

/// The actor in words, or its id where it is no longer among the org's people and tokens.
pub(crate) fn actor_name(kind: &str, id: Option<Uuid>, name: Option<String>) -> String {
    match (name, kind) {
        (Some(name), _) => name,
        (None, "system") => "Ralex".to_owned(),
        (None, "directory") => "Directory (SCIM)".to_owned(),
        (None, _) => written_actor(kind, id),
    }
}

/// Events without a place, of one organisation or of all; counting stops at 10,000.
pub(crate) async fn pending(db: &Db, org: Option<OrgId>) -> Result<u64, ralex_store::Error> {
    let mut tx = db.system("count audit events that are not sequenced").await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (
               select from audit_event e
               where e.xid >= coalesce((select xid from audit_cursor), '0')
                 and ($1::uuid is null or e.org_id = $1)
                 and not exists (select from audit_leaf l
                                 where l.org_id = e.org_id and l.event_id = e.id)
               limit 10000) as unplaced"#,
        org as _
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The first transaction that has not begun yet: whatever has committed lies below.
pub(crate) async fn newest_transaction(db: &Db) -> Result<i64, ralex_store::Error> {
    let mut tx = db.system("tell where the audit log stands").await?;
    let xid = sqlx::query_scalar!(
        r#"select pg_snapshot_xmax(pg_current_snapshot())::text::bigint as "xid!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(xid)
}

/// The size of the organisation's tree, if every event from before that transaction is in it.
pub(crate) async fn size_with_all_before(
    db: &Db,
    org: OrgId,
    until: i64,
) -> Result<Option<i64>, ralex_store::Error> {
    let mut tx = db.system("tell whether audit events have their places").await?;
    let size = sqlx::query_scalar!(
        r#"select coalesce((select size from audit_tree where org_id = $1), 0) as "size!"
           where not exists (
               select from audit_event e
               where e.org_id = $1 and e.xid < $2::bigint::text::xid8
                 and e.xid >= coalesce((select xid from audit_cursor), '0')
                 and not exists (select from audit_leaf l
                                 where l.org_id = e.org_id and l.event_id = e.id))"#,
        org as _,
        until,
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(size)
}

/// The size of the organisation's newest signed tree.
pub(crate) async fn signed_size(db: &Db, org: OrgId) -> Result<i64, ralex_store::Error> {
    let mut tx = db.system("tell how far an audit log is signed").await?;
    let size = sqlx::query_scalar!(
        r#"select coalesce(max(tree_size), 0) as "size!" from audit_checkpoint where org_id = $1"#,
        org as _
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    Ok(size)
}
