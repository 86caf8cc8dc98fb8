//! Break-glass: how it is armed, and its uses from being asked for to their review.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put};
use ralex_access::{Access, GlassWish, Permission};
use ralex_api::Page;
use ralex_api::break_glass::{
    ArmBreakGlass, AskBreakGlassPasskey, BreakGlass as Shown, BreakGlassOpening, ConfirmBreakGlass,
    OpenBreakGlass, ReviewBreakGlass,
};
use ralex_api::changes::ChangeRequest;
use ralex_api::page::PageQuery;
use ralex_api::passkeys::PasskeyCeremony;
use ralex_glass::BreakGlass;
use ralex_identity::{GlassAct, Identity};
use ralex_kernel::BreakGlassId;

use super::changes::done;
use super::extract::{Arrived, Body, OrgCaller, Query, arrival};
use super::problem::Result;
use super::server::Edge;

/// Show the break-glass access: how it is armed, for those who are named and who may arm it, and whether it
/// is open, for everybody.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path)), responses((status = 200, body = Shown)))]
#[get("/break-glass")]
pub async fn show_break_glass(who: OrgCaller, glass: Data<BreakGlass>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(glass.show(who.caller(), who.org).await?))
}

/// Say who may open the break-glass access, and what it gives. Asks a session for a fresh proof.
///
/// Where that takes two people it answers 202 with the change request.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path)), request_body = ArmBreakGlass, responses((status = 200, body = Shown), (status = 202, body = ChangeRequest)))]
#[put("/break-glass")]
pub async fn arm_break_glass(
    who: OrgCaller,
    access: Data<Access>,
    identity: Data<Identity>,
    glass: Data<BreakGlass>,
    arm: Body<ArmBreakGlass>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BreakGlassArm).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let ArmBreakGlass { people, role, longest_minutes } = arm.0;
    let people = identity.members_of(who.org, "people", &people).await?;
    let armed = access.arm_glass(&scope, GlassWish { people, role, longest_minutes }).await?;
    let shown = glass.show(who.caller(), who.org).await?;
    Ok(done(armed, |()| HttpResponse::Ok().json(shown)))
}

/// Switch the break-glass access off. Asks a session for a fresh proof.
///
/// Where that takes two people it answers 202 with the change request.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path)), responses((status = 204), (status = 202, body = ChangeRequest)))]
#[delete("/break-glass")]
pub async fn disarm_break_glass(
    who: OrgCaller,
    access: Data<Access>,
    identity: Data<Identity>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BreakGlassArm).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let disarmed = access.disarm_glass(&scope).await?;
    Ok(done(disarmed, |()| HttpResponse::NoContent().finish()))
}

/// Begin to open the break-glass access, or to confirm that: what to ask the authenticator. For those who
/// are named, in a session.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path)), request_body = AskBreakGlassPasskey, responses((status = 200, body = PasskeyCeremony)))]
#[post("/break-glass/passkey")]
pub async fn begin_break_glass(
    request: HttpRequest,
    who: OrgCaller,
    identity: Data<Identity>,
    glass: Data<BreakGlass>,
    edge: Data<Edge>,
    ask: Body<AskBreakGlassPasskey>,
) -> Result<HttpResponse> {
    let act = glass.may_sign(who.caller(), who.org, ask.0.opening).await?;
    let arrival = arrival(&request, &edge);
    Ok(HttpResponse::Ok().json(identity.begin_glass_proof(who.caller(), act, &arrival).await?))
}

/// List the uses of the break-glass access, newest first: for those who are named and who may arm it.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<BreakGlassOpening>)))]
#[get("/break-glass/openings")]
pub async fn list_break_glass_openings(
    who: OrgCaller,
    glass: Data<BreakGlass>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(glass.openings(who.caller(), who.org, &page.0).await?))
}

/// Ask for the break-glass access to be opened, by a passkey that signed for just this.
///
/// Another named person has 15 minutes to confirm it. Nothing is given before that, and by a drill nothing at all.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path)), request_body = OpenBreakGlass, responses((status = 201, body = BreakGlassOpening)))]
#[post("/break-glass/openings")]
pub async fn open_break_glass(
    request: HttpRequest,
    who: OrgCaller,
    identity: Data<Identity>,
    glass: Data<BreakGlass>,
    edge: Data<Edge>,
    open: Body<OpenBreakGlass>,
) -> Result<HttpResponse> {
    let act = glass.may_sign(who.caller(), who.org, None).await?;
    let arrival = arrival(&request, &edge);
    let proof = identity.prove_for_glass(who.caller(), act, &open.0.passkey, &arrival).await?;
    let opening = glass.ask(who.caller(), who.org, &proof, &open.0).await?;
    Ok(HttpResponse::Created().json(opening))
}

/// Agree to what another named person has asked for, by a passkey that signed for just this. From this
/// moment both hold what it gives.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path), ("opening" = BreakGlassId, Path)), request_body = ConfirmBreakGlass, responses((status = 200, body = BreakGlassOpening)))]
#[post("/break-glass/openings/{opening}/confirm")]
pub async fn confirm_break_glass(
    from: Arrived,
    who: OrgCaller,
    identity: Data<Identity>,
    glass: Data<BreakGlass>,
    path: Path<(String, BreakGlassId)>,
    confirm: Body<ConfirmBreakGlass>,
) -> Result<HttpResponse> {
    glass.may_sign(who.caller(), who.org, Some(path.1)).await?;
    let (act, passkey) = (GlassAct::Confirm(path.1), &confirm.0.passkey);
    let proof = identity.prove_for_glass(who.caller(), act, passkey, &from.0).await?;
    let opening = glass.confirm(who.caller(), who.org, path.1, &proof).await?;
    Ok(HttpResponse::Ok().json(opening))
}

/// Take back what waits to be confirmed, or end what is open, at once: by one of the two people, or by who
/// may arm it.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path), ("opening" = BreakGlassId, Path)), responses((status = 200, body = BreakGlassOpening)))]
#[post("/break-glass/openings/{opening}/end")]
pub async fn end_break_glass(
    who: OrgCaller,
    glass: Data<BreakGlass>,
    path: Path<(String, BreakGlassId)>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(glass.end(who.caller(), who.org, path.1).await?))
}

/// Close the review of a use that is over, with what came of it. Not for the two who opened it.
#[utoipa::path(tag = "break-glass", params(("org" = String, Path), ("opening" = BreakGlassId, Path)), request_body = ReviewBreakGlass, responses((status = 200, body = BreakGlassOpening)))]
#[post("/break-glass/openings/{opening}/review")]
pub async fn review_break_glass(
    who: OrgCaller,
    glass: Data<BreakGlass>,
    path: Path<(String, BreakGlassId)>,
    review: Body<ReviewBreakGlass>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::BreakGlassArm).await?;
    Ok(HttpResponse::Ok().json(glass.review(&scope, path.1, &review.0.note).await?))
}
