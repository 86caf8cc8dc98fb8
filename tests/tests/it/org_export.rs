//! Exports: an organisation takes all that it has with it, no key among it, and can tell whether it is whole.

mod broken;
mod carried;
mod secrets;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralex_tests::app::{App, Client, PASSWORD, Shell, text, until};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::ZipArchive;

/// An archive as it came, and what is in it.
pub struct Taken {
    pub bytes: Vec<u8>,
    pub filename: String,
}

impl Taken {
    pub async fn by(client: &Client, path: &str, body: &Value) -> Self {
        let answer = client.request(Method::POST, path).json(body).send().await.unwrap();
        let status = answer.status();
        let header = answer.headers().get("content-disposition").cloned();
        let bytes = answer.bytes().await.unwrap().to_vec();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        let header = header.unwrap().to_str().unwrap().to_owned();
        Self { bytes, filename: header.split('"').nth(1).unwrap().to_owned() }
    }

    /// Every file by its path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut zip = ZipArchive::new(Cursor::new(&self.bytes)).unwrap();
        let all = (0..zip.len()).map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        });
        all.collect()
    }

    /// A byte in the middle of each of some files, as they are packed.
    pub fn middles(&self) -> Vec<(String, usize)> {
        let mut zip = ZipArchive::new(Cursor::new(&self.bytes)).unwrap();
        let names = ["audit/log.jsonl", "tables/team.jsonl", "tables/org.jsonl", "manifest.json"];
        let mut place = |name: &str| {
            let file = zip.by_name(name).unwrap();
            let place = file.data_start().unwrap() + file.compressed_size() / 2;
            (name.to_owned(), usize::try_from(place).unwrap())
        };
        names.iter().map(|name| place(name)).collect()
    }

    /// Written down in a folder that goes with the test.
    pub fn kept(&self, folder: &TempDir, name: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, &self.bytes).unwrap();
        path
    }
}

pub fn rows(files: &BTreeMap<String, Vec<u8>>, table: &str) -> Vec<Value> {
    let text = String::from_utf8(files[&format!("tables/{table}.jsonl")].clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the check says of an archive, and the code it ends with.
pub async fn checked(app: &App, more: &str) -> (i32, Value) {
    let (code, said) = Shell::of(app).says(&format!("org check-export {more} --json")).await;
    let json = serde_json::from_str(&said).unwrap_or_else(|_| json!({ "said": said }));
    (code, json)
}

/// What the log says of exports, oldest first.
pub async fn recorded(app: &App, org: &str) -> Vec<Value> {
    let told = format!(
        "select convert_from(leaf, 'UTF8') from audit_event
         where org_id = (select id from org where slug = '{org}') and action like 'org.export%' order by id"
    );
    let all = app.database.texts(&told).await;
    all.iter().map(|leaf| serde_json::from_str(leaf).unwrap()).collect()
}

pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn an_export_has_all_that_an_organisation_has_and_says_so_itself() {
    let app = App::start().await;
    let token = app.token("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    assert_eq!(
        token.client.call(ralex_tests::app::Dialect::Chat, "simulated", "Hello").await.status,
        200
    );
    let taken = Taken::by(&app.owner, "export", &json!({})).await;
    let name = taken.filename.clone();
    let is_zip = Path::new(&name).extension().is_some_and(|it| it == "zip");
    assert!(name.starts_with("ralex-default-") && is_zip, "{name}");
    let files = taken.files();
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(
        (&manifest["ralex_org_export"], &manifest["org"]["slug"]),
        (&json!(1), &json!("default"))
    );
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for file in listed {
        let bytes = &files[file["path"].as_str().unwrap()];
        let lines = bytes.split(|byte| *byte == b'\n').count() - 1;
        let found = (json!(bytes.len()), json!(lines), json!(digest(bytes)));
        assert_eq!(found, (file["bytes"].clone(), file["rows"].clone(), file["sha256"].clone()));
    }
    assert_eq!(manifest["withheld"]["token.digest"], json!("is the digest of a token"));
    assert_eq!(rows(&files, "team")[0]["slug"], json!("blue"));
    assert_eq!(rows(&files, "call").len(), 1);
    assert_eq!(rows(&files, "token").len(), 1);
    let people = rows(&files, "app_user");
    let known: Vec<_> = people.iter().map(|it| it["email"].as_str().unwrap()).collect();
    assert!(known.contains(&"ann@example.com") && known.len() == 2, "{known:?}");
    let keys: Vec<_> = people[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "email", "name"]);
    assert!(people.iter().any(|it| it["id"] == json!(ann.id)));
    let about = String::from_utf8(files["README.txt"].clone()).unwrap();
    assert!(about.contains("ralex org check-export"), "{about}");
    let came = recorded(&app, "default").await;
    let actions: Vec<_> = came.iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["org.export_begun", "org.export_ended"]);
    let (begun, ended) = (&came[0]["detail"], &came[1]["detail"]);
    assert_eq!((&begun["by_operator"], &begun["recipients"]), (&json!(false), &json!([])));
    assert_eq!(
        (&begun["tree_size"], &begun["root"]),
        (&manifest["audit"]["tree_size"], &manifest["audit"]["root"])
    );
    assert_eq!((&ended["whole"], &ended["bytes"]), (&json!(true), &json!(taken.bytes.len())));
    assert_eq!(ended["sha256"], json!(digest(&taken.bytes)));
    assert_eq!(ended["manifest"], json!(digest(&files["manifest.json"])));
    let metrics = app.anonymous().get("/metrics").await.text;
    assert!(metrics.contains("ralex_org_exports_total{outcome=\"whole\"} 1"), "{metrics}");
}

#[tokio::test]
async fn the_check_and_the_verifier_of_logs_take_what_was_exported() {
    let app = App::start().await;
    app.team("blue").await;
    let folder = TempDir::new().unwrap();
    let taken = Taken::by(&app.owner, "export", &json!({})).await;
    let path = taken.kept(&folder, "mine.zip");
    let (code, said) = checked(&app, path.to_str().unwrap()).await;
    assert_eq!(
        (code, &said["finding"], &said["org"]["slug"]),
        (0, &json!("good"), &json!("default")),
        "{said}"
    );
    let files = taken.files();
    let [log, told] = ["log", "disclosures"].map(|name| {
        let path = folder.path().join(name);
        std::fs::write(&path, &files[&format!("audit/{name}.jsonl")]).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let key = text(&said, "key");
    let line = format!("audit verify --key {key} --disclosures {told} {log}");
    Shell::of(&app).done(&line).await;
    // Another log's key is not the one that signed it.
    let other =
        key.replace(key.split('+').nth(2).unwrap(), "BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea");
    let (code, said) = checked(&app, &format!("--key {other} {}", path.display())).await;
    assert_ne!(code, 0, "{said}");
}

#[tokio::test]
async fn only_who_may_take_all_of_it_takes_it_and_a_session_proves_who_it_is() {
    let app = App::start().await;
    for role in ["admin", "security", "auditor"] {
        let person = app.member(&format!("{role}@example.com"), role, "org").await;
        person.client.post("export", &json!({})).await.refused(403, "forbidden");
        let set = json!({ "recipients": [] });
        let answer = person.client.send(Method::PUT, "export/recipients", Some(&set)).await;
        answer.refused(403, "forbidden");
        assert_eq!(person.client.get("export/recipients").await.ok()["items"], json!([]));
    }
    let cookie = app.anonymous().session(ralex_tests::app::EMAIL, PASSWORD).await;
    let session = app.anonymous().in_session(&cookie);
    Taken::by(&session, "export", &json!({})).await;
    let old = "update session set authenticated_at = now() - interval '11 minutes'";
    app.database.execute(old).await;
    session.post("export", &json!({})).await.refused(403, "step_up_required");
    let set = json!({ "recipients": [] });
    let answer = session.send(Method::PUT, "export/recipients", Some(&set)).await;
    answer.refused(403, "step_up_required");
    let unknown = app.owner.post("export", &json!({ "recipient": [] })).await;
    unknown.refused(422, "invalid_request");
    let wrong = app.owner.post("export", &json!({ "recipients": ["age1nonsense"] })).await;
    let told = wrong.refused(422, "invalid_request");
    assert_eq!(told["errors"][0]["path"], json!("recipients[0]"), "{told}");
    assert_eq!(recorded(&app, "default").await.len(), 2, "only the one that was taken");
}

#[tokio::test]
async fn the_command_writes_a_new_file_or_none() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let shell = Shell::of(&app);
    let file = at("mine.zip");
    shell.done(&format!("org export --out {file}")).await;
    let (code, _) = checked(&app, &file).await;
    assert_eq!(code, 0);
    let before = std::fs::read(&file).unwrap();
    let (code, said) = shell.says(&format!("org export --out {file}")).await;
    assert!(code != 0 && said.contains("is there already"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let (code, said) =
        shell.says(&format!("org export --recipient age1no --out {}", at("no.zip"))).await;
    assert!(code != 0 && said.contains("recipients[0]"), "{said}");
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    let (code, said) =
        Shell::by(&viewer.client).says(&format!("org export --out {}", at("no.zip"))).await;
    assert!(code != 0 && said.contains("org.export"), "{said}");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.zip"]);
    let (code, said) = checked(&app, &at("nothing.zip")).await;
    assert_eq!(code, 3, "{said}");
    // What was written is what the log says.
    let ended = until("it has ended", Duration::from_secs(5), async || {
        recorded(&app, "default").await.into_iter().find(|it| it["action"] == "org.export_ended")
    });
    assert_eq!(ended.await["detail"]["bytes"], json!(before.len()));
}
