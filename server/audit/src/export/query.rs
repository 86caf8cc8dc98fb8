//! What an export reads: how many events there are, and a page of them.

use ralex_store::Tenant;
use sqlx::PgConnection;

use super::{PAGE, Row};
use crate::filter::Filter;
use crate::kinds::{columns, kinds, plan_each_time};

/// How many events there are to export; a whole bundle holds changes of keys whatever the filter
/// says, since its reader cannot go on without them.
pub(super) async fn count(
    tenant: &mut Tenant,
    filter: &Filter,
    (from, size): (i64, i64),
    whole: bool,
) -> Result<i64, sqlx::Error> {
    let org = tenant.org();
    let kinds = if filter.is_of_time_only() {
        plan_each_time(tenant).await?;
        None
    } else {
        Some(columns(&kinds(tenant, org, filter).await?))
    };
    let (actions, outcomes) = kinds.unzip();
    let (first, last) = filter.ids();
    sqlx::query_scalar!(
        r#"select (select count(*)
               from audit_event e
               join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
               where e.org_id = $1 and l.leaf_index < $2 and l.leaf_index >= $3
                 and (not $4 or e.action <> 'audit.key_rotated')
                 and ($5::text[] is null
                      or (e.action, e.outcome) in (select * from unnest($5, $6::text[])))
                 and ($7::text is null or e.actor_kind = $7)
                 and ($8::uuid is null or e.actor_id = $8)
                 and ($9::uuid is null or e.call_id = $9)
                 and ($10::text is null or e.target collate "C" = $10)
                 and ($11::text is null or starts_with(e.target, $11))
                 and ($12::timestamptz is null or e.occurred_at >= $12)
                 and ($13::timestamptz is null or e.occurred_at < $13)
                 and ($14::uuid is null or e.id >= $14) and ($15::uuid is null or e.id < $15))
             + (select count(*)
               from audit_event e
               join audit_leaf l on l.org_id = e.org_id and l.event_id = e.id
               where e.org_id = $1 and l.leaf_index < $2 and l.leaf_index >= $3
                 and $4 and e.action = 'audit.key_rotated') as "count!""#,
        org as _,
        size,
        from,
        whole,
        actions.as_deref(),
        outcomes.as_deref(),
        filter.actor_kind,
        filter.actor_id,
        filter.call,
        filter.target,
        filter.target_prefix,
        filter.from,
        filter.to,
        first,
        last,
    )
    .fetch_one(&mut **tenant)
    .await
}

pub(super) async fn rows(
    tenant: &mut Tenant,
    (from, size): (i64, i64),
    filter: &Filter,
    whole: bool,
) -> Result<Vec<Row>, sqlx::Error> {
    let org = tenant.org();
    let conn: &mut PgConnection = tenant;
    sqlx::query_as!(
        Row,
        r#"select l.leaf_index as index, l.event_id as event, l.leaf_hash as hash,
                  coalesce(u.email, t.name, s.name) as actor_name,
                  case when (($4::text is null or e.actor_kind = $4)
                        and ($5::uuid is null or e.actor_id = $5)
                        and ($6::text is null or e.action = $6)
                        and ($7::text is null or starts_with(e.action, $7))
                        and ($8::text is null or e.target = $8)
                        and ($9::text is null or starts_with(e.target, $9))
                        and ($10::text is null or e.outcome = $10)
                        and ($11::timestamptz is null or e.occurred_at >= $11)
                        and ($12::timestamptz is null or e.occurred_at < $12)
                        or ($14 and e.action = 'audit.key_rotated'))
                       then e.leaf end as "leaf?"
           from audit_leaf l
           left join audit_event e on e.org_id = l.org_id and e.id = l.event_id
           left join app_user u on e.actor_kind = 'user' and u.id = e.actor_id
           left join token t on e.actor_kind = 'token' and t.org_id = e.org_id and t.id = e.actor_id
           left join service_account s on e.actor_kind = 'service_account' and s.org_id = e.org_id
               and s.id = e.actor_id
           where l.org_id = $1 and l.leaf_index >= $2 and l.leaf_index < $3
           order by l.leaf_index limit $13"#,
        org as _,
        from,
        size,
        filter.actor_kind,
        filter.actor_id,
        filter.action,
        filter.action_prefix,
        filter.target,
        filter.target_prefix,
        filter.outcome,
        filter.from,
        filter.to,
        PAGE,
        whole,
    )
    .fetch_all(conn)
    .await
}
