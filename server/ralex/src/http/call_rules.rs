//! Call rules, what holds without one, and the dry run.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::call_rules::{
    CallRule, CallRuleSettings, CallRulesQuery, NewCallRule, SetCallRuleSettings,
    SimulateCallRules, SimulatedCallRules, TestCallRules, TestedCall, UpdateCallRule,
};
use ralex_kernel::CallRuleId;
use ralex_rules::CallRules;

use super::extract::{Body, OrgCaller, Query};
use super::if_match::{tag, version};
use super::problem::Result;

/// List call rules.
#[utoipa::path(tag = "call rules", params(("org" = String, Path), CallRulesQuery), responses((status = 200, body = Page<CallRule>)))]
#[get("/call-rules")]
pub async fn list_call_rules(
    who: OrgCaller,
    rules: Data<CallRules>,
    query: Query<CallRulesQuery>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(rules.list(who.caller(), who.org, &query.0).await?))
}

/// Allow, ask about or deny calls at a scope and below.
#[utoipa::path(tag = "call rules", params(("org" = String, Path)), request_body = NewCallRule, responses((status = 201, body = CallRule)))]
#[post("/call-rules")]
pub async fn create_call_rule(
    who: OrgCaller,
    rules: Data<CallRules>,
    new: Body<NewCallRule>,
) -> Result<HttpResponse> {
    let made = rules.create(who.caller(), who.org, new.0).await?;
    Ok(HttpResponse::Created().insert_header((ETAG, tag(made.version))).json(made))
}

/// Show what holds for a call that no rule is about.
#[utoipa::path(tag = "call rules", params(("org" = String, Path)), responses((status = 200, body = CallRuleSettings)))]
#[get("/call-rules/settings")]
pub async fn call_rule_settings(who: OrgCaller, rules: Data<CallRules>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::CallRuleRead).await?;
    Ok(HttpResponse::Ok().json(rules.settings(&scope).await?))
}

/// Say what holds for a call that no rule is about.
#[utoipa::path(tag = "call rules", params(("org" = String, Path)), request_body = SetCallRuleSettings, responses((status = 200, body = CallRuleSettings)))]
#[put("/call-rules/settings")]
pub async fn set_call_rule_settings(
    who: OrgCaller,
    rules: Data<CallRules>,
    set: Body<SetCallRuleSettings>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::CallRuleSet).await?;
    Ok(HttpResponse::Ok().json(rules.set_settings(&scope, set.0).await?))
}

/// Try a call on the rules, or a rule that is not set up yet.
///
/// Answers what would become of the call, by which rule, and of each rule whether it is about it and
/// why. Nothing is called, recorded or kept.
#[utoipa::path(tag = "call rules", params(("org" = String, Path)), request_body = TestCallRules, responses((status = 200, body = TestedCall)))]
#[post("/call-rules/test")]
pub async fn test_call_rules(
    who: OrgCaller,
    rules: Data<CallRules>,
    test: Body<TestCallRules>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(rules.test(who.caller(), who.org, test.0).await?))
}

/// Say what a change of call rules would have done to the calls that were made.
///
/// Each call is held against the rules of today and against those that would be, with what is recorded
/// of it; people's groups and roles are those of today. Nothing is changed, called or recorded.
#[utoipa::path(tag = "call rules", params(("org" = String, Path)), request_body = SimulateCallRules, responses((status = 200, body = SimulatedCallRules)))]
#[post("/call-rules/simulate")]
pub async fn simulate_call_rules(
    who: OrgCaller,
    rules: Data<CallRules>,
    change: Body<SimulateCallRules>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(rules.simulate(who.caller(), who.org, change.0).await?))
}

/// Show one call rule.
#[utoipa::path(tag = "call rules", params(("org" = String, Path), ("call_rule" = CallRuleId, Path)), responses((status = 200, body = CallRule)))]
#[get("/call-rules/{call_rule}")]
pub async fn find_call_rule(
    who: OrgCaller,
    rules: Data<CallRules>,
    path: Path<(String, CallRuleId)>,
) -> Result<HttpResponse> {
    let found = rules.find(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(found.version))).json(found))
}

/// Change a call rule; with `If-Match` only the version that was read.
#[utoipa::path(tag = "call rules", params(("org" = String, Path), ("call_rule" = CallRuleId, Path), ("If-Match" = Option<String>, Header)), request_body = UpdateCallRule, responses((status = 200, body = CallRule)))]
#[patch("/call-rules/{call_rule}")]
pub async fn update_call_rule(
    request: HttpRequest,
    who: OrgCaller,
    rules: Data<CallRules>,
    path: Path<(String, CallRuleId)>,
    change: Body<UpdateCallRule>,
) -> Result<HttpResponse> {
    let on = (change.0, version(&request)?);
    let after = rules.update(who.caller(), who.org, path.1, on).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(after.version))).json(after))
}

/// Delete a call rule; from the next call on it says nothing.
#[utoipa::path(tag = "call rules", params(("org" = String, Path), ("call_rule" = CallRuleId, Path)), responses((status = 204)))]
#[delete("/call-rules/{call_rule}")]
pub async fn delete_call_rule(
    who: OrgCaller,
    rules: Data<CallRules>,
    path: Path<(String, CallRuleId)>,
) -> Result<HttpResponse> {
    rules.delete(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
