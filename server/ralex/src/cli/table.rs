//! What commands that ask a server take and say alike: their flags, answers as JSON, tables.

use std::future::Future;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use comfy_table::Table;
use serde::Serialize;
use serde_json::Value;

use ralex_api::changes::ChangeRequest;

use super::api::{Api, Waits};
use super::{Environment, changes, failed};
use crate::say;

/// What a command ends with that waits for somebody.
pub const UNDECIDED: u8 = 4;

/// How many one answer holds at most.
const MOST: usize = 500;

/// `--json`, which every command takes that has an answer.
pub fn json_flag() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).global(true).help("Answer as JSON")
}

/// `--limit`, for lists.
pub fn limit_flag() -> Arg {
    Arg::new("limit")
        .long("limit")
        .value_name("NUMBER")
        .default_value("50")
        .value_parser(value_parser!(u32).range(1..=500))
        .help("So many at most, 1 to 500")
}

/// Asks a server, and says what went wrong where it did.
pub fn asked<F: Future<Output = anyhow::Result<ExitCode>>>(
    matches: &ArgMatches,
    environment: &Environment,
    work: impl FnOnce(Api) -> F,
) -> ExitCode {
    let done = Api::of(matches, environment).and_then(|api| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work(api))
    });
    done.unwrap_or_else(|error| match error.downcast::<Waits>() {
        Ok(Waits(request)) => {
            told(&*request, matches, waiting).unwrap_or_else(|error| failed(&format!("{error:#}")));
            ExitCode::from(UNDECIDED)
        }
        Err(error) => failed(&format!("{error:#}")),
    })
}

fn waiting(request: &ChangeRequest) -> String {
    format!("Nothing is done yet: this waits for a second person.\n{}", changes::shown(request))
}

/// Says an answer: whole, as JSON, where that is wished, and else in words. Where words end before the
/// list does, that is said beside them.
pub fn told<T: Serialize>(
    answer: &T,
    matches: &ArgMatches,
    words: impl FnOnce(&T) -> String,
) -> anyhow::Result<ExitCode> {
    if matches.get_flag("json") {
        say::line(&serde_json::to_string_pretty(answer)?);
    } else {
        say::line(&words(answer));
        let limited = matches.try_contains_id("limit").is_ok();
        if let Some(more) = cut(&serde_json::to_value(answer)?, limited) {
            say::problem(&more);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What to say of a list that goes on, and how to see the rest.
fn cut(answer: &Value, limited: bool) -> Option<String> {
    answer.get("next_cursor").filter(|next| next.is_string())?;
    let shown = answer.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    let wider = if limited && shown < MOST { "--limit takes up to 500; " } else { "" };
    Some(format!(
        "There are more than these {shown}: {wider}--json tells next_cursor, from which the API goes on."
    ))
}

/// Rows below their heads. Words of others are in them without what a terminal would take for an
/// order.
pub fn table<const N: usize>(
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(heads);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    table.trim_fmt()
}

/// Facts of one thing, below its name.
pub fn facts(name: &str, facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    let lines = facts.iter().map(|(name, value)| format!("\n  {name:<width$}{}", plain(value)));
    format!("{name}{}", lines.collect::<String>())
}

/// Words that others have written, without what a terminal would take for an order.
pub fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_that_goes_on_says_so_and_what_to_do() {
        let said = cut(&json!({ "items": [1, 2], "next_cursor": "c" }), true).unwrap();
        assert!(said.starts_with("There are more than these 2: --limit takes up to 500"), "{said}");
        let full = json!({ "items": vec![0; MOST], "next_cursor": "c" });
        assert!(!cut(&full, true).unwrap().contains("--limit"));
        assert!(
            !cut(&json!({ "items": [1], "next_cursor": "c" }), false).unwrap().contains("--limit")
        );
        for whole in
            [json!({ "items": [1], "next_cursor": null }), json!({ "items": [1] }), json!([1])]
        {
            assert_eq!(cut(&whole, true), None, "{whole}");
        }
    }

    #[test]
    fn no_word_of_others_gives_the_terminal_an_order() {
        let shown = table(["Id", "Note"], [["1".to_owned(), "\u{1b}[2Jgone\nnext".to_owned()]]);
        assert!(shown.contains("gone next") && !shown.contains('\u{1b}'), "{shown:?}");
        assert_eq!(shown.lines().count(), 2);
        let shown = facts("it", &[("why", "\u{1b}[2J".to_owned()), ("longer", "b".to_owned())]);
        assert_eq!(shown, "it\n  why      [2J\n  longer  b");
    }
}
