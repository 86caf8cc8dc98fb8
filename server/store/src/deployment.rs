//! Which installation a database belongs to: an id that is made once.

use ralex_kernel::DeploymentId;

use crate::db::Db;
use crate::error::Error;

/// The installation's id, made on its first start.
pub async fn deployment(db: &Db) -> Result<DeploymentId, Error> {
    let mut tx = db.system("name the deployment").await?;
    sqlx::query!(
        "insert into deployment (id) values ($1) on conflict do nothing",
        DeploymentId::generate() as _,
    )
    .execute(&mut *tx)
    .await?;
    let id = sqlx::query_scalar!(r#"select id as "id: DeploymentId" from deployment"#)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(id)
}
