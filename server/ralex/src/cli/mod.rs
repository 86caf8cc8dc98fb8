//! The command line: one binary, one file a command.

mod access;
mod account;
mod adjustments;
mod alerts;
mod api;
mod approvals;
mod audit;
mod break_glass;
mod budgets;
mod call_rules;
mod changes;
mod config;
mod credentials;
mod groups;
mod login;
mod mail;
mod members;
mod operator;
mod org;
mod policy;
mod rate_limits;
mod recover;
mod replay;
mod reports;
mod reviews;
mod roles;
mod scim;
mod service_accounts;
mod sso;
mod table;
mod teams;
mod tokens;
mod usage;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::http::server::document;
use crate::settings::{self, Settings};
use crate::{say, serve};

type Environment = BTreeMap<String, String>;

fn command() -> Command {
    Command::new("ralex")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The control plane for every agent and model call of a company")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings::flags(
            Command::new("serve").about("Serve the API, the gateway and the console"),
        ))
        .subcommand(account::command())
        .subcommand(access::command())
        .subcommand(alerts::command())
        .subcommand(approvals::command())
        .subcommand(audit::command())
        .subcommand(break_glass::command())
        .subcommand(budgets::command())
        .subcommand(call_rules::command())
        .subcommand(changes::command())
        .subcommand(config::command())
        .subcommand(rate_limits::command())
        .subcommands(login::commands())
        .subcommand(mail::command())
        .subcommand(operator::command())
        .subcommand(org::command())
        .subcommand(policy::command())
        .subcommand(recover::command())
        .subcommand(reports::command())
        .subcommand(reviews::command())
        .subcommand(roles::command())
        .subcommand(groups::command())
        .subcommand(members::command())
        .subcommands(teams::commands())
        .subcommand(service_accounts::command())
        .subcommand(scim::command())
        .subcommand(sso::command())
        .subcommand(tokens::command())
        .subcommand(usage::command())
        .subcommand(Command::new("openapi").about("Print the OpenAPI document"))
}

/// Runs what the arguments ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            error.print().ok();
            // Help and version are answers; anything else is a wrong use.
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    match matches.subcommand() {
        Some(("serve", matches)) => with_settings(matches, environment, serve::serve),
        Some(("account", matches)) => account::run(matches, environment),
        Some(("access", matches)) => access::run(matches, environment),
        Some(("alerts", matches)) => alerts::run(matches, environment),
        Some(("approvals", matches)) => approvals::run(matches, environment),
        Some(("audit", matches)) => audit::run(matches, environment),
        Some(("break-glass", matches)) => break_glass::run(matches, environment),
        Some(("budgets", matches)) => budgets::run(matches, environment),
        Some(("call-rules", matches)) => call_rules::run(matches, environment),
        Some(("changes", matches)) => changes::run(matches, environment),
        Some(("config", matches)) => config::run(matches, environment),
        Some((verb @ ("login" | "logout" | "whoami"), matches)) => {
            login::run(verb, matches, environment)
        }
        Some(("limits", matches)) => rate_limits::run(matches, environment),
        Some(("mail", matches)) => mail::run(matches, environment),
        Some(("openapi", _)) => openapi(),
        Some(("operator", matches)) => operator::run(matches, environment),
        Some(("org", matches)) => org::run(matches, environment),
        Some(("policy", matches)) => policy::run(matches, environment),
        Some(("recover-operator", matches)) => recover::run(matches, environment),
        Some(("reports", matches)) => reports::run(matches, environment),
        Some(("reviews", matches)) => reviews::run(matches, environment),
        Some(("roles", matches)) => roles::run(matches, environment),
        Some(("groups", matches)) => groups::run(matches, environment),
        Some((what @ ("teams" | "projects"), matches)) => teams::run(what, matches, environment),
        Some(("members", matches)) => members::run(matches, environment),
        Some(("service-accounts", matches)) => service_accounts::run(matches, environment),
        Some(("scim", matches)) => scim::run(matches, environment),
        Some(("sso", matches)) => sso::run(matches, environment),
        Some(("tokens", matches)) => tokens::run(matches, environment),
        Some(("usage", matches)) => usage::run(matches, environment),
        _ => ExitCode::from(3),
    }
}

fn openapi() -> ExitCode {
    match document().to_pretty_json() {
        Ok(json) => {
            say::line(&json);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.to_string()),
    }
}

/// Runs a command that needs the settings of a server.
fn with_settings<F: Future<Output = anyhow::Result<()>>>(
    matches: &ArgMatches,
    environment: &Environment,
    work: impl FnOnce(Settings) -> F,
) -> ExitCode {
    let settings = match Settings::read(matches, environment) {
        Ok(settings) => settings,
        Err(invalid) => return failed(&invalid.to_string()),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("No threads could be started: {error}.")),
    };
    match runtime.block_on(work(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("{error:#}")),
    }
}

fn failed(why: &str) -> ExitCode {
    say::problem(&format!("ralex: {why}"));
    ExitCode::FAILURE
}
