//! `ralex org`: what an organisation asks of everybody in it, by a server's API.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use ralex_api::factors::{OrgSecurity, UpdateOrgSecurity};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, told};

const REQUIRED: &str = "required";
const OPTIONAL: &str = "optional";

pub fn command() -> Command {
    let factor = Arg::new("second-factor")
        .long("second-factor")
        .value_parser([REQUIRED, OPTIONAL])
        .help("Whether everybody needs a second factor; without this, it is only shown");
    let security = Command::new("security")
        .about("Show or change what everybody who signs in is asked for")
        .args([factor, json_flag()]);
    Command::new("org")
        .about("See and change settings of the organisation")
        .subcommand_required(true)
        .subcommand(api::flags(security))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((_, matches)) => {
            asked(matches, environment, async |api| security(&api, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn security(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let wanted = matches.get_one::<String>("second-factor").map(|word| word == REQUIRED);
    let found: OrgSecurity = match wanted {
        Some(second_factor_required) => {
            api.patch(&["security"], &UpdateOrgSecurity { second_factor_required }).await?
        }
        None => api.get(&["security"], &()).await?,
    };
    told(&found, matches, |found| {
        let word = if found.second_factor_required { REQUIRED } else { OPTIONAL };
        facts("security", &[("second factor", word.to_owned())])
    })
}
