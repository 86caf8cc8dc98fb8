//! Versions: which state of something a change is meant for, as `ETag` and `If-Match` say it.

use actix_web::HttpRequest;
use actix_web::http::header::IF_MATCH;
use ralex_kernel::Problem;

/// The `ETag` of a version.
pub fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// The version that a change is meant for; any where nothing is said.
pub fn version(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(said) = request.headers().get(IF_MATCH) else { return Ok(None) };
    let said = said.to_str().unwrap_or_default().trim();
    if said == "*" {
        return Ok(None);
    }
    let version = said.trim_start_matches("W/").trim_matches('"').parse();
    let rule = "must be the `ETag` of what is changed, as you read it";
    version.map(Some).map_err(|_| Problem::field("If-Match", rule))
}
