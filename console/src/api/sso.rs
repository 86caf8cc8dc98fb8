//! Single sign-on: an organisation's providers, and who one is to them.

use ralex_api::sso::{
    ConnectSso, EnforceSso, SsoBegun, SsoDoors, SsoEnforcement, SsoLinks, SsoProvider,
    SsoProviders, SsoTested,
};
use ralex_kernel::SsoLinkId;
use serde_json::{Value, json};

use super::client::{self, Reply};
use super::path;
use crate::text::query::Query;

pub fn providers(org: &str) -> Reply<SsoProviders> {
    client::find(&path(org, &["sso", "providers"]))
}

pub fn create(org: &str, new: &Value) -> Reply<SsoProvider> {
    client::create(&path(org, &["sso", "providers"]), new)
}

pub fn update(org: &str, provider: &str, change: &Value) -> Reply<SsoProvider> {
    client::update(&path(org, &["sso", "providers", provider]), change)
}

/// Ends what the provider opened.
pub fn switch_off(org: &str, provider: &str) -> Reply<()> {
    client::change(&path(org, &["sso", "providers", provider]), &json!({ "enabled": false }))
}

pub fn delete(org: &str, provider: &str) -> Reply<()> {
    client::delete(&path(org, &["sso", "providers", provider]))
}

pub fn test(org: &str, provider: &str) -> Reply<SsoTested> {
    client::create(&path(org, &["sso", "providers", provider, "test"]), &json!({}))
}

pub fn enforce(org: &str, provider: String, break_glass: String) -> Reply<SsoEnforcement> {
    client::replace(&path(org, &["sso", "enforcement"]), &EnforceSso { provider, break_glass })
}

pub fn relax(org: &str) -> Reply<()> {
    client::delete(&path(org, &["sso", "enforcement"]))
}

/// The ways in for who says where they belong.
pub fn doors(at: &str) -> Reply<SsoDoors> {
    client::find(&format!("/auth/sso{}", Query::default().with("at", at)))
}

/// Who one is to the providers of one's organisations.
pub fn identities() -> Reply<SsoLinks> {
    client::find("/me/identities")
}

pub fn connect(org: String, provider: String) -> Reply<SsoBegun> {
    client::create("/me/identities", &ConnectSso { org, provider })
}

pub fn disconnect(link: SsoLinkId) -> Reply<()> {
    client::delete(&format!("/me/identities/{link}"))
}
