//! Routes, aliases, preferences, settings, previews and what routing saved.

use ralex_api::Page;
use ralex_api::routing::{
    Alias, NewAlias, NewRoute, Preference, Preview, PreviewRequest, Route, RoutingReport,
    RoutingSettings, SetPreference, UpdateRoute,
};

use super::client::{self, Answer};
use super::path;

pub async fn routes(org: &str) -> Answer<Page<Route>> {
    client::find(&path(org, &["routes"])).await
}

pub async fn create_route(org: &str, new: NewRoute) -> Answer<Route> {
    client::create(&path(org, &["routes"]), &new).await
}

pub async fn update_route(org: &str, name: &str, change: UpdateRoute) -> Answer<Route> {
    client::update(&path(org, &["routes", name]), &change).await
}

pub async fn delete_route(org: &str, name: &str) -> Answer<()> {
    client::delete(&path(org, &["routes", name])).await
}

pub async fn aliases(org: &str) -> Answer<Page<Alias>> {
    client::find(&path(org, &["aliases"])).await
}

pub async fn create_alias(org: &str, new: NewAlias) -> Answer<Alias> {
    client::create(&path(org, &["aliases"]), &new).await
}

pub async fn delete_alias(org: &str, name: &str) -> Answer<()> {
    client::delete(&path(org, &["aliases", name])).await
}

pub async fn preferences(org: &str) -> Answer<Page<Preference>> {
    client::find(&path(org, &["preferences"])).await
}

/// Empty rules remove those of the scope.
pub async fn set_preference(org: &str, set: SetPreference) -> Answer<Page<Preference>> {
    client::replace(&path(org, &["preferences"]), &set).await
}

pub async fn settings(org: &str) -> Answer<RoutingSettings> {
    client::find(&path(org, &["routing"])).await
}

pub async fn set_settings(org: &str, settings: RoutingSettings) -> Answer<RoutingSettings> {
    client::replace(&path(org, &["routing"]), &settings).await
}

pub async fn preview(org: &str, request: PreviewRequest) -> Answer<Preview> {
    client::create(&path(org, &["preview"]), &request).await
}

/// Of the last 30 days.
pub async fn report(org: &str) -> Answer<RoutingReport> {
    client::find(&path(org, &["reports", "routing"])).await
}
