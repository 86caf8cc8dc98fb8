//! Access reviews: who holds what is looked at, and what nobody stands up for is taken away.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, AccessReviewItemsQuery, AccessReviewsQuery, DecideReview,
    NewAccessReview, SignReview,
};
use ralex_identity::Identity;
use ralex_kernel::AccessReviewId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List reviews of access that are about something that one may see, newest first.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), AccessReviewsQuery), responses((status = 200, body = Page<AccessReview>)))]
#[get("/access-reviews")]
pub async fn list_access_reviews(
    who: OrgCaller,
    access: Data<Access>,
    query: Query<AccessReviewsQuery>,
) -> Result<HttpResponse> {
    let page = access.access_reviews(who.caller(), who.org, &query.0).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Set up a review of access, which opens at once or at a time, and again where it repeats.
///
/// When it opens, what is held in its scope is written down. Nothing else is ever removed by it.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path)), request_body = NewAccessReview, responses((status = 201, body = AccessReview)))]
#[post("/access-reviews")]
pub async fn create_access_review(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    new: Body<NewAccessReview>,
) -> Result<HttpResponse> {
    let at = identity.scope_of(who.org, new.0.scope.as_deref().unwrap_or("org")).await?;
    // Asked for first, so that who may not is not told whom there is.
    let scope = who.allow_at(Permission::ReviewManage, at).await?;
    let reviewers = identity.bearers(who.org, "reviewers", &new.0.reviewers).await?;
    let made = access.create_review(&scope, new.0, (at, &reviewers)).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Show one review of access.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), responses((status = 200, body = AccessReview)))]
#[get("/access-reviews/{access_review}")]
pub async fn find_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
) -> Result<HttpResponse> {
    let found = access.access_review(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// List what is reviewed, as it was when the review opened, with what was decided and what came of it.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path), AccessReviewItemsQuery), responses((status = 200, body = Page<AccessReviewItem>)))]
#[get("/access-reviews/{access_review}/items")]
pub async fn list_access_review_items(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
    query: Query<AccessReviewItemsQuery>,
) -> Result<HttpResponse> {
    let page = access.review_items(who.caller(), who.org, (path.1, &query.0)).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Decide to keep or to remove some of what is reviewed: all of it, or where one cannot be decided, none.
///
/// Whoever decides must be among those whom the review names, if it names anybody, must be able to take
/// such a role away by hand at that moment, and decides nothing about themselves.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), request_body = DecideReview, responses((status = 200, body = AccessReview)))]
#[post("/access-reviews/{access_review}/decisions")]
pub async fn decide_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
    decide: Body<DecideReview>,
) -> Result<HttpResponse> {
    let review = access.decide_review(who.caller(), who.org, (path.1, decide.0)).await?;
    Ok(HttpResponse::Ok().json(review))
}

/// Close a review in which nothing is left to be decided, and do what was decided.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), responses((status = 200, body = AccessReview)))]
#[post("/access-reviews/{access_review}/close")]
pub async fn close_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
) -> Result<HttpResponse> {
    let closed = access.close_review(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(closed))
}

/// Cancel a review that is scheduled or open, and do nothing that was decided in it.
///
/// The review that follows in its series is another one, and is cancelled by itself.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), responses((status = 200, body = AccessReview)))]
#[post("/access-reviews/{access_review}/cancel")]
pub async fn cancel_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
) -> Result<HttpResponse> {
    let cancelled = access.cancel_review(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(cancelled))
}

/// Sign what came of a closed review, once.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), request_body = SignReview, responses((status = 200, body = AccessReview)))]
#[post("/access-reviews/{access_review}/sign")]
pub async fn sign_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
    sign: Body<SignReview>,
) -> Result<HttpResponse> {
    let signed = access.sign_review(who.caller(), who.org, (path.1, &sign.0.note)).await?;
    Ok(HttpResponse::Ok().json(signed))
}

/// Download all of a review as CSV: what was held, who decided what and why, and what came of it.
#[utoipa::path(tag = "access reviews", params(("org" = String, Path), ("access_review" = AccessReviewId, Path)), responses((status = 200, body = String, content_type = "text/csv")))]
#[get("/access-reviews/{access_review}/evidence")]
pub async fn download_access_review(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessReviewId)>,
) -> Result<HttpResponse> {
    let table = access.review_evidence(who.caller(), who.org, path.1).await?;
    let name = format!("attachment; filename=\"ralex-access-review-{}.csv\"", path.1);
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/csv; charset=utf-8").insert_header(("Content-Disposition", name));
    Ok(answer.body(table))
}
