//! An organisation's export: for its own people, and for operators who carry it to them.

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get, post, put};
use futures_util::StreamExt;
use ralex_access::Permission;
use ralex_api::portability::{ExportRecipients, NewOrgExport, SetExportRecipients};
use ralex_broker::Broker;
use ralex_identity::Identity;
use ralex_portability::{Outgoing, Portability};

use super::extract::{Body, OrgCaller, Who};
use super::problem::{Failed, Result};

/// Take everything that the organisation has as one archive, encrypted to whom one says. Asks a session for a
/// fresh proof; one export of an organisation runs at a time.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), request_body = NewOrgExport, responses((status = 200, body = String, content_type = "application/zip")))]
#[post("/export")]
pub async fn export_org(
    who: OrgCaller,
    identity: Data<Identity>,
    portability: Data<Portability>,
    broker: Data<Broker>,
    new: Body<NewOrgExport>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgExport).await?;
    identity.require_fresh_session(&who.signed_in)?;
    broker.settle_before_reading().await;
    Ok(sent(portability.export(&scope, &new.0).await?))
}

/// Show to whom operators may carry the organisation's export.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), responses((status = 200, body = ExportRecipients)))]
#[get("/export/recipients")]
pub async fn find_export_recipients(
    who: OrgCaller,
    portability: Data<Portability>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgRead).await?;
    Ok(HttpResponse::Ok().json(portability.recipients(&scope).await?))
}

/// Say to whom operators may carry the organisation's export, in place of all that were set before. Asks a
/// session for a fresh proof.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), request_body = SetExportRecipients, responses((status = 200, body = ExportRecipients)))]
#[put("/export/recipients")]
pub async fn set_export_recipients(
    who: OrgCaller,
    identity: Data<Identity>,
    portability: Data<Portability>,
    set: Body<SetExportRecipients>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgExport).await?;
    identity.require_fresh_session(&who.signed_in)?;
    Ok(HttpResponse::Ok().json(portability.set_recipients(&scope, &set.0).await?))
}

/// Take everything that an organisation has as one archive, encrypted to those whom its owners have named. For
/// operators, who cannot read it; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), responses((status = 200, body = String, content_type = "application/octet-stream")))]
#[post("/operator/orgs/{org}/export")]
pub async fn export_managed_org(
    who: Who,
    identity: Data<Identity>,
    portability: Data<Portability>,
    broker: Data<Broker>,
    org: Path<String>,
) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    identity.require_fresh_session(&who.0)?;
    broker.settle_before_reading().await;
    Ok(sent(portability.export_for_operator(operating, &org).await?))
}

/// An error in the middle ends the transfer without its last chunk, so no reader takes a part for the whole;
/// the archive's missing end tells it as well.
fn sent(outgoing: Outgoing) -> HttpResponse {
    let Outgoing { filename, encrypted, parts } = outgoing;
    let parts = parts.map(|part| {
        part.map(Bytes::from).map_err(|problem| actix_web::Error::from(Failed(problem)))
    });
    HttpResponse::Ok()
        .content_type(if encrypted { "application/octet-stream" } else { "application/zip" })
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{filename}\"")))
        .streaming(parts)
}
