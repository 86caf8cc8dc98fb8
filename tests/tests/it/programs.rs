//! Programs that a person lets act for them: `ralex login`, by a browser and by a typed code.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStderr, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ralex_tests::app::{Answer, App, Client, EMAIL, PASSWORD, command, text, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::{Url, form_urlencoded};

const BY_DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";
pub const DONE: &str = "http://127.0.0.1:9/done";

async fn form(client: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = client.request(reqwest::Method::POST, path);
    let kind = "application/x-www-form-urlencoded";
    client.answered(request.header("content-type", kind).body(body)).await
}

pub async fn token(client: &Client, fields: &[(&str, &str)]) -> Answer {
    let all = [&[("client_id", "ralex-cli")], fields].concat();
    form(client, "/oauth/token", &all).await
}

#[track_caller]
fn refused(answer: &Answer, error: &str) {
    assert_eq!(
        (answer.status, text(&answer.json(), "error")),
        (400, error.to_owned()),
        "{answer:?}"
    );
}

async fn session(app: &App) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)
}

pub fn asked(approve: bool) -> Value {
    json!({
        "client_id": "ralex-cli", "redirect_uri": DONE, "state": "kept", "name": "ann@laptop",
        "code_challenge": URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER)),
        "code_challenge_method": "S256", "approve": approve,
    })
}

fn value(url: &str, name: &str) -> Option<String> {
    let url: Url = url.parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn code(person: &Client) -> String {
    let answered = person.post("/api/v1/auth/programs", &asked(true)).await.ok();
    let redirect = text(&answered, "redirect");
    assert!(redirect.starts_with(DONE), "{redirect}");
    assert_eq!(value(&redirect, "state").as_deref(), Some("kept"));
    assert_eq!(value(&redirect, "iss").as_deref(), Some(person.url()));
    value(&redirect, "code").unwrap()
}

#[tokio::test]
async fn a_code_is_good_for_one_token_of_the_program_that_asked() {
    let app = App::start().await;
    let (person, anonymous) = (session(&app).await, app.anonymous());
    let spent = code(&person).await;
    let exchange = async |verifier: &str, redirect: &str, code: &str| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect),
        ];
        token(&anonymous, &fields).await
    };
    let other = "another-verifier-of-forty-three-characters-1";
    refused(&exchange(other, DONE, &spent).await, "invalid_grant");
    refused(&exchange(VERIFIER, "http://127.0.0.1:10/done", &spent).await, "invalid_grant");
    refused(&exchange(VERIFIER, DONE, &format!("{spent}x")).await, "invalid_grant");
    let granted = exchange(VERIFIER, DONE, &spent).await;
    assert_eq!(granted.header("cache-control"), Some("no-store"));
    let granted = granted.ok();
    assert_eq!(granted["token_type"], "Bearer");
    let program = app.with(&text(&granted, "access_token"));
    assert_eq!(program.get("/api/v1/me").await.ok()["user"]["email"], EMAIL);
    let listed = person.all("/api/v1/me/tokens").await;
    let listed = listed.iter().find(|it| it["name"] == "ann@laptop").unwrap();
    assert!(listed["expires_at"].is_string(), "{listed}");
    // It was seen by somebody else if it comes again, so what it was spent for ends, on all nodes.
    let second = app.second().await;
    refused(&exchange(VERIFIER, DONE, &spent).await, "invalid_grant");
    let there = program.at(&second);
    until("the token has ended", Duration::from_secs(1), async || {
        (there.get("/api/v1/me").await.status == 401).then_some(())
    })
    .await;
    // A code that nobody fetched is too old soon.
    let late = code(&person).await;
    app.database.execute("update program_login set expires_at = now() - interval '1 second'").await;
    refused(&exchange(VERIFIER, DONE, &late).await, "invalid_grant");
    let kept = app.database.texts("select p::text from program_login p").await.join(" ");
    assert!(!kept.contains(&spent) && !kept.contains(&late), "only digests are kept");
}

#[tokio::test]
async fn who_says_yes_proves_who_they_are_and_no_code_leaves_the_machine() {
    let app = App::start().await;
    let person = session(&app).await;
    let path = "/api/v1/auth/programs";
    app.owner.post(path, &asked(true)).await.refused(403, "step_up_required");
    let old = "update session set authenticated_at = now() - interval '11 minutes'";
    app.database.execute(old).await;
    person.post(path, &asked(true)).await.refused(403, "step_up_required");
    let person = session(&app).await;
    let said = person.post(path, &asked(false)).await.ok();
    assert_eq!(value(&text(&said, "redirect"), "error").as_deref(), Some("access_denied"));
    for (field, wrong) in [
        ("redirect_uri", json!("https://evil.example/")),
        ("redirect_uri", json!("http://localhost:1/")),
        ("redirect_uri", json!("http://127.0.0.1.evil.example:1/")),
        ("client_id", json!("other")),
        ("code_challenge_method", json!("plain")),
        ("code_challenge", json!("short")),
        ("state", json!("x".repeat(501))),
    ] {
        let mut ask = asked(true);
        ask[field] = wrong.clone();
        let told = person.post(path, &ask).await.refused(422, "invalid_request");
        assert_eq!(told["errors"][0]["path"], field, "{wrong}");
    }
    let anonymous = app.anonymous();
    let go = |redirect: &str| {
        format!("/oauth/authorize?response_type=code&client_id=ralex-cli&redirect_uri={redirect}")
    };
    anonymous.get(&go("https://evil.example/")).await.refused(422, "invalid_request");
    for nonsense in
        [&[][..], &[("grant_type", "password")], &[("grant_type", "x"), ("grant_type", "y")]]
    {
        let answer = token(&anonymous, nonsense).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let other = form(&anonymous, "/oauth/token", &[("grant_type", BY_DEVICE), ("client_id", "x")]);
    refused(&other.await, "invalid_client");
}

/// What a program elsewhere is told to show.
pub async fn begun(client: &Client) -> Value {
    let asked = [("client_id", "ralex-cli"), ("name", "build-7")];
    form(client, "/oauth/device_authorization", &asked).await.ok()
}

async fn begin(client: &Client) -> (String, String) {
    let begun = begun(client).await;
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(600), &json!(5)));
    let code = text(&begun, "user_code");
    assert!(text(&begun, "verification_uri_complete").ends_with(&format!("/device?code={code}")));
    (text(&begun, "device_code"), code)
}

/// As if the program had waited for as long as it was told.
async fn waited(app: &App) {
    app.database.execute("update program_login set polled_at = now() - interval '1 hour'").await;
}

#[tokio::test]
async fn a_typed_code_counts_only_where_an_organisation_says_so() {
    let app = App::start().await;
    let (person, anonymous) = (session(&app).await, app.anonymous());
    let (device, typed) = begin(&anonymous).await;
    let poll =
        async || token(&anonymous, &[("grant_type", BY_DEVICE), ("device_code", &device)]).await;
    refused(&poll().await, "authorization_pending");
    refused(&poll().await, "slow_down");
    let path = format!("/api/v1/auth/device/{}", typed.to_lowercase().replace('-', "%20"));
    let shown = person.get(&path).await.ok();
    assert_eq!(shown["name"], "build-7", "{shown}");
    let answer = json!({ "user_code": typed, "approve": true });
    let told = person.post("/api/v1/auth/device", &answer).await.refused(403, "forbidden");
    assert!(text(&told, "detail").contains("typed code"), "{told}");
    let allow = async |allowed: bool| {
        let change = json!({ "device_login": allowed });
        person.send(reqwest::Method::PATCH, "security", Some(&change)).await.ok()
    };
    assert_eq!(allow(true).await["second_factor_required"], false, "what is not named stays");
    person.post("/api/v1/auth/device", &answer).await.ok();
    person.post("/api/v1/auth/device", &answer).await.refused(404, "not_found");
    waited(&app).await;
    let granted = poll().await.ok();
    let program = app.with(&text(&granted, "access_token"));
    program.get("teams").await.ok();
    // Switched off, it counts there no more, on any node; a token by the browser does.
    let second = app.second().await;
    allow(false).await;
    let there = program.at(&second);
    until("it counts no more", Duration::from_secs(1), async || {
        (there.get("teams").await.status == 403).then_some(())
    })
    .await;
    assert_eq!(program.get("/api/v1/me").await.ok()["orgs"], json!([]));
    app.owner.get("teams").await.ok();
    // A code that comes again ends what it was spent for.
    refused(&poll().await, "invalid_grant");
    until("the token has ended", Duration::from_secs(1), async || {
        (there.get("/api/v1/me").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn codes_are_not_guessed_and_no_flood_of_them_is_begun() {
    let app = App::start().await;
    let (person, anonymous) = (session(&app).await, app.anonymous());
    let (device, typed) = begin(&anonymous).await;
    let no = json!({ "user_code": typed, "approve": false });
    person.post("/api/v1/auth/device", &no).await.ok();
    waited(&app).await;
    let poll = token(&anonymous, &[("grant_type", BY_DEVICE), ("device_code", &device)]).await;
    refused(&poll, "access_denied");
    let (late, _) = begin(&anonymous).await;
    app.database.execute("update program_login set expires_at = now() - interval '1 second'").await;
    let poll = token(&anonymous, &[("grant_type", BY_DEVICE), ("device_code", &late)]).await;
    refused(&poll, "expired_token");
    let mut tries = 0;
    let throttled = loop {
        let answer = person.get("/api/v1/auth/device/BCDF-GHJK").await;
        if answer.status != 404 {
            break answer;
        }
        tries += 1;
        assert!(tries < 10, "codes can be guessed");
    };
    throttled.refused(429, "throttled");
    for _ in 0..20 {
        begin(&anonymous).await;
    }
    let flood =
        form(&anonymous, "/oauth/device_authorization", &[("client_id", "ralex-cli")]).await;
    flood.refused(429, "throttled");
}

type Said = Lines<BufReader<ChildStderr>>;

/// A command line with a home of its own.
struct Home(TempDir);

impl Home {
    fn ralex(&self, app: &App, line: &str) -> (i32, String) {
        let words: Vec<&str> = line.split(' ').collect();
        let output = command(&words, &self.settings(app)).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }

    /// Without a path no browser opens.
    fn settings<'a>(&'a self, app: &'a App) -> [(&'a str, &'a str); 4] {
        let home = self.0.path().to_str().unwrap();
        [("HOME", home), ("USER", "ann"), ("PATH", ""), ("RALEX_URL", app.owner.url())]
    }

    /// One that has begun, what else it says on its way, and the address that it shows.
    fn begins(&self, app: &App, line: &str) -> (Child, Said, String) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut child = command(&words, &self.settings(app));
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let shown = lines.by_ref().map_while(Result::ok).find(|it| it.starts_with("http"));
        (child, lines, shown.unwrap())
    }
}

#[tokio::test]
async fn the_command_line_logs_in_by_a_browser_and_out_again() {
    let app = App::start().await;
    let (person, home) = (session(&app).await, Home(tempfile::tempdir().unwrap()));
    let (code, said) = home.ralex(&app, "whoami");
    assert!(code == 1 && said.contains("ralex login"), "{said}");
    let (mut child, said, page) = home.begins(&app, "login");
    let field = |name: &str| json!(value(&page, name).unwrap());
    let answer = json!({
        "client_id": field("client_id"), "redirect_uri": field("redirect_uri"),
        "state": field("state"), "name": field("name"),
        "code_challenge": field("code_challenge"),
        "code_challenge_method": field("code_challenge_method"), "approve": true,
    });
    let answered = person.post("/api/v1/auth/programs", &answer).await.ok();
    // What else comes to the port is no answer.
    let port = text(&answer, "redirect_uri");
    let stray = reqwest::get(format!("{port}?code=stolen&state=other")).await.unwrap();
    assert_eq!(stray.status(), 404);
    let back = reqwest::get(text(&answered, "redirect")).await.unwrap();
    assert!(back.text().await.unwrap().contains("You said yes"));
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{:?}", said.collect::<Vec<_>>());
    let file = home.0.path().join(".config/ralex/credentials.toml");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, said) = home.ralex(&app, "whoami");
    assert!(code == 0 && said.contains(EMAIL), "{said}");
    assert_eq!(home.ralex(&app, "groups list").0, 0, "other commands go by it too");
    // What others may read is not used.
    let open = fs::read_to_string(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = home.ralex(&app, "whoami");
    assert!(code == 1 && said.contains("chmod 600"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let secret = open.split('"').find(|it| it.starts_with("rlx_pat_")).unwrap().to_owned();
    let (code, said) = home.ralex(&app, "logout");
    assert!(code == 0 && !fs::read_to_string(&file).unwrap().contains("rlx_"), "{said}");
    let program = app.with(&secret);
    until("the token has ended", Duration::from_secs(1), async || {
        (program.get("/api/v1/me").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(home.ralex(&app, "logout").0, 1);
}
