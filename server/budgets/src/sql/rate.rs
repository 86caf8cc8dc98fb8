//! Queries on `rate_limit` and `rate_slot`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_access::Places;
use ralex_kernel::{
    ModelId, NodeId, OrgId, ProjectId, ProviderId, RateLimitId, ServiceAccountId, TeamId, TokenId,
    UserId,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::applicable::Whose;
use crate::charge::Only;
use crate::rate::{Asking, Key};

/// A rate limit with its scope in words, and what is taken of its window.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub org: OrgId,
    pub id: RateLimitId,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub token: Option<TokenId>,
    pub account: Option<ServiceAccountId>,
    pub user: Option<UserId>,
    pub model: Option<ModelId>,
    pub provider: Option<ProviderId>,
    /// The name of the model, or the slug of the provider; the id of one that was deleted.
    pub only_name: Option<String>,
    /// As it stands in the contract (`team:platform`).
    pub scope: String,
    /// Absent where a personal token's name is not for the organisation's own role to read.
    pub scope_name: Option<String>,
    pub measure: String,
    pub amount: i64,
    pub window_seconds: i32,
    pub taken: i64,
    pub refused: i64,
    pub last_refused_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Stored {
    /// Whose calls it counts, where it does not go by their place.
    pub fn whose(&self) -> Option<Whose> {
        Whose::of(self.user, self.account, self.token)
    }

    /// The model or provider whose calls alone count.
    pub fn only(&self) -> Option<Only> {
        self.model.map(Only::Model).or(self.provider.map(Only::Provider))
    }

    /// Whose calls it counts, in words.
    pub fn counted(&self) -> String {
        Only::with(self.only(), &self.scope, self.only_name.as_deref())
    }
}

/// What to store.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub id: RateLimitId,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub token: Option<TokenId>,
    pub account: Option<ServiceAccountId>,
    pub user: Option<UserId>,
    pub only: Option<Only>,
    pub measure: &'a str,
    pub amount: i64,
    pub window_seconds: i32,
}

/// Which limits to read: those within a scope, one, or all after one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    pub within: &'a Places,
    pub only: Option<RateLimitId>,
    pub after: Option<RateLimitId>,
    pub at_most: Option<i64>,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    new: New<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into rate_limit (org_id, id, team_id, project_id, token_id, user_id, model_id,
             provider_id, measure, amount, window_seconds, account_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        org as _,
        new.id as _,
        new.team as _,
        new.project as _,
        new.token as _,
        new.user as _,
        new.only.and_then(Only::model) as _,
        new.only.and_then(Only::provider) as _,
        new.measure,
        new.amount,
        new.window_seconds,
        new.account as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter<'_>,
) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as!(
        Stored,
        r#"select r.org_id as "org: OrgId", r.id as "id: RateLimitId", r.team_id as "team: TeamId",
               r.project_id as "project: ProjectId", r.token_id as "token: TokenId",
               r.account_id as "account: ServiceAccountId", r.user_id as "user: UserId",
               r.model_id as "model: ModelId",
               r.provider_id as "provider: ProviderId",
               coalesce(m.name, r.model_id::text, v.slug, r.provider_id::text) as only_name,
               coalesce('user:' || r.user_id, 'service_account:' || a.slug, 'token:' || r.token_id,
                   'project:' || p.slug, 'team:' || t.slug, 'org') as "scope!",
               case when r.user_id is not null then u.name
                    when r.token_id is not null then k.name
                    else coalesce(a.name, p.name, t.name, o.name) end as "scope_name?",
               r.measure, r.amount, r.window_seconds, r.refused, r.last_refused_at, r.created_at,
               coalesce((select sum(s.taken) from rate_slot s
                   where s.org_id = r.org_id and s.limit_id = r.id
                     and s.slot >= floor(extract(epoch from clock_timestamp()) * 1000 / r.slot_ms)
                         - ceil(r.window_seconds * 1000.0 / r.slot_ms)), 0)::bigint as "taken!"
           from rate_limit r
           join org o on o.id = r.org_id
           left join token k on k.org_id = r.org_id and k.id = r.token_id
           left join service_account a on a.org_id = r.org_id and a.id = r.account_id
           left join app_user u on u.id = r.user_id
           left join model m on m.org_id = r.org_id and m.id = r.model_id
           left join provider v on v.org_id = r.org_id and v.id = r.provider_id
           left join team t on t.org_id = r.org_id and t.id = r.team_id
           left join project p on p.org_id = r.org_id and p.id = r.project_id
           where r.org_id = $1
             and (coalesce(r.project_id, k.project_id, a.project_id) = any ($3)
               or (coalesce(r.team_id, k.team_id, a.team_id) = any ($3)
                   or $2 and (coalesce(r.team_id, k.team_id, a.team_id) <> all ($7)) is not false)
                 and (coalesce(r.project_id, k.project_id, a.project_id) <> all ($7)) is not false)
             and ($4::uuid is null or r.id = $4)
             and ($5::uuid is null or r.id > $5)
           order by r.id
           limit $6"#,
        org as _,
        filter.within.org,
        &filter.within.open,
        filter.only as _,
        filter.after as _,
        filter.at_most,
        &filter.within.closed,
    )
    .fetch_all(conn)
    .await
}

/// How many an organisation has.
pub(crate) async fn count(conn: &mut PgConnection, org: OrgId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from rate_limit where org_id = $1"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// Sets how much a limit lets through and returns how much it did, where it is there.
pub(crate) async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: RateLimitId,
    amount: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with old as (
               select amount from rate_limit where org_id = $1 and id = $2 for no key update)
           update rate_limit r set amount = $3 from old
           where r.org_id = $1 and r.id = $2 returning old.amount as "before!""#,
        org as _,
        id as _,
        amount,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    id: RateLimitId,
) -> Result<bool, sqlx::Error> {
    sqlx::query!("delete from rate_limit where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await
        .map(|done| done.rows_affected() > 0)
}

/// The channel on which nodes are asked for what they have in hand.
pub(crate) const CHANNEL: &str = "ralex_rate";

/// What the database says of one limit that it was asked of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub org: OrgId,
    pub limit: RateLimitId,
    pub amount: u64,
    pub slot: i64,
    /// How long a slot is, and how many a window has.
    pub length: Duration,
    pub slots: u32,
    /// What is left of the slot.
    pub left: Duration,
    pub given: u64,
    /// What nobody has taken.
    pub room: u64,
    /// After how long there is room for the smallest that was asked for, where there was none.
    pub free: Option<Duration>,
    /// Other nodes were asked for what they have in hand.
    pub asked_back: bool,
}

impl Answer {
    pub const fn key(&self) -> Key {
        (self.org, self.limit)
    }
}

/// Takes what is asked of each limit, as far as there is room, after what was not used went back.
pub(crate) async fn take(
    conn: &mut PgConnection,
    node: NodeId,
    asking: &[(Key, Asking)],
) -> Result<Vec<Answer>, sqlx::Error> {
    let of = |part: fn(&Asking) -> u64| {
        let parts = asking.iter().map(move |(_, asking)| signed(part(asking)));
        parts.collect::<Vec<_>>()
    };
    let used = asking.iter().flat_map(|(key, asking)| asking.used.iter().map(move |it| (key, it)));
    let used: Vec<_> = used.collect();
    let rows = sqlx::query!(
        r#"select org_id as "org!: OrgId", limit_id as "limit!: RateLimitId", amount as "amount!",
               slot as "slot!", slot_ms as "slot_ms!", slots as "slots!",
               slot_left_ms as "slot_left_ms!", given as "given!", room as "room!", free_ms,
               asked_back as "asked_back!"
           from take_rates($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
        node as _,
        &asking.iter().map(|((org, _), _)| org.uuid()).collect::<Vec<Uuid>>(),
        &asking.iter().map(|((_, limit), _)| limit.uuid()).collect::<Vec<Uuid>>(),
        &of(|asking| asking.smallest),
        &of(|asking| asking.needed),
        &of(|asking| asking.spare),
        &of(|asking| asking.refused),
        &used.iter().map(|((org, _), _)| org.uuid()).collect::<Vec<Uuid>>(),
        &used.iter().map(|((_, limit), _)| limit.uuid()).collect::<Vec<Uuid>>(),
        &used.iter().map(|(_, (slot, _))| *slot).collect::<Vec<i64>>(),
        &used.iter().map(|(_, (_, used))| signed(*used)).collect::<Vec<i64>>(),
    )
    .fetch_all(conn)
    .await?;
    let answers = rows.into_iter().map(|row| Answer {
        org: row.org,
        limit: row.limit,
        amount: row.amount.unsigned_abs(),
        slot: row.slot,
        length: Duration::from_millis(row.slot_ms.unsigned_abs().into()),
        slots: row.slots.unsigned_abs(),
        left: millis(row.slot_left_ms),
        given: row.given.unsigned_abs(),
        room: row.room.unsigned_abs(),
        free: row.free_ms.map(millis),
        asked_back: row.asked_back,
    });
    Ok(answers.collect())
}

fn millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default()
}

/// More tokens than this are never asked for.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX / 4)
}
