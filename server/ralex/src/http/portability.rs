//! An organisation's export: for its own people, and for operators who carry it to them.

use std::future::{Future, pending};
use std::pin::pin;

use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get, post, put};
use futures_util::{Stream, StreamExt};
use ralex_access::Permission;
use ralex_api::portability::{ExportRecipients, NewOrgExport, SetExportRecipients};
use ralex_broker::Broker;
use ralex_identity::Identity;
use ralex_kernel::{Problem, ScopePath};
use ralex_portability::{Outgoing, Parts, Portability};

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
    let ends = identity.tenure(who.caller(), who.org, Permission::OrgExport, ScopePath::Org);
    Ok(sent(portability.export(&scope, &new.0).await?, ends))
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
    let operating = identity.acting(&who.0).await?;
    broker.settle_before_reading().await;
    Ok(sent(portability.export_for_operator(operating, &org).await?, pending()))
}

/// An error in the middle ends the transfer without its last chunk, so no reader takes a part for the whole;
/// the archive's missing end tells it as well. `ends` is such an error: the right that it rests on is over.
fn sent(outgoing: Outgoing, ends: impl Future<Output = Problem> + 'static) -> HttpResponse {
    let Outgoing { filename, encrypted, parts } = outgoing;
    let parts = until(ends, parts);
    HttpResponse::Ok()
        .content_type(if encrypted { "application/octet-stream" } else { "application/zip" })
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{filename}\"")))
        .streaming(parts)
}

fn until(
    ends: impl Future<Output = Problem>,
    mut parts: Parts,
) -> impl Stream<Item = std::result::Result<Bytes, actix_web::Error>> {
    async_stream::try_stream! {
        let mut ends = pin!(ends);
        loop {
            let part = tokio::select! {
                biased;
                why = &mut ends => Err(why),
                part = parts.next() => match part {
                    Some(part) => part,
                    None => break,
                },
            };
            yield Bytes::from(part.map_err(Failed)?);
        }
    }
}
