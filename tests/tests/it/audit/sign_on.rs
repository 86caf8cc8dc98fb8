//! Every write about single sign-on leaves its entry; logins have tests of their own.

use ralex_tests::app::{EMAIL, text};
use serde_json::json;

use super::Watched;

pub async fn sign_on(watched: &mut Watched) {
    const PROVIDERS: &str = "/api/v1/orgs/{org}/sso/providers";
    // Nobody listens there: what counts is what is set.
    let new = json!({ "slug": "corp", "name": "Corp", "issuer": "http://127.0.0.1:9",
        "client_id": "ralex", "client_secret": "secret-canary" });
    let op = format!("POST {PROVIDERS}");
    watched.leaves(&op, "sso/providers", Some(new), &["sso.provider_created"]).await;
    let op = format!("PATCH {PROVIDERS}/{{provider}}");
    let change = Some(json!({ "client_secret": "another-canary" }));
    watched.leaves(&op, "sso/providers/corp", change, &["sso.provider_updated"]).await;
    let op = format!("POST {PROVIDERS}/{{provider}}/test");
    watched.leaves(&op, "sso/providers/corp/test", None, &["sso.provider_tested"]).await;
    let op = format!("POST {PROVIDERS}/{{provider}}/links");
    let link = json!({ "user": EMAIL, "subject": "owner-at-idp" });
    let path = "sso/providers/corp/links";
    let made = watched.leaves(&op, path, Some(link.clone()), &["sso.link_created"]).await;
    let op = "DELETE /api/v1/orgs/{org}/sso/links/{link}";
    let gone = format!("sso/links/{}", text(&made, "id"));
    watched.leaves(op, &gone, None, &["sso.link_removed"]).await;
    let made = watched.app.owner.post(path, &link).await.ok();
    let op = "DELETE /api/v1/me/identities/{link}";
    let own = format!("/api/v1/me/identities/{}", text(&made, "id"));
    watched.leaves(op, &own, None, &["sso.link_removed"]).await;
    let op = format!("DELETE {PROVIDERS}/{{provider}}");
    watched.leaves(&op, "sso/providers/corp", None, &["sso.provider_deleted"]).await;
}
