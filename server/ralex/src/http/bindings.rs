//! Bindings: who holds which role where, who is denied one, and what follows from it.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use ralex_access::{Access, Permission, Wanted, Which};
use ralex_api::Page;
use ralex_api::access::{
    Able, Binding, BindingsQuery, ExplainQuestion, Explanation, NewBinding, RoleName,
    WhoCanQuestion,
};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::{BindingId, Problem, ScopePath};

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List who holds which role where, oldest first, those included that have ended or not begun.
#[utoipa::path(tag = "roles", params(("org" = String, Path), BindingsQuery), responses((status = 200, body = Page<Binding>)))]
#[get("/bindings")]
pub async fn list_bindings(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    query: Query<BindingsQuery>,
) -> Result<HttpResponse> {
    let BindingsQuery { subject, role, scope, cursor, limit } = query.0;
    let at = match &scope {
        Some(text) => identity.scope_of(who.org, text).await?,
        None => ScopePath::Org,
    };
    let scope = who.allow_at(Permission::RoleRead, at).await?;
    let bearer = match subject {
        Some(text) => Some(identity.bearer(who.org, &text).await?),
        None => None,
    };
    let which = Which { bearer, role: role.map(RoleName), within: at };
    let page = PageQuery { cursor, limit };
    Ok(HttpResponse::Ok().json(access.bindings(&scope, &which, &page).await?))
}

/// Give a role to a person or a program, or deny it to them, for a time or for good.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = NewBinding, responses((status = 201, body = Binding)))]
#[post("/bindings")]
pub async fn create_binding(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    new: Body<NewBinding>,
) -> Result<HttpResponse> {
    let new = new.0;
    let at = identity.scope_of(who.org, new.scope.as_deref().unwrap_or("org")).await?;
    // Asked for first, so that who may not is not told whom there is.
    let scope = access.allow_binding(who.caller(), who.org, new.effect, at).await?;
    let wanted = Wanted {
        bearer: identity.bearer(who.org, &new.subject).await?,
        role: new.role,
        at,
        effect: new.effect,
        not_before: new.not_before,
        expires_at: new.expires_at,
    };
    Ok(HttpResponse::Created().json(access.create_binding(&scope, wanted).await?))
}

/// Take a role away, or a denial of one; it stops to hold everywhere within a second.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("binding" = BindingId, Path)), responses((status = 204)))]
#[delete("/bindings/{binding}")]
pub async fn delete_binding(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, BindingId)>,
) -> Result<HttpResponse> {
    access.delete_binding(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Explain whether somebody may do something at a place now, and why or why not.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = ExplainQuestion, responses((status = 200, body = Explanation)))]
#[post("/access/explain")]
pub async fn explain_access(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    asked: Body<ExplainQuestion>,
) -> Result<HttpResponse> {
    let ExplainQuestion { subject, permission, scope: place } = asked.0;
    let place = place.unwrap_or_else(|| "org".to_owned());
    let at = identity.scope_of(who.org, &place).await?;
    let scope = who.allow_at(Permission::RoleRead, at).await?;
    let bearer = identity.bearer(who.org, &subject).await?;
    let told = access.explain(&scope, bearer, named(&permission)?, place).await?;
    Ok(HttpResponse::Ok().json(told))
}

/// List everybody who may do something at a place now: people, service accounts and teams' tokens.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = WhoCanQuestion, responses((status = 200, body = Page<Able>)))]
#[post("/access/who-can")]
pub async fn who_can(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    asked: Body<WhoCanQuestion>,
) -> Result<HttpResponse> {
    let WhoCanQuestion { permission, scope, cursor, limit } = asked.0;
    let at = identity.scope_of(who.org, scope.as_deref().unwrap_or("org")).await?;
    let scope = who.allow_at(Permission::RoleRead, at).await?;
    let page = PageQuery { cursor, limit };
    let able = access.who_can(&scope, named(&permission)?, &page).await?;
    Ok(HttpResponse::Ok().json(able))
}

fn named(permission: &str) -> std::result::Result<Permission, Problem> {
    permission.parse().map_err(|_| {
        let rule = format!("is not a permission: \"{permission}\"; roles name all that there are");
        Problem::field("permission", rule)
    })
}
