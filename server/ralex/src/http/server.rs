//! The HTTP server: every part in its place, and the address it listens on.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::HOST;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, PayloadConfig, get};
use actix_web::{App, HttpRequest, HttpServer};
use ipnet::IpNet;
use metrics_exporter_prometheus::PrometheusHandle;
use ralex_access::Access;
use ralex_approvals::Approvals;
use ralex_audit::Audit;
use ralex_broker::Broker;
use ralex_budgets::{Budgets, Rates};
use ralex_changes::Changes;
use ralex_glass::BreakGlass;
use ralex_guardrails::Guards;
use ralex_identity::Identity;
use ralex_monitor::Alerts;
use ralex_portability::Portability;
use ralex_reports::Reports;
use ralex_retention::Retention;
use ralex_routing::Routing;
use ralex_rules::CallRules;
use ralex_scim::Scim;
use ralex_sinks::Sinks;
use ralex_sso::Sso;
use ralex_store::Db;
use ralex_usage::Usage;
use ralex_vault::Vault;
use url::Url;
use utoipa::openapi::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use super::map::Map;
use super::middleware::{aliases, patience, per_request, security_headers};
use super::{assets, models, openapi, routes, scim};
use crate::overview::Health;

/// What the edge knows of how it is reached.
#[derive(Debug, Default)]
pub struct Edge {
    pub public_url: Option<Url>,
    pub trusted_proxies: Vec<IpNet>,
    pub max_body: usize,
    pub max_file: u64,
}

impl Edge {
    /// True where browsers reach us by https, so that cookies may insist on it.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }

    /// The session cookie's name; browsers hold the first one to https and to this host.
    pub fn cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-ralex_session" } else { "ralex_session" }
    }

    /// The name of what a browser is known by at the next login.
    pub fn device_cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-ralex_device" } else { "ralex_device" }
    }

    /// The name of what a browser keeps while somebody is at their provider.
    pub fn sso_cookie_name(&self) -> &'static str {
        if self.is_secure() { "__Host-ralex_sso" } else { "ralex_sso" }
    }

    /// Where this server is reached: as it is told, or else as this request says.
    pub fn base(&self, request: &HttpRequest) -> String {
        if let Some(url) = &self.public_url {
            return url.as_str().trim_end_matches('/').to_owned();
        }
        let host = request.headers().get(HOST).and_then(|it| it.to_str().ok());
        format!("http://{}", host.unwrap_or_default())
    }

    pub fn is_public_origin(&self, origin: &str) -> bool {
        let own = self.public_url.as_ref().map(|url| url.origin().ascii_serialization());
        own.as_deref() == Some(origin)
    }
}

/// Everything that handlers reach, each on its own.
#[derive(Clone)]
pub struct Parts {
    pub db: Data<Db>,
    pub access: Data<Access>,
    pub identity: Data<Identity>,
    pub changes: Data<Changes>,
    pub glass: Data<BreakGlass>,
    pub vault: Data<Vault>,
    pub guards: Data<Guards>,
    pub rules: Data<CallRules>,
    pub approvals: Data<Approvals>,
    pub routing: Data<Routing>,
    pub budgets: Data<Budgets>,
    pub rates: Data<Rates>,
    pub audit: Data<Audit>,
    pub sinks: Data<Sinks>,
    pub sso: Data<Sso>,
    pub scim: Data<Scim>,
    pub portability: Data<Portability>,
    pub alerts: Data<Alerts>,
    pub reports: Data<Reports>,
    pub retention: Data<Retention>,
    pub broker: Data<Broker>,
    pub usage: Data<Usage>,
    pub health: Data<Health>,
    pub recorder: Data<PrometheusHandle>,
    pub edge: Data<Edge>,
}

/// The document of all routes, made of them; `openapi/openapi.json` is what it gave.
pub fn document() -> OpenApi {
    let (_, document) = App::new()
        .into_utoipa_app()
        .openapi(openapi::frame())
        .configure(|config| routes::all(&mut Map::Describe(config)))
        .split_for_parts();
    openapi::with_problems(document)
}

/// Starts to serve on a listener that is bound already.
pub fn serve(listener: TcpListener, parts: Parts) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        let max_body = parts.edge.max_body;
        let app = App::new().configure(|config| routes::all(&mut Map::Serve(config)));
        app.app_data(PayloadConfig::new(max_body))
            .app_data(parts.db.clone())
            .app_data(parts.access.clone())
            .app_data(parts.identity.clone())
            .app_data(parts.changes.clone())
            .app_data(parts.glass.clone())
            .app_data(parts.vault.clone())
            .app_data(parts.guards.clone())
            .app_data(parts.rules.clone())
            .app_data(parts.approvals.clone())
            .app_data(parts.routing.clone())
            .app_data(parts.budgets.clone())
            .app_data(parts.rates.clone())
            .app_data(parts.audit.clone())
            .app_data(parts.sinks.clone())
            .app_data(parts.sso.clone())
            .app_data(parts.scim.clone())
            .app_data(parts.portability.clone())
            .app_data(parts.alerts.clone())
            .app_data(parts.reports.clone())
            .app_data(parts.retention.clone())
            .app_data(parts.broker.clone())
            .app_data(parts.usage.clone())
            .app_data(parts.health.clone())
            .app_data(parts.recorder.clone())
            .app_data(parts.edge.clone())
            .configure(scim::protocol)
            .route("/openapi.json", get().to(openapi::kept))
            .route("/v1/responses", get().to(models::no_websocket))
            .service(web::redirect("/docs", "/docs/"))
            .service(
                SwaggerUi::new("/docs/{_:.*}")
                    .config(utoipa_swagger_ui::Config::from("/openapi.json")),
            )
            .default_service(web::route().to(assets::console))
            .wrap(from_fn(patience))
            .wrap(from_fn(per_request))
            .wrap(from_fn(aliases))
            // The last one wraps all before it, so that no answer goes without these headers.
            .wrap(security_headers())
    });
    let server = server
        // Small events must not wait for the peer's acknowledgement of the ones before.
        .tcp_nodelay(true)
        // A caller that has closed its side wants no more, so its call is canceled at once.
        .h1_allow_half_closed(false)
        .client_request_timeout(Duration::from_secs(30))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(20)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}
