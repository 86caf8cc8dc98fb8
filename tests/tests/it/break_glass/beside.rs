//! When nothing else works: the provider is down, or rights cannot be read. And who is told.

use std::time::Duration;

use ralex_tests::app::{App, text, until};
use ralex_tests::idp::Idp;
use reqwest::Method;
use serde_json::json;

use super::{World, end, review, rules};
use crate::alerts::post_office::PostOffice;
use crate::passkeys::{free, start};
use crate::sso;

#[tokio::test]
async fn it_opens_where_single_sign_on_is_the_only_way_in_and_is_down() {
    let corp = sso::World::on(start().await, Idp::start().unwrap()).await;
    let sso::World { app, idp } = corp;
    let mut world = World::on(app).await;
    let owner = world.app.owner.clone();
    let zoe = world.app.member("zoe@example.test", "owner", "org").await;
    owner.post("sso/providers/corp/test", &json!({})).await.ok();
    let wished = json!({ "provider": "corp", "break_glass": zoe.email });
    owner.send(Method::PUT, "sso/enforcement", Some(&wished)).await.ok();
    drop(idp);
    let ann = world.ann.session.clone();
    until("the door is shut", Duration::from_secs(2), async || {
        (ann.get("teams").await.status == 403).then_some(())
    })
    .await;
    ann.get("teams").await.refused(403, "sign_on_required");
    let me = ann.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"][0]["break_glass"]["is_named"], true, "{me}");
    assert!(me["orgs"][0]["sign_on"].is_string(), "{me}");
    ann.get("break-glass").await.ok();

    let opened = world.open().await;
    rules(&ann, "red").await.ok();
    assert!(!ann.all("members").await.is_empty());
    ann.get("audit").await.refused(403, "sign_on_required");
    let me = ann.get("/api/v1/me").await.ok();
    assert!(me["orgs"][0]["sign_on"].is_null(), "{me}");
    world.ann.person.client.get("teams").await.refused(403, "sign_on_required");
    // What they came for: to have the organisation not insist on it.
    ann.delete("sso/enforcement").await.ok();
    end(&ann, &opened).await.ok();
    rules(&ann, "green").await.refused(403, "forbidden");
}

#[tokio::test]
async fn it_opens_and_ends_where_rights_cannot_be_read() {
    let mut world = World::new().await;
    let vera = world.app.member("vera@example.com", "viewer", "org").await;
    world.app.team("blue").await;
    // A denial by a role that there is not closes the organisation.
    world
        .app
        .database
        .execute(&format!(
            "insert into binding (org_id, id, subject_kind, subject_id, role, effect, created_by)
             select id, gen_random_uuid(), 'user', '{}', 'gone', 'deny', 'system' from org;
             update policy_version set version = version + 1;",
            vera.id
        ))
        .await;
    let owner = world.app.owner.clone();
    until("nobody's rights can be read", Duration::from_secs(15), async || {
        (owner.get("teams").await.status == 503).then_some(())
    })
    .await;
    world.ann.session.get("teams").await.refused(503, "unavailable");
    let me = world.ann.session.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"][0]["break_glass"]["is_named"], true, "{me}");

    let opened = world.open().await;
    for session in [&world.ann.session, &world.ben.session] {
        assert_eq!(session.all("teams").await.len(), 1);
        session.get("audit").await.refused(403, "forbidden");
    }
    let me = world.ben.session.get("/api/v1/me").await.ok();
    assert!(me["orgs"][0]["permissions"].to_string().contains("team.create"), "{me}");
    // Other people stay as they are.
    owner.get("teams").await.refused(503, "unavailable");
    vera.client.get("teams").await.refused(503, "unavailable");
    end(&world.ben.session, &opened).await.ok();
    for session in [&world.ann.session, &world.ben.session] {
        session.get("teams").await.refused(403, "forbidden");
    }
    world.app.database.execute("delete from binding where role = 'gone'").await;
    world.app.database.execute("update policy_version set version = version + 1").await;
    until("rights are read again", Duration::from_secs(15), async || {
        (owner.get("teams").await.status == 200).then_some(())
    })
    .await;
    review(&owner, &opened, "The broken row is gone.").await.ok();
}

#[tokio::test]
async fn it_stays_closed_where_the_organisation_is_and_to_whom_something_is_denied() {
    let mut world = World::new().await;
    let opened = world.open().await;
    let deny = json!({ "subject": format!("user:{}", world.ann.person.id), "role": "billing",
        "effect": "deny" });
    world.app.owner.post("bindings", &deny).await.ok();
    rules(&world.ann.session, "red").await.refused(403, "forbidden");
    rules(&world.ben.session, "red").await.ok();
    world
        .app
        .database
        .execute("update org set suspended_at = now(), suspended_reason = 'unpaid'")
        .await;
    rules(&world.ben.session, "green").await.refused(403, "forbidden");
    world.app.database.execute("update org set suspended_at = null, suspended_reason = null").await;
    rules(&world.ben.session, "green").await.ok();
    end(&world.ben.session, &opened).await.ok();
}

#[tokio::test]
async fn its_time_ends_it_and_what_streams_by_it() {
    let mut world = World::new().await;
    let opened = world.open().await;
    rules(&world.ann.session, "red").await.ok();
    let over = "update break_glass_opening set opened_at = opened_at - interval '59 minutes',
                    asked_at = asked_at - interval '59 minutes', until = now()
                where state = 'open'";
    world.app.database.execute(over).await;
    rules(&world.ann.session, "green").await.refused(403, "forbidden");
    let path = format!("audit?action=break_glass.ended&target=break_glass:{}", text(&opened, "id"));
    let entries = until("it is written down", Duration::from_secs(10), async || {
        let found = world.app.owner.all(&path).await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["record"]["detail"]["by_time"], true, "{entries:?}");
    let metrics = world.app.anonymous().get("/metrics").await.text;
    assert!(metrics.contains("ralex_break_glass{state=\"armed\"} 1"), "{metrics}");
}

#[tokio::test]
async fn owners_and_who_is_named_are_written_to_at_once() {
    let office = PostOffice::start();
    let listen = free();
    let url = listen.replace("127.0.0.1", "http://localhost");
    let app = App::start_with(&[
        ("RALEX_LISTEN", &listen),
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
        ("RALEX_PUBLIC_URL", &url),
    ])
    .await;
    let mut world = World::on(app).await;
    world.app.member("vera@example.com", "viewer", "org").await;
    let opened = world.open().await;
    let open = until("the opening is told", Duration::from_secs(10), async || {
        let letters = office.letters();
        let open: Vec<_> =
            letters.into_iter().filter(|it| it.headers["subject"].contains("is open")).collect();
        (open.len() >= 3).then_some(open)
    })
    .await;
    let mut told: Vec<_> = open.iter().flat_map(|letter| letter.to.clone()).collect();
    told.sort();
    told.dedup();
    let people = [&world.ann.person.email, &world.ben.person.email];
    assert!(people.iter().all(|it| told.contains(it)), "{told:?}");
    assert!(told.iter().any(|it| it.starts_with("owner@")) && told.len() == 3, "{told:?}");
    assert!(open[0].text.contains("/break-glass") && open[0].text.contains("ann@"), "{open:?}");
    assert!(!open[0].text.contains("a key has to be replaced"), "the reason is in no letter");

    end(&world.ann.session, &opened).await.ok();
    until("the end is told", Duration::from_secs(10), async || {
        office.letters().iter().any(|it| it.headers["subject"].contains("is over")).then_some(())
    })
    .await;
    // A day later, and each day until somebody has looked.
    for _ in 0..2 {
        let before = reviews(&office);
        let due = "update break_glass_letter set tell_after = now() where step = 'review'";
        world.app.database.execute(due).await;
        until("the review is told", Duration::from_secs(10), async || {
            (reviews(&office) >= before + 3).then_some(())
        })
        .await;
        let noted = "select step from break_glass_letter
                     where step = 'review' and tries = 0 and tell_after > now()";
        until("the next one is noted for tomorrow", Duration::from_secs(10), async || {
            (world.app.database.texts(noted).await.len() == 1).then_some(())
        })
        .await;
    }
    review(&world.app.owner, &opened, "Nothing was done but to look.").await.ok();
    let left = world.app.database.texts("select step from break_glass_letter").await;
    assert!(!left.contains(&"review".to_owned()), "{left:?}");
}

fn reviews(office: &PostOffice) -> usize {
    let letters = office.letters();
    letters.iter().filter(|it| it.headers["subject"].contains("waits for its review")).count()
}
