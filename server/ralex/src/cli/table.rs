//! What commands that ask a server take and say alike: their flags, answers as JSON, tables.

use std::future::Future;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use comfy_table::Table;
use serde::Serialize;

use ralex_api::changes::ChangeRequest;

use super::api::{Api, Waits};
use super::{Environment, changes, failed};
use crate::say;

/// What a command ends with that waits for somebody.
pub const UNDECIDED: u8 = 4;

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
        .help("So many at most, the newest first")
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

/// Says an answer: whole, as JSON, where that is wished, and else in words.
pub fn told<T: Serialize>(
    answer: &T,
    matches: &ArgMatches,
    words: impl FnOnce(&T) -> String,
) -> anyhow::Result<ExitCode> {
    say::line(&if matches.get_flag("json") {
        serde_json::to_string_pretty(answer)?
    } else {
        words(answer)
    });
    Ok(ExitCode::SUCCESS)
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
    use super::*;

    #[test]
    fn no_word_of_others_gives_the_terminal_an_order() {
        let shown = table(["Id", "Note"], [["1".to_owned(), "\u{1b}[2Jgone\nnext".to_owned()]]);
        assert!(shown.contains("gone next") && !shown.contains('\u{1b}'), "{shown:?}");
        assert_eq!(shown.lines().count(), 2);
        let shown = facts("it", &[("why", "\u{1b}[2J".to_owned()), ("longer", "b".to_owned())]);
        assert_eq!(shown, "it\n  why      [2J\n  longer  b");
    }
}
