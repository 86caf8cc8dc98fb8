//! Provisioning: whether an organisation's directory is heard, and by which tokens.

use ralex_api::scim::{NewScimToken, ScimConnection, SetScim};
use ralex_api::tokens::NewTokenAnswer;
use ralex_kernel::TokenId;

use super::client::{self, Reply};
use super::path;

pub fn connection(org: &str) -> Reply<ScimConnection> {
    client::find(&path(org, &["scim"]))
}

pub fn set(org: &str, enabled: bool) -> Reply<ScimConnection> {
    client::replace(&path(org, &["scim"]), &SetScim { enabled })
}

pub fn create_token(org: &str, new: NewScimToken) -> Reply<NewTokenAnswer> {
    client::create(&path(org, &["scim", "tokens"]), &new)
}

pub fn revoke_token(org: &str, token: TokenId) -> Reply<()> {
    client::delete(&path(org, &["scim", "tokens", &token.to_string()]))
}
