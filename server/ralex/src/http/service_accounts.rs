//! Service accounts: what programs are, whichever of their tokens they show.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::identity::{NewServiceAccount, ServiceAccount, UpdateServiceAccount};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use serde::Deserialize;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;
use super::teams::only;

/// Which service accounts.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccountsQuery {
    /// Only those of this team, by id or slug.
    team: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// List service accounts that the caller may see, oldest first, disabled ones included.
#[utoipa::path(tag = "service accounts", params(("org" = String, Path), ServiceAccountsQuery), responses((status = 200, body = Page<ServiceAccount>)))]
#[get("/service-accounts")]
pub async fn list_service_accounts(
    who: OrgCaller,
    identity: Data<Identity>,
    query: Query<ServiceAccountsQuery>,
) -> Result<HttpResponse> {
    let ServiceAccountsQuery { team, cursor, limit } = query.0;
    let team = only(&who, &identity, team, Permission::ServiceAccountRead).await?;
    let page = PageQuery { cursor, limit };
    let reach = who.reach(Permission::ServiceAccountRead).await?;
    Ok(HttpResponse::Ok().json(identity.service_accounts(&reach, team, &page).await?))
}

/// Create a service account for a team or one project of it; it has no token yet.
#[utoipa::path(tag = "service accounts", params(("org" = String, Path)), request_body = NewServiceAccount, responses((status = 201, body = ServiceAccount)))]
#[post("/service-accounts")]
pub async fn create_service_account(
    who: OrgCaller,
    identity: Data<Identity>,
    new: Body<NewServiceAccount>,
) -> Result<HttpResponse> {
    let made = identity.create_service_account(who.caller(), who.org, new.0).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Show one service account, by id or slug.
#[utoipa::path(tag = "service accounts", params(("org" = String, Path), ("service_account" = String, Path)), responses((status = 200, body = ServiceAccount)))]
#[get("/service-accounts/{service_account}")]
pub async fn find_service_account(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let found = identity.service_account(who.caller(), who.org, &path.1).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Rename a service account, disable or enable it; disabled, none of its tokens works within a second.
#[utoipa::path(tag = "service accounts", params(("org" = String, Path), ("service_account" = String, Path)), request_body = UpdateServiceAccount, responses((status = 200, body = ServiceAccount)))]
#[patch("/service-accounts/{service_account}")]
pub async fn update_service_account(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
    change: Body<UpdateServiceAccount>,
) -> Result<HttpResponse> {
    let changed = identity.update_service_account(who.caller(), who.org, &path.1, change.0).await?;
    Ok(HttpResponse::Ok().json(changed))
}
