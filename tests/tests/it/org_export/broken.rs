//! Archives that are not whole, or not as they were written; and exports that break off.

use std::time::Duration;

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use ralex_tests::app::{App, until};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Taken, checked, recorded, rows};

/// What becomes of a file; nothing where it is left out.
type Change<'a> = &'a dyn Fn(&str, &[u8]) -> Option<Vec<u8>>;

#[tokio::test]
async fn a_changed_byte_a_missing_end_and_a_missing_file_are_found() {
    let app = App::start().await;
    app.team("blue").await;
    let folder = TempDir::new().unwrap();
    let taken = Taken::by(&app.owner, "export", &json!({})).await;
    let length = taken.bytes.len();
    let with = |bytes: Vec<u8>| Taken { bytes, filename: String::new() };
    for (name, place) in taken.middles() {
        let mut bytes = taken.bytes.clone();
        bytes[place] ^= 1;
        let path = with(bytes).kept(&folder, "changed.zip");
        let (code, said) = checked(&app, path.to_str().unwrap()).await;
        assert_eq!((code, &said["finding"]), (1, &json!("tampered")), "{name}: {said}");
    }
    for cut in [length - 1, length / 2, 100, 1] {
        let path = with(taken.bytes[..cut].to_vec()).kept(&folder, "cut.zip");
        let (code, said) = checked(&app, path.to_str().unwrap()).await;
        assert_eq!((code, &said["finding"]), (2, &json!("incomplete")), "{cut} bytes: {said}");
    }
    let files = taken.files();
    let written = |change: Change<'_>| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in &files {
            let Some(bytes) = change(name, bytes) else { continue };
            zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, &bytes).unwrap();
        }
        with(zip.finish().unwrap().into_inner()).kept(&folder, "written.zip")
    };
    let path = written(&|_, bytes| Some(bytes.to_vec()));
    assert_eq!(checked(&app, path.to_str().unwrap()).await.0, 0, "packed anew, it is the same");
    for missing in ["tables/team.jsonl", "audit/log.jsonl", "manifest.json"] {
        let path = written(&|name, bytes| (name != missing).then(|| bytes.to_vec()));
        let (code, said) = checked(&app, path.to_str().unwrap()).await;
        assert_eq!((code, &said["finding"]), (2, &json!("incomplete")), "{missing}: {said}");
        assert!(said["reason"].as_str().unwrap().contains(missing), "{said}");
    }
    let path = written(&|name, bytes| {
        let text = String::from_utf8_lossy(bytes);
        Some(if name == "tables/team.jsonl" {
            text.replace("blue", "gold").into_bytes()
        } else {
            bytes.to_vec()
        })
    });
    let (code, said) = checked(&app, path.to_str().unwrap()).await;
    assert_eq!((code, &said["finding"]), (1, &json!("tampered")), "{said}");
    assert!(said["reason"].as_str().unwrap().contains("tables/team.jsonl"), "{said}");
}

#[tokio::test]
async fn an_encrypted_archive_that_was_changed_or_cut_off_is_found() {
    let app = App::start().await;
    let folder = TempDir::new().unwrap();
    let key = Identity::generate();
    let identity = folder.path().join("key.txt");
    std::fs::write(&identity, key.to_string().expose_secret()).unwrap();
    let body = json!({ "recipients": [key.to_public().to_string()] });
    let taken = Taken::by(&app.owner, "export", &body).await;
    let check = async |bytes: Vec<u8>| {
        let path = Taken { bytes, filename: String::new() }.kept(&folder, "it.age");
        checked(&app, &format!("{} --identity {}", path.display(), identity.display())).await
    };
    assert_eq!(check(taken.bytes.clone()).await.0, 0);
    let length = taken.bytes.len();
    for place in [length / 3, length - 10] {
        let mut bytes = taken.bytes.clone();
        bytes[place] ^= 1;
        let (code, said) = check(bytes).await;
        assert!(code == 1 || code == 2, "byte {place}: {said}");
    }
    for cut in [length - 1, length / 2, 150] {
        let (code, said) = check(taken.bytes[..cut].to_vec()).await;
        assert!(code == 1 || code == 2, "{cut} bytes: {said}");
    }
}

/// So much that no export of it fits into what waits between two machines.
async fn grown(app: &App) {
    let much = "insert into model_alias (org_id, name, target)
         select (select id from org where slug = 'default'), 'alias ' || n,
                (select string_agg(md5(n::text || '.' || part::text), '') from generate_series(1, 40) part)
         from generate_series(1, 40000) n";
    app.database.execute(much).await;
}

#[tokio::test]
async fn an_export_is_of_one_moment_one_at_a_time_and_its_end_is_recorded() {
    let app = App::start().await;
    grown(&app).await;
    let began = app.owner.request(Method::POST, "export").json(&json!({})).send().await.unwrap();
    assert_eq!(began.status(), 200);
    let again = app.owner.post("export", &json!({})).await.refused(409, "conflict");
    assert!(again["detail"].as_str().unwrap().contains("under way"), "{again}");
    // Elsewhere nobody waits for it.
    app.team("late").await;
    app.database.execute("delete from model_alias where name like 'alias 3%'").await;
    let taken = Taken { bytes: began.bytes().await.unwrap().to_vec(), filename: String::new() };
    let files = taken.files();
    assert_eq!(rows(&files, "team"), Vec::<Value>::new());
    assert_eq!(rows(&files, "model_alias").len(), 40_000);
    let folder = TempDir::new().unwrap();
    let path = taken.kept(&folder, "whole.zip");
    assert_eq!(checked(&app, path.to_str().unwrap()).await.0, 0);
    let came = recorded(&app, "default").await;
    assert_eq!(came[1]["detail"]["whole"], json!(true));

    // Whoever goes away in the middle leaves the turn to the next, and a record.
    grown_again(&app).await;
    let began = app.owner.request(Method::POST, "export").json(&json!({})).send().await.unwrap();
    drop(began);
    let broken = until("that it broke off is recorded", Duration::from_secs(10), async || {
        let came = recorded(&app, "default").await;
        (came.len() == 4).then(|| came[3].clone())
    });
    let broken = broken.await;
    assert_eq!(broken["action"], json!("org.export_ended"));
    assert_eq!(
        (&broken["detail"]["whole"], &broken["outcome"]),
        (&json!(false), &json!("error")),
        "{broken}"
    );
    assert!(broken["detail"].get("manifest").is_none_or(Value::is_null), "{broken}");
    let freed = async || {
        let next = app.owner.request(Method::POST, "export").json(&json!({})).send().await.unwrap();
        (next.status() == 200).then_some(())
    };
    until("the turn is free", Duration::from_secs(10), freed).await;
    let metrics = app.anonymous().get("/metrics").await.text;
    assert!(metrics.contains("ralex_org_exports_total{outcome=\"broken\"}"), "{metrics}");
}

#[tokio::test]
async fn whoever_may_no_longer_have_it_gets_no_more_of_it() {
    let app = App::start().await;
    grown(&app).await;
    let ann = app.member("ann@example.com", "owner", "org").await;
    let second = app.second().await;
    let client = ann.client.at(&second);
    let mut began = client.request(Method::POST, "export").json(&json!({})).send().await.unwrap();
    assert_eq!(began.status(), 200);
    began.chunk().await.unwrap().unwrap();
    app.owner.delete(&format!("members/{}", ann.id)).await.ok();
    let there = app.anonymous().at(&second);
    until("the server there has ended it", Duration::from_secs(10), async || {
        there.get("/metrics").await.text.contains("ralex_tenures_ended_total 1").then_some(())
    })
    .await;
    // What was on its way still comes, and not the rest.
    let read = async {
        while began.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    };
    read.await.unwrap_err();
    let broken = until("that it broke off is recorded", Duration::from_secs(10), async || {
        let came = recorded(&app, "default").await;
        (came.len() == 2).then(|| came[1].clone())
    });
    assert_eq!(broken.await["detail"]["whole"], json!(false));
}

async fn grown_again(app: &App) {
    app.database.execute("update model_alias set target = target || md5(target)").await;
}
