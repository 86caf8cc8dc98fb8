//! Links by which somebody chooses a password, or says whether they belong to an organisation.

use ralex_api::links::{ForgottenOffer, InvitationAnswered, LinkShown};
use ralex_kernel::Email;
use serde_json::json;

use super::client::{self, Reply};

pub fn show(link: &str) -> Reply<LinkShown> {
    client::create("/auth/link", &json!({ "link": link }))
}

pub fn set_password(link: &str, new: &str) -> Reply<()> {
    client::tell("/auth/link/password", Some(&json!({ "link": link, "new": new })))
}

/// Says whether one belongs to the organisation of a link.
pub fn answer(link: &str, accept: bool) -> Reply<InvitationAnswered> {
    client::create("/auth/link/join", &json!({ "link": link, "accept": accept }))
}

/// Whether a link can come by mail.
pub fn offered() -> Reply<ForgottenOffer> {
    client::find("/auth/password/forgotten")
}

pub fn forgotten(email: &Email) -> Reply<()> {
    client::tell("/auth/password/forgotten", Some(&json!({ "email": email })))
}
