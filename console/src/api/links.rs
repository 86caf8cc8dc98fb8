//! Links by which somebody chooses a password.

use ralex_api::links::{ForgottenOffer, LinkShown};
use ralex_kernel::Email;
use serde_json::json;

use super::client::{self, Reply};

pub fn show(link: &str) -> Reply<LinkShown> {
    client::create("/auth/link", &json!({ "link": link }))
}

pub fn set_password(link: &str, new: &str) -> Reply<()> {
    client::tell("/auth/link/password", Some(&json!({ "link": link, "new": new })))
}

/// Whether a link can come by mail.
pub fn offered() -> Reply<ForgottenOffer> {
    client::find("/auth/password/forgotten")
}

pub fn forgotten(email: &Email) -> Reply<()> {
    client::tell("/auth/password/forgotten", Some(&json!({ "email": email })))
}
