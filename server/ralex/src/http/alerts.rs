//! Alerts: the inbox, and the rules that say who is told.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::alerts::{
    Alert, AlertDelivery, AlertKinds, AlertRule, AlertRuleTested, AlertRules, AlertsQuery,
    AlertsUnread, NewAlertRule, ReadAlerts, UpdateAlertRule,
};
use ralex_api::page::PageQuery;
use ralex_kernel::{AlertId, AlertRuleId};
use ralex_monitor::Alerts;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List alerts where the caller may see them, newest first.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), AlertsQuery), responses((status = 200, body = Page<Alert>)))]
#[get("/alerts")]
pub async fn list_alerts(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
    query: Query<AlertsQuery>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.list(who.caller(), &reach, &query.0).await?))
}

/// List what there are alerts of, in words.
#[utoipa::path(tag = "alerts", params(("org" = String, Path)), responses((status = 200, body = AlertKinds)))]
#[get("/alerts/kinds")]
pub async fn list_alert_kinds(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
) -> Result<HttpResponse> {
    access.reach(who.caller(), who.org, Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.kinds()))
}

/// Count open alerts that the caller has not read.
#[utoipa::path(tag = "alerts", params(("org" = String, Path)), responses((status = 200, body = AlertsUnread)))]
#[get("/alerts/unread-count")]
pub async fn count_unread_alerts(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.unread(who.caller(), &reach).await?))
}

/// Mark alerts as read, for the caller alone.
#[utoipa::path(tag = "alerts", params(("org" = String, Path)), request_body = ReadAlerts, responses((status = 200, body = AlertsUnread)))]
#[post("/alerts/read")]
pub async fn read_alerts(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
    read: Body<ReadAlerts>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.read(who.caller(), &reach, &read.0).await?))
}

/// Show one alert, with whom it was told and what came of that.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("alert" = AlertId, Path)), responses((status = 200, body = Alert)))]
#[get("/alerts/{alert}")]
pub async fn find_alert(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
    path: Path<(String, AlertId)>,
) -> Result<HttpResponse> {
    let reach = access.reach(who.caller(), who.org, Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.find(who.caller(), &reach, path.1).await?))
}

/// Take an alert on, so that others know that somebody looks after it.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("alert" = AlertId, Path)), responses((status = 200, body = Alert)))]
#[post("/alerts/{alert}/acknowledge")]
pub async fn acknowledge_alert(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
    path: Path<(String, AlertId)>,
) -> Result<HttpResponse> {
    let at = alerts.place(who.caller(), &access, who.org, path.1).await?;
    let scope = who.allow_at(Permission::AlertAcknowledge, at).await?;
    Ok(HttpResponse::Ok().json(alerts.acknowledge(&scope, path.1).await?))
}

/// End an alert. Most end by themselves when their cause does.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("alert" = AlertId, Path)), responses((status = 200, body = Alert)))]
#[post("/alerts/{alert}/resolve")]
pub async fn resolve_alert(
    who: OrgCaller,
    access: Data<Access>,
    alerts: Data<Alerts>,
    path: Path<(String, AlertId)>,
) -> Result<HttpResponse> {
    let at = alerts.place(who.caller(), &access, who.org, path.1).await?;
    let scope = who.allow_at(Permission::AlertAcknowledge, at).await?;
    Ok(HttpResponse::Ok().json(alerts.resolve(&scope, path.1).await?))
}

/// List who is told of which alerts, and how each channel fares.
#[utoipa::path(tag = "alerts", params(("org" = String, Path)), responses((status = 200, body = AlertRules)))]
#[get("/alert-rules")]
pub async fn list_alert_rules(who: OrgCaller, alerts: Data<Alerts>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertRead).await?;
    let items = alerts.list_rules(scope.org()).await?;
    Ok(HttpResponse::Ok().json(AlertRules { items }))
}

/// Say who is told of which alerts; the answer has the secrets that sign webhooks' deliveries, once.
#[utoipa::path(tag = "alerts", params(("org" = String, Path)), request_body = NewAlertRule, responses((status = 201, body = AlertRule)))]
#[post("/alert-rules")]
pub async fn create_alert_rule(
    who: OrgCaller,
    alerts: Data<Alerts>,
    new: Body<NewAlertRule>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertConfigure).await?;
    Ok(HttpResponse::Created().json(alerts.create_rule(&scope, new.0).await?))
}

/// Show one rule.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("rule" = AlertRuleId, Path)), responses((status = 200, body = AlertRule)))]
#[get("/alert-rules/{rule}")]
pub async fn find_alert_rule(
    who: OrgCaller,
    alerts: Data<Alerts>,
    path: Path<(String, AlertRuleId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.find_rule(scope.org(), path.1).await?))
}

/// Change a rule. The answer has the secrets of webhooks that are new.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("rule" = AlertRuleId, Path)), request_body = UpdateAlertRule, responses((status = 200, body = AlertRule)))]
#[patch("/alert-rules/{rule}")]
pub async fn update_alert_rule(
    who: OrgCaller,
    alerts: Data<Alerts>,
    path: Path<(String, AlertRuleId)>,
    change: Body<UpdateAlertRule>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertConfigure).await?;
    Ok(HttpResponse::Ok().json(alerts.update_rule(&scope, path.1, change.0).await?))
}

/// Delete a rule; what is on its way by it is sent no more.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("rule" = AlertRuleId, Path)), responses((status = 204)))]
#[delete("/alert-rules/{rule}")]
pub async fn delete_alert_rule(
    who: OrgCaller,
    alerts: Data<Alerts>,
    path: Path<(String, AlertRuleId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertConfigure).await?;
    alerts.delete_rule(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Send each channel of a rule something that is no alert, and tell what it says.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("rule" = AlertRuleId, Path)), responses((status = 200, body = AlertRuleTested)))]
#[post("/alert-rules/{rule}/test")]
pub async fn test_alert_rule(
    who: OrgCaller,
    alerts: Data<Alerts>,
    path: Path<(String, AlertRuleId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertConfigure).await?;
    Ok(HttpResponse::Ok().json(alerts.test_rule(&scope, path.1).await?))
}

/// List what a rule told, and what came of it, newest first.
#[utoipa::path(tag = "alerts", params(("org" = String, Path), ("rule" = AlertRuleId, Path), PageQuery), responses((status = 200, body = Page<AlertDelivery>)))]
#[get("/alert-rules/{rule}/deliveries")]
pub async fn list_alert_deliveries(
    who: OrgCaller,
    alerts: Data<Alerts>,
    path: Path<(String, AlertRuleId)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::AlertRead).await?;
    Ok(HttpResponse::Ok().json(alerts.deliveries(&scope, path.1, &page.0).await?))
}
