//! Starting and ending: what is wrong is said in a sentence, and nothing is left behind.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use ralex_tests::app::{App, EMAIL, PASSWORD, run};
use serde_json::json;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder that an unprivileged PostgreSQL can pass through.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Processes whose command line names a folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(&folder) && line.contains("postgres")).collect()
}

#[test]
fn the_version_is_told() {
    let output = run(&["--version"], &[]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.trim(), concat!("ralex ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn one_message_names_every_setting_that_is_wrong() {
    let folder = folder();
    let data = folder.path().join("data");
    let settings = [
        ("RALEX_DATA_DIR", data.to_str().unwrap()),
        ("RALEX_LISTEN", "nowhere"),
        ("RALEX_ADMIN_EMAIL", "nobody"),
        ("RALEX_ADMIN_PASSWORD", "password1234"),
        ("RALEX_SEAL_KEY", "c2hvcnQ="),
        ("RALEX_ADMIN_ORG", "No Slug"),
        ("RALEX_EGRESS_ALLOW", "10.0.0.0/99"),
        ("RALEX_DATABASE_URL", "mysql://root:hunter2@host/db"),
        ("RALEX_LOG", "a=b=c"),
    ];
    let output = run(&["serve"], &settings);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    for (name, _) in settings.iter().skip(1) {
        assert!(said.contains(name), "{name} is not named in {said}");
    }
    assert!(
        !said.contains("hunter2") && !said.contains("password1234") && !said.contains("c2hvcnQ="),
        "{said}"
    );
    assert!(!data.exists(), "something was made");
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn a_taken_port_is_told_in_a_sentence_and_nothing_is_made() {
    let folder = folder();
    let data = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = [("RALEX_DATA_DIR", data.to_str().unwrap()), ("RALEX_LISTEN", &address)];
    let output = run(&["serve"], &settings);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains(&address) && said.contains("RALEX_LISTEN"), "{said}");
    assert!(!data.exists(), "something was made");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_told_in_a_sentence() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let inside = file.join("data");
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("PG_VERSION"), "15\n").unwrap();
    for data in ["/proc/ralex", inside.to_str().unwrap(), foreign.to_str().unwrap()] {
        let settings = [("RALEX_DATA_DIR", data), ("RALEX_LISTEN", "127.0.0.1:0")];
        let output = run(&["serve"], &settings);
        assert_eq!(output.status.code(), Some(1), "{data}: {output:?}");
        let said = said(&output);
        assert!(said.contains(data) && said.contains(". "), "{data}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "a foreign folder was changed");
}

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
    let folder = folder();
    let data = folder.path().join("data");
    let settings = [
        ("RALEX_DATA_DIR", data.to_str().unwrap()),
        ("RALEX_LISTEN", "127.0.0.1:0"),
        ("RALEX_DATABASE_URL", "postgres://ralex:hunter2@127.0.0.1:1/ralex"),
    ];
    let output = run(&["serve"], &settings);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains("database") || said.contains("PostgreSQL"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_missing_or_foreign_postgres_is_told_in_a_sentence() {
    let folder = folder();
    let data = folder.path().join("data");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let settings = [
        ("RALEX_DATA_DIR", data.to_str().unwrap()),
        ("RALEX_LISTEN", "127.0.0.1:0"),
        ("RALEX_POSTGRES_BIN", empty.to_str().unwrap()),
    ];
    let output = run(&["serve"], &settings);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains("PostgreSQL") && said.contains(empty.to_str().unwrap()), "{said}");
}

#[test]
fn a_wrong_use_is_told_with_its_own_exit_code() {
    for arguments in [&["sing"][..], &["serve", "--nonsense"], &["audit"], &[]] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_built_in_database_lives_and_ends_with_its_server() {
    let mut app = App::start_with(&[("RALEX_DATABASE_URL", "")]).await;
    let data = app.node.data_dir();
    app.team("blue").await;
    assert!(!processes_of(&data).is_empty(), "the database does not run in the data folder");

    let settings = [("RALEX_DATA_DIR", data.to_str().unwrap()), ("RALEX_LISTEN", "127.0.0.1:0")];
    let second = run(&["serve"], &settings);
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(said(&second).contains(data.to_str().unwrap()), "{second:?}");
    app.owner.get("teams/blue").await.ok();

    assert!(app.node.stop().await.success());
    assert_eq!(processes_of(&data), [""; 0], "the database outlives its server");

    let begun = Instant::now();
    app.restart().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    app.owner.get("teams/blue").await.ok();
    app.anonymous().login(EMAIL, PASSWORD).await;
    assert!(!app.node.said().contains(PASSWORD));

    app.node.kill();
    app.restart().await;
    app.owner.get("teams/blue").await.ok();
    app.owner.post("teams", &json!({ "slug": "red", "name": "Red" })).await.ok();
    assert!(app.node.stop().await.success());
    assert_eq!(processes_of(&data), [""; 0], "the database outlives its server");
}

#[tokio::test]
async fn a_first_start_says_how_to_go_on_and_its_call_works_as_printed() {
    let app = App::start().await;
    let fresh = ralex_tests::app::Database::fresh().await;
    let more = [("RALEX_DATABASE_URL", fresh.url()), ("RALEX_ADMIN_PASSWORD", "")];
    let node = app.node_fresh(&more).await;
    let block = node.said();
    let after = |words: &str| {
        let line = block.lines().find_map(|line| line.trim().strip_prefix(words));
        line.unwrap_or_else(|| panic!("no `{words}` in {block}")).trim().to_owned()
    };
    assert_eq!(after("Log in with"), EMAIL);
    let once = after("and once with");
    let curl = block.lines().find(|line| line.trim().starts_with("curl ")).unwrap();
    let called = std::process::Command::new("sh").args(["-c", curl]).output().unwrap();
    let answer = String::from_utf8_lossy(&called.stdout).into_owned();
    assert!(answer.contains("\"chat.completion\"") && answer.contains("Hello"), "{answer}");
    let client = ralex_tests::app::Client::anonymous(node.url());
    let login = json!({ "email": EMAIL, "password": once });
    let login = client.post("/api/v1/auth/login", &login).await;
    assert_eq!(login.ok()["must_change_password"], true);
    let kept = node.data_dir().join("first-login");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!node.log().contains(&once), "the log has the password");
}
