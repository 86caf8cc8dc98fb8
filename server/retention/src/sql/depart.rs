//! The queries of departure. As the system, since what goes is an organisation itself.

use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;

use super::Result;

/// Organisations whose time is over, and of which nothing is held.
pub(crate) async fn due(conn: &mut PgConnection) -> Result<Vec<OrgId>> {
    sqlx::query_scalar!(
        r#"select o.id as "id: OrgId" from org o
           where o.delete_after <= now()
             and not exists (select from audit_hold h where h.org_id = o.id and h.lifted_at is null)
           order by o.delete_after"#,
    )
    .fetch_all(conn)
    .await
}

/// Writes down what will be left, once.
pub(crate) async fn remember(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "insert into deleted_org (id, slug, name, created_at, asked_at, asked_by, reason, tree_size, root_hash,
             confirmed_by)
         select o.id, o.slug, o.name, o.created_at, o.deletion_asked_at, o.deletion_asked_by,
                o.deletion_reason, coalesce(last.tree_size, 0), last.root,
                o.deletion_confirmed_by
         from org o left join lateral (
             select tree_size, root from audit_checkpoint c
             where c.org_id = o.id order by tree_size desc limit 1) last on true
         where o.id = $1 and o.delete_after <= now()
         on conflict (id) do nothing",
        org as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Somebody who belongs to one organisation and to no other.
pub(crate) struct OnlyHere {
    pub id: UserId,
    pub email_key: String,
}

/// Members who are no members elsewhere, no operators, and nobody whom a held log may need.
pub(crate) async fn only_here(conn: &mut PgConnection, org: OrgId) -> Result<Vec<OnlyHere>> {
    sqlx::query_as!(
        OnlyHere,
        r#"select u.id as "id: UserId", u.email_key
           from membership m join app_user u on u.id = m.user_id
           where m.org_id = $1
             and not exists (select from membership o where o.user_id = u.id and o.org_id <> $1)
             and not exists (select from operator o where o.user_id = u.id)
             and not exists (select from audit_hold h
                 where h.org_id <> $1 and h.lifted_at is null
                   and (exists (select from audit_event e where e.org_id = h.org_id
                                  and e.target collate "C" = 'user:' || u.id::text
                                  and e.target not like 'call:%')
                        or exists (select from audit_event e
                                   where e.org_id = h.org_id and e.actor_id = u.id)))"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

/// Removes some of what the organisation has; nothing is left where it says 0, and
/// nothing was where it says less.
pub(crate) async fn erase(conn: &mut PgConnection, org: OrgId, at_most: i32) -> Result<i64> {
    sqlx::query_scalar!(r#"select org_erase($1, $2) as "gone!""#, org as _, at_most)
        .fetch_one(conn)
        .await
}

/// Tells when the last of it went, and every node that it did.
pub(crate) async fn done(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!("update deleted_org set deleted_at = now() where id = $1", org as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("select pg_notify('ralex_policy', $1)", org.to_string()).execute(conn).await?;
    Ok(())
}
