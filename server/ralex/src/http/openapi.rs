//! The OpenAPI document: what the routes do not say themselves.

use actix_web::HttpResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa::{Modify, OpenApi as _};

/// The document of this very code: a test fails where it is not.
const KEPT: &str = include_str!("../../../../openapi/openapi.json");

/// Answers with the document.
pub async fn kept() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(KEPT)
}

/// Title, security schemes and the document's frame; paths come from the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Ralex",
        description = "The control plane for every agent and model call of a company.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(
        ralex_kernel::Problem,
        ralex_kernel::FieldError,
        ralex_kernel::Code,
        ralex_api::usage::GroupBy,
        ralex_api::usage::Bucket,
        ralex_api::usage::UsageFormat,
        ralex_api::usage::CallState,
        ralex_api::audit::ExportFormat,
        ralex_api::alerts::AlertState,
        ralex_api::alerts::AlertKind,
        ralex_api::alerts::Severity,
        ralex_api::catalog::ProviderKind,
        ralex_api::reports::ReportKind,
        ralex_api::reports::ReportFormat,
    )),
    modifiers(&Security)
)]
struct Frame;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("rlx_…").build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("ralex_session"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
        let none: [&str; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::new("token", none),
            SecurityRequirement::new("session", none),
        ]);
    }
}

pub fn frame() -> OpenApi {
    Frame::openapi()
}

/// Adds to every operation of the control plane that it may answer with a problem.
pub fn with_problems(mut document: OpenApi) -> OpenApi {
    let problem = ResponseBuilder::new()
        .description("What went wrong, and what to do next (RFC 9457)")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build(),
        )
        .build();
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/api/") {
            for operation in operations(item) {
                let responses = &mut operation.responses.responses;
                responses.insert("default".to_owned(), RefOr::T(problem.clone()));
            }
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete]
        .into_iter()
        .filter_map(Option::as_mut)
}
