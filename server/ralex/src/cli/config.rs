//! `ralex config`: the settings that a server would start with, secrets left out.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::{Environment, failed};
use crate::say;
use crate::settings::{self, SETTINGS, Settings, variable};

pub fn command() -> Command {
    settings::flags(
        Command::new("config")
            .about("Check the settings and list every one of them")
            .long_about("Checks the settings and lists every one of them: its key in ralex.toml, its environment variable, its default and what it means. A flag wins over the environment, and that over the file."),
    )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    if let Err(invalid) = Settings::read(matches, environment) {
        return failed(&invalid.to_string());
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["Key", "Variable", "Default", "Meaning"]);
    for setting in SETTINGS {
        let default = setting.default.unwrap_or("").to_owned();
        table.add_row([
            setting.key.to_owned(),
            variable(setting.key),
            default,
            setting.help.to_owned(),
        ]);
    }
    say::line(&table.to_string());
    ExitCode::SUCCESS
}
