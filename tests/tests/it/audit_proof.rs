//! The audit log's proofs as somebody meets them who has the API and the command line.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use ralex_tests::app::{App, run, text, until};
use serde_json::{Value, json};

/// Runs `ralex audit verify` on texts that are written to files first.
fn verify(file: &str, more: &[(&str, &str)]) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("file"), file).unwrap();
    let mut arguments = vec!["audit".to_owned(), "verify".into(), path("file"), "--json".into()];
    for (flag, value) in more {
        let value = if *flag == "--since" {
            fs::write(path("older"), value).unwrap();
            path("older")
        } else {
            (*value).to_owned()
        };
        arguments.extend([(*flag).to_owned(), value]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(&arguments, &[]);
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), said)
}

async fn newest_key(app: &App) -> String {
    let keys = app.owner.get("audit/keys").await.ok();
    text(keys["keys"].as_array().unwrap().last().unwrap(), "verifier")
}

async fn event_of(app: &App, action: &str) -> String {
    text(&app.owner.all(&format!("audit?action={action}")).await[0], "id")
}

#[tokio::test]
async fn an_event_is_proven_to_whoever_has_only_its_receipt_and_the_key() {
    let app = App::start().await;
    app.team("blue").await;
    let event = event_of(&app, "team.created").await;
    let proof = app.owner.get(&format!("audit/events/{event}/proof")).await.ok();
    assert!(text(&proof, "leaf").contains(&event), "{proof}");
    let key = newest_key(&app).await;
    assert_eq!(text(&proof, "key"), key);
    let receipt = app.owner.get(&format!("audit/events/{event}/receipt")).await;
    assert!(receipt.header("content-disposition").unwrap().contains(".tlog-proof"));
    let (code, said) = verify(&receipt.text, &[("--key", &key)]);
    assert_eq!((code, &said["index"]), (Some(0), &proof["index"]), "{said}");
    assert!(text(&said, "text").contains(&event));
    assert_eq!(verify(&receipt.text, &[]).0, Some(3), "a receipt does not carry the key");
    let other = newest_key(&App::start().await).await;
    assert_eq!(verify(&receipt.text, &[("--key", &other)]).0, Some(1));
    let forged = receipt.text.replacen("index ", "index 1", 1);
    assert_eq!(verify(&forged, &[("--key", &key)]).0, Some(1));
    let unknown = "audit/events/00000000-0000-7000-8000-000000000000/proof";
    app.owner.get(unknown).await.refused(404, "not_found");
    let anchor = until("the head is anchored", Duration::from_secs(5), async || {
        let anchor = app.owner.get("audit/anchor").await;
        (anchor.status == 200).then_some(anchor.text)
    })
    .await;
    assert_eq!(verify(&anchor, &[("--key", &key)]).0, Some(0), "{anchor}");
}

#[tokio::test]
async fn growth_is_proven_between_heads_and_between_exports() {
    let app = App::start().await;
    app.team("blue").await;
    let earlier = app.owner.get("audit/export").await.text;
    let size = serde_json::from_str::<Value>(earlier.lines().next().unwrap()).unwrap();
    let size = size["tree_size"].as_u64().unwrap();
    app.team("red").await;
    let later = app.owner.get("audit/export").await.text;
    let key = newest_key(&app).await;
    let (code, said) = verify(&later, &[("--key", &key), ("--since", &earlier)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(text(&said, "reason").contains("stand unchanged"), "{said}");
    let (code, said) = verify(&earlier, &[("--key", &key), ("--since", &later)]);
    assert_eq!((code, &said["first_bad_index"]), (Some(1), &json!(size)), "{said}");
    let proof = app.owner.get(&format!("audit/consistency?from={size}")).await;
    let (code, said) = verify(&proof.text, &[("--key", &key)]);
    assert_eq!(code, Some(0), "{said}");
    app.owner.get("audit/consistency?from=1&to=999999").await.refused(422, "invalid_request");
    let note = app.owner.get("audit/log/checkpoint").await.text;
    assert!(note.starts_with(&text(&said, "origin")), "{note}");
    let signed: u64 = note.lines().nth(1).unwrap().parse().unwrap();
    let tile = format!("audit/log/tile/0/000.p/{signed}");
    assert_eq!(app.owner.get(&tile).await.status, 200);
    assert_eq!(app.owner.get(&tile.replace("/0/", "/entries/")).await.status, 200);
    let beyond = format!("audit/log/tile/0/000.p/{}", signed + 1);
    app.owner.get(&beyond).await.refused(404, "not_found");
}

#[tokio::test]
async fn another_key_takes_over_while_the_server_runs() {
    let app = App::start().await;
    app.team("blue").await;
    let before = newest_key(&app).await;
    assert_eq!(app.owner.get("audit/export").await.status, 200);
    let data = app.node.data_dir();
    let settings =
        [("RALEX_DATABASE_URL", app.database.url()), ("RALEX_DATA_DIR", data.to_str().unwrap())];
    let output = run(&["audit", "rotate-key"], &settings);
    assert!(output.status.success(), "{output:?}");
    let after = newest_key(&app).await;
    assert_ne!(before, after);
    assert!(String::from_utf8(output.stdout).unwrap().contains(&after));
    app.team("red").await;
    assert_eq!(app.owner.all("audit?action=audit.key_rotated").await.len(), 1);
    let export = app.owner.get("audit/export").await.text;
    for key in [&before, &after] {
        let (code, said) = verify(&export, &[("--key", key)]);
        assert_eq!((code, &said["keys"]), (Some(0), &json!([before, after])), "{said}");
    }
    let good = app.owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(good["good"], true, "{good}");
    let no_seal = tempfile::tempdir().unwrap();
    let settings = [
        ("RALEX_DATABASE_URL", app.database.url()),
        ("RALEX_DATA_DIR", no_seal.path().to_str().unwrap()),
    ];
    assert!(!run(&["audit", "rotate-key"], &settings).status.success(), "there is no seal here");
}

#[tokio::test]
async fn a_witness_is_asked_as_the_specification_says_and_its_refusal_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.windows(2).any(|end| end == b"=\n") {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).unwrap();
            request.extend(&part[..read]);
        }
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request).into_owned()
    });
    let key = "witness.example/w1+eb762cc2+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    let witness = format!("{key} {url}");
    let wrong = run(&["config"], &[("RALEX_AUDIT_WITNESSES", "me https://witness.example")]);
    assert!(!wrong.status.success());
    let app = App::start_with(&[("RALEX_AUDIT_WITNESSES", &witness)]).await;
    let told = until("the witness was asked", Duration::from_secs(30), async || {
        let keys = app.owner.get("audit/keys").await.ok();
        keys["witnesses"][0]["failure"].as_str().map(str::to_owned)
    })
    .await;
    assert!(told.contains("does not know this log"), "{told}");
    let request = asked.join().unwrap();
    assert!(request.starts_with("POST /add-checkpoint HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\n\r\nold 0\n\nralex-"), "{request}");
}

#[tokio::test]
async fn a_sequencer_that_was_paused_in_its_work_writes_nothing_when_it_goes_on() {
    let app = App::start().await;
    let second = app.second().await;
    let owner = app.owner.at(&second);
    let at_work = "select 'yes' from pg_stat_activity a join pg_locks l on l.pid = a.pid
        where a.datname = current_database() and a.state = 'idle in transaction'
          and l.mode = 'RowShareLock' and l.relation = 'audit_cursor'::regclass";
    // Caught between two statements of its transaction, with the lock on the cursor: it waits for
    // a table that is let go of while it stands still.
    let held =
        "begin; lock table audit_leaf in share row exclusive mode; select pg_sleep(1.2); commit";
    let mut caught = false;
    for number in 0..20 {
        let team = json!({ "slug": format!("team-{number}"), "name": "Team" });
        let work = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            owner.post("teams", &team).await.ok();
            tokio::time::sleep(Duration::from_millis(700)).await;
            app.node.pause();
        };
        tokio::join!(app.database.execute(held), work);
        tokio::time::sleep(Duration::from_millis(300)).await;
        caught = !app.database.texts(at_work).await.is_empty();
        if caught {
            break;
        }
        app.node.go_on();
    }
    assert!(caught, "it was never caught at its work");
    let late = json!({ "slug": "late", "name": "Late" });
    let late = text(&owner.post("teams", &late).await.ok(), "id");
    // The other node takes over once PostgreSQL has ended the transaction that stands still.
    until("the other node sequences", Duration::from_secs(25), async || {
        let entries = owner.get("audit?limit=1").await.ok()["items"].clone();
        let is_late = entries[0]["target"] == json!(format!("team:{late}"));
        (is_late && entries[0]["index"].is_u64()).then_some(())
    })
    .await;
    let before = owner.get("audit/export").await.text;
    app.node.go_on();
    // It was blind meanwhile, so it first reads anew what anybody may do.
    until("the paused node serves again", Duration::from_secs(10), async || {
        (app.owner.get("teams").await.status == 200).then_some(())
    })
    .await;
    for number in 0..5 {
        let team = json!({ "slug": format!("after-{number}"), "name": "Team" });
        app.owner.post("teams", &team).await.ok();
    }
    let after = app.owner.get("audit/export").await.text;
    let (code, said) = verify(&after, &[("--since", &before)]);
    assert_eq!(code, Some(0), "{said}");
    let good = owner.post("audit/verify", &Value::Null).await.ok();
    assert_eq!(good["good"], true, "{good}");
    let recorded = app.database.texts("select count(*)::text from audit_event").await;
    let placed = app
        .database
        .texts("select (max(leaf_index) + 1)::text from audit_leaf group by org_id")
        .await;
    let placed: u64 = placed.iter().map(|count| count.parse::<u64>().unwrap()).sum();
    assert!(placed + 2 >= recorded[0].parse::<u64>().unwrap(), "{placed} of {recorded:?}");
}
