//! How somebody proves who they are leaves its entries too.

use std::time::Duration;

use ralex_tests::app::{EMAIL, PASSWORD, text, until};
use ralex_tests::authenticator::Authenticator;
use serde_json::json;

use super::Watched;
use crate::factors::code;

pub async fn factors(watched: &mut Watched) {
    let anonymous = watched.app.anonymous();
    let session = anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await);
    let path = "/api/v1/auth/totp";
    let nothing = json!({});
    let ask = session.post(path, &nothing);
    let begun = watched.leaves_of("POST /api/v1/auth/totp", &["factor.begun"], ask).await.ok();
    let seed = text(&begun, "secret");
    let first = json!({ "code": code(&seed, -1) });
    let actions = ["factor.added", "recovery_codes.created"];
    let ask = session.post("/api/v1/auth/totp/confirm", &first);
    watched.leaves_of("POST /api/v1/auth/totp/confirm", &actions, ask).await.ok();
    let ask = session.post("/api/v1/auth/recovery-codes", &nothing);
    let op = "POST /api/v1/auth/recovery-codes";
    let made = watched.leaves_of(op, &["recovery_codes.created"], ask).await.ok();

    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let asked = anonymous.post("/api/v1/auth/login", &login).await.ok();
    let challenge = &asked["second_factor"]["challenge"];
    let op = "POST /api/v1/auth/second-factor";
    let wrong = json!({ "challenge": challenge, "code": "000000" });
    let ask = anonymous.post("/api/v1/auth/second-factor", &wrong);
    watched.leaves_of(op, &["login.factor_failed"], ask).await.refused(401, "invalid_login");
    let right = json!({ "challenge": challenge, "code": made["codes"][0] });
    let ask = anonymous.post("/api/v1/auth/second-factor", &right);
    watched.leaves_of(op, &["session.opened", "recovery_code.used"], ask).await.ok();

    let proof = json!({ "password": PASSWORD, "code": code(&seed, 0) });
    let ask = session.post("/api/v1/auth/step-up", &proof);
    let op = "POST /api/v1/auth/step-up";
    let proven = watched.leaves_of(op, &["session.proven"], ask).await;
    let session = session.in_session(&proven.cookie());
    session.patch("security", &json!({ "second_factor_required": true })).await.ok();
    // The owner's token may be remembered for a moment as of somebody without a factor.
    until("the token is looked at anew", Duration::from_secs(2), async || {
        (watched.app.owner.get("teams").await.status == 200).then_some(())
    })
    .await;
    let change = json!({ "second_factor_required": false });
    let ask = session.patch("security", &change);
    let op = "PATCH /api/v1/orgs/{org}/security";
    watched.leaves_of(op, &["org.security_changed"], ask).await.ok();
    let ask = session.delete(path);
    watched.leaves_of("DELETE /api/v1/auth/totp", &["factor.removed"], ask).await.ok();
}

pub async fn passkeys(watched: &mut Watched) {
    let anonymous = watched.app.anonymous();
    let session = anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await);
    let (nothing, path) = (json!({}), "/api/v1/auth/passkeys");
    let mut phone = Authenticator::new(watched.app.node.url());
    let asked = session.post(path, &nothing).await.ok();
    let made = phone.create(&asked["options"]);
    let new = json!({ "ceremony": asked["ceremony"], "name": "phone", "credential": made });
    let confirm = format!("{path}/confirm");
    let ask = session.post(&confirm, &new);
    let actions = ["passkey.added", "recovery_codes.created"];
    let op = "POST /api/v1/auth/passkeys/confirm";
    let added = watched.leaves_of(op, &actions, ask).await.ok();
    let path = format!("{path}/{}", text(&added["passkey"], "id"));
    let name = json!({ "name": "old phone" });
    let ask = session.patch(&path, &name);
    let op = "PATCH /api/v1/auth/passkeys/{passkey}";
    watched.leaves_of(op, &["passkey.renamed"], ask).await.ok();

    let (login, op) = ("/api/v1/auth/passkey", "POST /api/v1/auth/passkey");
    let begin = format!("{login}/begin");
    let asked = anonymous.post(&begin, &nothing).await.ok();
    let said = phone.sign(&asked["options"]);
    let said = json!({ "ceremony": asked["ceremony"], "credential": said });
    let ask = anonymous.post(login, &said);
    watched.leaves_of(op, &["session.opened"], ask).await.ok();
    phone.count = 0;
    let asked = anonymous.post(&begin, &nothing).await.ok();
    let said = phone.sign(&asked["options"]);
    let said = json!({ "ceremony": asked["ceremony"], "credential": said });
    let ask = anonymous.post(login, &said);
    let refused = watched.leaves_of(op, &["passkey.copy_suspected"], ask).await;
    refused.refused(401, "invalid_login");
    let ask = session.delete(&path);
    let op = "DELETE /api/v1/auth/passkeys/{passkey}";
    watched.leaves_of(op, &["passkey.removed"], ask).await.ok();
}

/// Programs that ask for a token.
pub async fn programs(watched: &mut Watched) {
    let anonymous = watched.app.anonymous();
    let session = anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await);
    let said = crate::programs::asked(true);
    let ask = session.post("/api/v1/auth/programs", &said);
    watched.leaves_of("POST /api/v1/auth/programs", &["program.approved"], ask).await.ok();
    let begun = crate::programs::begun(&anonymous).await;
    let said = json!({ "user_code": begun["user_code"], "approve": false });
    let ask = session.post("/api/v1/auth/device", &said);
    watched.leaves_of("POST /api/v1/auth/device", &["program.denied"], ask).await.ok();
}
