//! Login: passwords, sessions, and what a browser of another site can do with them.

use std::net::TcpListener;

use ralex_tests::app::{Answer, App, Client, EMAIL, PASSWORD, Shell, text};
use reqwest::Method;
use serde_json::{Value, json};

async fn login(client: &Client, email: &str, password: &str) -> Answer {
    client.post("/api/v1/auth/login", &json!({ "email": email, "password": password })).await
}

/// Asks as a browser with this cookie, and these headers beside it.
async fn with(
    client: &Client,
    method: Method,
    path: &str,
    cookie: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let request = client.request(method, path).header("cookie", cookie);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client
        .answered(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
}

#[tokio::test]
async fn a_login_opens_a_session_that_a_logout_ends() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let answer = login(&anonymous, EMAIL, PASSWORD).await;
    let said = answer.ok();
    assert_eq!(
        (&said["user"]["email"], &said["must_change_password"]),
        (&json!(EMAIL), &json!(false))
    );
    let cookie = answer.session().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    assert!(!answer.text.contains(cookie.split_once('=').unwrap().1));
    let me = with(&anonymous, Method::GET, "/api/v1/me", cookie, &[], None).await.ok();
    assert_eq!(me["user"]["email"], EMAIL);
    assert_eq!(me["orgs"][0]["slug"], "default");
    let out = with(&anonymous, Method::POST, "/api/v1/auth/logout", cookie, &[], None).await;
    out.ok();
    assert!(out.session().unwrap().contains("Max-Age=0"), "{out:?}");
    let again = with(&anonymous, Method::GET, "/api/v1/me", cookie, &[], None).await;
    again.refused(401, "unauthenticated");
    // A login never takes over the session that it comes with.
    let fixed = "ralex_session=chosen-by-someone-else";
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let answer =
        with(&anonymous, Method::POST, "/api/v1/auth/login", fixed, &[], Some(&body)).await;
    assert!(!answer.session().unwrap().contains("chosen-by-someone-else"));
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_it() {
    let app = App::start().await;
    let plain = login(&app.anonymous(), EMAIL, PASSWORD).await;
    assert!(!plain.session().unwrap().contains("Secure"));

    // Such a node says its public address, so it is told where to listen.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = port.to_string();
    let more =
        [("RALEX_LISTEN", listen.as_str()), ("RALEX_PUBLIC_URL", "https://ralex.example.com")];
    let node = app.node_with(&more).await;
    assert_eq!(node.url(), "https://ralex.example.com");
    let client = Client::anonymous(&format!("http://{listen}"));
    let answer = login(&client, EMAIL, PASSWORD).await;
    let cookie = answer.session().unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("Secure"), "{cookie}");
    let team = json!({ "slug": "blue", "name": "Blue" });
    let cookie = cookie.split(';').next().unwrap();
    let path = "/api/v1/orgs/default/teams";
    let from = [("origin", "https://ralex.example.com")];
    with(&client, Method::POST, path, cookie, &from, Some(&team)).await.ok();
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let wrong = login(&anonymous, EMAIL, "not-the-password").await;
    let unknown = login(&anonymous, "nobody@example.com", "not-the-password").await;
    wrong.refused(401, "invalid_login");
    unknown.refused(401, "invalid_login");
    let said = |answer: &Answer| {
        let mut problem = answer.json();
        problem["request_id"] = Value::Null;
        problem
    };
    assert_eq!(said(&wrong), said(&unknown));
    assert!(wrong.session().is_none());
    // The address is not about letters.
    login(&anonymous, &EMAIL.to_uppercase(), PASSWORD).await.ok();
    login(&anonymous, EMAIL, &format!("{PASSWORD} ")).await.refused(401, "invalid_login");
}

#[tokio::test]
async fn many_failures_are_slowed_down_alike_for_known_and_unknown_addresses() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let mut counts = Vec::new();
    for email in [EMAIL, "nobody@example.com"] {
        let mut tries = 0;
        let throttled = loop {
            let answer = login(&anonymous, email, "not-the-password").await;
            if answer.status != 401 {
                break answer;
            }
            tries += 1;
            assert!(tries < 20, "{email} is never throttled");
        };
        throttled.refused(429, "throttled");
        let wait: u64 = throttled.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{throttled:?}");
        counts.push(tries);
    }
    assert_eq!(counts[0], counts[1]);
    // The right password is not told apart while one must wait, on any node, in any spelling.
    let second = app.second().await;
    for client in [&anonymous, &anonymous.at(&second)] {
        for email in [EMAIL.to_owned(), EMAIL.to_uppercase()] {
            let answer = login(client, &email, PASSWORD).await;
            if answer.status != 200 {
                answer.refused(429, "throttled");
            }
        }
    }
    // Who is signed in already is not slowed.
    app.owner.get("teams").await.ok();
}

#[tokio::test]
async fn a_new_member_must_replace_the_one_time_password_first() {
    let app = App::start().await;
    app.team("blue").await;
    let anonymous = app.anonymous();
    let email = "new@example.com";
    let new = json!({ "email": email, "name": "New", "role": "admin" });
    let once = text(&app.owner.post("members", &new).await.ok(), "one_time_password");
    let answer = login(&anonymous, email, &once).await;
    assert_eq!(answer.ok()["must_change_password"], true);
    let cookie = answer.session().unwrap().split(';').next().unwrap().to_owned();
    let org = "/api/v1/orgs/default";
    for path in
        [&format!("{org}/teams"), "/api/v1/me/tokens", "/api/v1/me/sessions", "/api/v1/orgs"]
    {
        let answer = with(&anonymous, Method::GET, path, &cookie, &[], None).await;
        answer.refused(403, "password_change_required");
    }
    let me = with(&anonymous, Method::GET, "/api/v1/me", &cookie, &[], None).await.ok();
    assert_eq!(me["must_change_password"], true);
    let path = "/api/v1/auth/password";
    for (current, new) in [
        ("not-the-password", "a-good-password-1"),
        (once.as_str(), "short"),
        (once.as_str(), once.as_str()),
        (once.as_str(), email),
    ] {
        let change = json!({ "current": current, "new": new });
        let answer = with(&anonymous, Method::POST, path, &cookie, &[], Some(&change)).await;
        answer.refused(422, "invalid_request");
    }
    let other = anonymous.session(email, &once).await;
    let change = json!({ "current": once, "new": "a-good-password-1" });
    with(&anonymous, Method::POST, path, &cookie, &[], Some(&change)).await.ok();
    let teams = format!("{org}/teams");
    with(&anonymous, Method::GET, &teams, &cookie, &[], None).await.ok();
    let ended = with(&anonymous, Method::GET, &teams, &other, &[], None).await;
    ended.refused(401, "unauthenticated");
    login(&anonymous, email, &once).await.refused(401, "invalid_login");
    login(&anonymous, email, "a-good-password-1").await.ok();
}

#[tokio::test]
async fn another_site_cannot_write_with_a_person_s_cookie() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let cookie = anonymous.session(EMAIL, PASSWORD).await;
    let path = "/api/v1/orgs/default/teams";
    let team = json!({ "slug": "blue", "name": "Blue" });
    let own = app.node.url().to_owned();
    for headers in [
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", "http://127.0.0.1:1")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "cross-site"), ("origin", &own)],
    ] {
        let answer = with(&anonymous, Method::POST, path, &cookie, &headers, Some(&team)).await;
        answer.refused(403, "cross_site");
    }
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let evil = [("origin", "https://evil.example")];
    let answer =
        with(&anonymous, Method::POST, "/api/v1/auth/login", "", &evil, Some(&login)).await;
    answer.refused(403, "cross_site");
    assert!(app.owner.all("teams").await.is_empty());
    let here = [("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    with(&anonymous, Method::POST, path, &cookie, &here, Some(&team)).await.ok();
    // No page of another site may read an answer either.
    let read = with(&anonymous, Method::GET, path, &cookie, &evil, None).await;
    assert!(read.header("access-control-allow-origin").is_none(), "{read:?}");
}

#[tokio::test]
async fn a_person_sees_their_sessions_and_ends_them() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let first = anonymous.session(EMAIL, PASSWORD).await;
    let second = anonymous.session(EMAIL, PASSWORD).await;
    let list = "/api/v1/me/sessions";
    let shown = with(&anonymous, Method::GET, list, &second, &[], None).await.ok();
    let sessions = shown["items"].as_array().unwrap().clone();
    // The suite itself logged in once.
    assert_eq!(sessions.len(), 3, "{shown}");
    let current = sessions.iter().filter(|session| session["current"] == true);
    assert_eq!(current.count(), 1, "{shown}");
    assert!(!shown.to_string().contains(second.split_once('=').unwrap().1));
    for session in sessions.iter().filter(|session| session["current"] == false) {
        let path = format!("{list}/{}", text(session, "id"));
        with(&anonymous, Method::DELETE, &path, &second, &[], None).await.ok();
    }
    let ended = with(&anonymous, Method::GET, "/api/v1/me", &first, &[], None).await;
    ended.refused(401, "unauthenticated");
    let other = app.member("other@example.com", "admin", "org").await;
    let mine =
        text(&with(&anonymous, Method::GET, list, &second, &[], None).await.ok()["items"][0], "id");
    let answer = other.client.delete(&format!("{list}/{mine}")).await;
    answer.refused(404, "not_found");
    with(&anonymous, Method::GET, "/api/v1/me", &second, &[], None).await.ok();
    // All others at once, and nobody else's.
    let third = anonymous.session(EMAIL, PASSWORD).await;
    let theirs = anonymous.session(&other.email, &other.password).await;
    with(&anonymous, Method::DELETE, list, &third, &[], None).await.ok();
    let gone = with(&anonymous, Method::GET, "/api/v1/me", &second, &[], None).await;
    gone.refused(401, "unauthenticated");
    for cookie in [&third, &theirs] {
        with(&anonymous, Method::GET, "/api/v1/me", cookie, &[], None).await.ok();
    }
}

#[tokio::test]
async fn a_browser_that_is_known_is_not_slowed_by_guesses_from_elsewhere() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let answer = login(&anonymous, EMAIL, PASSWORD).await;
    let mark = answer.cookies().into_iter().find(|it| it.contains("_device="));
    let mark = mark.unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=31536000"] {
        assert!(mark.contains(attribute), "{mark}");
    }
    let mark = mark.split(';').next().unwrap().to_owned();
    while login(&anonymous, EMAIL, "a guess").await.status == 401 {}
    login(&anonymous, EMAIL, PASSWORD).await.refused(429, "throttled");
    // At any node; and what it was told is not told again.
    let second = app.second().await;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let known = anonymous.at(&second);
    let again = with(&known, Method::POST, "/api/v1/auth/login", &mark, &[], Some(&body)).await;
    again.ok();
    assert_eq!(again.cookies().len(), 1, "{again:?}");
}

#[tokio::test]
async fn what_a_removed_member_had_ends_within_a_second() {
    let app = App::start().await;
    let second = app.second().await;
    let person = app.member("gone@example.com", "admin", "org").await;
    let there = person.client.at(&second);
    there.get("teams").await.ok();
    app.owner.delete(&format!("members/{}", person.id)).await.ok();
    for client in [&person.client, &there] {
        let within = std::time::Duration::from_secs(1);
        ralex_tests::app::until("the rights ended", within, async || {
            (client.get("teams").await.status == 404).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_person_names_themselves_and_their_sessions() {
    const SESSIONS: &str = "/api/v1/me/sessions";
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let anonymous = app.anonymous();
    let cookie = anonymous.session(&ann.email, &ann.password).await;
    let session = anonymous.in_session(&cookie);
    let all = session.all(SESSIONS).await;
    let own = all.iter().find(|it| it["current"] == json!(true)).unwrap();
    let path = format!("{SESSIONS}/{}", text(own, "id"));
    let laptop = json!({ "name": " Laptop at home " });
    let named = session.patch(&path, &laptop).await.ok();
    assert_eq!(named["name"], "Laptop at home");
    // It is nobody else's to name, nor to see.
    app.owner.patch(&path, &laptop).await.refused(404, "not_found");
    let all = session.all(SESSIONS).await;
    assert!(all.iter().any(|it| it["name"] == "Laptop at home"), "{all:?}");
    session.patch(&path, &json!({ "name": "" })).await.refused(422, "invalid_request");
    assert!(session.patch(&path, &json!({ "name": null })).await.ok().get("name").is_none());

    let user = session.patch("/api/v1/me", &json!({ "name": "Ann Bell" })).await.ok();
    assert_eq!((&user["name"], &user["email"]), (&json!("Ann Bell"), &json!("ann@example.com")));
    let members = app.owner.all("members").await;
    assert!(members.iter().any(|it| it["user"]["name"] == "Ann Bell"), "{members:?}");
    let new = json!({ "name": "narrow", "permissions": ["org.read"] });
    let narrow = session.post("/api/v1/me/tokens", &new).await.ok();
    let narrow = app.with(&text(&narrow, "token"));
    narrow.patch("/api/v1/me", &json!({ "name": "Eve" })).await.refused(403, "forbidden");

    let shell = Shell::of(&app);
    let said = shell.done("account rename Olive").await;
    assert!(said.contains("owner@example.com is called Olive now"), "{said}");
    anonymous.session(EMAIL, PASSWORD).await;
    let listed = shell.done("account sessions --json").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = text(&listed["items"][0], "id");
    let said = shell.done(&format!("account name-session {id} Phone")).await;
    assert!(said.contains("Phone"), "{said}");
    shell.done(&format!("account end-session {id}")).await;
    let said = shell.done("account sessions").await;
    assert!(!said.contains("Phone"), "{said}");
}
