//! What is no login: every way in which a provider, a network or a thief can say otherwise.

use ralex_tests::app::text;
use ralex_tests::idp::{Idp, Manner, Sign};
use serde_json::{Value, json};

use super::World;
use super::visitor::{part, with};

/// Logs in while the provider behaves so, and says what came of it and why.
async fn said(world: &World, change: impl FnOnce(&mut Manner)) -> (String, String) {
    let before = world.idp.issuer();
    let usual = Manner {
        user: ralex_tests::idp::alice(),
        otherwise: json!({}),
        sign: Sign::Rs256,
        kid: None,
        userinfo: None,
        answers_as: None,
        promises_to: false,
        claims_to_be: None,
    };
    world.idp.change(|it| *it = usual);
    world.idp.change(change);
    let mut visitor = world.visitor();
    let end = world.log_in(&mut visitor, "corp", &world.idp).await;
    assert_eq!(before, world.idp.issuer());
    assert_eq!(visitor.session().is_empty(), end != "/", "a session only for who is let in");
    if end == "/" {
        return (end, String::new());
    }
    let all = world.app.owner.all("audit?action=sso.login_refused").await;
    let reason = all.first().map(|it| text(&it["record"]["detail"], "reason"));
    (end, reason.unwrap_or_default())
}

#[tokio::test]
async fn a_token_that_is_not_the_providers_word_for_this_login_opens_nothing() {
    let world = World::new().await;
    let now = chrono::Utc::now().timestamp();
    let claims: [(Value, &str); 14] = [
        (json!({ "aud": "other" }), "audience"),
        (json!({ "aud": ["ralex", "other"] }), "authorized_party"),
        (json!({ "azp": "other" }), "authorized_party"),
        (json!({ "iss": "https://accounts.example" }), "issuer"),
        (json!({ "nonce": "another" }), "nonce"),
        (json!({ "nonce": null }), "nonce"),
        (json!({ "exp": now - 120 }), "expired"),
        (json!({ "exp": null }), "expired"),
        (json!({ "exp": "tomorrow" }), "malformed"),
        (json!({ "nbf": now + 300 }), "not_yet"),
        (json!({ "iat": now + 300 }), "issued_at"),
        (json!({ "iat": null }), "issued_at"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "access_token_hash"),
        (json!({ "sub": null }), "subject"),
    ];
    for (otherwise, reason) in claims {
        let told = otherwise.to_string();
        let found = said(&world, |it| it.otherwise = otherwise).await;
        assert_eq!(found, ("/?sso=token".to_owned(), reason.to_owned()), "{told}");
    }
    for (sign, reason) in [
        (Sign::None, "algorithm"),
        (Sign::PublicKeyAsSecret, "algorithm"),
        (Sign::Stranger, "signature"),
    ] {
        let found = said(&world, |it| it.sign = sign).await;
        assert_eq!(found, ("/?sso=token".to_owned(), reason.to_owned()), "{sign:?}");
    }
    // The key of the other kind.
    let found = said(&world, |it| it.kid = Some("ec1".into())).await;
    assert_eq!(found.1, "algorithm");
    // As it should be, by either key.
    assert_eq!(said(&world, |it| it.sign = Sign::Es256).await.0, "/");
    assert_eq!(said(&world, |_| {}).await.0, "/");
}

#[tokio::test]
async fn new_keys_are_found_old_ones_are_forgotten_and_invented_ones_cost_nothing() {
    let world = World::new().await;
    assert_eq!(said(&world, |_| {}).await.0, "/");
    let asked = world.idp.served("jwks");
    for _ in 0..3 {
        let found = said(&world, |it| it.kid = Some("invented".into())).await;
        assert_eq!(found.1, "unknown_key");
    }
    // They were read less than a minute ago: inventing names makes nobody ask.
    assert_eq!(world.idp.served("jwks"), asked);
    // A provider that changes its keys is asked anew where somebody tests it.
    world.idp.rotate();
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    assert_eq!(said(&world, |_| {}).await.0, "/");
    let retired = said(&world, |it| it.kid = Some("rsa1".into())).await;
    assert_eq!(retired.1, "unknown_key");
}

#[tokio::test]
async fn what_was_begun_ends_once_in_the_browser_that_began_it() {
    let world = World::new().await;
    let mut alice = world.visitor();
    let authorize = alice.start("corp").await;
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(part(&authorize, name).len(), 43, "{name} in {authorize}");
    }
    assert_eq!(part(&authorize, "code_challenge_method"), "S256");
    let kept = alice.set_cookie("ralex_sso").unwrap().to_owned();
    assert!(kept.contains("HttpOnly") && kept.contains("SameSite=Lax"), "{kept}");
    let back = world.idp.log_in(&authorize).unwrap();

    // In the browser of somebody else, who would be logged in as her, or be made to be.
    let mut mallory = world.visitor();
    mallory.start("corp").await;
    assert_eq!(mallory.follow(&back).await, "/?sso=browser");
    // It was taken by that: she has to begin again.
    assert_eq!(alice.follow(&back).await, "/?sso=state");

    let authorize = alice.start("corp").await;
    let back = world.idp.log_in(&authorize).unwrap();
    let mut without = world.visitor();
    assert_eq!(without.follow(&back).await, "/?sso=browser");
    let authorize = alice.start("corp").await;
    let back = world.idp.log_in(&authorize).unwrap();
    assert_eq!(alice.follow(&with(&back, "state", None)).await, "/?sso=state");
    assert_eq!(alice.follow(&with(&back, "state", Some("invented"))).await, "/?sso=state");
    let authorize = alice.start("corp").await;
    let back = world.idp.log_in(&authorize).unwrap();
    assert_eq!(alice.follow(&back).await, "/");
    let session = alice.session();
    assert_eq!(alice.follow(&back).await, "/?sso=state");
    assert_eq!(alice.session(), session);

    // A code of somebody else's login is worth nothing without what their browser keeps.
    let mut bob = world.visitor();
    let bobs = world.idp.log_in(&bob.start("corp").await).unwrap();
    let mut thief = world.visitor();
    let own = world.idp.log_in(&thief.start("corp").await).unwrap();
    let stolen = with(&own, "code", Some(&part(&bobs, "code")));
    assert_eq!(thief.follow(&stolen).await, "/?sso=code");
    assert!(thief.session().is_empty());
}

#[tokio::test]
async fn an_answer_of_another_provider_is_none() {
    let world = World::new().await;
    let other = Idp::start().unwrap();
    world.provide("other", &other, &json!({ "mappings": [] })).await;
    // The state of one brought to the address of the other.
    let mut alice = world.visitor();
    let back = world.idp.log_in(&alice.start("corp").await).unwrap();
    let moved = back.replace("/corp/callback", "/other/callback");
    assert_eq!(alice.follow(&moved).await, "/?sso=state");
    // An answer that says whose it is (RFC 9207), and one that must and does not.
    let stranger = other.issuer();
    assert_eq!(said(&world, |it| it.answers_as = Some(stranger)).await.0, "/?sso=mix_up");
    let own = world.idp.issuer();
    assert_eq!(said(&world, |it| it.answers_as = Some(own)).await.0, "/");
    world.idp.change(|it| it.promises_to = true);
    world.app.owner.post("sso/providers/corp/test", &json!({})).await.ok();
    assert_eq!(said(&world, |_| {}).await, ("/?sso=mix_up".into(), "issuer_parameter".into()));
    // The provider said no.
    let mut bob = world.visitor();
    let authorize = bob.start("other").await;
    let back = other.log_in(&authorize).unwrap();
    let denied = with(&with(&back, "code", None), "error", Some("access_denied"));
    assert_eq!(bob.follow(&denied).await, "/?sso=refused");
}

#[tokio::test]
async fn somebody_new_needs_an_address_that_is_theirs_and_is_let_in() {
    let world = World::new().await;
    for (user, reason) in [
        (json!({ "email_verified": false }), "email_unverified"),
        (json!({ "email_verified": "no" }), "email_unverified"),
        (json!({ "email": "alice@example.test.evil.test" }), "domain"),
        (json!({ "email": "alice@sub.example.test" }), "domain"),
        (json!({ "email": "no address" }), "email_unverified"),
    ] {
        let told = user.to_string();
        let found = said(&world, |it| {
            it.user.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
        })
        .await;
        assert_eq!(found, (format!("/?sso={reason}"), reason.to_owned()), "{told}");
    }
    // The proof of one answer is none for the address of the other, nor is an answer about another.
    let missing = |it: &mut Manner| {
        it.userinfo = Some(it.user.clone());
        it.user = json!({ "sub": "alice-at-idp" });
    };
    let other = said(&world, |it| {
        missing(it);
        it.userinfo.as_mut().unwrap()["sub"] = json!("bob");
    })
    .await;
    assert_eq!(other, ("/?sso=userinfo".into(), "userinfo_subject".into()));
    assert_eq!(said(&world, missing).await.0, "/");
    assert_eq!(
        world.roles("alice@example.test").await,
        ["developer at team:blue", "viewer at org"]
    );
    // And the organisation has to want it.
    world.provide("closed", &world.idp, &json!({ "create_members": false })).await;
    world.idp.change(|it| {
        it.userinfo = None;
        it.user = ralex_tests::idp::alice();
        it.user["sub"] = json!("carol");
    });
    let mut carol = world.visitor();
    let end = world.log_in(&mut carol, "closed", &world.idp).await;
    assert_eq!(end, "/?sso=not_a_member");
}

#[tokio::test]
async fn no_secret_of_a_login_is_kept_or_told() {
    let world = World::new().await;
    let mut alice = world.visitor();
    let authorize = alice.start("corp").await;
    let state = part(&authorize, "state");
    let kept = alice.set_cookie("ralex_sso").unwrap().to_owned();
    let kept = kept.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let rows = async |table: &str| {
        let sql = format!("select to_jsonb(t)::text from {table} t");
        world.app.database.texts(&sql).await.join("\n")
    };
    let all = format!("{}\n{}", rows("sso_flow").await, rows("sso_provider").await);
    let nonce = part(&authorize, "nonce");
    for secret in [state.as_str(), kept.as_str(), nonce.as_str(), "client-secret-canary"] {
        assert!(!all.contains(secret), "{secret} is in the database");
    }
    let shown = world.app.owner.get("sso/providers").await.text;
    let log = world.app.owner.get("audit?limit=500").await.text;
    assert!(!shown.contains("client-secret-canary") && !log.contains("client-secret-canary"));
    let back = world.idp.log_in(&authorize).unwrap();
    alice.follow(&back).await;
    assert!(world.app.database.texts("select id::text from sso_flow").await.is_empty());
}
