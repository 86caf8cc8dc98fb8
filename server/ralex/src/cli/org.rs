//! `ralex org`: what an organisation asks of everybody in it, and all that it has, by a server's API.

mod check;
pub mod export;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::factors::{OrgSecurity, UpdateOrgSecurity};
use ralex_api::identity::{Org, UpdateOrg};
use ralex_kernel::Name;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, told};

const REQUIRED: &str = "required";
const OPTIONAL: &str = "optional";
const ALLOWED: &str = "allowed";
const REFUSED: &str = "refused";

pub fn command() -> Command {
    let factor = Arg::new("second-factor")
        .long("second-factor")
        .value_parser([REQUIRED, OPTIONAL])
        .help("Whether everybody needs a second factor; what is not named is only shown");
    let device = Arg::new("device-login")
        .long("device-login")
        .value_parser([ALLOWED, REFUSED])
        .help("Whether tokens count that came of a code which somebody typed");
    let security = Command::new("security")
        .about("Show or change what everybody who signs in is asked for")
        .args([factor, device, json_flag()]);
    let name = Arg::new("name").value_name("NAME").required(true);
    let name = name.value_parser(value_parser!(Name)).help("What people read; the slug stays");
    let rename = Command::new("rename").about("Rename the organisation").args([name, json_flag()]);
    let show = Command::new("show").about("Show the organisation").arg(json_flag());
    Command::new("org")
        .about("See and change settings of the organisation")
        .subcommand_required(true)
        .subcommand(api::flags(show))
        .subcommand(api::flags(rename))
        .subcommand(api::flags(security))
        .subcommand(api::flags(export::command()))
        .subcommand(api::flags(export::key_command()))
        .subcommand(check::command())
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some(("check-export", matches)) => check::run(matches),
        Some(("export", matches)) => {
            asked(matches, environment, async |api| export::own(&api, matches).await)
        }
        Some(("export-key", matches)) => match matches.subcommand() {
            Some((verb, matches)) => {
                asked(matches, environment, async |api| export::key(&api, verb, matches).await)
            }
            None => ExitCode::from(3),
        },
        Some(("show", matches)) => asked(matches, environment, async |api| {
            told(&api.get::<Org>(&[], &()).await?, matches, shown)
        }),
        Some(("rename", matches)) => asked(matches, environment, async |api| {
            let name = matches.get_one::<Name>("name").cloned().context("no name")?;
            told(&api.patch::<Org>(&[], &UpdateOrg { name }).await?, matches, shown)
        }),
        Some((_, matches)) => {
            asked(matches, environment, async |api| security(&api, matches).await)
        }
        None => ExitCode::from(3),
    }
}

fn shown(org: &Org) -> String {
    let since = org.created_at.format("%Y-%m-%d").to_string();
    let facts_of = [("name", org.name.to_string()), ("id", org.id.to_string()), ("since", since)];
    facts(org.slug.as_str(), &facts_of)
}

async fn security(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let is = |flag: &str, word: &str| matches.get_one::<String>(flag).map(|said| said == word);
    let change = UpdateOrgSecurity {
        second_factor_required: is("second-factor", REQUIRED),
        device_login: is("device-login", ALLOWED),
    };
    let found: OrgSecurity = match change {
        UpdateOrgSecurity { second_factor_required: None, device_login: None } => {
            api.get(&["security"], &()).await?
        }
        change => api.patch(&["security"], &change).await?,
    };
    told(&found, matches, |found| {
        let factor = if found.second_factor_required { REQUIRED } else { OPTIONAL };
        let device = if found.device_login { ALLOWED } else { REFUSED };
        let facts_of = [("second factor", factor.to_owned()), ("device login", device.to_owned())];
        facts("security", &facts_of)
    })
}
