//! Provider keys: they go in, and what comes out says only that they are there.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::changes::ChangeRequest;
use ralex_api::page::PageQuery;
use ralex_api::vault::{NewSecret, NewSecretVersion, SecretInfo, UpdateSecret};
use ralex_identity::Identity;
use ralex_kernel::SecretId;
use ralex_vault::Vault;

use super::changes::done;
use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List keys without their values.
#[utoipa::path(tag = "keys", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<SecretInfo>)))]
#[get("/secrets")]
pub async fn list_secrets(
    who: OrgCaller,
    vault: Data<Vault>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecretRead).await?;
    Ok(HttpResponse::Ok().json(vault.list(&scope, &page.0).await?))
}

/// Store a key for a provider.
#[utoipa::path(tag = "keys", params(("org" = String, Path)), request_body = NewSecret, responses((status = 201, body = SecretInfo)))]
#[post("/secrets")]
pub async fn create_secret(
    who: OrgCaller,
    vault: Data<Vault>,
    new: Body<NewSecret>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecretCreate).await?;
    Ok(HttpResponse::Created().json(vault.create(&scope, new.0).await?))
}

/// Replace a key; calls use the new value from now on.
#[utoipa::path(tag = "keys", params(("org" = String, Path), ("secret" = SecretId, Path)), request_body = NewSecretVersion, responses((status = 201, body = SecretInfo)))]
#[post("/secrets/{secret}/versions")]
pub async fn rotate_secret(
    who: OrgCaller,
    vault: Data<Vault>,
    path: Path<(String, SecretId)>,
    new: Body<NewSecretVersion>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecretRotate).await?;
    Ok(HttpResponse::Created().json(vault.rotate(&scope, path.1, new.0).await?))
}

/// Change a key's share of the calls and its limits.
#[utoipa::path(tag = "keys", params(("org" = String, Path), ("secret" = SecretId, Path)), request_body = UpdateSecret, responses((status = 200, body = SecretInfo)))]
#[patch("/secrets/{secret}")]
pub async fn update_secret(
    who: OrgCaller,
    vault: Data<Vault>,
    path: Path<(String, SecretId)>,
    change: Body<UpdateSecret>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecretRotate).await?;
    Ok(HttpResponse::Ok().json(vault.update(&scope, path.1, &change.0).await?))
}

/// Destroy a key with all of its versions. Asks a session for a fresh proof.
#[utoipa::path(tag = "keys", params(("org" = String, Path), ("secret" = SecretId, Path)), responses((status = 204), (status = 202, body = ChangeRequest)))]
#[delete("/secrets/{secret}")]
pub async fn delete_secret(
    who: OrgCaller,
    identity: Data<Identity>,
    vault: Data<Vault>,
    path: Path<(String, SecretId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecretDelete).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let deleted = vault.delete(&scope, path.1).await?;
    Ok(done(deleted, |()| HttpResponse::NoContent().finish()))
}
