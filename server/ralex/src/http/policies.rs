//! The policy of an organisation as casbin lines, out and in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use ralex_access::{Access, Permission};
use ralex_api::policies::{PolicyImport, PolicyImported};
use ralex_identity::Identity;
use ralex_kernel::Problem;

use super::extract::{Body, OrgCaller};
use super::problem::Result;

/// Export the policy as casbin lines over the model in `policies/access/`: what roles hold, who is in which
/// group, who holds what where.
///
/// People stand there by their ids, all else by slugs. What does not count stands behind a `#`.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = String, content_type = "text/csv")))]
#[get("/policies/export")]
pub async fn export_policy(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow(Permission::GroupRead).await?;
    let scope = who.allow(Permission::RoleRead).await?;
    let lines = access.export_policy(&scope).await?;
    let name = format!("attachment; filename=\"ralex-policy-{}.csv\"", scope.org());
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", name))
        .body(lines))
}

/// Take in policy lines, or tell what that would do.
///
/// Each change is made as by hand: by the same rules, with the same entries in the audit log, all in one
/// transaction. Where a line is refused nothing is done, and every refused line is told with the reason. To do it
/// asks a session for a fresh proof.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("If-Policy-Version" = Option<i64>, Header)), request_body = PolicyImport, responses((status = 200, body = PolicyImported)))]
#[post("/policies/import")]
pub async fn import_policy(
    who: OrgCaller,
    request: HttpRequest,
    access: Data<Access>,
    identity: Data<Identity>,
    lines: Body<PolicyImport>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleBind).await?;
    // What would be kept or taken away is told, so that it takes to see it as well.
    who.allow(Permission::RoleRead).await?;
    who.allow(Permission::GroupRead).await?;
    if lines.0.apply {
        identity.require_fresh_session(&who.signed_in)?;
    }
    let told = access.import_policy(&scope, lines.0, if_version(&request)?).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// The version that the change is meant for; any where nothing is said.
fn if_version(request: &HttpRequest) -> std::result::Result<Option<i64>, Problem> {
    const HEADER: &str = "If-Policy-Version";
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let number = number.filter(|number: &i64| *number >= 0);
    number.map(Some).ok_or_else(|| Problem::field(HEADER, "must be a whole number from 0"))
}
