//! The audit log's proofs: one event, the growth of the tree, its tiles, and who signs.

use actix_web::HttpResponse;
use actix_web::get;
use actix_web::web::{Data, Path};
use ralex_access::Permission;
use ralex_api::audit::{AuditKeys, ConsistencyProof, ConsistencyQuery, InclusionProof};
use ralex_audit::Audit;
use ralex_broker::Broker;
use ralex_kernel::{EventId, Problem};

use super::extract::{OrgCaller, Query};
use super::problem::Result;

const TEXT: &str = "text/plain; charset=utf-8";

/// Prove that an event is in the signed log.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("event" = EventId, Path)), responses((status = 200, body = InclusionProof)))]
#[get("/audit/events/{event}/proof")]
pub async fn prove_event(
    who: OrgCaller,
    audit: Data<Audit>,
    broker: Data<Broker>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    broker.settle_before_reading().await;
    let event = event(&path.1)?;
    Ok(HttpResponse::Ok().json(audit.prove(scope.org(), event).await?))
}

/// Get that proof with the event as a file that verifies offline.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("event" = EventId, Path)), responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/audit/events/{event}/receipt")]
pub async fn receipt(
    who: OrgCaller,
    audit: Data<Audit>,
    broker: Data<Broker>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    broker.settle_before_reading().await;
    let event = event(&path.1)?;
    let text = audit.receipt(scope.org(), event).await?;
    Ok(file(&format!("ralex-audit-{event}.tlog-proof"), text))
}

/// Prove that an earlier tree is the beginning of a later one.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ConsistencyQuery), responses((status = 200, body = ConsistencyProof)))]
#[get("/audit/consistency")]
pub async fn prove_consistency(
    who: OrgCaller,
    audit: Data<Audit>,
    query: Query<ConsistencyQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let ConsistencyQuery { from, to } = query.0;
    Ok(HttpResponse::Ok().json(audit.prove_consistency(scope.org(), from, to).await?))
}

/// Show who signs the log: its keys, and the witnesses.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = AuditKeys)))]
#[get("/audit/keys")]
pub async fn list_audit_keys(who: OrgCaller, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    Ok(HttpResponse::Ok().json(audit.keys(scope.org()).await?))
}

/// Get the proof that the deployment's log holds the newest head of this one.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/audit/anchor")]
pub async fn audit_anchor(who: OrgCaller, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let text = audit.anchor_receipt(scope.org()).await?;
    Ok(file(&format!("ralex-audit-{}-anchor.tlog-proof", scope.org()), text))
}

/// Get the newest signed head as it was signed.
#[utoipa::path(tag = "audit", params(("org" = String, Path)), responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/audit/log/checkpoint")]
pub async fn log_checkpoint(who: OrgCaller, audit: Data<Audit>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let note = audit.newest_note(scope.org()).await?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(note))
}

/// Get a tile of the log's hashes, or its events where the level is `entries`.
#[utoipa::path(tag = "audit", params(("org" = String, Path), ("level" = String, Path), ("index" = String, Path, description = "As C2SP tlog-tiles writes it: `x001/x234/067`, or `000.p/12` for a part")), responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
#[get("/audit/log/tile/{level}/{index:.*}")]
pub async fn log_tile(
    who: OrgCaller,
    audit: Data<Audit>,
    path: Path<(String, String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AuditRead).await?;
    let (_, level, index) = path.into_inner();
    let unknown = || Problem::not_found("tile");
    let (index, width) = tile(&index).ok_or_else(unknown)?;
    let bytes = if level == "entries" {
        audit.entries(scope.org(), index, width).await?
    } else {
        let level = plain(&level).filter(|level| *level < 64).ok_or_else(unknown)?;
        let level = u32::try_from(level).unwrap_or(u32::MAX);
        audit.tile(scope.org(), level, index, width).await?
    };
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(bytes))
}

fn file(name: &str, text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(TEXT)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")))
        .body(text)
}

fn event(text: &str) -> std::result::Result<EventId, Problem> {
    text.parse().map_err(|_| Problem::not_found("event"))
}

/// The number and width of a tile, from its path.
fn tile(path: &str) -> Option<(u64, u64)> {
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, plain(width).filter(|width| (1..256).contains(width))?),
        None => (path, 256),
    };
    let mut parts = path.split('/').peekable();
    let mut index: u64 = 0;
    while let Some(part) = parts.next() {
        let digits = if parts.peek().is_some() { part.strip_prefix('x')? } else { part };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some((index, width))
}

/// A number as the specification has it: digits, and no zero before others.
fn plain(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_is_named_as_the_specification_does() {
        assert_eq!(tile("x001/x234/067"), Some((1_234_067, 256)));
        assert_eq!(tile("000"), Some((0, 256)));
        assert_eq!(tile("x001/000.p/12"), Some((1000, 12)));
        for wrong in
            ["", "0", "1234", "001/000", "x001", "000.p/0", "000.p/256", "000.p/01", "000/"]
        {
            assert_eq!(tile(wrong), None, "{wrong}");
        }
    }
}
