//! Rate limits.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, HttpResponseBuilder, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::rate_limits::{NewRateLimit, RateLimit, UpdateRateLimit};
use ralex_budgets::{Rates, Standing};
use ralex_kernel::RateLimitId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List rate limits with what is taken of their current windows.
#[utoipa::path(tag = "rate limits", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<RateLimit>)))]
#[get("/rate-limits")]
pub async fn list_rate_limits(
    who: OrgCaller,
    rates: Data<Rates>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    Ok(HttpResponse::Ok().json(rates.list(&reach, &page.0).await?))
}

/// Limit how many requests or tokens calls may take within any window of time.
#[utoipa::path(tag = "rate limits", params(("org" = String, Path)), request_body = NewRateLimit, responses((status = 201, body = RateLimit)))]
#[post("/rate-limits")]
pub async fn create_rate_limit(
    who: OrgCaller,
    rates: Data<Rates>,
    new: Body<NewRateLimit>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    Ok(HttpResponse::Created().json(rates.create(&scope, new.0).await?))
}

/// Show one rate limit.
#[utoipa::path(tag = "rate limits", params(("org" = String, Path), ("limit" = RateLimitId, Path)), responses((status = 200, body = RateLimit)))]
#[get("/rate-limits/{limit}")]
pub async fn find_rate_limit(
    who: OrgCaller,
    rates: Data<Rates>,
    path: Path<(String, RateLimitId)>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::BudgetRead).await?;
    Ok(HttpResponse::Ok().json(rates.find(&reach, path.1).await?))
}

/// Change how much a rate limit lets through.
#[utoipa::path(tag = "rate limits", params(("org" = String, Path), ("limit" = RateLimitId, Path)), request_body = UpdateRateLimit, responses((status = 200, body = RateLimit)))]
#[patch("/rate-limits/{limit}")]
pub async fn update_rate_limit(
    who: OrgCaller,
    rates: Data<Rates>,
    path: Path<(String, RateLimitId)>,
    change: Body<UpdateRateLimit>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    Ok(HttpResponse::Ok().json(rates.update(&scope, path.1, change.0).await?))
}

/// Delete a rate limit.
#[utoipa::path(tag = "rate limits", params(("org" = String, Path), ("limit" = RateLimitId, Path)), responses((status = 204)))]
#[delete("/rate-limits/{limit}")]
pub async fn delete_rate_limit(
    who: OrgCaller,
    rates: Data<Rates>,
    path: Path<(String, RateLimitId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BudgetSet).await?;
    rates.delete(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How limits stand, in the headers that OpenAI has for it.
pub fn tell(response: &mut HttpResponseBuilder, limits: &[Standing]) {
    for Standing { measure, amount, left, full_after } in limits {
        let what = measure.as_str().replace('_', "-");
        response
            .insert_header((format!("x-ratelimit-limit-{what}"), amount.to_string()))
            .insert_header((format!("x-ratelimit-remaining-{what}"), left.to_string()))
            .insert_header((
                format!("x-ratelimit-reset-{what}"),
                format!("{}s", full_after.as_secs()),
            ));
    }
}
