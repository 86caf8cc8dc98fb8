//! Routes, aliases, preferences, settings, previews and what routing saved.

use ralex_api::Page;
use ralex_api::routing::{
    Alias, NewAlias, NewRoute, Preference, Preview, PreviewRequest, Route, RoutingReport,
    RoutingSettings, SetPreference, UpdateRoute,
};

use super::client::{self, Reply};
use super::path;

pub fn routes(org: &str) -> Reply<Page<Route>> {
    client::list(&path(org, &["routes"]))
}

pub fn create_route(org: &str, new: NewRoute) -> Reply<Route> {
    client::create(&path(org, &["routes"]), &new)
}

pub fn update_route(org: &str, name: &str, change: UpdateRoute) -> Reply<Route> {
    client::update(&path(org, &["routes", name]), &change)
}

pub fn delete_route(org: &str, name: &str) -> Reply<()> {
    client::delete(&path(org, &["routes", name]))
}

pub fn aliases(org: &str) -> Reply<Page<Alias>> {
    client::list(&path(org, &["aliases"]))
}

pub fn create_alias(org: &str, new: NewAlias) -> Reply<Alias> {
    client::create(&path(org, &["aliases"]), &new)
}

pub fn delete_alias(org: &str, name: &str) -> Reply<()> {
    client::delete(&path(org, &["aliases", name]))
}

pub fn preferences(org: &str) -> Reply<Page<Preference>> {
    client::list(&path(org, &["preferences"]))
}

/// Empty rules remove those of the scope.
pub fn set_preference(org: &str, set: SetPreference) -> Reply<Page<Preference>> {
    client::replace(&path(org, &["preferences"]), &set)
}

pub fn settings(org: &str) -> Reply<RoutingSettings> {
    client::find(&path(org, &["routing"]))
}

pub fn set_settings(org: &str, settings: RoutingSettings) -> Reply<RoutingSettings> {
    client::replace(&path(org, &["routing"]), &settings)
}

pub fn preview(org: &str, request: PreviewRequest) -> Reply<Preview> {
    client::create(&path(org, &["preview"]), &request)
}

/// Of the last 30 days.
pub fn report(org: &str) -> Reply<RoutingReport> {
    client::find(&path(org, &["reports", "routing"]))
}
