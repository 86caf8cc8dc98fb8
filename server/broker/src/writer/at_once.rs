//! Opening calls by one statement, which is a transaction by itself: one round trip for what would
//! be six.
//!
//! It does everything or nothing. Where every hold of a batch fits as it is, which is how nearly all
//! batches are, it holds, and writes all rows and events; where anything does not, or a period has
//! no row yet, it writes nothing, and the batch is decided step by step.

use std::collections::BTreeMap;

use ralex_audit::EntryColumns;
use ralex_audit::personal::SealedColumns;
use ralex_budgets::{CallColumns, Charge, Hold, HoldOutcome, OpenCall, PeriodKey};
use ralex_kernel::{Money, Problem};
use ralex_store::Dedicated;

use super::entry::{decided, row};
use super::waiting::Waiting;

/// Writes a batch if all of it fits; false where it is not written.
///
/// # Errors
/// Where nobody knows whether it was.
pub(super) async fn open(db: &mut Dedicated, waiting: &Waiting) -> Result<bool, Problem> {
    let all = waiting.opens.iter().map(|asked| &asked.opening);
    let held: Vec<_> = all.map(|opening| held(&opening.hold, opening.refused.is_some())).collect();
    let new = waiting.opens.iter().zip(&held);
    let new: Vec<_> = new.map(|(asked, held)| (&*asked.opening, held.as_ref())).collect();
    let rows: Vec<OpenCall> = new.iter().map(|(opening, held)| row(opening, *held)).collect();
    let entries: Vec<_> = new.iter().map(|(opening, held)| decided(opening, *held)).collect();
    let entries = EntryColumns::of(&entries).map_err(ralex_store::problem)?;
    let written = db.at_once(async |conn| {
        // What is personal of people's own calls; of a team's token there is nothing.
        let sealed = entries.seal(&mut *conn).await?;
        write(conn, &Periods::of(waiting), &CallColumns::of(&rows), &entries, &sealed).await
    });
    written.await.map_err(Problem::from)
}

/// As all of it is held, if it is.
fn held(hold: &Hold, refused: bool) -> Option<HoldOutcome> {
    let periods = hold.charges.iter().map(Charge::held_period).collect();
    (!refused).then_some(HoldOutcome::Held { periods })
}

/// What is held in each period.
#[derive(Default)]
struct Periods {
    org: Vec<uuid::Uuid>,
    budget: Vec<uuid::Uuid>,
    starts_at: Vec<chrono::DateTime<chrono::Utc>>,
    amount: Vec<i64>,
}

impl Periods {
    fn of(waiting: &Waiting) -> Self {
        let mut amounts = BTreeMap::<PeriodKey, Money>::new();
        for hold in waiting.holds() {
            for key in hold.periods() {
                let amount = amounts.entry(key).or_default();
                *amount = amount.saturating_add(hold.amount.max(Money::ZERO));
            }
        }
        let mut periods = Self::default();
        for (key, amount) in amounts {
            periods.org.push(key.org.uuid());
            periods.budget.push(key.budget.uuid());
            periods.starts_at.push(key.starts_at);
            periods.amount.push(amount.as_nanos());
        }
        periods
    }
}

#[expect(clippy::too_many_lines, reason = "one statement, a line for each column")]
async fn write(
    conn: &mut sqlx::PgConnection,
    periods: &Periods,
    calls: &CallColumns<'_>,
    entries: &EntryColumns,
    sealed: &SealedColumns,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with k as (
               select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[])
                   as k (org_id, budget_id, starts_at, amount)),
           -- In the order of their keys, as everywhere. What is read here is the newest there is;
           -- nobody can change it until this ends.
           locked as (
               select p.org_id, p.budget_id, p.starts_at, k.amount,
                   not p.hard or k.amount = 0
                   or p.spent::numeric + p.overrun + p.held + p.leased + k.amount <= p.spend_limit
                       - case when p.increase_until <= now() then p.increase else 0 end as fits
               from k join budget_period p on p.org_id = k.org_id and p.budget_id = k.budget_id
                   and p.starts_at = k.starts_at
               order by p.org_id, p.budget_id, p.starts_at
               for no key update of p),
           decided as (
               select count(*) = cardinality($1::uuid[]) and coalesce(bool_and(fits), true) as ok
               from locked),
           held as (
               update budget_period p set held = p.held + l.amount
               from locked l
               where (select ok from decided) and p.org_id = l.org_id
                 and p.budget_id = l.budget_id and p.starts_at = l.starts_at and l.amount > 0),
           opened as (
               insert into call (org_id, id, node_id, user_id, token_id, team_id, project_id, model,
               model_id, provider_id, provider, upstream_model, dialect, streamed, state, problem,
               input_price, output_price, cache_read_price, cache_write_price, held, budget_ids,
               budget_starts, started_at, settled_at, asked_model, route, task_type, difficulty,
               choice, priority, queued_ms, guardrails, purpose, price_version, tags, run,
               operation)
           select n.org_id, n.id, n.node_id, n.user_id, n.token_id, n.team_id, n.project_id,
               n.model, n.model_id, n.provider_id, n.provider, n.upstream_model, n.dialect,
               n.streamed, case when n.problem is null then 'open' else 'refused' end, n.problem,
               n.input_price, n.output_price, n.cache_read_price, n.cache_write_price, n.held,
               -- An array of arrays would have to be rectangular, so each comes as its text.
               n.budget_ids::uuid[], n.budget_starts::timestamptz[], n.started_at,
               case when n.problem is null then null else n.started_at end, n.asked_model, n.route,
               n.task_type, n.difficulty, n.choice::jsonb, n.priority, n.queued_ms,
               n.guardrails::jsonb, n.purpose, n.price_version, n.tags::text[], n.run,
               n.operation
           from unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[],
               $11::uuid[], $12::text[], $13::uuid[], $14::uuid[], $15::text[], $16::text[],
               $17::text[], $18::bool[], $19::text[], $20::bigint[], $21::bigint[], $22::bigint[],
               $23::bigint[], $24::bigint[], $25::text[], $26::text[], $27::timestamptz[],
               $28::text[], $29::text[], $30::text[], $31::smallint[], $32::text[], $33::text[],
               $34::int[], $35::text[], $36::text[], $47::int[], $48::text[], $54::text[], $55::text[])
               as n (org_id, id, node_id, user_id, token_id, team_id, project_id, model, model_id,
               provider_id, provider, upstream_model, dialect, streamed, problem, input_price,
               output_price, cache_read_price, cache_write_price, held, budget_ids, budget_starts,
               started_at, asked_model, route, task_type, difficulty, choice, priority,
               queued_ms, guardrails, purpose, price_version, tags, run, operation)
           where (select ok from decided)),
           recorded as (
               insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action,
                   outcome, target, call_id, leaf)
               select * from unnest($37::uuid[], $38::uuid[], $39::timestamptz[], $40::text[], $41::uuid[], $42::text[], $43::text[], $44::text[], $45::uuid[], $46::bytea[])
               where (select ok from decided)),
           disclosed as (
               insert into audit_disclosure (org_id, event_id, place, key_id, sealed)
               select * from unnest($49::uuid[], $50::uuid[], $51::smallint[], $52::uuid[], $53::bytea[])
               where (select ok from decided))
           select ok as "ok!" from decided"#,
        &periods.org,
        &periods.budget,
        &periods.starts_at,
        &periods.amount,
        &calls.org,
        &calls.id,
        &calls.node,
        &calls.user as _,
        &calls.token as _,
        &calls.team as _,
        &calls.project as _,
        &calls.model as _,
        &calls.model_id as _,
        &calls.provider_id as _,
        &calls.provider as _,
        &calls.upstream_model as _,
        &calls.dialect as _,
        &calls.streamed,
        &calls.problem as _,
        &calls.input_price,
        &calls.output_price,
        &calls.cache_read_price,
        &calls.cache_write_price,
        &calls.held,
        &calls.budget_ids,
        &calls.budget_starts,
        &calls.started_at,
        &calls.asked as _,
        &calls.route as _,
        &calls.task_type as _,
        &calls.difficulty as _,
        &calls.choice as _,
        &calls.priority as _,
        &calls.queued_ms as _,
        &calls.guardrails as _,
        &calls.purpose as _,
        &entries.org,
        &entries.id,
        &entries.occurred_at,
        &entries.actor_kind as _,
        &entries.actor_id as _,
        &entries.action,
        &entries.outcome as _,
        &entries.target as _,
        &entries.call as _,
        &entries.leaf,
        &calls.price_version as _,
        &calls.tags,
        &sealed.org,
        &sealed.event,
        &sealed.place,
        &sealed.key,
        &sealed.sealed,
        &calls.run as _,
        &calls.operation as _,
    )
    .fetch_one(conn)
    .await
}
