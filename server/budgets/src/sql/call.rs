//! Queries on `call` that write: the broker's batches, one statement each.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, Money, NodeId, OrgId, SecretId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::call::OpenCall;
use crate::columns::CallColumns;
use crate::hold::Extension;
use crate::settle::{Answerer, Told};

/// A call's row as a settlement needs it, locked.
#[derive(Debug)]
pub(crate) struct Locked {
    pub org: OrgId,
    pub id: CallId,
    pub state: String,
    pub held: Money,
    pub cost: Money,
    pub budget_ids: Vec<Uuid>,
    pub budget_starts: Vec<DateTime<Utc>>,
    /// On each of them, where that is not `held` or `cost` on all.
    pub budget_held: Option<Vec<i64>>,
    pub budget_costs: Option<Vec<i64>>,
    pub age_ms: i64,
}

/// What a call's row becomes.
#[derive(Debug)]
pub(crate) struct Closing<'a> {
    pub org: OrgId,
    pub id: CallId,
    pub state: &'static str,
    pub problem: Option<&'static str>,
    pub cost: Money,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cache_read_tokens: i64,
    pub cache_write_tokens: i64,
    pub estimated: bool,
    pub first_byte_ms: Option<i32>,
    pub duration_ms: Option<i32>,
    pub reasoning_tokens: i64,
    pub tries: i32,
    /// Nothing of a call that nobody could settle.
    pub told: Option<&'a Told>,
}

impl<'a> Closing<'a> {
    fn answered(&self) -> Option<&'a Answerer> {
        self.told?.answered.as_deref()
    }
}

#[expect(clippy::too_many_lines, reason = "one statement, a line for each column")]
pub(crate) async fn insert(conn: &mut PgConnection, calls: &[OpenCall]) -> Result<(), sqlx::Error> {
    let opened = CallColumns::of(calls);
    sqlx::query!(
        r#"insert into call (org_id, id, node_id, user_id, token_id, team_id, project_id, model,
               model_id, provider_id, provider, upstream_model, dialect, streamed, state, problem,
               input_price, output_price, cache_read_price, cache_write_price, held, budget_ids,
               budget_starts, started_at, settled_at, asked_model, route, task_type, difficulty,
               choice, priority, queued_ms, guardrails, purpose, price_version, tags, run,
               operation)
           select k.org_id, k.id, k.node_id, k.user_id, k.token_id, k.team_id, k.project_id,
               k.model, k.model_id, k.provider_id, k.provider, k.upstream_model, k.dialect,
               k.streamed, case when k.problem is null then 'open' else 'refused' end, k.problem,
               k.input_price, k.output_price, k.cache_read_price, k.cache_write_price, k.held,
               -- An array of arrays would have to be rectangular, so each comes as its text.
               k.budget_ids::uuid[], k.budget_starts::timestamptz[], k.started_at,
               case when k.problem is null then null else k.started_at end, k.asked_model, k.route,
               k.task_type, k.difficulty, k.choice::jsonb, k.priority, k.queued_ms,
               k.guardrails::jsonb, k.purpose, k.price_version, k.tags::text[], k.run,
               k.operation
           from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
               $7::uuid[], $8::text[], $9::uuid[], $10::uuid[], $11::text[], $12::text[],
               $13::text[], $14::bool[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[],
               $19::bigint[], $20::bigint[], $21::text[], $22::text[], $23::timestamptz[],
               $24::text[], $25::text[], $26::text[], $27::smallint[], $28::text[], $29::text[],
               $30::int[], $31::text[], $32::text[], $33::int[], $34::text[], $35::text[],
               $36::text[])
               as k (org_id, id, node_id, user_id, token_id, team_id, project_id, model, model_id,
               provider_id, provider, upstream_model, dialect, streamed, problem, input_price,
               output_price, cache_read_price, cache_write_price, held, budget_ids, budget_starts,
               started_at, asked_model, route, task_type, difficulty, choice, priority,
               queued_ms, guardrails, purpose, price_version, tags, run, operation)"#,
        &opened.org,
        &opened.id,
        &opened.node,
        &opened.user as _,
        &opened.token as _,
        &opened.team as _,
        &opened.project as _,
        &opened.model as _,
        &opened.model_id as _,
        &opened.provider_id as _,
        &opened.provider as _,
        &opened.upstream_model as _,
        &opened.dialect as _,
        &opened.streamed,
        &opened.problem as _,
        &opened.input_price,
        &opened.output_price,
        &opened.cache_read_price,
        &opened.cache_write_price,
        &opened.held,
        &opened.budget_ids,
        &opened.budget_starts,
        &opened.started_at,
        &opened.asked as _,
        &opened.route as _,
        &opened.task_type as _,
        &opened.difficulty as _,
        &opened.choice as _,
        &opened.priority as _,
        &opened.queued_ms as _,
        &opened.guardrails as _,
        &opened.purpose as _,
        &opened.price_version as _,
        &opened.tags,
        &opened.run as _,
        &opened.operation as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn recorded(
    conn: &mut PgConnection,
    calls: &[(OrgId, CallId)],
) -> Result<HashSet<(OrgId, CallId)>, sqlx::Error> {
    let (orgs, ids): (Vec<Uuid>, Vec<Uuid>) =
        calls.iter().map(|(org, call)| (org.uuid(), call.uuid())).unzip();
    let rows = sqlx::query!(
        r#"select c.org_id as "org: OrgId", c.id as "id: CallId"
           from unnest($1::uuid[], $2::uuid[]) as k (org_id, id)
           join call c on c.org_id = k.org_id and c.id = k.id"#,
        &orgs,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

/// Locks calls in the order of their ids, whatever the order asked for.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    orgs: &[Uuid],
    ids: &[Uuid],
) -> Result<Vec<Locked>, sqlx::Error> {
    sqlx::query_as!(
        Locked,
        r#"select c.org_id as "org: OrgId", c.id as "id: CallId", c.state, c.held as "held: Money",
               c.cost as "cost: Money", c.budget_ids, c.budget_starts,
               c.budget_held, c.budget_costs,
               (extract(epoch from now() - c.started_at) * 1000)::bigint as "age_ms!"
           from (select distinct * from unnest($1::uuid[], $2::uuid[])) as k (org_id, id)
           join call c on c.org_id = k.org_id and c.id = k.id
           order by c.org_id, c.id
           for update of c"#,
        orgs,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Locks open calls whose node went silent, or that run longer than any call may, but for batches;
/// calls that someone else settles at this moment are left to them.
pub(crate) async fn lock_lost(
    conn: &mut PgConnection,
    silent_seconds: f64,
    longest_seconds: f64,
    at_most: i64,
) -> Result<Vec<Locked>, sqlx::Error> {
    sqlx::query_as!(
        Locked,
        r#"select c.org_id as "org: OrgId", c.id as "id: CallId", c.state, c.held as "held: Money",
               c.cost as "cost: Money", c.budget_ids, c.budget_starts,
               c.budget_held, c.budget_costs,
               (extract(epoch from now() - c.started_at) * 1000)::bigint as "age_ms!"
           from call c
           where c.state = 'open'
             -- A batch lives for days, on no node; who looks after batches closes its call.
             and not exists (
               select from batch b
               where b.org_id = c.org_id and b.id = c.id and b.settled_at is null)
             and (c.started_at < now() - make_interval(secs => $2)
               -- The age also covers a node whose first heartbeat is still on its way.
               or (c.started_at < now() - make_interval(secs => $1)
                 and not exists (
                   select from node n
                   where n.id = c.node_id and n.seen_at > now() - make_interval(secs => $1))))
           order by c.org_id, c.id
           limit $3
           for update of c skip locked"#,
        silent_seconds,
        longest_seconds,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// Adds to what calls hold; each has been found open under its lock.
pub(crate) async fn extend(
    conn: &mut PgConnection,
    extensions: &[&Extension],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update call c set held = c.held + k.amount
         from (select org_id, id, sum(amount)::bigint as amount
               from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as k (org_id, id, amount)
               group by org_id, id) as k
         where c.org_id = k.org_id and c.id = k.id",
        &extensions.iter().map(|it| it.org.uuid()).collect::<Vec<_>>(),
        &extensions.iter().map(|it| it.call.uuid()).collect::<Vec<_>>(),
        &extensions.iter().map(|it| it.amount.max(Money::ZERO).as_nanos()).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes those calls that are in one of these states, and returns them as they were held. Where
/// another model answered than the one that a call was opened for, its names and prices take the
/// place of the first one's.
#[expect(clippy::too_many_lines, reason = "one statement, a line for each column")]
pub(crate) async fn close(
    conn: &mut PgConnection,
    closings: &[Closing<'_>],
    while_in: &[&str],
) -> Result<Vec<Locked>, sqlx::Error> {
    let column = |value: fn(&Closing<'_>) -> i64| closings.iter().map(value).collect::<Vec<_>>();
    let price = |value: fn(&Answerer) -> i64| {
        closings.iter().map(|call| call.answered().map(value)).collect::<Vec<_>>()
    };
    let told = || closings.iter().map(|call| call.told);
    let cached = || closings.iter().map(|call| call.told?.cached);
    let answered = || closings.iter().map(Closing::answered);
    sqlx::query_as!(
        Locked,
        r#"update call c
           set state = k.state, problem = k.problem, cost = k.cost, input_tokens = k.input_tokens,
               output_tokens = k.output_tokens, cache_read_tokens = k.cache_read_tokens,
               cache_write_tokens = k.cache_write_tokens, estimated = k.estimated,
               first_byte_ms = k.first_byte_ms, duration_ms = k.duration_ms, settled_at = now(),
               model = coalesce(k.model, c.model), model_id = coalesce(k.model_id, c.model_id),
               provider_id = coalesce(k.provider_id, c.provider_id),
               provider = coalesce(k.provider, c.provider),
               upstream_model = coalesce(k.upstream_model, c.upstream_model),
               input_price = coalesce(k.input_price, c.input_price),
               output_price = coalesce(k.output_price, c.output_price),
               cache_read_price = coalesce(k.cache_read_price, c.cache_read_price),
               cache_write_price = coalesce(k.cache_write_price, c.cache_write_price),
               secret_id = k.secret_id, attempts = k.attempts,
               reasoning_tokens = k.reasoning_tokens,
               guardrails = coalesce(k.guardrails::jsonb, c.guardrails),
               cached = k.cached, cost_saved = coalesce(k.cost_saved, 0),
               cached_from = k.cached_from, similarity = k.similarity,
               price_version = coalesce(k.price_version, c.price_version)
           from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
               $7::bigint[], $8::bigint[], $9::bigint[], $10::bool[], $11::int[], $12::int[],
               $13::text[], $14::uuid[], $15::uuid[], $16::text[], $17::text[], $18::bigint[],
               $19::bigint[], $20::bigint[], $21::bigint[], $22::uuid[], $23::int[], $24::bigint[],
               $25::text[], $26::text[], $27::bigint[], $28::uuid[], $29::real[], $31::int[])
               as k (org_id, id, state, problem, cost, input_tokens, output_tokens,
               cache_read_tokens, cache_write_tokens, estimated, first_byte_ms, duration_ms, model,
               model_id, provider_id, provider, upstream_model, input_price, output_price,
               cache_read_price, cache_write_price, secret_id, attempts, reasoning_tokens,
               guardrails, cached, cost_saved, cached_from, similarity, price_version)
           where c.org_id = k.org_id and c.id = k.id and c.state = any ($30::text[])
           returning c.org_id as "org: OrgId", c.id as "id: CallId", 'open' as "state!",
               c.held as "held: Money", c.cost as "cost: Money", c.budget_ids, c.budget_starts,
               c.budget_held, c.budget_costs,
               (extract(epoch from now() - c.started_at) * 1000)::bigint as "age_ms!""#,
        &closings.iter().map(|call| call.org.uuid()).collect::<Vec<_>>(),
        &closings.iter().map(|call| call.id.uuid()).collect::<Vec<_>>(),
        &closings.iter().map(|call| call.state).collect::<Vec<_>>() as _,
        &closings.iter().map(|call| call.problem).collect::<Vec<_>>() as _,
        &column(|call| call.cost.as_nanos()),
        &column(|call| call.input_tokens),
        &column(|call| call.output_tokens),
        &column(|call| call.cache_read_tokens),
        &column(|call| call.cache_write_tokens),
        &closings.iter().map(|call| call.estimated).collect::<Vec<_>>(),
        &closings.iter().map(|call| call.first_byte_ms).collect::<Vec<_>>() as _,
        &closings.iter().map(|call| call.duration_ms).collect::<Vec<_>>() as _,
        &answered().map(|it| it.map(|it| it.model.as_str())).collect::<Vec<_>>() as _,
        &answered().map(|it| it.map(|it| it.model_id.uuid())).collect::<Vec<_>>() as _,
        &answered().map(|it| it.map(|it| it.provider_id.uuid())).collect::<Vec<_>>() as _,
        &answered().map(|it| it.map(|it| it.provider.as_str())).collect::<Vec<_>>() as _,
        &answered().map(|it| it.map(|it| it.upstream_model.as_str())).collect::<Vec<_>>() as _,
        &price(|it| it.prices.input.as_nanos_per_million()) as _,
        &price(|it| it.prices.output.as_nanos_per_million()) as _,
        &price(|it| it.prices.cache_read.as_nanos_per_million()) as _,
        &price(|it| it.prices.cache_write.as_nanos_per_million()) as _,
        &told().map(|it| it?.secret.map(SecretId::uuid)).collect::<Vec<Option<Uuid>>>() as _,
        &closings.iter().map(|call| call.tries).collect::<Vec<_>>(),
        &column(|call| call.reasoning_tokens),
        &told().map(|it| it?.guardrails.as_deref()).collect::<Vec<_>>() as _,
        &cached().map(|it| it.map(|it| it.kind)).collect::<Vec<_>>() as _,
        &cached().map(|it| it.map(|it| it.saved.as_nanos())).collect::<Vec<_>>() as _,
        &cached().map(|it| it.map(|it| it.from.uuid())).collect::<Vec<_>>() as _,
        &cached().map(|it| it?.similarity).collect::<Vec<_>>() as _,
        while_in as _,
        &answered().map(|it| it?.prices.version()).collect::<Vec<_>>() as _,
    )
    .fetch_all(conn)
    .await
}

/// Says that a node is alive, and forgets nodes that have been silent for a day.
pub(crate) async fn heartbeat(
    conn: &mut PgConnection,
    node: NodeId,
    longest_break: f64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into node (id) values ($1)
         on conflict (id) do update set seen_at = now()",
        node as _,
    )
    .execute(&mut *conn)
    .await?;
    // Those that say so at the same time wait for one another, each for one short transaction.
    sqlx::query!(
        "update pulse set last_at = now(),
             since = case when last_at < now() - make_interval(secs => $1) then now() else since end",
        longest_break,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from node where id in (
             select id from node where seen_at < now() - interval '1 day' for update skip locked)"
    )
    .execute(conn)
    .await?;
    Ok(())
}
