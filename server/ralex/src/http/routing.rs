//! Routes, aliases, preferences, previews and what routing saved.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post, put};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::routing::{
    Alias, NewAlias, NewRoute, Preference, Preview, PreviewRequest, ReportQuery, Route,
    RoutingReport, RoutingSettings, SetPreference, UpdateAlias, UpdateRoute,
};
use ralex_broker::Broker;
use ralex_budgets::{Budgets, Spender};
use ralex_routing::{Routing, place};

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List routes, the built-in ones first.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), responses((status = 200, body = Page<Route>)))]
#[get("/routes")]
pub async fn list_routes(who: OrgCaller, routing: Data<Routing>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_routes(&scope).await?))
}

/// Make a route: a name that means a choice of models.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), request_body = NewRoute, responses((status = 201, body = Route)))]
#[post("/routes")]
pub async fn create_route(
    who: OrgCaller,
    routing: Data<Routing>,
    new: Body<NewRoute>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Created().json(routing.create_route(&scope, new.0).await?))
}

/// Show one route.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ("route" = String, Path)), responses((status = 200, body = Route)))]
#[get("/routes/{route}")]
pub async fn find_route(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.find_route(&scope, &path.1).await?))
}

/// Change a route, for calls from now on.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ("route" = String, Path)), request_body = UpdateRoute, responses((status = 200, body = Route)))]
#[patch("/routes/{route}")]
pub async fn update_route(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
    change: Body<UpdateRoute>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.update_route(&scope, &path.1, change.0).await?))
}

/// Delete a route.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ("route" = String, Path)), responses((status = 204)))]
#[delete("/routes/{route}")]
pub async fn delete_route(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    routing.delete_route(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List aliases.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), responses((status = 200, body = Page<Alias>)))]
#[get("/aliases")]
pub async fn list_aliases(who: OrgCaller, routing: Data<Routing>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_aliases(&scope).await?))
}

/// Give a model or a route another name.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), request_body = NewAlias, responses((status = 201, body = Alias)))]
#[post("/aliases")]
pub async fn create_alias(
    who: OrgCaller,
    routing: Data<Routing>,
    new: Body<NewAlias>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Created().json(routing.create_alias(&scope, new.0).await?))
}

/// Let an alias mean something else.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ("alias" = String, Path)), request_body = UpdateAlias, responses((status = 200, body = Alias)))]
#[patch("/aliases/{alias}")]
pub async fn update_alias(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
    change: Body<UpdateAlias>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.update_alias(&scope, &path.1, change.0).await?))
}

/// Delete an alias.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ("alias" = String, Path)), responses((status = 204)))]
#[delete("/aliases/{alias}")]
pub async fn delete_alias(
    who: OrgCaller,
    routing: Data<Routing>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    routing.delete_alias(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List what the organisation, its teams and its projects want of routing.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), responses((status = 200, body = Page<Preference>)))]
#[get("/preferences")]
pub async fn list_preferences(who: OrgCaller, routing: Data<Routing>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.list_preferences(&scope).await?))
}

/// Set what a scope wants of routing; empty rules remove it.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), request_body = SetPreference, responses((status = 200, body = Page<Preference>)))]
#[put("/preferences")]
pub async fn set_preference(
    who: OrgCaller,
    routing: Data<Routing>,
    set: Body<SetPreference>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.set_preference(&scope, set.0).await?))
}

/// Show how models are ranked.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), responses((status = 200, body = RoutingSettings)))]
#[get("/routing")]
pub async fn find_routing(who: OrgCaller, routing: Data<Routing>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelRead).await?;
    Ok(HttpResponse::Ok().json(routing.routing_settings(&scope).await?))
}

/// Set how models are ranked.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), request_body = RoutingSettings, responses((status = 200, body = RoutingSettings)))]
#[put("/routing")]
pub async fn set_routing(
    who: OrgCaller,
    routing: Data<Routing>,
    settings: Body<RoutingSettings>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ModelConfigure).await?;
    Ok(HttpResponse::Ok().json(routing.set_routing_settings(&scope, settings.0).await?))
}

/// Show which model would answer a call, why, and for how much, without calling it.
#[utoipa::path(tag = "routes", params(("org" = String, Path)), request_body = PreviewRequest, responses((status = 200, body = Preview)))]
#[post("/preview")]
pub async fn preview(
    who: OrgCaller,
    routing: Data<Routing>,
    budgets: Data<Budgets>,
    request: Body<PreviewRequest>,
) -> Result<HttpResponse> {
    let scope = who.allow_at(Permission::ModelRead, place(&request.0)?).await?;
    let allowed = who.signed_in.caller.models.as_deref();
    let spender = Spender::of(&who.signed_in.caller, scope.path(), None);
    let left = budgets.left(scope.org(), &spender).await?;
    let left = left.as_ref().map(|left| (left.amount, left.percent, left.degraded.as_deref()));
    Ok(HttpResponse::Ok().json(routing.preview(&scope, allowed, left, request.0).await?))
}

/// Show what routing cost, what it saved, and what would cost less.
#[utoipa::path(tag = "routes", params(("org" = String, Path), ReportQuery), responses((status = 200, body = RoutingReport)))]
#[get("/reports/routing")]
pub async fn routing_report(
    who: OrgCaller,
    routing: Data<Routing>,
    broker: Data<Broker>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::UsageRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(routing.routing_report(&scope, query.0.from, query.0.to).await?))
}
