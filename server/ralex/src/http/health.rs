//! Liveness, readiness and metrics.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use metrics_exporter_prometheus::PrometheusHandle;
use ralex_access::Access;
use ralex_api::health::Health;
use ralex_budgets::Budgets;
use ralex_kernel::{Code, Problem};
use ralex_store::Db;

use super::problem::Result;

/// Tell that the process runs.
#[utoipa::path(tag = "operations", responses((status = 200, body = Health)))]
#[get("/health/live")]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(health("ok"))
}

/// Tell whether calls would be served now.
///
/// `degraded` tells of something that an operator must look at and that stops no calls: budget
/// periods that did not add up when they were last looked at, within the last minute.
#[utoipa::path(tag = "operations", responses((status = 200, body = Health)))]
#[get("/health/ready")]
pub async fn ready(
    db: Data<Db>,
    access: Data<Access>,
    budgets: Data<Budgets>,
) -> Result<HttpResponse> {
    db.system("check readiness").await?;
    if !access.status().open {
        let detail = "Policies could not be read lately, so nothing is decided.";
        return Err(Problem::new(Code::Unavailable, detail).with_retry_after(1).into());
    }
    let off = budgets.books().off();
    if off == 0 {
        return Ok(HttpResponse::Ok().json(health("ok")));
    }
    let problem = format!("{off} budget periods do not add up: `ralex budgets verify` names them.");
    let degraded = Health { problems: vec![problem], ..health("degraded") };
    Ok(HttpResponse::Ok().json(degraded))
}

/// Show metrics in Prometheus' text format.
#[utoipa::path(tag = "operations", responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/metrics")]
pub async fn metrics(recorder: Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(recorder.render())
}

fn health(status: &str) -> Health {
    Health {
        status: status.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        problems: Vec::new(),
    }
}
