//! Queries on `kept_file` and `batch_input`.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, FileId, OrgId, ProviderId, SecretId};
use sqlx::PgConnection;

use crate::keep::Owner;
use crate::keep::lines::Read;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A file as its owner sees it, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct FileRow {
    pub id: FileId,
    pub provider_id: ProviderId,
    pub provider: String,
    pub secret_id: Option<SecretId>,
    pub upstream_id: Option<String>,
    pub purpose: String,
    pub filename: String,
    pub bytes: i64,
    pub sha256: Option<String>,
    pub state: String,
    pub batch_id: Option<CallId>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert(conn: &mut PgConnection, owner: &Owner, file: &FileRow) -> Result<()> {
    sqlx::query!(
        "insert into kept_file (org_id, id, team_id, project_id, user_id, token_id, provider_id,
             provider, secret_id, upstream_id, purpose, filename, bytes, sha256, state, batch_id,
             created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        owner.org as _,
        file.id as _,
        owner.at.team() as _,
        owner.at.project() as _,
        owner.user as _,
        owner.token as _,
        file.provider_id as _,
        file.provider,
        file.secret_id as _,
        file.upstream_id,
        file.purpose,
        file.filename,
        file.bytes,
        file.sha256,
        file.state,
        file.batch_id as _,
        file.created_at,
        file.expires_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a file of requests asks for.
pub(crate) async fn insert_input(
    conn: &mut PgConnection,
    org: OrgId,
    file: FileId,
    read: &Read,
) -> Result<()> {
    let found = serde_json::to_value(&read.found).ok().filter(|_| !read.found.is_empty());
    sqlx::query!(
        "insert into batch_input (org_id, file_id, endpoint, model, lines, input_tokens,
             output_tokens, caches_an_hour, holds_audio, guarded_by, found)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        org as _,
        file as _,
        read.url,
        read.model,
        read.lines(),
        &read.input_tokens,
        &read.output_tokens,
        read.caches_an_hour,
        read.holds_audio,
        read.guarded_by,
        found,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Says what became of a file that was being sent; false where somebody said it before.
pub(crate) async fn close(
    conn: &mut PgConnection,
    org: OrgId,
    id: FileId,
    upstream: Option<&str>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<bool> {
    let closed = sqlx::query!(
        "update kept_file
         set state = case when $3::text is null then 'failed' else 'ready' end,
             upstream_id = $3, expires_at = $4
         where org_id = $1 and id = $2 and state = 'sending'",
        org as _,
        id as _,
        upstream,
        expires_at,
    )
    .execute(conn)
    .await?;
    Ok(closed.rows_affected() > 0)
}

/// Files that a caller sees.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    pub only: Option<FileId>,
    pub purpose: Option<&'a str>,
    /// Go on after this one.
    pub after: Option<FileId>,
    pub oldest_first: bool,
    pub at_most: i64,
}

/// Files of exactly this scope; where it is the organisation itself, of this person or token.
pub(crate) async fn select(
    conn: &mut PgConnection,
    owner: &Owner,
    filter: Filter<'_>,
) -> Result<Vec<FileRow>> {
    sqlx::query_as!(
        FileRow,
        r#"select f.id as "id: FileId", f.provider_id as "provider_id: ProviderId", f.provider,
               f.secret_id as "secret_id: SecretId", f.upstream_id, f.purpose, f.filename, f.bytes,
               f.sha256, f.state, f.batch_id as "batch_id: CallId", f.created_at, f.expires_at
           from kept_file f
           where f.org_id = $1
             and is_owners(f.team_id, f.project_id, f.user_id, f.token_id, $2, $3, $4, $5)
             and f.state = 'ready'
             and ($6::uuid is null or f.id = $6)
             and ($7::text is null or f.purpose = $7)
             and ($8::uuid is null or case when $9 then f.id > $8 else f.id < $8 end)
           order by case when $9 then f.id end, case when not $9 then f.id end desc
           limit $10"#,
        owner.org as _,
        owner.at.team() as _,
        owner.at.project() as _,
        owner.user as _,
        owner.token as _,
        filter.only as _,
        filter.purpose,
        filter.after as _,
        filter.oldest_first,
        filter.at_most,
    )
    .fetch_all(conn)
    .await
}

/// What was read of a file of requests.
#[derive(Debug)]
pub(crate) struct InputRow {
    pub endpoint: String,
    pub model: String,
    pub lines: i32,
    pub input_tokens: Vec<i64>,
    pub output_tokens: Vec<i64>,
    pub caches_an_hour: bool,
    pub holds_audio: bool,
    pub guarded_by: String,
    pub found: Option<serde_json::Value>,
}

pub(crate) async fn input(
    conn: &mut PgConnection,
    org: OrgId,
    file: FileId,
) -> Result<Option<InputRow>> {
    sqlx::query_as!(
        InputRow,
        "select endpoint, model, lines, input_tokens, output_tokens, caches_an_hour, holds_audio,
             guarded_by, found
         from batch_input
         where org_id = $1 and file_id = $2",
        org as _,
        file as _,
    )
    .fetch_optional(conn)
    .await
}

/// Marks a file as deleted, unless a batch that runs still needs it.
pub(crate) async fn delete(conn: &mut PgConnection, org: OrgId, id: FileId) -> Result<bool> {
    let deleted = sqlx::query!(
        "update kept_file f
         set state = 'deleted', deleted_at = now()
         where f.org_id = $1 and f.id = $2 and f.state = 'ready'
           and not exists (
               select from batch b
               where b.org_id = $1 and b.input_file = $2 and b.settled_at is null)",
        org as _,
        id as _,
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Takes a deletion back that the provider did not make.
pub(crate) async fn undelete(conn: &mut PgConnection, org: OrgId, id: FileId) -> Result<()> {
    sqlx::query!(
        "update kept_file set state = 'ready', deleted_at = null
         where org_id = $1 and id = $2 and state = 'deleted'",
        org as _,
        id as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Files whose server died while it sent them.
pub(crate) async fn abandoned(conn: &mut PgConnection) -> Result<Vec<(OrgId, FileId)>> {
    let rows = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: FileId" from kept_file
           where state = 'sending' and created_at < now() - interval '2 hours'
           order by created_at limit 100
           for update skip locked"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org, row.id)).collect())
}

/// What the guardrails and call rules of a place are, in one word: another one as soon as any is changed. With it
/// the version of the policies that this is true of.
pub(crate) async fn guardrails(conn: &mut PgConnection, owner: &Owner) -> Result<(String, i64)> {
    let row = sqlx::query!(
        r#"select coalesce((select md5(string_agg(h.said, ',' order by h.said collate "C")) from (
                   select g.id::text || g.updated_at::text as said
                   from guardrail g
                   where g.org_id = $1 and g.enabled
                     and (g.team_id is null or g.team_id = $2)
                     and (g.project_id is null or g.project_id = $3)
                   union all
                   select r.id::text || r.version::text
                   from call_rule r
                   where r.org_id = $1 and r.enabled
                     and (r.team_id is null or r.team_id = $2)
                     and (r.project_id is null or r.project_id = $3)
                   union all
                   select 'else ' || s.default_effect
                   from call_rule_settings s
                   where s.org_id = $1 and s.default_effect <> 'allow') h), '') as "word!",
               coalesce((select v.version from policy_version v where v.org_id = $1), 0)
                   as "version!""#,
        owner.org as _,
        owner.at.team() as _,
        owner.at.project() as _,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.word, row.version))
}
