//! Exports that operators carry: only where the owners have said to whom, and nobody else opens them.

use std::io::Read;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use ralex_tests::app::{App, Client, Shell, text, until};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Taken, checked, recorded, rows};
use crate::operators::make;

const ACME: &str = "/api/v1/operator/orgs/acme/export";
const KEYS: &str = "/api/v1/orgs/acme/export/recipients";

/// A pair of keys, the private one in a file as `age-keygen` writes it.
fn pair(folder: &TempDir, name: &str) -> (Identity, String) {
    let key = Identity::generate();
    let path = folder.path().join(name);
    let text = format!("# public key: {}\n{}\n", key.to_public(), key.to_string().expose_secret());
    std::fs::write(&path, text).unwrap();
    (key, path.to_str().unwrap().to_owned())
}

async fn named(owner: &Client, keys: &[String]) -> Value {
    let set = json!({ "recipients": keys });
    owner.send(Method::PUT, KEYS, Some(&set)).await.ok()
}

fn opened(taken: &Taken, key: &Identity) -> Taken {
    let decryptor = age::Decryptor::new_buffered(taken.bytes.as_slice()).unwrap();
    let mut bytes = Vec::new();
    let mut reader = decryptor.decrypt(std::iter::once(key as &dyn age::Identity)).unwrap();
    reader.read_to_end(&mut bytes).unwrap();
    Taken { bytes, filename: String::new() }
}

#[tokio::test]
async fn an_operator_carries_what_only_those_whom_the_owners_named_can_open() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let acme = make(&app, "acme", "eve@example.com").await;
    let team = json!({ "slug": "crimson", "name": "Crimson" });
    acme.owner.post("/api/v1/orgs/acme/teams", &team).await.ok();
    let told = app.owner.post(ACME, &json!({})).await.refused(409, "conflict");
    assert!(text(&told, "detail").contains("export-key set"), "{told}");
    assert_eq!(recorded(&app, "acme").await, Vec::<Value>::new());

    let ((first, mine), (second, _), (_, other)) =
        (pair(&folder, "mine.txt"), pair(&folder, "second.txt"), pair(&folder, "other.txt"));
    let keys = [first.to_public().to_string(), second.to_public().to_string()];
    let shown = named(&acme.owner, &keys).await;
    assert_eq!(shown["items"].as_array().unwrap().len(), 2);
    assert_eq!(named(&acme.owner, &keys).await, shown);
    let managed = app.owner.get("/api/v1/operator/orgs/acme").await.ok();
    assert_eq!(managed["export_recipients"], json!(2), "{managed}");

    let file = folder.path().join("acme.age").to_str().unwrap().to_owned();
    Shell::of(&app).done(&format!("operator export acme --out {file}")).await;
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
    assert!(!bytes.windows(7).any(|window| window == b"crimson"));
    let taken = Taken { bytes, filename: String::new() };
    for key in [&first, &second] {
        let files = opened(&taken, key).files();
        assert_eq!(rows(&files, "team")[0]["slug"], json!("crimson"));
    }
    let (code, said) = checked(&app, &format!("{file} --identity {mine}")).await;
    assert_eq!((code, &said["finding"]), (0, &json!("good")), "{said}");
    let (code, said) = checked(&app, &file).await;
    assert!(code == 3 && text(&said, "said").contains("--identity"), "{said}");
    let (code, said) = checked(&app, &format!("{file} --identity {other}")).await;
    assert!(code == 3 && text(&said, "said").contains("not encrypted to"), "{said}");

    let came = recorded(&app, "acme").await;
    let actions: Vec<_> = came.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["org.export_recipients_set", "org.export_begun", "org.export_ended"]);
    assert_eq!(came[1]["detail"]["by_operator"], json!(true));
    let prints: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|it| &it["fingerprint"]).collect();
    for print in prints {
        assert!(came[1]["detail"]["recipients"].as_array().unwrap().contains(print));
    }
    // That it was begun is in the deployment's own log before the first byte.
    assert_eq!(recorded(&app, "default").await, Vec::<Value>::new());
    // Whoever is no operator learns nothing, and an operator nothing more.
    acme.owner.post(ACME, &json!({})).await.refused(403, "forbidden");
    app.owner.get(KEYS).await.refused(404, "not_found");
    named(&acme.owner, &[]).await;
    app.owner.post(ACME, &json!({})).await.refused(409, "conflict");
}

#[tokio::test]
async fn an_organisation_that_is_closed_can_be_carried_away_by_operators_alone() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let acme = make(&app, "acme", "eve@example.com").await;
    let (key, _) = pair(&folder, "mine.txt");
    named(&acme.owner, &[key.to_public().to_string()]).await;
    let path = "/api/v1/operator/orgs/acme";
    let why = json!({ "reason": "They have left." });
    for close in ["suspend", "deletion"] {
        app.owner.post(&format!("{path}/{close}"), &why).await.ok();
        until("it is closed", Duration::from_secs(2), async || {
            (acme.owner.get("/api/v1/orgs/acme/teams").await.status == 403).then_some(())
        })
        .await;
        acme.owner
            .post("/api/v1/orgs/acme/export", &json!({}))
            .await
            .refused(403, "organisation_closed");
        let taken = Taken::by(&app.owner, ACME, &json!({})).await;
        assert!(taken.filename.ends_with(".zip.age"), "{}", taken.filename);
        let files = opened(&taken, &key).files();
        let reason = &rows(&files, "org")[0]["suspended_reason"];
        assert_eq!(reason, &json!("They have left."));
    }
}

#[tokio::test]
async fn keys_are_named_shown_and_cleared_by_the_command() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let (key, _) = pair(&folder, "mine.txt");
    let shell = Shell::of(&app);
    let public = key.to_public().to_string();
    assert!(shell.done("org export-key show").await.contains("no operator"));
    assert!(shell.done(&format!("org export-key set {public}")).await.contains(&public));
    assert!(shell.done("org export-key show").await.contains(&public));
    let private = key.to_string().expose_secret().to_owned();
    let (code, said) = shell.says(&format!("org export-key set {private}")).await;
    assert!(code != 0 && said.contains("private key") && !said.contains(&private), "{said}");
    assert!(shell.done("org export-key clear").await.contains("no operator"));
    let sealed = Taken::by(&app.owner, "export", &json!({ "recipients": [public] })).await;
    assert!(opened(&sealed, &key).files().contains_key("manifest.json"));
}
