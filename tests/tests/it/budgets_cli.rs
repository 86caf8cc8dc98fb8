//! `ralex budgets` against a running server: what may be spent, set from a command line.

use ralex_tests::app::{App, run, text};
use serde_json::{Value, json};

struct Shell {
    url: String,
    token: String,
}

impl Shell {
    fn of(app: &App) -> Self {
        Self { url: app.owner.url().to_owned(), token: app.owner.secret() }
    }

    /// The exit code, what was said, and what went wrong.
    async fn budgets(&self, line: &str) -> (i32, String, String) {
        let settings = [("RALEX_URL", self.url.clone()), ("RALEX_TOKEN", self.token.clone())];
        let line = format!("budgets {line}");
        let run = move || {
            let settings: Vec<_> = settings.iter().map(|(name, it)| (*name, it.as_str())).collect();
            // A word with spaces is written with underscores here.
            let words: Vec<String> = line.split(' ').map(|it| it.replace('_', " ")).collect();
            run(&words.iter().map(String::as_str).collect::<Vec<_>>(), &settings)
        };
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        let [out, wrong] = said;
        (output.status.code().unwrap(), out, wrong)
    }

    async fn json(&self, line: &str) -> Value {
        let (code, out, wrong) = self.budgets(&format!("{line} --json")).await;
        assert_eq!(code, 0, "{line}: {wrong}");
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error}: {out}"))
    }
}

#[tokio::test]
async fn a_budget_is_made_changed_raised_and_deleted_from_a_command_line() {
    let app = App::start().await;
    app.team("blue").await;
    let shell = Shell::of(&app);
    let made = shell
        .json("create --scope team:blue --period year --limit 99.95 --time-zone Europe/Oslo --year-start 04-06 --degrade-at 20")
        .await;
    let id = text(&made, "id");
    let known = app.owner.get(&format!("budgets/{id}")).await.ok();
    assert_eq!(known, made);
    assert_eq!((text(&made, "limit"), &made["hard"]), ("99.95".to_owned(), &json!(true)));
    assert_eq!(made["year_start"], json!({ "month": 4, "day": 6 }));

    let edited = shell.json(&format!("edit {id} --limit 100 --hard false")).await;
    assert_eq!((text(&edited, "limit"), &edited["hard"]), ("100".to_owned(), &json!(false)));
    assert_eq!(edited["degrade_at"], json!(20), "what is not named stays");
    let edited = shell.json(&format!("edit {id} --degrade-at 0")).await;
    assert_eq!(edited["degrade_at"], Value::Null);

    let until = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let until = until.format("%Y-%m-%dT%H:%M:%SZ");
    let raised = format!("increase {id} --amount 12.5 --until {until} --reason The_launch");
    let raised = shell.json(&raised).await;
    assert_eq!(text(&raised["increase"], "amount"), "12.5");
    assert_eq!(text(&raised["increase"], "reason"), "The launch");
    let (code, shown, _) = shell.budgets(&format!("show {id}")).await;
    assert!(code == 0 && shown.contains("12.5 until") && shown.contains("The launch"), "{shown}");
    let (code, listed, _) = shell.budgets("list").await;
    assert!(code == 0 && listed.contains(&id) && listed.contains("team:blue"), "{listed}");
    assert_eq!(shell.json("list").await["items"][0]["id"], json!(id));
    let ended = shell.json(&format!("end-increase {id}")).await;
    assert_eq!(ended["increase"], Value::Null);

    let model = app.owner.all("models").await[0]["name"].as_str().unwrap().to_owned();
    let line = format!("create --scope org --model {model} --period day --limit 1");
    assert_eq!(shell.json(&line).await["model"], json!(model));
    let line = "create --scope team:blue --period rolling --days 30 --limit 100";
    let rolling = shell.json(line).await;
    assert_eq!((&rolling["days"], &rolling["carry_over"]), (&json!(30), &json!(false)));
    let (_, shown, _) = shell.budgets(&format!("show {}", text(&rolling, "id"))).await;
    assert!(shown.contains("30 days") && shown.contains("a day leaves"), "{shown}");
    let line =
        "create --scope team:blue --period month --limit 5 --carry-over --carry-over-at-most 3";
    let carried = shell.json(line).await;
    assert_eq!(text(&carried, "carry_over_at_most"), "3");
    assert_eq!((&carried["carry_over"], text(&carried, "carried")), (&json!(true), "0".to_owned()));
    let (_, shown, _) = shell.budgets(&format!("show {}", text(&carried, "id"))).await;
    assert!(shown.contains("0 from before, of at most 3"), "{shown}");
    let (code, _, wrong) =
        shell.budgets("create --scope org --period rolling --limit 1 --json").await;
    assert!(code == 3 && wrong.contains("--days"), "{wrong}");
    let (_, listed, _) = shell.budgets("list").await;
    assert!(listed.contains(&format!("model {model}")) && listed.contains("30 days"), "{listed}");

    assert_eq!(shell.json(&format!("delete {id}")).await["deleted"], json!(true));
    let (code, out, wrong) = shell.budgets(&format!("show {id}")).await;
    assert!(code == 1 && out.is_empty() && wrong.contains("no such budget"), "{wrong}");
}

#[tokio::test]
async fn what_makes_no_budget_is_said_plainly_and_changes_nothing() {
    let app = App::start().await;
    let shell = Shell::of(&app);
    for (line, code, named) in [
        ("create --scope team:nobody --period month --limit 5", 1, "nobody"),
        ("create --scope org --period month --limit 0", 1, "limit"),
        ("create --scope org --period month --limit 5 --time-zone Mars/Base", 1, "time_zone"),
        ("create --scope org --period fortnight --limit 5", 3, "fortnight"),
        ("create --scope org --period month --limit 5e2", 3, "--limit"),
        ("edit 00000000-0000-7000-8000-000000000000", 3, "--limit"),
        ("increase 00000000-0000-7000-8000-000000000000 --amount 5 --reason why", 3, "--until"),
    ] {
        let (found, out, wrong) = shell.budgets(line).await;
        assert_eq!((found, out.as_str()), (code, ""), "{line}: {wrong}");
        assert!(wrong.contains(named), "{line}: {wrong}");
    }
    assert!(app.owner.all("budgets").await.is_empty());
}
