//! The broker's own queries: health and circuits.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How the tries of one provider went.
pub(crate) struct ProviderRow {
    pub slug: String,
    pub enabled: bool,
    pub tries: i64,
    pub failed: i64,
    /// Ids of the provider, its models and its keys.
    pub parts: Vec<String>,
}

/// A call that was answered at once has no rows of tries, and counts as one.
pub(crate) async fn provider_health(
    conn: &mut PgConnection,
    org: OrgId,
    minutes: i32,
) -> Result<Vec<ProviderRow>> {
    sqlx::query_as!(
        ProviderRow,
        r#"with tries as (
               select a.provider, a.outcome not in ('success', 'canceled') as failed
               from call_attempt a
               where a.org_id = $1 and a.started_at > now() - make_interval(mins => $2)
                 -- Who was passed over for want of money was not tried.
                 and a.outcome <> 'budget_exhausted'
               union all
               select c.provider, false
               from call c
               where c.org_id = $1 and c.started_at > now() - make_interval(mins => $2)
                 and c.attempts = 1 and c.state = 'success')
           select p.slug, p.enabled,
               (select count(*) from tries t where t.provider = p.slug) as "tries!",
               (select count(*) from tries t where t.provider = p.slug and t.failed) as "failed!",
               array(select p.id::text
                     union all
                     select m.id::text from model m where m.org_id = $1 and m.provider_id = p.id
                     union all
                     select s.id::text from secret s where s.org_id = $1 and s.provider_id = p.id)
                   as "parts!"
           from provider p
           where p.org_id = $1
           order by p.slug"#,
        org as _,
        minutes,
    )
    .fetch_all(conn)
    .await
}

/// How the calls of one model went.
pub(crate) struct ModelRow {
    pub model: String,
    pub provider: String,
    pub calls: i64,
    pub failed: i64,
    pub rescued: i64,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

pub(crate) async fn model_health(
    conn: &mut PgConnection,
    org: OrgId,
    minutes: i32,
) -> Result<Vec<ModelRow>> {
    sqlx::query_as!(
        ModelRow,
        r#"select c.model, c.provider, count(*) as "calls!",
               count(*) filter (where c.state in ('error', 'lost')) as "failed!",
               count(*) filter (where c.state = 'success' and c.attempts > 1) as "rescued!",
               percentile_cont(0.5) within group (order by c.first_byte_ms) as p50,
               percentile_cont(0.95) within group (order by c.first_byte_ms) as p95
           from call c
           where c.org_id = $1 and c.started_at > now() - make_interval(mins => $2)
             and c.state not in ('open', 'refused') and c.cached is null
           group by c.model, c.provider
           order by count(*) desc, c.model
           limit 200"#,
        org as _,
        minutes,
    )
    .fetch_all(conn)
    .await
}

/// A circuit that is not closed.
pub(crate) struct CircuitRow {
    pub kind: String,
    pub part_id: Uuid,
    pub name: String,
    pub waiting: bool,
    pub until: DateTime<Utc>,
    pub openings: i32,
    pub reason: String,
}

pub(crate) async fn circuits(conn: &mut PgConnection, org: OrgId) -> Result<Vec<CircuitRow>> {
    sqlx::query_as!(
        CircuitRow,
        r#"select c.kind, c.part_id, coalesce(p.slug, m.name, s.name) as "name!",
               c.until > now() as "waiting!", c.until, c.openings, c.reason
           from circuit c
           left join provider p on c.kind = 'provider' and p.org_id = $1 and p.id = c.part_id
           left join model m on c.kind = 'model' and m.org_id = $1 and m.id = c.part_id
           left join secret s on c.kind = 'key' and s.org_id = $1 and s.id = c.part_id
           where c.org_id = $1 and c.state = 'open'
             -- What it guarded may have been deleted meanwhile.
             and coalesce(p.slug, m.name, s.name) is not null
           order by c.until desc"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}
