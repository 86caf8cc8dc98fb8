//! Whether the controls themselves work, as far as the database can tell.

use chrono::{DateTime, Utc};
use ralex_kernel::OrgId;
use sqlx::PgConnection;

use super::Result;

/// As the system. Tables with an organisation's rows, and those of them without the wall between
/// organisations, by name.
pub(crate) async fn walls(conn: &mut PgConnection) -> Result<(i64, Vec<String>)> {
    let row = sqlx::query!(
        r#"select count(*) as "tables!",
                  coalesce(array_agg(c.relname::text order by c.relname) filter (
                      where not c.relrowsecurity or not c.relforcerowsecurity
                         or not exists (select from pg_policies p
                             where p.schemaname = 'public' and p.tablename = c.relname
                               and 'ralex_app' = any(p.roles) and p.qual like '%app.org%')),
                      '{}') as "open!: Vec<String>"
           from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
             and has_table_privilege('ralex_app', c.oid, 'select')"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.tables, row.open))
}

/// In a tenant's transaction: rows of other organisations that it sees, which must be none.
pub(crate) async fn strangers(conn: &mut PgConnection, org: OrgId) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select (select count(*) from (select from audit_checkpoint where org_id <> $1 limit 1) as a)
             + (select count(*) from org where id <> $1)
             + (select count(*) from (select from membership where org_id <> $1 limit 1) as b)
             + (select count(*) from (select from secret where org_id <> $1 limit 1) as c) as "seen!""#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// The database's own time.
pub(crate) async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(conn).await
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub class: String,
    pub days: i32,
}

pub(crate) async fn retention(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Kept>> {
    sqlx::query_as!(
        Kept,
        "select class, days from audit_retention where org_id = $1 order by class",
        org as _
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Hold {
    pub reason: String,
    pub set_at: DateTime<Utc>,
    pub lifted_at: Option<DateTime<Utc>>,
}

pub(crate) async fn holds(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Hold>> {
    sqlx::query_as!(
        Hold,
        "select reason, set_at, lifted_at from audit_hold where org_id = $1 order by id",
        org as _
    )
    .fetch_all(conn)
    .await
}

#[derive(Debug)]
pub(crate) struct Head {
    pub tree_size: i64,
    pub signed_at: DateTime<Utc>,
    pub key_version: i32,
}

/// Signed heads within the time: one a day, the last of each.
pub(crate) async fn heads(
    conn: &mut PgConnection,
    org: OrgId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<Head>> {
    sqlx::query_as!(
        Head,
        r#"select distinct on (date_trunc('day', signed_at, 'UTC')) tree_size, signed_at, key_version
           from audit_checkpoint
           where org_id = $1 and signed_at >= $2 and signed_at < $3
           order by date_trunc('day', signed_at, 'UTC'), tree_size desc"#,
        org as _,
        from,
        to,
    )
    .fetch_all(conn)
    .await
}

/// What coverage asks at once, so that it is cheap.
#[derive(Debug)]
pub(crate) struct Glance {
    pub guardrails: i64,
    pub guardrails_that_stop: i64,
    pub hard_budgets: i64,
    pub oldest_key: Option<DateTime<Utc>>,
    pub keys: i64,
    pub tokens_without_end: i64,
    pub tokens: i64,
    pub members: i64,
    pub owners: i64,
}

pub(crate) async fn glance(conn: &mut PgConnection, org: OrgId) -> Result<Glance> {
    sqlx::query_as!(
        Glance,
        r#"select
             (select count(*) from guardrail where org_id = $1 and enabled) as "guardrails!",
             (select count(*) from guardrail where org_id = $1 and enabled
                and action in ('redact', 'ask', 'block')) as "guardrails_that_stop!",
             (select count(*) from budget where org_id = $1 and hard) as "hard_budgets!",
             (select min(created_at) from secret_version where org_id = $1 and state = 'active') as oldest_key,
             (select count(*) from secret where org_id = $1) as "keys!",
             (select count(*) from token where org_id = $1 and revoked_at is null
                and expires_at is null) as "tokens_without_end!",
             (select count(*) from token where org_id = $1 and revoked_at is null) as "tokens!",
             (select count(*) from membership where org_id = $1) as "members!",
             (select count(*) from binding b where b.org_id = $1 and b.role = 'owner'
                and b.team_id is null and b.effect = 'allow'
                and not exists (select from membership m where m.org_id = $1
                    and m.user_id = b.subject_id and m.suspended_at is not null)) as "owners!""#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// How the break-glass access stands.
#[derive(Debug)]
pub(crate) struct BreakGlass {
    pub armed_at: Option<DateTime<Utc>>,
    pub people: i64,
    pub last_drill_at: Option<DateTime<Utc>>,
    pub last_opened_at: Option<DateTime<Utc>>,
    /// Since the moment that is asked about.
    pub openings: i64,
    pub reviewed: i64,
    /// Those that are over and wait for their review, whenever they were.
    pub unreviewed: i64,
}

pub(crate) async fn break_glass(
    conn: &mut PgConnection,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<BreakGlass> {
    sqlx::query_as!(
        BreakGlass,
        r#"select (select armed_at from break_glass b where b.org_id = $1) as armed_at,
             (select count(*) from break_glass_person p where p.org_id = $1) as "people!",
             max(opened_at) filter (where drill) as last_drill_at,
             max(opened_at) filter (where not drill) as last_opened_at,
             count(*) filter (where not drill and opened_at >= $2) as "openings!",
             count(*) filter (where not drill and opened_at >= $2 and reviewed_at is not null)
                 as "reviewed!",
             count(*) filter (where not drill and state = 'ended' and reviewed_at is null)
                 as "unreviewed!"
           from break_glass_opening where org_id = $1"#,
        org as _,
        since,
    )
    .fetch_one(conn)
    .await
}

/// How far second factors go.
#[derive(Debug)]
pub(crate) struct SecondFactors {
    pub required: bool,
    pub members: i64,
    pub have: i64,
}

pub(crate) async fn second_factors(conn: &mut PgConnection, org: OrgId) -> Result<SecondFactors> {
    sqlx::query_as!(
        SecondFactors,
        r#"select o.second_factor_required as required,
             (select count(*) from membership m
              where m.org_id = o.id and m.suspended_at is null) as "members!",
             (select count(*) from membership m
              join second_factor f on f.user_id = m.user_id
              where m.org_id = o.id and m.suspended_at is null) as "have!"
           from org o where o.id = $1"#,
        org as _
    )
    .fetch_one(conn)
    .await
}

/// How people come in by identity providers.
#[derive(Debug)]
pub(crate) struct SignOn {
    pub providers: i64,
    pub members: i64,
    /// People whom a provider knows.
    pub known: i64,
    /// The only way in, where there is one.
    pub enforced: Option<String>,
    /// Who may come in otherwise, should that one fail.
    pub break_glass: Option<String>,
}

pub(crate) async fn sign_on(conn: &mut PgConnection, org: OrgId) -> Result<SignOn> {
    sqlx::query_as!(
        SignOn,
        r#"select
             (select count(*) from sso_provider where org_id = $1 and enabled) as "providers!",
             (select count(*) from membership where org_id = $1) as "members!",
             (select count(distinct l.user_id) from sso_link l
              join sso_provider p on p.org_id = l.org_id and p.id = l.provider_id
              where l.org_id = $1 and p.enabled) as "known!",
             (select p.name from sso_enforcement e
              join sso_provider p on p.org_id = e.org_id and p.id = e.provider_id
              where e.org_id = $1) as enforced,
             (select u.email from sso_enforcement e join app_user u on u.id = e.break_glass
              where e.org_id = $1) as break_glass"#,
        org as _
    )
    .fetch_one(conn)
    .await
}
