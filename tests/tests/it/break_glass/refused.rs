//! What does not open it, and what it never gives.

use futures_util::future::join_all;
use ralex_tests::app::text;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Named, REASON, World, end, rules};
use crate::passkeys::answer;

#[tokio::test]
async fn nobody_opens_it_alone_and_nobody_who_is_not_named() {
    let mut world = World::new().await;
    let mut eve = Named::of(&world.app, "eve@example.com", "admin").await;
    let begin = json!({});
    eve.session.post("break-glass/passkey", &begin).await.refused(403, "forbidden");
    world.ann.person.client.post("break-glass/passkey", &begin).await.refused(403, "forbidden");
    let asked = world.ann.ask(json!({})).await.ok();
    world.ben.session.post("break-glass/passkey", &begin).await.ok();
    assert_eq!(world.ben.ask(json!({})).await.refused(409, "conflict")["code"], "conflict");

    let path = format!("break-glass/openings/{}/confirm", text(&asked, "id"));
    let by_ann = json!({ "opening": asked["id"] });
    world.ann.session.post("break-glass/passkey", &by_ann).await.refused(403, "forbidden");
    // A signature that another person, or the same for something else, has given.
    let of_ann = json!({ "passkey": world.ann.sign(None).await });
    world.ann.session.post(&path, &of_ann).await.refused(403, "forbidden");
    world.ben.session.post(&path, &of_ann).await.refused(422, "invalid_request");
    let of_ben = json!({ "passkey": world.ben.sign(None).await });
    world.ben.session.post(&path, &of_ben).await.refused(422, "invalid_request");
    eve.session.post(&path, &of_ben).await.refused(403, "forbidden");
    let own = eve.session.post("/api/v1/auth/step-up/passkey", &json!({})).await.ok();
    let of_eve = json!({ "passkey": answer(&own, &mut eve.by) });
    eve.session.post(&path, &of_eve).await.refused(403, "forbidden");
    rules(&world.ann.session, "red").await.refused(403, "forbidden");
    end(&eve.session, &asked).await.refused(403, "forbidden");
    world.ben.confirm(&asked).await.ok();
}

#[tokio::test]
async fn an_old_proof_and_one_without_its_holder_do_not_count() {
    let mut world = World::new().await;
    // A session that was proven a moment ago, and a signature for that.
    let asked = world.ann.session.post("/api/v1/auth/step-up/passkey", &json!({})).await.ok();
    let proof = answer(&asked, &mut world.ann.by);
    let open = json!({ "reason": REASON, "passkey": proof });
    let refused = world.ann.session.post("break-glass/openings", &open).await;
    assert_eq!(refused.refused(422, "invalid_request")["errors"][0]["path"], "passkey");

    world.ann.by.verifies = false;
    world.ann.ask(json!({})).await.refused(422, "invalid_request");
    world.ann.by.verifies = true;
    let passkey = world.ann.sign(None).await;
    let late = "update passkey_ceremony set expires_at = now() - interval '1 second'";
    world.app.database.execute(late).await;
    let open = json!({ "reason": REASON, "passkey": passkey });
    world.ann.session.post("break-glass/openings", &open).await.refused(422, "invalid_request");

    for wrong in
        [json!({ "reason": "too short" }), json!({ "minutes": 4 }), json!({ "minutes": 61 })]
    {
        world.ann.ask(wrong).await.refused(422, "invalid_request");
    }
    let passkey = world.ann.sign(None).await;
    let open = json!({ "reason": REASON, "passkey": passkey });
    let asked = world.ann.session.post("break-glass/openings", &open).await.ok();
    end(&world.ann.session, &asked).await.ok();
    // The same signature once more.
    world.ann.session.post("break-glass/openings", &open).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn what_nobody_confirms_in_time_is_over() {
    let mut world = World::new().await;
    let asked = world.ann.ask(json!({})).await.ok();
    let passkey = world.ben.sign(Some(&text(&asked, "id"))).await;
    let late = "update break_glass_opening set asked_at = asked_at - interval '15 minutes',
                    confirm_until = confirm_until - interval '15 minutes'";
    world.app.database.execute(late).await;
    let path = format!("break-glass/openings/{}/confirm", text(&asked, "id"));
    let confirm = json!({ "passkey": passkey });
    let refused = world.ben.session.post(&path, &confirm).await.refused(409, "conflict");
    assert!(text(&refused, "detail").contains("in time"), "{refused}");
    let shown = world.app.owner.get("break-glass").await.ok();
    assert!(shown["current"].is_null(), "{shown}");
    world.open().await;
    rules(&world.ann.session, "red").await.ok();
}

#[tokio::test]
async fn of_many_who_confirm_and_withdraw_at_once_one_is_first() {
    let mut world = World::new().await;
    let mut others = Vec::new();
    for name in ["cleo", "dan", "eve"] {
        others.push(Named::of(&world.app, &format!("{name}@example.com"), "viewer").await);
    }
    let more = others.iter().map(|it| it.person.id.clone());
    let people: Vec<_> = [world.ann.person.id.clone(), world.ben.person.id.clone()]
        .into_iter()
        .chain(more)
        .collect();
    world.arm(json!({ "people": people })).await.ok();
    others.push(world.ben);
    for _ in 0..5 {
        let asked = world.ann.ask(json!({})).await.ok();
        let id = text(&asked, "id");
        let path = format!("break-glass/openings/{id}/confirm");
        let mut signed = Vec::new();
        for other in &mut others {
            signed.push((other.session.clone(), json!({ "passkey": other.sign(Some(&id)).await })));
        }
        let confirming = signed.iter().map(|(session, body)| session.post(&path, body));
        let ending = (0..16).map(|_| end(&world.ann.session, &asked));
        let (confirmed, ended) = tokio::join!(join_all(confirming), join_all(ending));
        let done = |answers: &[ralex_tests::app::Answer]| {
            answers.iter().filter(|it| it.status == 200).count()
        };
        let (confirmed, ended) = (done(&confirmed), done(&ended));
        let log = world.app.owner.all(&format!("audit?target=break_glass:{id}")).await;
        let mut actions: Vec<_> = log.iter().map(|it| text(it, "action")).collect();
        actions.reverse();
        let wanted: &[&str] = match (confirmed, ended) {
            (1, 1) => &["break_glass.asked", "break_glass.opened", "break_glass.ended"],
            (0, 1) => &["break_glass.asked", "break_glass.withdrawn"],
            (1, 0) => &["break_glass.asked", "break_glass.opened"],
            other => panic!("{other:?} have succeeded"),
        };
        assert_eq!(actions, wanted);
        end(&world.app.owner, &asked).await;
    }
}

#[tokio::test]
async fn it_never_gives_what_tells_of_it_and_nothing_that_outlasts_it() {
    let mut world = World::new().await;
    let before = world.app.owner.get("break-glass").await.ok();
    let never: Vec<String> = serde_json::from_value(before["never"].clone()).unwrap();
    for name in [
        "audit.retain",
        "audit.read",
        "org.export",
        "role.deny",
        "four_eyes.manage",
        "break_glass.arm",
    ] {
        assert!(never.iter().any(|it| it == name), "{name}");
        assert!(!before["armed"]["permissions"].to_string().contains(name), "{name}");
    }
    world.app.team("blue").await;
    let opened = world.open().await;
    let ann = &world.ann.session;
    let put = async |path: &str, body: Value| ann.send(Method::PUT, path, Some(&body)).await;
    ann.get("audit").await.refused(403, "forbidden");
    ann.get("audit/retention").await.refused(403, "forbidden");
    put("change-requests/settings", json!({ "actions": [], "pending_minutes": 60 }))
        .await
        .refused(403, "forbidden");
    put("break-glass", json!({ "people": [world.ann.person.id, world.ben.person.id] }))
        .await
        .refused(403, "forbidden");
    let of = |who: &Named, role: &str, effect: &str| json!({ "subject": format!("user:{}", who.person.id), "role": role, "effect": effect });
    let eve = Named::of(&world.app, "eve@example.com", "viewer").await;
    ann.post("bindings", &of(&eve, "developer", "deny")).await.refused(403, "forbidden");
    for (who, role) in [(&world.ann, "admin"), (&world.ben, "admin"), (&eve, "owner")] {
        ann.post("bindings", &of(who, role, "allow")).await.refused(403, "forbidden");
    }
    for role in ["security", "admin"] {
        ann.post("bindings", &of(&eve, role, "allow")).await.refused(403, "grant_exceeds_own");
    }
    ann.post("bindings", &of(&eve, "developer", "allow")).await.ok();

    // A token that is made by it ends with it.
    let long = json!({ "name": "t", "team": "blue", "expires_at": "2199-01-01T00:00:00Z" });
    ann.post("tokens", &long).await.refused(422, "invalid_request");
    let made = ann.post("tokens", &json!({ "name": "t", "team": "blue" })).await.ok();
    let token = world.app.with(&text(&made, "token"));
    token.get("/v1/models").await.ok();
    end(&world.ben.session, &opened).await.ok();
    assert_eq!(token.get("/v1/models").await.status, 401, "the token has ended");
}

#[tokio::test]
async fn nobody_is_named_who_could_not_open_it() {
    let world = World::new().await;
    let without = world.app.member("dora@example.com", "viewer", "org").await;
    let ann = world.ann.person.id.clone();
    let nobody = "00000000-0000-7000-8000-000000000000".to_owned();
    for people in [
        vec![ann.clone()],
        vec![ann.clone(), ann.clone()],
        vec![ann.clone(), without.id],
        vec![ann.clone(), nobody],
    ] {
        let refused = world.arm(json!({ "people": people })).await.refused(422, "invalid_request");
        let path = text(&refused["errors"][0], "path");
        assert!(path.starts_with("people"), "{refused}");
    }
    for (field, value) in [
        ("longest_minutes", json!(61)),
        ("longest_minutes", json!(4)),
        ("role", json!("service")),
        ("role", json!("nobody")),
    ] {
        let refused = world.arm(json!({ (field): value })).await.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], field, "{refused}");
    }
    // Who looks after security arms it with no more than they have.
    let security = world.app.member("sam@example.com", "security", "org").await;
    let people = [&world.ann.person.id, &world.ben.person.id];
    let arm = json!({ "people": people });
    let refused = security.client.send(Method::PUT, "break-glass", Some(&arm)).await;
    refused.refused(403, "grant_exceeds_own");
    let arm = json!({ "people": people, "role": "security", "longest_minutes": 15 });
    security.client.send(Method::PUT, "break-glass", Some(&arm)).await.ok();
    // Who has nothing to do with it sees no names.
    let viewer = world.app.member("vera@example.com", "viewer", "org").await;
    let seen = viewer.client.get("break-glass").await.ok();
    assert!(seen["armed"].is_null() && !seen.to_string().contains("ann@"), "{seen}");
}
