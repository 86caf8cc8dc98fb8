//! A fresh proof by a provider: only what it says of the moment in which somebody proved who they are.

use chrono::Utc;
use ralex_tests::app::text;
use serde_json::{Value, json};

use super::World;
use super::visitor::{Visitor, part};

const TOKENS: &str = "/api/v1/me/tokens";
const FRESH: &str = "/api/v1/auth/sso/default/corp/start?fresh=true";

async fn makes_a_token(visitor: &mut Visitor) -> u16 {
    visitor.post(TOKENS, &json!({ "name": "ci" })).await.status
}

/// Goes away for a fresh proof, and gives where the browser ends.
async fn prove(world: &World, visitor: &mut Visitor, path: &str) -> String {
    let authorize = visitor.follow(&format!("{}{path}", world.app.node.url())).await;
    assert_eq!(
        (part(&authorize, "prompt"), part(&authorize, "max_age")),
        ("login".into(), "0".into())
    );
    visitor.follow(&world.idp.log_in(&authorize).unwrap()).await
}

#[tokio::test]
async fn a_silent_login_is_as_fresh_as_the_provider_says_and_no_fresher() {
    let world = World::new().await;
    let now = Utc::now().timestamp();
    let an_hour_ago = json!({ "auth_time": now - 3600 });
    for said in [json!({ "auth_time": null }), an_hour_ago.clone()] {
        world.idp.change(|it| it.otherwise = said.clone());
        let mut alice = world.visitor();
        let authorize = alice.start("corp").await;
        assert_eq!((part(&authorize, "prompt"), part(&authorize, "max_age")), <_>::default());
        let end = alice.follow(&world.idp.log_in(&authorize).unwrap()).await;
        assert_eq!(end, "/", "{said}");
        alice.get("/api/v1/orgs/default/teams").await.ok();
        let told = alice.post(TOKENS, &json!({ "name": "ci" })).await;
        let told = told.refused(403, "step_up_required");
        // Where to go is told to people and to the console.
        let me = alice.get("/api/v1/me").await.ok();
        let address = text(&me, "prove_at");
        assert!(text(&told, "detail").contains(&address), "{told}");
        // A provider that does not ask anew proves nothing by letting them in.
        assert_eq!(prove(&world, &mut alice, &address).await, "/profile?sso=not_proven", "{said}");
        assert_eq!(makes_a_token(&mut alice).await, 403, "{said}");
    }
    let refused = world.last("sso.login_refused").await;
    assert_eq!(refused["detail"]["reason"], "auth_time", "{refused}");

    world.idp.change(|it| it.otherwise = json!({ "auth_time": Utc::now().timestamp() }));
    let mut alice = world.visitor();
    assert_eq!(prove(&world, &mut alice, FRESH).await, "/");
    assert_eq!(makes_a_token(&mut alice).await, 201);
}

#[tokio::test]
async fn a_time_that_is_none_opens_nothing() {
    let world = World::new().await;
    let now = Utc::now().timestamp();
    for said in [json!(now + 300), json!("now"), json!([now]), Value::Bool(true)] {
        world.idp.change(|it| it.otherwise = json!({ "auth_time": said.clone() }));
        let mut alice = world.visitor();
        assert_eq!(world.log_in(&mut alice, "corp", &world.idp).await, "/?sso=token", "{said}");
    }
}
