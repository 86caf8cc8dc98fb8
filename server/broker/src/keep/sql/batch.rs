//! Queries on `batch`.

use chrono::{DateTime, Utc};
use ralex_access::Places;
use ralex_kernel::{CallId, FileId, Money, OrgId, ProviderId, ScopePath, SecretId};
use serde_json::Value;
use sqlx::PgConnection;

use crate::keep::Owner;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A batch as its owner sees it, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct BatchRow {
    pub org: OrgId,
    pub id: CallId,
    pub provider_id: ProviderId,
    pub provider: String,
    pub secret_id: Option<SecretId>,
    pub model: String,
    pub prices: Value,
    pub held: Money,
    pub input_file: FileId,
    pub output_file: Option<FileId>,
    pub error_file: Option<FileId>,
    pub endpoint: String,
    pub lines: i32,
    pub completed: i32,
    pub failed: i32,
    pub status: String,
    pub upstream_id: Option<String>,
    pub told: Option<Value>,
    pub metadata: Option<Value>,
    pub created_at: DateTime<Utc>,
    pub looks: i32,
    pub looked_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert(conn: &mut PgConnection, owner: &Owner, new: &BatchRow) -> Result<()> {
    sqlx::query!(
        "insert into batch (org_id, id, team_id, project_id, user_id, token_id, provider_id,
             provider, secret_id, model, prices, held, input_file, endpoint, lines, metadata,
             created_at, look_again_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
             now() + interval '20 seconds')",
        owner.org as _,
        new.id as _,
        owner.at.team() as _,
        owner.at.project() as _,
        owner.user as _,
        owner.token as _,
        new.provider_id as _,
        new.provider,
        new.secret_id as _,
        new.model,
        new.prices,
        new.held as _,
        new.input_file as _,
        new.endpoint,
        new.lines,
        new.metadata,
        new.created_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets a batch for which nothing was opened: it was refused before anything was sent.
pub(crate) async fn remove(conn: &mut PgConnection, org: OrgId, id: CallId) -> Result<()> {
    sqlx::query!(
        "delete from batch where org_id = $1 and id = $2 and upstream_id is null",
        org as _,
        id as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Batches that a caller sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter {
    pub only: Option<CallId>,
    /// Go on after this one.
    pub after: Option<CallId>,
    pub at_most: i64,
}

/// Batches of exactly this scope, the newest first; where it is the organisation itself, of this
/// person or token.
pub(crate) async fn select(
    conn: &mut PgConnection,
    owner: &Owner,
    filter: Filter,
) -> Result<Vec<BatchRow>> {
    sqlx::query_as!(
        BatchRow,
        r#"select b.org_id as "org: OrgId", b.id as "id: CallId",
               b.provider_id as "provider_id: ProviderId", b.provider,
               b.secret_id as "secret_id: SecretId", b.model, b.prices, b.held as "held: Money",
               b.input_file as "input_file: FileId", b.output_file as "output_file: FileId",
               b.error_file as "error_file: FileId", b.endpoint, b.lines, b.completed, b.failed,
               b.status, b.upstream_id, b.told, b.metadata, b.created_at, b.looks,
               b.looked_at, b.settled_at
           from batch b
           where b.org_id = $1
             and is_owners(b.team_id, b.project_id, b.user_id, b.token_id, $2, $3, $4, $5)
             and ($6::uuid is null or b.id = $6)
             and ($7::uuid is null or b.id < $7)
           order by b.id desc
           limit $8"#,
        owner.org as _,
        owner.at.team() as _,
        owner.at.project() as _,
        owner.user as _,
        owner.token as _,
        filter.only as _,
        filter.after as _,
        filter.at_most,
    )
    .fetch_all(conn)
    .await
}

/// Takes batches that are due, so that no other node looks at them for as long as a look may take.
pub(crate) async fn take_due(conn: &mut PgConnection, at_most: i64) -> Result<Vec<BatchRow>> {
    sqlx::query_as!(
        BatchRow,
        r#"update batch b
           set look_again_at = now() + interval '15 minutes', looks = b.looks + 1
           from (select org_id, id from batch
                 where settled_at is null and look_again_at <= now()
                 order by look_again_at limit $1
                 for update skip locked) as due
           where b.org_id = due.org_id and b.id = due.id
           returning b.org_id as "org: OrgId", b.id as "id: CallId",
               b.provider_id as "provider_id: ProviderId", b.provider,
               b.secret_id as "secret_id: SecretId", b.model, b.prices, b.held as "held: Money",
               b.input_file as "input_file: FileId", b.output_file as "output_file: FileId",
               b.error_file as "error_file: FileId", b.endpoint, b.lines, b.completed, b.failed,
               b.status, b.upstream_id, b.told, b.metadata, b.created_at, b.looks,
               b.looked_at, b.settled_at"#,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// Takes one batch that its owner asks for, where nobody looks at it and nobody just has.
pub(crate) async fn take(conn: &mut PgConnection, org: OrgId, id: CallId) -> Result<bool> {
    let taken = sqlx::query!(
        "update batch
         set look_again_at = now() + interval '15 minutes', looks = looks + 1
         where org_id = $1 and id = $2 and settled_at is null and upstream_id is not null
           and look_again_at < now() + interval '5 minutes'
           and coalesce(looked_at, created_at) < now() - interval '1 second'",
        org as _,
        id as _,
    )
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() > 0)
}

/// What a look found.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub org: OrgId,
    pub id: CallId,
    pub upstream_id: Option<&'a str>,
    pub status: Option<&'a str>,
    pub counts: Option<(i32, i32)>,
    pub told: Option<&'a Value>,
    pub trouble: Option<&'a str>,
    pub again_in_seconds: f64,
}

impl Seen<'_> {
    /// A look that found nothing new.
    pub fn of(row: &BatchRow) -> Self {
        Self {
            org: row.org,
            id: row.id,
            upstream_id: None,
            status: None,
            counts: None,
            told: None,
            trouble: None,
            again_in_seconds: 60.0,
        }
    }
}

pub(crate) async fn seen(conn: &mut PgConnection, seen: &Seen<'_>) -> Result<()> {
    let (completed, failed) = seen.counts.unzip();
    sqlx::query!(
        "update batch
         set upstream_id = coalesce($3, upstream_id), status = coalesce($4, status),
             completed = coalesce($5, completed), failed = coalesce($6, failed),
             told = coalesce($7, told), trouble = $8,
             looked_at = case when $8::text is null then now() else looked_at end,
             look_again_at = now() + make_interval(secs => $9)
         where org_id = $1 and id = $2 and settled_at is null",
        seen.org as _,
        seen.id as _,
        seen.upstream_id,
        seen.status,
        completed,
        failed,
        seen.told,
        seen.trouble,
        seen.again_in_seconds,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a batch ended.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub org: OrgId,
    pub id: CallId,
    pub status: &'a str,
    pub counts: (i32, i32),
    pub told: Option<&'a Value>,
    pub output_file: Option<FileId>,
    pub error_file: Option<FileId>,
    pub trouble: Option<&'a str>,
}

/// Ends a batch whose call is closed; false where it is not, or where the batch was ended before.
pub(crate) async fn end(conn: &mut PgConnection, ended: &Ended<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "update batch b
         set status = $3, completed = $4, failed = $5, told = coalesce($6, b.told),
             output_file = $7, error_file = $8, trouble = $9, looked_at = now(), settled_at = now()
         where b.org_id = $1 and b.id = $2 and b.settled_at is null
           and not exists (
               select from call c where c.org_id = $1 and c.id = $2 and c.state = 'open')",
        ended.org as _,
        ended.id as _,
        ended.status,
        ended.counts.0,
        ended.counts.1,
        ended.told,
        ended.output_file as _,
        ended.error_file as _,
        ended.trouble,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Who made a batch, so that its files are theirs.
pub(crate) async fn owner(conn: &mut PgConnection, org: OrgId, id: CallId) -> Result<Owner> {
    let row = sqlx::query!(
        r#"select team_id as "team: ralex_kernel::TeamId",
               project_id as "project: ralex_kernel::ProjectId",
               user_id as "user: ralex_kernel::UserId", token_id as "token: ralex_kernel::TokenId"
           from batch where org_id = $1 and id = $2"#,
        org as _,
        id as _,
    )
    .fetch_one(conn)
    .await?;
    let at = match (row.team, row.project) {
        (Some(team), Some(project)) => ScopePath::Project { team, project },
        (Some(team), None) => ScopePath::Team { team },
        (None, _) => ScopePath::Org,
    };
    Ok(Owner { org, at, user: row.user, token: row.token })
}

/// A batch as the console lists it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: CallId,
    pub team: Option<String>,
    pub token: Option<String>,
    pub provider: String,
    pub model: String,
    pub endpoint: String,
    pub status: String,
    pub lines: i32,
    pub completed: i32,
    pub failed: i32,
    pub held: Money,
    pub cost: Option<Money>,
    pub estimated: Option<bool>,
    pub trouble: Option<String>,
    pub created_at: DateTime<Utc>,
    pub looked_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    within: &Places,
    before: Option<CallId>,
    at_most: i64,
) -> Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        r#"select b.id as "id: CallId", t.slug as "team?", coalesce(k.name, b.token_id::text) as token,
               b.provider, b.model, b.endpoint, b.status, b.lines, b.completed, b.failed,
               b.held as "held: Money", c.cost as "cost?: Money", c.estimated as "estimated?",
               b.trouble, b.created_at, b.looked_at, b.settled_at
           from batch b
           left join call c on c.org_id = $1 and c.id = b.id
           left join team t on t.org_id = $1 and t.id = b.team_id
           left join token k on k.org_id = $1 and k.id = b.token_id
           where b.org_id = $1
             and (b.project_id = any ($3)
               or (b.team_id = any ($3) or $2 and (b.team_id is null or b.team_id <> all ($6)))
                 and (b.project_id is null or b.project_id <> all ($6)))
             and ($4::uuid is null or b.id < $4)
           order by b.id desc
           limit $5"#,
        org as _,
        within.org,
        &within.open,
        before as _,
        at_most,
        &within.closed,
    )
    .fetch_all(conn)
    .await
}
