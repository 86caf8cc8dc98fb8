//! Every query of this crate. Organisations are named in each, also where row level security
//! would do.

pub(crate) mod change;
pub(crate) mod glass;
pub(crate) mod glass_arm;
pub(crate) mod group;
pub(crate) mod history;
pub(crate) mod letter;
pub(crate) mod names;
pub(crate) mod request;
pub(crate) mod request_end;
pub(crate) mod review;
pub(crate) mod review_item;
pub(crate) mod role;
pub(crate) mod unsettled;
pub(crate) mod uses;

use chrono::{DateTime, Utc};
use ralex_api::access::{Binding as Shown, BindingEffect, RoleName};
use ralex_kernel::{
    AccessRequestId, BindingId, OrgId, ProjectId, ScopePath, ServiceAccountId, SsoProviderId,
    Subject, TeamId, UserId,
};
use sqlx::PgConnection;

use crate::bindings::{Bearer, Wanted, Which};
use crate::explain::Somebody;
use crate::glass::frozen;
use crate::rows::Rows;

/// Where a row is that names a team and a project, or neither.
pub(crate) const fn place(team: Option<TeamId>, project: Option<ProjectId>) -> ScopePath {
    match (team, project) {
        (Some(team), Some(project)) => ScopePath::Project { team, project },
        (Some(team), None) => ScopePath::Team { team },
        (None, _) => ScopePath::Org,
    }
}

/// An organisation that exists, with the version of its policies.
pub(crate) struct Known {
    pub org: OrgId,
    pub slug: String,
    pub version: i64,
}

/// Reads all that decisions rest on.
pub(crate) async fn load(conn: &mut PgConnection, org: OrgId) -> Result<Option<Rows>, sqlx::Error> {
    load_text(conn, org).await?.map(|text| Rows::read(&text)).transpose()
}

/// The same as the database tells it, for who reads it out of the way. One statement sees one state of
/// the database, so there is never a right without the denial that was committed with it.
pub(crate) async fn load_text(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select json_build_object(
            'version', coalesce((select version from policy_version where org_id = o.id), 0),
            'slug', o.slug,
            'second_factor', o.second_factor_required,
            'device_login', o.device_login,
            'closed', (select json_build_object('delete_after', o.delete_after,
                    'reason', coalesce(o.deletion_reason, o.suspended_reason))
                where coalesce(o.delete_after, o.suspended_at) is not null),
            'teams', (select coalesce(json_agg(id), '[]') from team where org_id = o.id),
            'projects', (select coalesce(json_agg(json_build_object('id', id, 'team', team_id)), '[]')
                from project where org_id = o.id),
            'members', (select coalesce(json_agg(m.user_id), '[]')
                from membership m join app_user u on u.id = m.user_id
                where m.org_id = o.id and u.disabled_at is null and m.suspended_at is null),
            'suspended', (select coalesce(json_agg(user_id), '[]') from membership
                where org_id = o.id and suspended_at is not null),
            'groups', (select coalesce(json_agg(json_build_object('id', g.id,
                    'slug', g.slug, 'provisioned', exists (select from scim_group s
                        where s.org_id = g.org_id and s.group_id = g.id), 'people', (
                    select coalesce(json_agg(m.user_id), '[]') from group_member m
                    where m.org_id = g.org_id and m.group_id = g.id))), '[]')
                from people_group g where g.org_id = o.id),
            'roles', (select coalesce(json_agg(json_build_object(
                    'name', name, 'title', title, 'description', description,
                    'permissions', permissions, 'includes', includes, 'version', version)), '[]')
                from own_role where org_id = o.id),
            'bindings', (select coalesce(json_agg(json_build_object(
                    'id', id, 'kind', subject_kind, 'subject', subject_id, 'role', role,
                    'team', team_id, 'project', project_id, 'effect', effect,
                    'not_before', not_before, 'expires_at', expires_at,
                    'managed_by', managed_by, 'request', request_id) order by id), '[]')
                from binding where org_id = o.id),
            'sign_on', (select json_build_object('provider', provider_id, 'break_glass', break_glass)
                from sso_enforcement where org_id = o.id),
            'glass', (select coalesce(json_agg(user_id), '[]') from break_glass_person
                where org_id = o.id)
        )::text as "rows!"
        from org o where o.id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await
}

/// Every organisation, for the poll.
pub(crate) async fn versions(conn: &mut PgConnection) -> Result<Vec<Known>, sqlx::Error> {
    sqlx::query_as!(
        Known,
        r#"select o.id as "org!: OrgId", o.slug as "slug!", coalesce(v.version, 0) as "version!"
        from org o left join policy_version v on v.org_id = o.id"#,
    )
    .fetch_all(conn)
    .await
}

/// Raises the version, which also makes every other change of the organisation wait for this
/// transaction's end.
pub(crate) async fn bump(conn: &mut PgConnection, org: OrgId) -> Result<i64, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "insert into policy_version (org_id) values ($1)
        on conflict (org_id) do update set version = policy_version.version + 1
        returning version",
        org as _,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!("select pg_notify('ralex_policy', $1)", org.to_string()).execute(conn).await?;
    Ok(version)
}

/// Where a binding comes from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub by: &'a str,
    pub managed_by: Option<SsoProviderId>,
    pub request: Option<AccessRequestId>,
}

impl<'a> Origin<'a> {
    pub(crate) const fn by(by: &'a str) -> Self {
        Self { by, managed_by: None, request: None }
    }
}

/// Stores a binding.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: BindingId,
    wanted: &Wanted,
    origin: Origin<'_>,
) -> Result<(), sqlx::Error> {
    let (kind, subject) = wanted.bearer.columns();
    sqlx::query!(
        "insert into binding (org_id, id, subject_kind, subject_id, role, team_id, project_id,
             effect, not_before, expires_at, created_by, managed_by, request_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        org as _,
        id as _,
        kind,
        subject,
        wanted.role.as_str(),
        wanted.at.team() as Option<TeamId>,
        wanted.at.project() as Option<ProjectId>,
        wanted.effect.as_str(),
        wanted.not_before,
        wanted.expires_at,
        origin.by,
        origin.managed_by as _,
        origin.request as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a provider of single sign-on gives a person.
pub(crate) async fn managed(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
    user: UserId,
) -> Result<Vec<(RoleName, ScopePath)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select role, team_id as "team: TeamId", project_id as "project: ProjectId" from binding
           where org_id = $1 and managed_by = $2 and subject_id = $3"#,
        org as _,
        provider as _,
        user as _,
    )
    .fetch_all(conn)
    .await?;
    let held = rows.into_iter().map(|row| {
        let at = place(row.team, row.project);
        (RoleName(row.role), at)
    });
    Ok(held.collect())
}

pub(crate) async fn has_account(
    conn: &mut PgConnection,
    org: OrgId,
    account: ServiceAccountId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from service_account where org_id = $1 and id = $2) as "known!""#,
        org as _,
        account as _,
    )
    .fetch_one(conn)
    .await
}

/// One binding, with names for its ids.
pub(crate) async fn binding(
    conn: &mut PgConnection,
    org: OrgId,
    id: BindingId,
) -> Result<Option<Shown>, sqlx::Error> {
    let all = Which { bearer: None, role: None, within: ScopePath::Org };
    Ok(select(conn, org, &all, (Some(id), None), 1).await?.into_iter().next())
}

/// Bindings with names for their ids, oldest first, after one.
pub(crate) async fn bindings(
    conn: &mut PgConnection,
    org: OrgId,
    which: &Which,
    after: Option<BindingId>,
    at_most: i64,
) -> Result<Vec<Shown>, sqlx::Error> {
    select(conn, org, which, (None, after), at_most).await
}

async fn select(
    conn: &mut PgConnection,
    org: OrgId,
    which: &Which,
    (only, after): (Option<BindingId>, Option<BindingId>),
    at_most: i64,
) -> Result<Vec<Shown>, sqlx::Error> {
    let (kind, subject) = which.bearer.map(Bearer::columns).unzip();
    let rows = sqlx::query_as!(
        BindingRow,
        r#"select b.id as "id: BindingId",
               case b.subject_kind when 'user' then 'user:' || b.subject_id
                   else coalesce('group:' || g.slug, 'service_account:' || a.slug,
                                 'token:' || b.subject_id) end as "subject!",
               coalesce(u.email, g.name, a.name, b.subject_id::text) as "subject_name!",
               b.role,
               coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as "scope!",
               b.effect, b.not_before, b.expires_at,
               coalesce(c.email, s.name, b.created_by) as "created_by!", b.created_at,
               s.slug as "managed_by?", b.request_id as "request: AccessRequestId"
           from binding b
           left join app_user u on b.subject_kind = 'user' and u.id = b.subject_id
           left join service_account a on b.subject_kind = 'sa' and a.org_id = b.org_id
               and a.id = b.subject_id
           left join people_group g on b.subject_kind = 'grp' and g.org_id = b.org_id
               and g.id = b.subject_id
           left join app_user c on b.created_by = 'user:' || c.id
           left join sso_provider s on s.org_id = b.org_id and s.id = b.managed_by
           left join team t on t.org_id = b.org_id and t.id = b.team_id
           left join project p on p.org_id = b.org_id and p.id = b.project_id
           where b.org_id = $1
             and ($2::uuid is null or b.id = $2)
             and ($3::uuid is null or b.id > $3)
             and ($4::text is null or b.subject_kind = $4)
             and ($5::uuid is null or b.subject_id = $5)
             and ($6::text is null or b.role = $6)
             and ($7::uuid is null or b.team_id = $7)
             and ($8::uuid is null or b.project_id = $8)
           order by b.id limit $9"#,
        org as _,
        only as _,
        after as _,
        kind,
        subject,
        which.role.as_ref().map(RoleName::as_str),
        which.within.team() as Option<TeamId>,
        which.within.project() as Option<ProjectId>,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(BindingRow::shown).collect())
}

/// A binding with names for its ids.
struct BindingRow {
    id: BindingId,
    subject: String,
    subject_name: String,
    role: String,
    scope: String,
    effect: String,
    not_before: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    created_by: String,
    created_at: DateTime<Utc>,
    managed_by: Option<String>,
    request: Option<AccessRequestId>,
}

impl BindingRow {
    fn shown(self) -> Shown {
        Shown {
            id: self.id,
            subject: self.subject,
            subject_name: self.subject_name,
            role: RoleName(self.role),
            scope: self.scope,
            // The table has no third word.
            effect: BindingEffect::named(&self.effect).unwrap_or(BindingEffect::Deny),
            not_before: self.not_before,
            expires_at: self.expires_at,
            created_by: self.created_by,
            created_at: self.created_at,
            managed_by: self.managed_by,
            access_request: self.request,
        }
    }
}

/// People, service accounts and teams' own tokens, in the order of how they are written; or one of
/// the former.
pub(crate) async fn somebodies(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<Bearer>,
) -> Result<Vec<Somebody>, sqlx::Error> {
    let (kind, id) = only.map(Bearer::columns).unzip();
    let rows = sqlx::query_as!(
        SomebodyRow,
        r#"select s.kind as "kind!", s.id as "id!", s.written as "written!", s.name as "name!",
               s.team as "team: TeamId", s.project as "project: ProjectId",
               s.disabled as "disabled!", s.suspended as "suspended!", s.narrowed
           from (
               select 'user' as kind, m.user_id as id, 'user:' || m.user_id as written,
                   u.email as name, null::uuid as team, null::uuid as project,
                   u.disabled_at is not null as disabled, m.suspended_at is not null as suspended,
                   null::text[] as narrowed
               from membership m join app_user u on u.id = m.user_id
               where m.org_id = $1
               union all
               select 'sa', a.id, 'service_account:' || a.slug, a.name, a.team_id, a.project_id,
                   a.disabled_at is not null, false, null
               from service_account a where a.org_id = $1
               union all
               select 'token', k.id, 'token:' || k.id, k.name, k.team_id, k.project_id, false, false,
                   k.permissions
               from token k
               where k.org_id = $1 and k.account_id is null and k.revoked_at is null
                 and (k.expires_at is null or k.expires_at > now())) as s
           where ($2::text is null or s.kind = $2) and ($3::uuid is null or s.id = $3)
           order by s.written collate "C""#,
        org as _,
        kind,
        id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.somebody(org)).collect())
}

/// Somebody who can be asked about.
struct SomebodyRow {
    kind: String,
    id: uuid::Uuid,
    written: String,
    name: String,
    team: Option<TeamId>,
    project: Option<ProjectId>,
    disabled: bool,
    suspended: bool,
    narrowed: Option<Vec<String>>,
}

impl SomebodyRow {
    fn somebody(self, org: OrgId) -> Somebody {
        let home = self.team.map(|team| match self.project {
            Some(project) => ScopePath::Project { team, project },
            None => ScopePath::Team { team },
        });
        let subject = match (self.kind.as_str(), home) {
            ("sa", Some(scope)) => Subject::Service { account: self.id.into(), org, scope },
            ("token", Some(scope)) => Subject::Token { token: self.id.into(), org, scope },
            _ => Subject::User(self.id.into()),
        };
        Somebody {
            subject,
            written: self.written,
            name: self.name,
            disabled: self.disabled,
            suspended: self.suspended,
            narrowed: self.narrowed.as_deref().map(frozen),
        }
    }
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    ids: &[BindingId],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let done =
        sqlx::query!("delete from binding where org_id = $1 and id = any($2)", org as _, &ids)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
