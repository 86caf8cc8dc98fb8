//! Queries on the roles that an organisation defines for itself.

use ralex_kernel::OrgId;
use sqlx::PgConnection;

use crate::roles::OwnRole;

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    role: &OwnRole,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into own_role (org_id, name, title, description, permissions, includes, created_by)
        values ($1, $2, $3, $4, $5, $6, $7)",
        org as _,
        role.name,
        role.title,
        role.description,
        &role.permissions,
        &role.includes,
        by,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    role: &OwnRole,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update own_role set title = $3, description = $4, permissions = $5, includes = $6,
             updated_at = now(), version = version + 1
        where org_id = $1 and name = $2",
        org as _,
        role.name,
        role.title,
        role.description,
        &role.permissions,
        &role.includes,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn delete(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from own_role where org_id = $1 and name = $2", org as _, name)
        .execute(conn)
        .await
        .map(drop)
}
