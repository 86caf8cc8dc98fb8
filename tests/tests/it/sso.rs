//! Single sign-on against a provider that signs with real keys: who is let in, as whom, and where.

mod enforcement;
mod proof;
mod refusals;
mod relinking;
mod settings;
pub(crate) mod visitor;

use std::time::Duration;

use ralex_tests::app::{App, EMAIL, PASSWORD, Person, text, until};
use ralex_tests::idp::{CLIENT, Idp, SECRET, Sign};
use serde_json::{Value, json};
use visitor::Visitor;

/// A deployment, a provider, and what the deployment knows of it.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) idp: Idp,
}

impl World {
    /// Alice may be new, and is a developer of the team `blue` by her group `eng`.
    pub(crate) async fn new() -> Self {
        Self::on(App::start().await, Idp::start().unwrap()).await
    }

    /// The same of a deployment that was started otherwise.
    pub(crate) async fn on(app: App, idp: Idp) -> Self {
        let world = Self { app, idp };
        world.app.team("blue").await;
        world.provide("corp", &world.idp, &json!({})).await;
        world
    }

    /// Makes a provider of this name; some of it otherwise than usual.
    pub(crate) async fn provide(&self, slug: &str, idp: &Idp, changes: &Value) -> Value {
        let mut new = json!({
            "slug": slug, "name": "Corp", "issuer": idp.issuer(), "client_id": CLIENT,
            "client_secret": SECRET, "domains": ["example.test"], "create_members": true,
            "default_role": "viewer", "enabled": true,
            "mappings": [{ "group": "eng", "role": "developer", "scope": "team:blue" }],
        });
        new.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.app.owner.post("sso/providers", &new).await.ok()
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::of(self.app.node.url())
    }

    /// Logs in by a provider, and gives where the browser ends.
    pub(crate) async fn log_in(&self, visitor: &mut Visitor, slug: &str, idp: &Idp) -> String {
        let authorize = visitor.start(slug).await;
        let back = idp.log_in(&authorize).unwrap();
        visitor.follow(&back).await
    }

    async fn roles(&self, email: &str) -> Vec<String> {
        let members = self.app.owner.all("members").await;
        let member = members.iter().find(|it| it["user"]["email"] == email);
        let roles = member.map(|it| it["roles"].as_array().unwrap().clone()).unwrap_or_default();
        let mut roles: Vec<String> = roles
            .iter()
            .map(|it| format!("{} at {}", text(it, "role"), text(it, "scope")))
            .collect();
        roles.sort();
        roles
    }

    async fn last(&self, action: &str) -> Value {
        let found = until(action, Duration::from_secs(10), async || {
            self.app.owner.all(&format!("audit?action={action}")).await.into_iter().next()
        });
        found.await["record"].clone()
    }
}

#[tokio::test]
async fn somebody_new_gets_an_account_and_the_roles_of_their_groups() {
    let world = World::new().await;
    let mut alice = world.visitor();
    assert_eq!(world.log_in(&mut alice, "corp", &world.idp).await, "/");
    let me = alice.get("/api/v1/me").await.ok();
    assert_eq!(
        (&me["user"]["email"], &me["user"]["name"]),
        (&json!("alice@example.test"), &json!("Alice A"))
    );
    assert_eq!(me["must_change_password"], false);
    assert_eq!(
        world.roles("alice@example.test").await,
        ["developer at team:blue", "viewer at org"]
    );
    alice.get("/api/v1/orgs/default/teams").await.ok();
    // What the provider gives is the provider's, in words and in the log.
    let bindings = world.app.owner.all("bindings?role=developer").await;
    assert_eq!(
        (&bindings[0]["managed_by"], &bindings[0]["created_by"]),
        (&json!("corp"), &json!("Corp"))
    );
    let said = world.last("sso.login_succeeded").await;
    assert_eq!(said["target"], format!("user:{}", text(&me["user"], "id")), "{said}");
    assert_eq!(world.last("sso.roles_synced").await["detail"]["added"], 2);
    assert_eq!(world.last("sso.link_created").await["detail"]["by"], "login");
    let cookie = alice.set_cookie("ralex_session").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(cookie.contains("Max-Age=43200"), "as long as the provider's sessions last: {cookie}");
    // Nobody comes in by a password who has none.
    let login = json!({ "email": "alice@example.test", "password": "" });
    assert_eq!(world.app.anonymous().post("/api/v1/auth/login", &login).await.status, 401);
    // By the same word she is the same person the next time, whatever her address is then.
    world.idp.change(|it| it.user["email"] = json!("alice@renamed.test"));
    let mut again = world.visitor();
    assert_eq!(world.log_in(&mut again, "corp", &world.idp).await, "/");
    assert_eq!(again.get("/api/v1/me").await.ok()["user"]["id"], me["user"]["id"]);
    let metrics = world.app.owner.get("/metrics").await.text;
    assert!(metrics.contains("ralex_sso_logins_total{outcome=\"success\"} 2"), "{metrics}");
}

#[tokio::test]
async fn groups_give_and_take_only_what_is_theirs_and_on_every_node_within_a_second() {
    let world = World::new().await;
    let other = world.app.second().await;
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    let user = text(&alice.get("/api/v1/me").await.ok()["user"], "id");
    // A role that a person gave beside the provider's own.
    let by_hand =
        json!({ "subject": format!("user:{user}"), "role": "viewer", "scope": "team:blue" });
    world.app.owner.post("bindings", &by_hand).await.ok();
    let same =
        json!({ "subject": format!("user:{user}"), "role": "developer", "scope": "team:blue" });
    world.app.owner.post("bindings", &same).await.ok();
    let calls = async || {
        let session = alice.session();
        let request = world.app.anonymous().at(&other).request(reqwest::Method::GET, "calls");
        let answer = world.app.anonymous().answered(request.header("cookie", session)).await;
        answer.status
    };
    let team = async || {
        let request =
            world.app.anonymous().at(&other).request(reqwest::Method::GET, "tokens?team=blue");
        world.app.anonymous().answered(request.header("cookie", alice.session())).await.status
    };
    assert_ne!(calls().await, 401, "the session counts on every node");
    until("developer at the other node", Duration::from_secs(1), async || {
        (team().await == 200).then_some(())
    })
    .await;
    let own = world.app.owner.all("bindings?role=developer").await;
    let by_hand = own.iter().find(|it| it["managed_by"].is_null()).unwrap();
    world.app.owner.delete(&format!("bindings/{}", text(by_hand, "id"))).await.ok();

    world.idp.change(|it| it.user["groups"] = json!(["sales"]));
    let mut later = world.visitor();
    world.log_in(&mut later, "corp", &world.idp).await;
    let gone = async || (team().await == 403).then_some(());
    until("no developer at the other node", Duration::from_secs(1), gone).await;
    assert_eq!(world.roles("alice@example.test").await, ["viewer at org", "viewer at team:blue"]);
    assert_eq!(world.last("sso.roles_synced").await["detail"]["removed"], 1);
    // A login that changes nothing has no node read the rights anew.
    let version = |all: &Value| all["record"]["index"].clone();
    let before = world.app.owner.all("audit?action=sso.roles_synced").await.len();
    let mut third = world.visitor();
    world.log_in(&mut third, "corp", &world.idp).await;
    let all = world.app.owner.all("audit?action=sso.roles_synced").await;
    assert_eq!(all.len(), before, "{:?}", all.iter().map(version).collect::<Vec<_>>());
}

#[tokio::test]
async fn nobody_who_is_here_is_taken_over_by_an_address() {
    let world = World::new().await;
    let alice = world.app.member("alice@example.test", "developer", "org").await;
    let mut stranger = world.visitor();
    let end = world.log_in(&mut stranger, "corp", &world.idp).await;
    assert_eq!((end.as_str(), stranger.session()), ("/?sso=account_exists", String::new()));
    let refused = world.last("sso.login_refused").await;
    assert_eq!(
        (&refused["detail"]["reason"], &refused["outcome"]),
        (&json!("account_exists"), &json!("denied"))
    );

    // She says so herself, in a session of her own.
    let mut own = world.visitor();
    own.password(&alice.email, &alice.password).await;
    let begun =
        own.post("/api/v1/me/identities", &json!({ "org": "default", "provider": "corp" })).await;
    let back = world.idp.log_in(&text(&begun.ok(), "url")).unwrap();
    assert_eq!(own.follow(&back).await, "/profile?sso=linked");
    let mut later = world.visitor();
    assert_eq!(world.log_in(&mut later, "corp", &world.idp).await, "/");
    assert_eq!(later.get("/api/v1/me").await.ok()["user"]["id"], alice.id);

    // A second provider with the same address means nobody, not even with the same word.
    let second = Idp::start().unwrap();
    world.provide("other", &second, &json!({ "mappings": [] })).await;
    let mut thief = world.visitor();
    assert_eq!(world.log_in(&mut thief, "other", &second).await, "/?sso=account_exists");
    // What her link gave ends with it: the sessions and the roles; what she holds else stays.
    let links = own.get("/api/v1/me/identities").await.ok();
    let link = text(&links["items"][0], "id");
    own.send(reqwest::Method::DELETE, &format!("/api/v1/me/identities/{link}"), None).await.ok();
    assert_eq!(later.get("/api/v1/me").await.status, 401);
    own.get("/api/v1/me").await.ok();
    assert_eq!(world.roles("alice@example.test").await, ["developer at org"]);
    assert_eq!(world.last("sso.link_removed").await["detail"]["sessions_ended"], 1);
}

#[tokio::test]
async fn a_session_by_one_organisations_word_counts_there_only() {
    let world = World::new().await;
    let alice = world.app.member("alice@example.test", "developer", "org").await;
    let other = world.other_org(&alice).await;
    let link = json!({ "user": alice.email, "subject": "alice-at-idp" });
    world.app.owner.post("sso/providers/corp/links", &link).await.ok();
    let mut session = world.visitor();
    assert_eq!(world.log_in(&mut session, "corp", &world.idp).await, "/");
    session.get("/api/v1/orgs/default/teams").await.ok();
    session.get(&format!("/api/v1/orgs/{other}/teams")).await.refused(403, "sign_on_required");
    alice.client.get(&format!("/api/v1/orgs/{other}/teams")).await.ok();
    let me = session.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"].as_array().unwrap().len(), 1, "{me}");
    assert_eq!(session.get("/api/v1/orgs").await.ok()["items"].as_array().unwrap().len(), 1);
    // Nor does a token that was made in it, nor does it see or end what is elsewhere.
    let made = session.post("/api/v1/me/tokens", &json!({ "name": "ci" })).await.ok();
    let token = world.app.with(&text(&made, "token"));
    token.get("teams").await.ok();
    token.get(&format!("/api/v1/orgs/{other}/teams")).await.refused(403, "sign_on_required");
    let tokens = session.get("/api/v1/me/tokens").await.ok();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1, "{tokens}");
    let sessions = session.get("/api/v1/me/sessions").await.ok();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
    session
        .post("/api/v1/me/identities", &json!({ "org": "default", "provider": "corp" }))
        .await
        .refused(403, "forbidden");
    // With the link the token ends.
    let links = world.app.owner.all("sso/providers/corp/links").await;
    world.app.owner.delete(&format!("sso/links/{}", text(&links[0], "id"))).await.ok();
    until("the token ended", Duration::from_secs(1), async || {
        (token.get("teams").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_provider_ends_what_it_opened() {
    let world = World::new().await;
    let mut alice = world.visitor();
    world.log_in(&mut alice, "corp", &world.idp).await;
    let url = format!("{}/api/v1/auth/sso/default/corp/logout", world.app.node.url());
    let send = async |token: String| {
        let form = format!("logout_token={token}");
        let request = reqwest::Client::new().post(&url).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().status().as_u16()
    };
    // Of somebody else, of another session, and not by the provider.
    assert_eq!(send(world.idp.logout_token(&json!({ "sub": "nobody" }))).await, 200);
    assert_eq!(send(world.idp.logout_token(&json!({ "sid": "another" }))).await, 200);
    world.idp.change(|it| it.sign = Sign::Stranger);
    assert_eq!(send(world.idp.logout_token(&json!({ "sub": "alice-at-idp" }))).await, 422);
    world.idp.change(|it| it.sign = Sign::Es256);
    assert_eq!(send(world.idp.logout_token(&json!({ "sub": "a", "events": {} }))).await, 422);
    alice.get("/api/v1/me").await.ok();
    let other = world.app.second().await;
    assert_eq!(send(world.idp.logout_token(&json!({ "sid": "idp-session" }))).await, 200);
    let request = world.app.anonymous().at(&other).request(reqwest::Method::GET, "/api/v1/me");
    let answer = world.app.anonymous().answered(request.header("cookie", alice.session())).await;
    assert_eq!(answer.status, 401, "at once, on every node");
    assert_eq!(world.last("sso.logged_out").await["detail"]["sessions_ended"], 1);

    // Switched off, it lets nobody in, and what it opened is over.
    let mut again = world.visitor();
    world.log_in(&mut again, "corp", &world.idp).await;
    let mut away = world.visitor();
    let authorize = away.start("corp").await;
    let off = json!({ "enabled": false });
    world.app.owner.patch("sso/providers/corp", &off).await.ok();
    assert_eq!(again.get("/api/v1/me").await.status, 401);
    let back = world.idp.log_in(&authorize).unwrap();
    assert_eq!(away.follow(&back).await, "/?sso=unavailable");
    assert_eq!(world.visitor().start("corp").await, "/?sso=unavailable");
    let mut owner = world.visitor();
    owner.password(EMAIL, PASSWORD).await;
    let wished = json!({ "org": "default", "provider": "corp" });
    owner.post("/api/v1/me/identities", &wished).await.refused(409, "conflict");
}

impl World {
    /// Another organisation that a person belongs to as well, as an operator would make it.
    pub(crate) async fn other_org(&self, person: &Person) -> String {
        let user = &person.id;
        let id = uuid::Uuid::now_v7().to_string();
        let binding = uuid::Uuid::now_v7();
        let sql = format!(
            "insert into org (id, slug, name) values ('{id}', 'other', 'Other');
             insert into membership (org_id, user_id) values ('{id}', '{user}');
             insert into binding (org_id, id, subject_kind, subject_id, role, created_by)
             values ('{id}', '{binding}', 'user', '{user}', 'viewer', 'system');
             insert into policy_version (org_id) values ('{id}');"
        );
        self.app.database.execute(&sql).await;
        let known = async || {
            let teams = format!("/api/v1/orgs/{id}/teams");
            (person.client.get(&teams).await.status == 200).then_some(())
        };
        until("the organisation is known", Duration::from_secs(3), known).await;
        id
    }
}
