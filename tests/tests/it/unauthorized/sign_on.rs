//! Bodies of operations about the ways in, of what operators do, and of reviews of who has come in.

use serde_json::{Value, json};

pub fn body(operation: &str) -> Value {
    match operation {
        "PUT /api/v1/orgs/{org}/scim" => json!({ "enabled": true }),
        "POST /api/v1/orgs/{org}/scim/tokens" => json!({ "name": "Corp" }),
        "POST /api/v1/auth/totp/confirm" => json!({ "code": "000000" }),
        "POST /api/v1/auth/programs" => json!({
            "client_id": "ralex-cli", "redirect_uri": "http://127.0.0.1:9/done", "approve": true,
            "code_challenge": "x", "code_challenge_method": "S256",
        }),
        "POST /api/v1/auth/device" => json!({ "user_code": "BCDF-GHJK", "approve": true }),
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
        "POST /api/v1/auth/second-factor/passkey" => json!({ "challenge": "x" }),
        "POST /api/v1/auth/passkey" => json!({ "ceremony": "x", "credential": {} }),
        "POST /api/v1/auth/passkeys/confirm" => {
            json!({ "ceremony": "x", "name": "phone", "credential": {} })
        }
        "PATCH /api/v1/auth/passkeys/{passkey}"
        | "PATCH /api/v1/me"
        | "PATCH /api/v1/me/sessions/{session}" => json!({ "name": "Renamed" }),
        "POST /api/v1/auth/password/forgotten" => json!({ "email": "nobody@example.com" }),
        "POST /api/v1/auth/link" => json!({ "link": "x" }),
        "POST /api/v1/auth/link/join" => json!({ "link": "x", "accept": true }),
        "POST /api/v1/auth/link/password" => json!({ "link": "x", "new": "another-password" }),
        "POST /api/v1/operator/orgs" => {
            json!({ "slug": "acme", "owner_email": "owner@example.com" })
        }
        "POST /api/v1/operator/orgs/{org}/suspend"
        | "POST /api/v1/operator/orgs/{org}/deletion" => {
            json!({ "reason": "why" })
        }
        "POST /api/v1/operator/orgs/{org}/deletion/confirm" => {
            json!({ "asked_at": "2026-01-01T00:00:00Z" })
        }
        "POST /api/v1/operator/factor-resets" | "POST /api/v1/operator/deactivated-accounts" => {
            json!({ "email": "owner@example.com", "reason": "why" })
        }
        "POST /api/v1/orgs/{org}/export" => json!({}),
        "PUT /api/v1/orgs/{org}/export/recipients" => json!({ "recipients": [] }),
        "POST /api/v1/operator/operators" => json!({ "email": "owner@example.com" }),
        "POST /api/v1/orgs/{org}/access-reviews" => {
            json!({ "name": "More", "due_days": 14, "undecided": "keep" })
        }
        "POST /api/v1/orgs/{org}/access-reviews/{access_review}/decisions" => {
            let binding = "00000000-0000-7000-8000-000000000000";
            json!({ "bindings": [binding], "decision": "keep" })
        }
        "POST /api/v1/orgs/{org}/access-reviews/{access_review}/sign" => json!({ "note": "Seen" }),
        other => panic!("no body is known for {other}"),
    }
}
