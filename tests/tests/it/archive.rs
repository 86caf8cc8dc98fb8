//! The archive: what is pruned is in it first and once, and what goes wrong with it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ralex_tests::app::{App, Person, run, text, until};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::retention::{CALLS, agree, anchored, bundle, plant, prune, security};

const PRUNE: &str = "audit/retention/prune";

/// What `ralex audit verify` says of a file.
fn verdict_of(file: &Path, since: Option<&Path>) -> (Option<i32>, Value) {
    let mut arguments = vec!["audit", "verify", file.to_str().unwrap(), "--json"];
    arguments.extend(since.into_iter().flat_map(|it| ["--since", it.to_str().unwrap()]));
    let output = run(&arguments, &[]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn what_is_pruned_is_in_the_archive_first_and_without_one_nothing_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let app = App::start_with(&[("RALEX_AUDIT_ARCHIVE", place)]).await;
    let other = security(&app).await;
    plant(&app, CALLS, 100, 7).await;
    anchored(&app).await;
    assert_eq!(prune(&app).await["count"], 0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "there is nothing to archive yet");
    let keep = json!({ "kind": "retention", "class": "calls", "days": 60, "reason": "x" });
    agree(&app, &other, keep).await;
    anchored(&app).await;
    // A file stands where the organisation's folder is to be.
    let org = app.database.texts("select id::text from org").await.remove(0);
    fs::write(folder.path().join(&org), "in the way").unwrap();
    let refused = app.owner.post("audit/retention/prune", &Value::Null).await;
    refused.refused(503, "unavailable");
    assert_eq!(app.owner.all(&format!("audit?action={CALLS}")).await.len(), 7, "all are there");
    let shown = app.owner.get("audit/retention").await.ok()["archive"].clone();
    assert_eq!(shown["configured"], true);
    assert!(text(&shown, "failure").contains("nothing is pruned"), "{shown}");
    let told = app.owner.all("audit?action=audit.archive_failed").await;
    assert_eq!((told.len(), &told[0]["outcome"]), (1, &json!("error")), "{told:?}");

    fs::remove_file(folder.path().join(&org)).unwrap();
    let pruned = prune(&app).await;
    assert_eq!(pruned["count"], 7, "{pruned}");
    let name = pruned["archives"][0].clone();
    let file = folder.path().join(name.as_str().unwrap());
    let (code, said) = verdict_of(&file, None);
    assert_eq!((code, &said["pruned"]), (Some(0), &json!(0)), "{said}");
    assert_eq!(
        fs::read_to_string(&file).unwrap().matches("\"action\":\"call.refused\"").count(),
        7
    );
    let shown = app.owner.get("audit/retention").await.ok()["archive"].clone();
    assert_eq!((&shown["name"], shown.get("failure")), (&name, None));
    let told = app.owner.all("audit?action=audit.pruned").await.remove(0);
    let archive = &told["record"]["detail"]["archives"][0];
    assert_eq!((&archive["name"], &archive["sha256"]), (&shown["name"], &shown["sha256"]));
    let digest = Sha256::digest(fs::read(&file).unwrap());
    assert_eq!(text(archive, "sha256"), hex::encode(digest));
    let now = folder.path().join("now");
    fs::write(&now, bundle(&app).await).unwrap();
    assert_eq!(verdict_of(&now, Some(&file)).0, Some(0));
}

/// Seven calls of long ago and five of late, of which retention lets the first go.
async fn world() -> (App, Person, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let app = App::start_with(&[("RALEX_AUDIT_ARCHIVE", &place)]).await;
    let other = security(&app).await;
    plant(&app, CALLS, 100, 7).await;
    plant(&app, CALLS, 50, 5).await;
    keep(&app, &other, 60).await;
    (app, other, folder)
}

async fn keep(app: &App, other: &Person, days: u32) {
    let ask = json!({ "kind": "retention", "class": "calls", "days": days, "reason": "x" });
    agree(app, other, ask).await;
    anchored(app).await;
}

/// The files of the archive, oldest first.
fn files(folder: &TempDir) -> Vec<PathBuf> {
    let folders = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let folders = folders.filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()))
        .collect();
    files.sort();
    files
}

/// Alerts of a kind, once there is one that fits.
async fn alert(app: &App, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let path = format!("alerts?kind={kind}");
    until(kind, Duration::from_secs(30), async || {
        let mut alerts = app.owner.all(&path).await;
        assert!(alerts.len() <= 1, "{alerts:?}");
        alerts.pop().filter(&fits)
    })
    .await
}

fn is_over(alert: &Value) -> bool {
    alert["state"] == "resolved"
}

#[tokio::test]
async fn each_archive_goes_on_where_the_last_ended_and_nothing_is_written_twice() {
    let (app, other, folder) = world().await;
    assert_eq!(prune(&app).await["count"], 7);
    plant(&app, CALLS, 100, 3).await;
    anchored(&app).await;
    let second = prune(&app).await;
    assert_eq!(second["count"], 3);
    let [first, then] = &files(&folder)[..] else { panic!("{:?}", files(&folder)) };
    assert!(then.ends_with(second["archives"][0].as_str().unwrap()), "{second}");
    let (code, whole) = verdict_of(first, None);
    assert_eq!((code, &whole["first_index"]), (Some(0), &json!(0)), "{whole}");
    let (code, part) = verdict_of(then, None);
    assert_eq!((code, &part["first_index"]), (Some(0), &whole["tree_size"]), "{part}");
    assert_eq!(part["pruned"], 0, "what it begins after is in the first");
    let (code, both) = verdict_of(then, Some(first));
    assert!(code == Some(0) && text(&both, "reason").contains("goes on where"), "{both}");
    // Of an export with a gap before it nobody can tell.
    let last = part["tree_size"].as_u64().unwrap() - 1;
    let rest = folder.path().join("rest");
    let export = app.owner.get(&format!("audit/export?after={last}")).await;
    fs::write(&rest, export.text).unwrap();
    assert_eq!(verdict_of(&rest, Some(then)).0, Some(0));
    let (code, apart) = verdict_of(&rest, Some(first));
    assert!(code == Some(2) && text(&apart, "reason").contains("do not meet"), "{apart}");
    fs::remove_file(&rest).unwrap();
    app.owner.get("audit/export?after=3").await.refused(422, "invalid_request");

    // What is older than a shorter time is in the first file already.
    keep(&app, &other, 40).await;
    let third = prune(&app).await;
    assert_eq!(third["count"], 5);
    assert!(first.ends_with(third["archives"][0].as_str().unwrap()), "{third}");
    assert_eq!((files(&folder).len(), third["archives"].as_array().unwrap().len()), (2, 1));
    let told = app.owner.all("audit?action=audit.pruned").await.remove(0);
    let named = text(&told["record"]["detail"]["archives"][0], "sha256");
    assert_eq!(named, hex::encode(Sha256::digest(fs::read(first).unwrap())));
    assert_eq!(app.owner.post("audit/verify", &Value::Null).await.ok()["good"], true);
}

#[tokio::test]
async fn a_file_that_is_lost_stops_pruning_until_it_is_back_or_an_archive_begins_anew() {
    let (app, _other, folder) = world().await;
    assert_eq!(prune(&app).await["count"], 7);
    let file = files(&folder).remove(0);
    let aside = folder.path().join("aside");
    fs::rename(&file, &aside).unwrap();
    plant(&app, CALLS, 100, 2).await;
    anchored(&app).await;
    for _ in 0..2 {
        let refused = app.owner.post(PRUNE, &Value::Null).await;
        assert!(refused.text.contains("is not there any more"), "{}", refused.text);
        refused.refused(503, "unavailable");
    }
    let raised = alert(&app, "archive.failed", |it| it["occurrences"] == 2).await;
    assert_eq!((&raised["severity"], &raised["state"]), (&json!("critical"), &json!("open")));
    assert!(files(&folder).is_empty(), "nothing is written beside a hole");
    fs::rename(&aside, &file).unwrap();
    assert_eq!(prune(&app).await["count"], 2);
    alert(&app, "archive.failed", is_over).await;
    // Each server reads what it has not written itself.
    let mut text_of = fs::read_to_string(&file).unwrap();
    text_of.replace_range(40..41, "x");
    fs::write(&file, text_of).unwrap();
    plant(&app, CALLS, 100, 1).await;
    anchored(&app).await;
    let node = app.second().await;
    let second = app.owner.at(&node);
    let refused = second.post(PRUNE, &Value::Null).await;
    assert!(refused.text.contains("is not what was written"), "{}", refused.text);
    let anew = second.post(&format!("{PRUNE}?archive_anew=true"), &Value::Null).await.ok();
    assert_eq!(anew["count"], 1, "{anew}");
    let newest = folder.path().join(anew["archives"][0].as_str().unwrap());
    let (code, said) = verdict_of(&newest, None);
    assert_eq!((code, &said["first_index"], &said["pruned"]), (Some(0), &json!(0), &json!(9)));
    plant(&app, CALLS, 100, 1).await;
    anchored(&app).await;
    assert_eq!(prune(&app).await["count"], 1);
    let newer = files(&folder).pop().unwrap();
    assert_eq!(verdict_of(&newer, Some(&newest)).0, Some(0));
}

#[tokio::test]
async fn what_was_archived_before_a_crash_is_pruned_after_it_by_any_server() {
    let (mut app, _other, folder) = world().await;
    let hide = "alter function audit_prune(uuid, bigint[]) rename to away";
    app.database.execute(hide).await;
    assert_eq!(app.owner.post(PRUNE, &Value::Null).await.status, 500);
    let failed = alert(&app, "retention.failed", |_| true).await;
    assert_eq!(
        (&failed["subject"], &failed["state"]),
        (&json!("retention:events"), &json!("open"))
    );
    assert_eq!(files(&folder).len(), 1, "the archive is written by then");
    app.node.kill();
    app.database.execute("alter function away(uuid, bigint[]) rename to audit_prune").await;
    // As it starts, a server prunes by itself.
    app.restart().await;
    let told = until("it is pruned", Duration::from_secs(30), async || {
        app.owner.all("audit?action=audit.pruned").await.pop()
    })
    .await;
    assert_eq!(told["record"]["detail"]["count"], 7, "{told}");
    assert_eq!(files(&folder).len(), 1, "nothing is written anew");
    alert(&app, "retention.failed", is_over).await;
}
