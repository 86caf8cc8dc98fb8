//! Bodies of operations about single sign-on.

use serde_json::{Value, json};

pub fn body(operation: &str) -> Value {
    match operation {
        "POST /api/v1/auth/sso/{org}/{provider}/logout" => json!({ "logout_token": "x" }),
        "POST /api/v1/me/identities" => json!({ "org": "default", "provider": "corp" }),
        "POST /api/v1/orgs/{org}/sso/providers" => json!({ "slug": "corp", "name": "Corp",
            "issuer": "https://idp.example", "client_id": "ralex", "client_secret": "x" }),
        "PATCH /api/v1/orgs/{org}/sso/providers/{provider}" => json!({ "enabled": false }),
        "POST /api/v1/orgs/{org}/sso/providers/{provider}/links" => {
            json!({ "user": "owner@example.com", "subject": "x" })
        }
        "PUT /api/v1/orgs/{org}/sso/enforcement" => {
            json!({ "provider": "corp", "break_glass": "owner@example.com" })
        }
        other => panic!("no body is known for {other}"),
    }
}
