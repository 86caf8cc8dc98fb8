//! How rights were: the rows that `access_history` keeps, as they were at one moment.

use chrono::{DateTime, Utc};
use ralex_api::access::{Binding as Shown, RoleName};
use ralex_kernel::{BindingId, GroupId, OrgId, ProjectId, ScopePath, TeamId, UserId};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use super::{BindingRow, SomebodyRow};
use crate::bindings::{Bearer, Which};
use crate::explain::Somebody;

/// Since when all of it is known.
pub(crate) async fn known_since(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!("select since from access_history_start where org_id = $1", org as _)
        .fetch_one(conn)
        .await
}

/// What decisions rested on, in the form in which the present is read. What no decision about a place
/// rests on, how people have to come in, is not kept.
pub(crate) async fn load_text(
    conn: &mut PgConnection,
    org: OrgId,
    at: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with h as materialized (
            select kind, value from access_history
            where org_id = $1 and since <= $2 and (until is null or until > $2))
        select json_build_object(
            'version', 0,
            'slug', o.slug,
            'second_factor', false,
            'device_login', true,
            'teams', (select coalesce(json_agg(value -> 'id'), '[]') from h where kind = 'team'),
            'projects', (select coalesce(json_agg(json_build_object(
                    'id', value -> 'id', 'team', value -> 'team_id')), '[]')
                from h where kind = 'project'),
            'members', (select coalesce(json_agg(value -> 'user_id'), '[]') from h
                where kind = 'member' and not (value ->> 'disabled')::boolean
                  and not (value ->> 'suspended')::boolean),
            'suspended', (select coalesce(json_agg(value -> 'user_id'), '[]') from h
                where kind = 'member' and (value ->> 'suspended')::boolean),
            'groups', (select coalesce(json_agg(json_build_object(
                    'id', g.value -> 'id', 'people', coalesce(m.people, '[]'))), '[]')
                from h g left join (
                    select value ->> 'group_id' as id, json_agg(value -> 'user_id') as people
                    from h where kind = 'group_member' group by 1) as m on m.id = g.value ->> 'id'
                where g.kind = 'group'),
            'roles', (select coalesce(json_agg(value), '[]') from h where kind = 'role'),
            'bindings', (select coalesce(json_agg(json_build_object(
                    'id', value -> 'id', 'kind', value -> 'subject_kind',
                    'subject', value -> 'subject_id', 'role', value -> 'role',
                    'team', value -> 'team_id', 'project', value -> 'project_id',
                    'effect', value -> 'effect', 'not_before', value -> 'not_before',
                    'expires_at', value -> 'expires_at', 'managed_by', value -> 'managed_by',
                    'request', value -> 'request_id') order by value ->> 'id'), '[]')
                from h where kind = 'binding')
        )::text as "rows!"
        from org o where o.id = $1"#,
        org as _,
        at,
    )
    .fetch_optional(conn)
    .await
}

/// Who could be asked about then, or one of them. Their names are those of today, where there are any;
/// what a token is narrowed to never changes.
pub(crate) async fn somebodies(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<Bearer>,
    at: DateTime<Utc>,
) -> Result<Vec<Somebody>, sqlx::Error> {
    let (kind, id) = only.map(Bearer::columns).unzip();
    let rows = sqlx::query_as!(
        SomebodyRow,
        r#"with h as (
            select kind, value from access_history
            where org_id = $1 and kind in ('member', 'account', 'token') and since <= $4
              and (until is null or until > $4))
        select s.kind as "kind!", s.id as "id!", s.written as "written!", s.name as "name!",
            s.team as "team: TeamId", s.project as "project: ProjectId",
            s.disabled as "disabled!", s.suspended as "suspended!", s.narrowed
        from (
            select 'user' as kind, (h.value ->> 'user_id')::uuid as id,
                'user:' || (h.value ->> 'user_id') as written,
                coalesce(u.email, h.value ->> 'user_id') as name,
                null::uuid as team, null::uuid as project,
                (h.value ->> 'disabled')::boolean as disabled,
                (h.value ->> 'suspended')::boolean as suspended, null::text[] as narrowed
            from h left join app_user u on u.id = (h.value ->> 'user_id')::uuid
            where h.kind = 'member'
            union all
            select 'sa', (h.value ->> 'id')::uuid, 'service_account:' || (h.value ->> 'slug'),
                coalesce(a.name, h.value ->> 'slug'), (h.value ->> 'team_id')::uuid,
                (h.value ->> 'project_id')::uuid, h.value ->> 'disabled_at' is not null, false, null
            from h left join service_account a
                on a.org_id = $1 and a.id = (h.value ->> 'id')::uuid
            where h.kind = 'account'
            union all
            select 'token', (h.value ->> 'id')::uuid, 'token:' || (h.value ->> 'id'),
                coalesce(k.name, h.value ->> 'id'), (h.value ->> 'team_id')::uuid,
                (h.value ->> 'project_id')::uuid, false, false, k.permissions
            from h left join token k on k.org_id = $1 and k.id = (h.value ->> 'id')::uuid
            where h.kind = 'token'
              and coalesce((h.value ->> 'expires_at')::timestamptz > $4, true)) as s
        where ($2::text is null or s.kind = $2) and ($3::uuid is null or s.id = $3)
        order by s.written collate "C""#,
        org as _,
        kind,
        id,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.somebody(org)).collect())
}

/// Bindings as they were, oldest first, after one; or one of them.
pub(crate) async fn bindings(
    conn: &mut PgConnection,
    org: OrgId,
    (which, at): (&Which, DateTime<Utc>),
    (only, after): (Option<BindingId>, Option<BindingId>),
    at_most: i64,
) -> Result<Vec<Shown>, sqlx::Error> {
    let (kind, subject) = which.bearer.map(Bearer::columns).unzip();
    let rows = sqlx::query_as!(
        BindingRow,
        r#"with h as materialized (
            select kind, key, value from access_history
            where org_id = $1 and since <= $2 and (until is null or until > $2)
              and kind in ('binding', 'group', 'account', 'team', 'project')),
        b as (
            select * from jsonb_to_recordset((
                select coalesce(jsonb_agg(value), '[]') from h where kind = 'binding'))
            as b (id uuid, subject_kind text, subject_id uuid, role text, team_id uuid,
                project_id uuid, effect text, not_before timestamptz, expires_at timestamptz,
                created_by text, created_at timestamptz, managed_by uuid, request_id uuid))
        select b.id as "id!: BindingId",
            case b.subject_kind when 'user' then 'user:' || b.subject_id
                else coalesce('group:' || (g.value ->> 'slug'),
                              'service_account:' || (a.value ->> 'slug'),
                              'token:' || b.subject_id) end as "subject!",
            coalesce(u.email, ng.name, g.value ->> 'slug', na.name, b.subject_id::text)
                as "subject_name!",
            b.role as "role!",
            coalesce('project:' || (p.value ->> 'slug'), 'team:' || (t.value ->> 'slug'), 'org')
                as "scope!",
            b.effect as "effect!", b.not_before, b.expires_at,
            coalesce(c.email, s.name, b.created_by) as "created_by!", b.created_at as "created_at!",
            s.slug as "managed_by?", b.request_id as "request: _"
        from b
        left join app_user u on b.subject_kind = 'user' and u.id = b.subject_id
        left join h a on b.subject_kind = 'sa' and a.kind = 'account' and a.key = b.subject_id::text
        left join service_account na on na.org_id = $1 and na.id::text = a.key
        left join h g on b.subject_kind = 'grp' and g.kind = 'group' and g.key = b.subject_id::text
        left join people_group ng on ng.org_id = $1 and ng.id::text = g.key
        left join app_user c on b.created_by = 'user:' || c.id
        left join sso_provider s on s.org_id = $1 and s.id = b.managed_by
        left join h t on t.kind = 'team' and t.key = b.team_id::text
        left join h p on p.kind = 'project' and p.key = b.project_id::text
        where ($3::uuid is null or b.id = $3)
          and ($4::uuid is null or b.id > $4)
          and ($5::text is null or b.subject_kind = $5)
          and ($6::uuid is null or b.subject_id = $6)
          and ($7::text is null or b.role = $7)
          and ($8::uuid is null or b.team_id = $8)
          and ($9::uuid is null or b.project_id = $9)
        order by b.id limit $10"#,
        org as _,
        at,
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

/// The team or project that had this slug or id then.
pub(crate) async fn place(
    conn: &mut PgConnection,
    org: OrgId,
    (kind, reference): (&str, &str),
    at: DateTime<Utc>,
) -> Result<Option<ScopePath>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select (value ->> 'id')::uuid as "id!",
               (value ->> 'team_id')::uuid as "team: TeamId"
           from access_history
           where org_id = $1 and kind = $2 and kind in ('team', 'project')
             and (key = $3 or value ->> 'slug' = $3)
             and since <= $4 and (until is null or until > $4)
           order by key = $3 limit 1"#,
        org as _,
        kind,
        reference,
        at,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| match row.team {
        Some(team) => ScopePath::Project { team, project: ProjectId::from(row.id) },
        None => ScopePath::Team { team: TeamId::from(row.id) },
    }))
}

/// The person of this id who was a member then.
pub(crate) async fn member(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from access_history
               where org_id = $1 and kind = 'member' and key = $2
                 and since <= $3 and (until is null or until > $3)) as "was!""#,
        org as _,
        user.to_string(),
        at,
    )
    .fetch_one(conn)
    .await
}

/// The group of this slug or id then.
pub(crate) async fn group(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
    at: DateTime<Utc>,
) -> Result<Option<GroupId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select (value ->> 'id')::uuid as "id!: GroupId" from access_history
           where org_id = $1 and kind = 'group' and (key = $2 or value ->> 'slug' = $2)
             and since <= $3 and (until is null or until > $3)
           order by key = $2 limit 1"#,
        org as _,
        reference,
        at,
    )
    .fetch_optional(conn)
    .await
}

/// Forgets what ended before the time for which organisations keep their log of changes, where one is
/// set and nothing is held; returns how many rows that were.
pub(crate) async fn prune(
    conn: &mut PgConnection,
    class: &str,
    least: PgInterval,
    at_most: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "with late as (
            select r.org_id, now() - greatest(make_interval(days => r.days), $2) as before
            from audit_retention r
            where r.class = $1 and not exists (select from audit_hold h
                where h.org_id = r.org_id and h.lifted_at is null)),
        gone as (
            select h.org_id, h.kind, h.key, h.since, l.before
            from late l join access_history h on h.org_id = l.org_id and h.until < l.before
            limit $3),
        known as (
            update access_history_start s set since = l.before
            from late l where s.org_id = l.org_id and s.since < l.before
              and exists (select from gone where gone.org_id = l.org_id))
        delete from access_history h using gone
        where h.org_id = gone.org_id and h.kind = gone.kind and h.key = gone.key
          and h.since = gone.since",
        class,
        least,
        at_most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
