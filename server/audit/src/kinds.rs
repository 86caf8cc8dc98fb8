//! Kinds: which actions and outcomes a filter can meet at all, as a few hundred jumps in an index.
//!
//! A search then reads the newest of each kind where they lie in order, so that its cost depends on
//! how many it shows and never on how many there are: a rare action among millions, a pair that
//! never meets and a page deep in the past are as near as the newest events.

use ralex_kernel::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::filter::Filter;

/// An action with an outcome, of which there are events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub action: String,
    pub outcome: String,
}

/// The kinds among which all events are that the filter lets through.
pub(crate) async fn kinds(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
) -> Result<Vec<Kind>, sqlx::Error> {
    plan_each_time(conn).await?;
    let mut kinds = if filter.call.is_some() {
        of_call(conn, org, filter).await?
    } else if let Some(kind) = filter.actor_kind {
        if is_another(conn, org, kind, filter.actor_id).await? {
            return Ok(Vec::new());
        }
        of_actor(conn, org, filter).await?
    } else if filter.target.is_some() {
        of_target(conn, org, filter).await?
    } else {
        of_org(conn, org).await?
    };
    kinds.retain(|kind| {
        filter.action.as_ref().is_none_or(|action| kind.action == *action)
            && filter.action_prefix.as_ref().is_none_or(|it| kind.action.starts_with(it))
            && filter.outcome.is_none_or(|outcome| kind.outcome == outcome)
    });
    if filter.target_prefix.is_some() {
        return with_targets(conn, org, filter, kinds).await;
    }
    if filter.actor_kind.is_some() && filter.target.is_some() && filter.call.is_none() {
        let met = of_target(conn, org, filter).await?;
        kinds.retain(|kind| met.contains(kind));
    }
    Ok(kinds)
}

/// A plan that fits every filter would fit none of them.
pub(crate) async fn plan_each_time(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(conn)
        .await?;
    Ok(())
}

pub(crate) fn columns(kinds: &[Kind]) -> (Vec<String>, Vec<String>) {
    kinds.iter().map(|kind| (kind.action.clone(), kind.outcome.clone())).unzip()
}

async fn of_org(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        r#"with recursive kind as (
               (select action, outcome from audit_event where org_id = $1
                order by action, outcome limit 1)
               union all
               select next.action, next.outcome from kind k cross join lateral (
                   select e.action, e.outcome from audit_event e
                   where e.org_id = $1 and (e.action, e.outcome) > (k.action, k.outcome)
                   order by e.action, e.outcome limit 1) as next)
           select action as "action!", outcome as "outcome!" from kind"#,
        org as _
    )
    .fetch_all(conn)
    .await
}

/// Whether the id is that of an actor of another kind. It is one and the same in all its events, so
/// without this a search would look for the other kind among them all.
async fn is_another(
    conn: &mut PgConnection,
    org: OrgId,
    kind: &str,
    id: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    let seen = sqlx::query_scalar!(
        "select e.actor_kind from unnest(array[$2::uuid]) as a (id) cross join lateral (
             select actor_kind from audit_event
             where org_id = $1 and actor_id = a.id order by action, outcome, id limit 1) as e",
        org as _,
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(seen.is_some_and(|seen| seen != kind))
}

/// What the system does has no actor's id. That one is missing leaves it in the order, as far as
/// the planner knows, so there the order has to name it.
///
/// The actor comes from an array, as the target below: told that nearly all events are of one actor,
/// the planner looks for them among those of all, and reads all to find the last.
async fn of_actor(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        r#"with recursive kind as (
               (select first.action, first.outcome from unnest(array[$2::uuid]) as a (id)
                cross join lateral (
                   select e.action, e.outcome from audit_event e
                   where e.org_id = $1
                     and ($2 is null and e.actor_id is null or $2 is not null and e.actor_id = a.id)
                   order by case when $2 is null then e.actor_id end, e.action, e.outcome
                   limit 1) as first)
               union all
               select next.action, next.outcome
               from kind k cross join unnest(array[$2]) as a (id)
               cross join lateral (
                   select e.action, e.outcome from audit_event e
                   where e.org_id = $1
                     and ($2 is null and e.actor_id is null or $2 is not null and e.actor_id = a.id)
                     and (e.action, e.outcome) > (k.action, k.outcome)
                   order by case when $2 is null then e.actor_id end, e.action, e.outcome
                   limit 1) as next)
           select action as "action!", outcome as "outcome!" from kind"#,
        org as _,
        filter.actor_id,
    )
    .fetch_all(conn)
    .await
}

async fn of_target(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        r#"with recursive kind as (
               (select first.action, first.outcome from unnest(array[$2::text]) as t (target)
                cross join lateral (
                   select e.action, e.outcome from audit_event e
                   where e.org_id = $1 and e.target collate "C" = t.target
                     and e.target not like 'call:%'
                   order by e.action, e.outcome limit 1) as first)
               union all
               select next.action, next.outcome
               from kind k cross join unnest(array[$2]) as t (target)
               cross join lateral (
                   select e.action, e.outcome from audit_event e
                   where e.org_id = $1 and e.target collate "C" = t.target
                     and e.target not like 'call:%'
                     and (e.action, e.outcome) > (k.action, k.outcome)
                   order by e.action, e.outcome limit 1) as next)
           select action as "action!", outcome as "outcome!" from kind"#,
        org as _,
        filter.target,
    )
    .fetch_all(conn)
    .await
}

/// A call has a few events.
async fn of_call(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
) -> Result<Vec<Kind>, sqlx::Error> {
    sqlx::query_as!(
        Kind,
        "select distinct action, outcome from audit_event where org_id = $1 and call_id = $2",
        org as _,
        filter.call,
    )
    .fetch_all(conn)
    .await
}

/// Those of the kinds whose targets can begin as asked. What an action is done to is always of one
/// kind, and the first and the newest event tell which; denials and preferences name a scope, which
/// is an organisation, a team or a project.
async fn with_targets(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter,
    kinds: Vec<Kind>,
) -> Result<Vec<Kind>, sqlx::Error> {
    let subject = filter.target_prefix.as_ref().and_then(|prefix| prefix.split_once(':'));
    let subject = subject.map_or("", |(subject, _)| subject);
    let (actions, outcomes) = columns(&kinds);
    sqlx::query_as!(
        Kind,
        r#"select k.action as "action!", k.outcome as "outcome!"
           from unnest($2::text[], $3::text[]) as k (action, outcome)
           cross join lateral (
               (select e.target from audit_event e
                where e.org_id = $1 and e.action = k.action and e.outcome = k.outcome
                order by e.id desc limit 1)
               union all
               (select e.target from audit_event e
                where e.org_id = $1 and e.action = k.action and e.outcome = k.outcome
                order by e.id limit 1)) as seen
           group by k.action, k.outcome
           having bool_or(split_part(seen.target, ':', 1) = $4)
               or $4 in ('team', 'project')
                   and bool_or(split_part(seen.target, ':', 1) in ('org', 'team', 'project'))"#,
        org as _,
        &actions,
        &outcomes,
        subject,
    )
    .fetch_all(conn)
    .await
}
