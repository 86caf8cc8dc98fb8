//! Whoever is linked or added again begins anew: nothing that they came in by before comes back.

use std::time::Duration;

use ralex_tests::app::{Answer, Client, text, until};
use serde_json::json;

use super::World;
use super::visitor::{Visitor, part};
use crate::programs::{DONE, VERIFIER, asked, token};

/// What somebody has who came in by a provider.
struct Held {
    session: Visitor,
    token: Client,
    /// By which a program would fetch a token.
    code: String,
}

impl Held {
    async fn of(world: &World) -> Self {
        let mut session = world.visitor();
        assert_eq!(world.log_in(&mut session, "corp", &world.idp).await, "/");
        let made = session.post("/api/v1/me/tokens", &json!({ "name": "ci" })).await.ok();
        let token = world.app.with(&text(&made, "token"));
        token.get("teams").await.ok();
        let said = session.post("/api/v1/auth/programs", &asked(true)).await.ok();
        Self { session, token, code: part(&text(&said, "redirect"), "code") }
    }

    async fn is_over(&self, world: &World) {
        assert_eq!(self.session.get("/api/v1/me").await.status, 401, "the session");
        until("the token is over", Duration::from_secs(1), async || {
            (self.token.get("/api/v1/me").await.status == 401).then_some(())
        })
        .await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", self.code.as_str()),
            ("code_verifier", VERIFIER),
            ("redirect_uri", DONE),
        ];
        let answer: Answer = token(&world.app.anonymous(), &fields).await;
        assert_eq!(answer.json()["error"], "invalid_grant", "the program: {answer:?}");
    }
}

#[tokio::test]
async fn nothing_that_somebody_came_in_by_comes_back_with_a_link_or_a_membership() {
    let world = World::new().await;
    let alice = world.app.member("alice@example.test", "developer", "org").await;
    let link = async || {
        let link = json!({ "user": alice.email, "subject": "alice-at-idp" });
        world.app.owner.post("sso/providers/corp/links", &link).await.ok()
    };
    let made = link().await;
    let held = Held::of(&world).await;
    world.app.owner.delete(&format!("sso/links/{}", text(&made, "id"))).await.ok();
    link().await;
    held.is_over(&world).await;
    let told = world.last("sso.link_removed").await;
    assert_eq!(
        (&told["detail"]["sessions_ended"], &told["detail"]["tokens_ended"]),
        (&json!(1), &json!(1))
    );

    let held = Held::of(&world).await;
    world.app.owner.delete(&format!("members/{}", alice.id)).await.ok();
    let again = json!({ "email": alice.email, "name": "Alice", "role": "developer" });
    let added = world.app.owner.post("members", &again).await.ok();
    let own = world.app.anonymous().login(&alice.email, &alice.password).await;
    own.accept(&added["invitation"]).await;
    link().await;
    held.is_over(&world).await;
}
