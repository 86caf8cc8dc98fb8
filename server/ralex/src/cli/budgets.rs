//! `ralex budgets`: what may be spent, what counts beside calls, and proof over the database that no
//! budget is overspent.

pub mod limits;

use std::process::ExitCode;

use anyhow::bail;
use clap::{ArgMatches, Command};
use ralex_store::Db;

use super::{Environment, adjustments, with_settings};
use crate::database::Database;
use crate::say;
use crate::settings::{self, Settings};

pub fn command() -> Command {
    Command::new("budgets")
        .about("See, set and check budgets, and take back what counts beside calls")
        .subcommand_required(true)
        .subcommands(limits::commands())
        .subcommand(settings::flags(Command::new("verify").about(
            "Prove that no hard budget is overspent and that spend is the sum of settled calls",
        )))
        .subcommands(adjustments::commands())
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some(("verify", matches)) => with_settings(matches, environment, verify),
        Some((verb @ ("adjustments" | "reverse" | "reconcile"), matches)) => {
            adjustments::run(verb, matches, environment)
        }
        Some((verb, matches)) => limits::run(verb, matches, environment),
        None => ExitCode::from(3),
    }
}

async fn verify(settings: Settings) -> anyhow::Result<()> {
    let running = match settings.database_url {
        Some(_) => None,
        None => ralex_store::BuiltIn::running(&settings.data_dir),
    };
    let found = if let Some(url) = running {
        check(&url).await?
    } else {
        // The built-in PostgreSQL is started for this where no server uses it.
        let database = Database::start_existing(&settings).await?;
        let found = check(database.url()).await;
        database.stop().await;
        found?
    };
    let (budgets, usage) = found;
    for difference in &budgets.differences {
        say::line(&difference.to_string());
    }
    for difference in &usage {
        say::line(&difference.to_string());
    }
    if !budgets.differences.is_empty() {
        bail!("{} budget periods do not add up.", budgets.differences.len());
    }
    if !usage.is_empty() {
        bail!(
            "{} hours of usage do not add up. Budgets do: `ralex usage rebuild` sums usage up anew.",
            usage.len()
        );
    }
    let periods = budgets.periods;
    say::line(&format!("good: {periods} budget periods, and usage, add up to the nano-dollar"));
    Ok(())
}

type Found = (ralex_budgets::Verification, Vec<ralex_usage::Difference>);

async fn check(url: &str) -> anyhow::Result<Found> {
    let db = Db::connect(url, 2).await?;
    let found = (ralex_budgets::verify(&db, None).await?, ralex_usage::verify(&db, None).await?);
    db.close().await;
    Ok(found)
}
