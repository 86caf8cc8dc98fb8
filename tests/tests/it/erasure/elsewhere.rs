//! Somebody whom another organisation knows too, and what stands in old events.

use super::*;

const OTHER: &str = "019b0000-0000-7000-8000-000000000001";

/// Another organisation, of which the person is or was a member.
async fn other_org(app: &App, person: &str, is_member: bool) {
    let member = if is_member { "now()" } else { "null" };
    let sql = format!(
        r#"insert into org (id, slug, name) values ('{OTHER}', 'other', 'Other');
           insert into membership (org_id, user_id, joined_at)
               select '{OTHER}', '{person}', {member} where {is_member};
           insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action, outcome, leaf)
               values ('{OTHER}', gen_random_uuid(), now(), 'user', '{person}', 'team.created', 'success',
                       convert_to('{{"action":"team.created"}}', 'utf8'))"#
    );
    app.database.execute(&sql).await;
}

/// Asks, approves, and shows the certificate.
async fn erased(app: &App, other: &Person, person: &str) -> Value {
    let asked = ask(app, person, "She asked for it.").await.ok();
    approve(&other.client, &asked).await.ok();
    app.owner.get(&format!("audit/erasures/{}", text(&asked, "id"))).await.ok()
}

async fn emails(app: &App) -> Vec<String> {
    app.database.texts(&format!("select email from app_user where email = '{EMAIL}'")).await
}

#[tokio::test]
async fn the_account_of_somebody_in_two_organisations_stays_and_this_one_sees_nothing_of_it() {
    let (app, other) = start().await;
    let person = app.member(EMAIL, "owner", "org").await;
    let team = json!({ "slug": "hers", "name": "Hers" });
    person.client.post("teams", &team).await.ok();
    other_org(&app, &person.id, true).await;
    app.owner.delete(&format!("members/{}", person.id)).await.ok();
    let certificate = erased(&app, &other, &person.id).await;
    assert_eq!(certificate["account"], "kept");
    let kept = certificate["kept"].as_array().unwrap();
    assert!(kept.iter().any(|it| it["what"] == "The account"), "{kept:?}");
    assert_eq!(emails(&app).await, [EMAIL]);
    let session = "select count(*)::text from session where user_id = '$'".replace('$', &person.id);
    assert_ne!(app.database.texts(&session).await, ["0"]);
    for path in ["audit", "audit/retention", "audit/export?format=csv", "audit/export?format=jsonl"]
    {
        let seen = app.owner.get(path).await;
        assert!(seen.status == 200 && !seen.text.contains(EMAIL), "{path}: {}", seen.text);
    }
    // Once they left there too, the account goes when it is asked for again.
    app.database.execute(&format!("delete from membership where org_id = '{OTHER}'")).await;
    assert_eq!(erased(&app, &other, &person.id).await["account"], "removed");
    assert_eq!(emails(&app).await, [""; 0]);
}

#[tokio::test]
async fn a_hold_of_another_organisation_keeps_the_account_of_somebody_whom_it_knows() {
    let (app, other) = start().await;
    let person = app.member(EMAIL, "viewer", "org").await;
    other_org(&app, &person.id, false).await;
    app.owner.delete(&format!("members/{}", person.id)).await.ok();
    let hold = format!(
        "insert into audit_hold (org_id, id, reason) values ('{OTHER}', gen_random_uuid(), 'Secret case')"
    );
    app.database.execute(&hold).await;
    let certificate = erased(&app, &other, &person.id).await;
    assert_eq!(certificate["account"], "kept");
    assert!(!certificate.to_string().contains("Secret case"), "{certificate}");
    assert!(certificate["keys"].as_array().unwrap().len() <= 2);
    assert_eq!(emails(&app).await, [EMAIL]);
    app.database.execute("update audit_hold set lifted_at = now()").await;
    assert_eq!(erased(&app, &other, &person.id).await["account"], "removed");
    assert_eq!(emails(&app).await, [""; 0]);
}

/// An event as it was written before personal values were sealed.
async fn plant_readable(app: &App, action: &str, actor: Option<&str>, detail: &Value) {
    let (kind, actor_id) =
        actor.map_or(("system", "null".to_owned()), |id| ("user", format!("'{id}'")));
    let sql = format!(
        r#"insert into audit_event (org_id, id, occurred_at, actor_kind, actor_id, action, outcome, leaf)
           select id, gen_random_uuid(), now() - interval '90 days', '{kind}', {actor_id}, '{action}', 'success',
                  convert_to('{{"action":"{action}","address":"{ADDRESS}","detail":{detail},"schema_version":1,"target":null}}', 'utf8')
           from org"#
    );
    app.database.execute(&sql).await;
}

#[tokio::test]
async fn a_certificate_counts_what_old_events_say_in_their_text_and_when_it_goes() {
    let (app, other) = start().await;
    let person = app.member(EMAIL, "viewer", "org").await;
    app.owner.delete(&format!("members/{}", person.id)).await.ok();
    for _ in 0..3 {
        plant_readable(&app, "session.opened", Some(&person.id), &json!({})).await;
    }
    let named = json!({ "channels": [format!("email {EMAIL}")] });
    for action in ["alert_rule.created", "alert_rule.updated"] {
        plant_readable(&app, action, None, &named).await;
    }
    // What names somebody else is not theirs.
    let another = json!({ "channels": ["email ada@example.com"] });
    plant_readable(&app, "alert_rule.created", None, &another).await;
    let certificate = erased(&app, &other, &person.id).await;
    let counts = |certificate: &Value| -> Vec<(u64, bool)> {
        let kept = certificate["kept"].as_array().unwrap().iter();
        let kept = kept.filter(|it| text(it, "what").contains("vents from before"));
        kept.map(|it| (it["count"].as_u64().unwrap(), it.get("until").is_some())).collect()
    };
    assert_eq!(counts(&certificate), [(3, false), (2, false)], "{certificate}");
    let logins = json!({ "kind": "retention", "class": "logins", "days": 120, "reason": "x" });
    let asked = app.owner.post(REQUESTS, &logins).await.ok();
    approve(&other.client, &asked).await.ok();
    let again = app.owner.get(&format!("audit/erasures/{}", text(&certificate, "id"))).await.ok();
    assert_eq!(counts(&again), [(3, true), (2, false)], "{again}");
}

#[tokio::test]
async fn an_erasure_that_cannot_be_carried_out_is_an_alert_until_it_is() {
    let (app, other) = start().await;
    let user = app.member(EMAIL, "viewer", "org").await.id;
    app.owner.delete(&format!("members/{user}")).await.ok();
    let asked = ask(&app, &user, "She asked for it.").await.ok();
    // Who asks and approves wrongly is told, and nobody else.
    approve(&app.owner, &asked).await.refused(403, "forbidden");
    app.database.execute("insert into audit_hold (org_id, id, reason) select id, gen_random_uuid(), 'Case 4711' from org").await;
    for _ in 0..2 {
        approve(&other.client, &asked).await.refused(409, "conflict");
    }
    let subject = format!("audit_request:{}", text(&asked, "id"));
    let alert = async |fits: fn(&Value) -> bool| {
        until("the alert stands so", Duration::from_secs(30), async || {
            let mut alerts = app.owner.all("alerts?kind=retention.failed").await;
            assert!(alerts.len() <= 1, "{alerts:?}");
            alerts.pop().filter(fits)
        })
        .await
    };
    let raised = alert(|it| it["occurrences"] == 2).await;
    assert_eq!((text(&raised, "subject"), &raised["state"]), (subject, &json!("open")));
    assert!(text(&raised, "title").contains("Case 4711"), "{raised}");
    app.database.execute("update audit_hold set lifted_at = now()").await;
    approve(&other.client, &asked).await.ok();
    alert(|it| it["state"] == "resolved").await;
    approve(&other.client, &asked).await.refused(409, "conflict");
    let told = app.owner.all("audit?action=audit.erasure_failed").await;
    assert_eq!(told.len(), 2, "{told:?}");
}
