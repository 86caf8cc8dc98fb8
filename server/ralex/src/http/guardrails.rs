//! Guardrails, the packs they draw from, and the tester.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::guardrails::{
    Guardrail, NewGuardrail, Pack, TestGuardrails, Tested, UpdateGuardrail,
};
use ralex_api::page::PageQuery;
use ralex_guardrails::Guards;
use ralex_kernel::GuardrailId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List guardrails.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Guardrail>)))]
#[get("/guardrails")]
pub async fn list_guardrails(
    who: OrgCaller,
    guards: Data<Guards>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailRead).await?;
    Ok(HttpResponse::Ok().json(guards.list(&scope, &page.0).await?))
}

/// Look for something in prompts or answers at a scope and below.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path)), request_body = NewGuardrail, responses((status = 201, body = Guardrail)))]
#[post("/guardrails")]
pub async fn create_guardrail(
    who: OrgCaller,
    guards: Data<Guards>,
    new: Body<NewGuardrail>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailSet).await?;
    Ok(HttpResponse::Created().json(guards.create(&scope, new.0).await?))
}

/// List the packs of rules that come with Ralex.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path)), responses((status = 200, body = Page<Pack>)))]
#[get("/guardrails/packs")]
pub async fn list_guardrail_packs(who: OrgCaller, guards: Data<Guards>) -> Result<HttpResponse> {
    who.allow(Permission::GuardrailRead).await?;
    Ok(HttpResponse::Ok().json(Page { items: guards.packs(), next_cursor: None }))
}

/// Try a text on the guardrails of a scope, or on one that is not set up yet.
///
/// Answers what would be found and what would become of the text, which is not recorded.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path)), request_body = TestGuardrails, responses((status = 200, body = Tested)))]
#[post("/guardrails/test")]
pub async fn test_guardrails(
    who: OrgCaller,
    guards: Data<Guards>,
    test: Body<TestGuardrails>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailRead).await?;
    Ok(HttpResponse::Ok().json(guards.test(&scope, test.0).await?))
}

/// Show one guardrail.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path), ("guardrail" = GuardrailId, Path)), responses((status = 200, body = Guardrail)))]
#[get("/guardrails/{guardrail}")]
pub async fn find_guardrail(
    who: OrgCaller,
    guards: Data<Guards>,
    path: Path<(String, GuardrailId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailRead).await?;
    Ok(HttpResponse::Ok().json(guards.find(&scope, path.1).await?))
}

/// Change what a guardrail looks for, what it does, or switch it.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path), ("guardrail" = GuardrailId, Path)), request_body = UpdateGuardrail, responses((status = 200, body = Guardrail)))]
#[patch("/guardrails/{guardrail}")]
pub async fn update_guardrail(
    who: OrgCaller,
    guards: Data<Guards>,
    path: Path<(String, GuardrailId)>,
    change: Body<UpdateGuardrail>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailSet).await?;
    Ok(HttpResponse::Ok().json(guards.update(&scope, path.1, change.0).await?))
}

/// Delete a guardrail; from the next call on it is not looked for any more.
#[utoipa::path(tag = "guardrails", params(("org" = String, Path), ("guardrail" = GuardrailId, Path)), responses((status = 204)))]
#[delete("/guardrails/{guardrail}")]
pub async fn delete_guardrail(
    who: OrgCaller,
    guards: Data<Guards>,
    path: Path<(String, GuardrailId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GuardrailSet).await?;
    guards.delete(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
