//! Batches (OpenAI's dialect): many calls that a provider answers later, and their list for people.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::batches::Batch;
use ralex_api::page::PageQuery;
use ralex_broker::Broker;
use serde::Deserialize;

use super::extract::{OrgCaller, Query, too_large_or};
use super::files::{answered, keep, query};
use super::models::part;
use super::problem::Result;

/// Where a list of batches goes on.
#[derive(Debug, Default, Deserialize)]
struct ListQuery {
    after: Option<String>,
    limit: Option<i64>,
}

/// Have all lines of a file answered later (OpenAI's dialect). The worst case of all lines is held
/// on every budget until the batch has ended.
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/batches")]
pub async fn create_batch(
    request: HttpRequest,
    body: std::result::Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    let created = async {
        let keep = keep(&request).await?;
        // Who may not call learns nothing of what is wrong with a body.
        let access = part::<Access>(&request)?;
        access.allow(&keep.signed_in.caller, keep.org, Permission::LlmInvoke, keep.at).await?;
        let body = body.map_err(|error| too_large_or(&error).0)?;
        part::<Broker>(&request)?.create_batch(keep, &body).await
    };
    let created = created.await;
    let recorded = created.as_ref().is_err_and(|failure| failure.call.is_some());
    let mut response = answered(&request, created);
    if recorded {
        // It may run although nobody heard so: an SDK that asks again would have two.
        let (name, no) =
            (HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        response.headers_mut().insert(name, no);
    }
    response
}

/// List the batches of the caller's team or project (OpenAI's dialect).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/batches")]
pub async fn list_own_batches(request: HttpRequest) -> HttpResponse {
    let listed = async {
        let keep = keep(&request).await?;
        let query: actix_web::web::Query<ListQuery> = query(&request)?;
        let (after, limit) = (query.after.as_deref(), query.limit);
        Ok(part::<Broker>(&request)?.batches(&keep, after, limit).await?)
    };
    answered(&request, listed.await)
}

/// Say how far one batch is (OpenAI's dialect).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/batches/{batch}")]
pub async fn find_batch(request: HttpRequest, batch: Path<String>) -> HttpResponse {
    let found = async {
        let keep = keep(&request).await?;
        Ok(part::<Broker>(&request)?.batch(&keep, &batch).await?)
    };
    answered(&request, found.await)
}

/// End one batch early (OpenAI's dialect). What is answered by then is paid.
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[post("/v1/batches/{batch}/cancel")]
pub async fn cancel_batch(request: HttpRequest, batch: Path<String>) -> HttpResponse {
    let canceled = async {
        let keep = keep(&request).await?;
        part::<Broker>(&request)?.cancel_batch(&keep, &batch).await
    };
    answered(&request, canceled.await)
}

/// List batches, the newest first: whose they are, how far, and what they cost.
#[utoipa::path(tag = "usage", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Batch>)))]
#[get("/batches")]
pub async fn list_batches(
    who: OrgCaller,
    broker: Data<Broker>,
    query: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::CallRead).await?;
    broker.settle_before_reading().await;
    Ok(HttpResponse::Ok().json(broker.list_batches(&reach, &query.0).await?))
}
