//! The queries of approvals.

mod waiting;

use chrono::{DateTime, Utc};
use ralex_api::approvals::{Approval, ApprovalKind, ApprovalSettings, ApprovalState, Excerpt};
use ralex_api::guardrails::Noted;
use ralex_audit::ApprovalEvent;
use ralex_kernel::{
    ApprovalId, CallId, Code, OrgId, Problem, ProjectId, ScopePath, ServiceAccountId, Subject,
    TeamId, TokenId, UserId,
};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::approval::Verdict;
use crate::ask::Question;
use crate::settings::DEFAULTS;
use crate::wait::CHANNEL;

pub(crate) use waiting::{pending, waiting, waiting_for};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A question that begins to wait.
pub(crate) struct New<'a> {
    pub id: ApprovalId,
    pub question: &'a Question<'a>,
    pub fingerprint: &'a [u8],
    pub excerpts: Option<&'a [Excerpt]>,
    pub until: DateTime<Utc>,
}

/// Begins to wait. False where the same waits already.
pub(crate) async fn insert(conn: &mut PgConnection, new: &New<'_>) -> Result<bool> {
    let question = new.question;
    let done = sqlx::query!(
        "insert into approval (org_id, id, kind, state, user_id, token_id, team_id, project_id,
             call_id, model, dialect, size, rules, excerpts, fingerprint, expires_at)
         values ($1, $2, $3, 'pending', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (org_id, fingerprint) where state in ('pending', 'approved') do nothing",
        question.org as _,
        new.id as _,
        question.kind.as_str(),
        question.asker.subject.user() as _,
        question.asker.credential.token() as _,
        question.at.team() as _,
        question.at.project() as _,
        question.call as _,
        question.model,
        question.dialect,
        i64::try_from(question.size).unwrap_or(i64::MAX),
        Json(question.rules) as _,
        new.excerpts.map(Json) as _,
        new.fingerprint,
        new.until,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What holds for a content now.
pub(crate) struct Standing {
    pub id: ApprovalId,
    pub state: ApprovalState,
    pub reason: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// Holds it against others until the transaction ends. Who waits here for one who uses it up gets
/// nothing.
pub(crate) async fn standing(
    conn: &mut PgConnection,
    org: OrgId,
    fingerprint: &[u8],
) -> Result<Option<Standing>> {
    let row = sqlx::query!(
        r#"select id as "id: ApprovalId", state, reason, expires_at from approval
           where org_id = $1 and fingerprint = $2 and state in ('pending', 'approved', 'denied')
             and expires_at > now()
           order by id desc
           limit 1
           for no key update"#,
        org as _,
        fingerprint,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Standing {
        id: row.id,
        // Whatever else it were, it would wait.
        state: named(&row.state).unwrap_or(ApprovalState::Pending),
        reason: row.reason,
        expires_at: row.expires_at,
    }))
}

pub(crate) async fn count_use(
    conn: &mut PgConnection,
    org: OrgId,
    id: ApprovalId,
    call: CallId,
) -> Result<()> {
    sqlx::query!(
        "update approval
         set uses = uses + 1, used_at = now(), used_call = $3,
             state = case when once then 'used' else state end
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        call as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// True where the call had used it up, and it is good for another one.
pub(crate) async fn give_back(
    conn: &mut PgConnection,
    org: OrgId,
    id: ApprovalId,
    call: CallId,
) -> Result<bool> {
    let done = sqlx::query!(
        "update approval a set state = 'approved', uses = uses - 1
         where org_id = $1 and id = $2 and used_call = $3 and state = 'used' and once
           and expires_at > now()
           and not exists (select from approval o
                           where o.org_id = $1 and o.fingerprint = a.fingerprint
                             and o.state in ('pending', 'approved'))",
        org as _,
        id as _,
        call as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An approval that ended by itself.
pub(crate) struct Late {
    pub org: OrgId,
    pub id: ApprovalId,
    pub decided: bool,
    pub uses: i32,
}

impl Late {
    pub fn event(&self) -> ApprovalEvent {
        let (approval, decided) = (self.id, self.decided);
        ApprovalEvent::Expired { approval, decided, uses: self.uses.unsigned_abs() }
    }
}

/// Ends what waited for, or let pass, the same content until its time was over.
pub(crate) async fn end_late(
    conn: &mut PgConnection,
    org: OrgId,
    fingerprint: &[u8],
) -> Result<Option<Late>> {
    sqlx::query_as!(
        Late,
        r#"update approval
           set state = case when uses > 0 then 'used' else 'expired' end, excerpts = null
           where org_id = $1 and fingerprint = $2 and state in ('pending', 'approved')
             and expires_at <= now()
           returning org_id as "org: OrgId", id as "id: ApprovalId",
               decided_at is not null as "decided!", uses"#,
        org as _,
        fingerprint,
    )
    .fetch_optional(conn)
    .await
}

/// The same for all organisations, leaving what others are about to decide or use.
pub(crate) async fn sweep(conn: &mut PgConnection, at_most: i64) -> Result<Vec<Late>> {
    sqlx::query_as!(
        Late,
        r#"with late as (
               select org_id, id from approval
               where state in ('pending', 'approved') and expires_at <= now()
               order by expires_at
               limit $1
               for no key update skip locked)
           update approval a
           set state = case when a.uses > 0 then 'used' else 'expired' end, excerpts = null
           from late
           where a.org_id = late.org_id and a.id = late.id
           returning a.org_id as "org: OrgId", a.id as "id: ApprovalId",
               a.decided_at is not null as "decided!", a.uses"#,
        at_most,
    )
    .fetch_all(conn)
    .await
}

/// An approval with names for its ids.
#[derive(Debug)]
pub(crate) struct Stored {
    pub id: ApprovalId,
    /// As it is now, also where the sweeper has not been yet.
    pub state: String,
    pub user: Option<UserId>,
    pub token: Option<TokenId>,
    /// The service account that the token is of.
    pub account: Option<ServiceAccountId>,
    /// Who made the token that asked, and all who ever saw a secret of it.
    pub makers: Vec<Uuid>,
    pub asker: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub scope: String,
    pub scope_name: String,
    pub call: CallId,
    pub model: String,
    pub dialect: String,
    pub size: i64,
    pub rules: Json<Vec<Noted>>,
    pub excerpts: Option<Json<Vec<Excerpt>>>,
    pub asked_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub decided_by: Option<String>,
    pub reason: Option<String>,
    pub once: bool,
    pub uses: i32,
    pub used_call: Option<CallId>,
}

impl Stored {
    pub const fn place(&self) -> ScopePath {
        match (self.team, self.project) {
            (Some(team), Some(project)) => ScopePath::Project { team, project },
            (Some(team), None) => ScopePath::Team { team },
            (None, _) => ScopePath::Org,
        }
    }

    /// Whether this is who asked.
    pub fn is_of(&self, subject: Subject) -> bool {
        match subject {
            Subject::User(user) => self.user == Some(user),
            Subject::Token { token, .. } => self.user.is_none() && self.token == Some(token),
            Subject::Service { account, .. } => self.account == Some(account),
            Subject::Directory { .. } | Subject::System => false,
        }
    }

    /// Whether it is this person's own question, or that of a token whose secret they may have.
    pub fn asked_by(&self, person: UserId) -> bool {
        self.user == Some(person) || self.makers.contains(&person.uuid())
    }

    pub fn shown(self, may_decide: bool) -> std::result::Result<Approval, Problem> {
        let state = named(&self.state)
            .ok_or_else(|| Problem::new(Code::Internal, "A stored approval cannot be read."))?;
        let asker_id = self.user.map(Uuid::from).or(self.token.map(Uuid::from));
        let excerpts = self.excerpts.filter(|_| may_decide && state == ApprovalState::Pending);
        Ok(Approval {
            id: self.id,
            kind: ApprovalKind::Call,
            state,
            asker: self.asker,
            asker_id: asker_id.map(|id| id.to_string()).unwrap_or_default(),
            scope: self.scope,
            scope_name: self.scope_name,
            model: self.model,
            dialect: self.dialect,
            call: self.call,
            size: self.size.unsigned_abs(),
            rules: self.rules.0,
            excerpts: excerpts.map(|Json(excerpts)| excerpts).unwrap_or_default(),
            asked_at: self.asked_at,
            expires_at: self.expires_at,
            decided_at: self.decided_at,
            decided_by: self.decided_by,
            reason: self.reason,
            once: self.once,
            uses: self.uses.unsigned_abs(),
            used_call: self.used_call,
            may_decide: may_decide && state == ApprovalState::Pending,
        })
    }
}

/// Which to read, the newest first.
pub(crate) struct Filter<'a> {
    pub everywhere: bool,
    pub teams: &'a [TeamId],
    pub projects: &'a [ProjectId],
    pub only: Option<ApprovalId>,
    pub before: Option<ApprovalId>,
    pub state: Option<ApprovalState>,
    pub rule: Option<&'a str>,
    pub model: Option<&'a str>,
    pub asker: Option<Uuid>,
    pub at_most: i64,
}

impl Filter<'_> {
    pub const fn only(id: ApprovalId) -> Self {
        Self {
            everywhere: true,
            teams: &[],
            projects: &[],
            only: Some(id),
            before: None,
            state: None,
            rule: None,
            model: None,
            asker: None,
            at_most: 1,
        }
    }
}

pub(crate) async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    filter: &Filter<'_>,
) -> Result<Vec<Stored>> {
    let teams: Vec<Uuid> = filter.teams.iter().copied().map(Uuid::from).collect();
    let projects: Vec<Uuid> = filter.projects.iter().copied().map(Uuid::from).collect();
    sqlx::query_as!(
        Stored,
        r#"with known as (
               select *, case
                   when state not in ('pending', 'approved') or expires_at > now() then state
                   when uses > 0 then 'used'
                   else 'expired' end as stands
               from approval
               where org_id = $1)
           select a.id as "id!: ApprovalId", a.stands as "state!", a.user_id as "user: UserId",
               a.token_id as "token: TokenId", k.account_id as "account?: ServiceAccountId",
               array_remove(k.known_to || k.created_by, null) as "makers!: Vec<Uuid>",
               coalesce(u.email, k.name, a.user_id::text, a.token_id::text) as "asker!",
               a.team_id as "team: TeamId", a.project_id as "project: ProjectId",
               coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as "scope!",
               coalesce(p.name, t.name, o.name) as "scope_name!",
               a.call_id as "call!: CallId", a.model as "model!", a.dialect as "dialect!",
               a.size as "size!", a.rules as "rules!: Json<Vec<Noted>>",
               a.excerpts as "excerpts: Json<Vec<Excerpt>>", a.asked_at as "asked_at!",
               a.expires_at as "expires_at!", a.decided_at,
               coalesce(d.email, a.decided_by::text) as decided_by, a.reason, a.once as "once!",
               a.uses as "uses!", a.used_call as "used_call: CallId"
           from known a
           join org o on o.id = a.org_id
           left join app_user u on u.id = a.user_id
           left join app_user d on d.id = a.decided_by
           left join token k on k.org_id = a.org_id and k.id = a.token_id and a.user_id is null
           left join team t on t.org_id = a.org_id and t.id = a.team_id
           left join project p on p.org_id = a.org_id and p.id = a.project_id
           where a.org_id = $1
             and ($2 or (a.project_id is null and a.team_id = any($3)) or a.project_id = any($4))
             and ($5::uuid is null or a.id = $5)
             and ($6::uuid is null or a.id < $6)
             and ($7::text is null or a.stands = $7)
             and ($8::text is null or exists (
                 select from jsonb_array_elements(a.rules) r where r ->> 'rule' = $8))
             and ($9::text is null or a.model = $9)
             and ($10::uuid is null or a.user_id = $10 or (a.user_id is null and a.token_id = $10))
           order by a.id desc
           limit $11"#,
        org as _,
        filter.everywhere,
        &teams,
        &projects,
        filter.only as _,
        filter.before as _,
        filter.state.map(ApprovalState::as_str),
        filter.rule,
        filter.model,
        filter.asker,
        filter.at_most,
    )
    .fetch_all(conn)
    .await
}

/// Tells every server that it was decided, once this transaction is committed.
pub(crate) async fn tell(conn: &mut PgConnection, id: ApprovalId) -> Result<()> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, id.to_string()).execute(conn).await?;
    Ok(())
}

/// Holds one against other decisions.
pub(crate) async fn lock(conn: &mut PgConnection, org: OrgId, id: ApprovalId) -> Result<()> {
    sqlx::query!(
        "select id from approval where org_id = $1 and id = $2 for no key update",
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// What was decided.
pub(crate) struct Decision<'a> {
    pub verdict: Verdict,
    pub by: UserId,
    pub reason: &'a str,
    pub once: bool,
    pub until: DateTime<Utc>,
}

pub(crate) async fn decide(
    conn: &mut PgConnection,
    org: OrgId,
    id: ApprovalId,
    decision: &Decision<'_>,
) -> Result<()> {
    let state = match decision.verdict {
        Verdict::Approve => ApprovalState::Approved,
        Verdict::Deny => ApprovalState::Denied,
    };
    sqlx::query!(
        "update approval
         set state = $3, decided_at = now(), decided_by = $4, reason = $5, once = $6,
             expires_at = $7, excerpts = null
         where org_id = $1 and id = $2 and state = 'pending'",
        org as _,
        id as _,
        state.as_str(),
        decision.by as _,
        decision.reason,
        decision.once,
        decision.until,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn settings(conn: &mut PgConnection, org: OrgId) -> Result<ApprovalSettings> {
    let row = sqlx::query!(
        "select pending_minutes, approved_minutes, denied_minutes, once, excerpts
         from approval_settings where org_id = $1",
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map_or(DEFAULTS, |row| ApprovalSettings {
        pending_minutes: row.pending_minutes.unsigned_abs(),
        approved_minutes: row.approved_minutes.unsigned_abs(),
        denied_minutes: row.denied_minutes.unsigned_abs(),
        once: row.once,
        excerpts: row.excerpts,
    }))
}

pub(crate) async fn set_settings(
    conn: &mut PgConnection,
    org: OrgId,
    settings: &ApprovalSettings,
) -> Result<()> {
    let minutes = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into approval_settings (org_id, pending_minutes, approved_minutes, denied_minutes,
             once, excerpts)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (org_id) do update
         set pending_minutes = excluded.pending_minutes,
             approved_minutes = excluded.approved_minutes,
             denied_minutes = excluded.denied_minutes, once = excluded.once,
             excerpts = excluded.excerpts, updated_at = now()",
        org as _,
        minutes(settings.pending_minutes),
        minutes(settings.approved_minutes),
        minutes(settings.denied_minutes),
        settings.once,
        settings.excerpts,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn forget_excerpts(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "update approval set excerpts = null where org_id = $1 and excerpts is not null",
        org as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The schema knows the same words.
fn named(state: &str) -> Option<ApprovalState> {
    ApprovalState::ALL.iter().copied().find(|known| known.as_str() == state)
}
