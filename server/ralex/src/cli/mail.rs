//! `ralex mail test`: one message by the mail server of the settings, and what came of it.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_kernel::Email;
use ralex_mail::{Mail, Mailer};

use super::{Environment, failed, with_settings};
use crate::settings::{self, Settings};
use crate::{limits, say};

pub fn command() -> Command {
    let to = Arg::new("to").long("to").value_name("EMAIL").required(true);
    let to = to.value_parser(value_parser!(Email)).help("Who gets the message");
    let test = Command::new("test").about("Send one message, and tell whether it was taken");
    Command::new("mail")
        .about("Try the mail server of the settings")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings::flags(test.arg(to)))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some(("test", matches)) = matches.subcommand() else { return ExitCode::from(3) };
    limits::forbid_core_files();
    match matches.get_one::<Email>("to").cloned() {
        Some(to) => with_settings(matches, environment, |settings| test(settings, to)),
        None => failed("--to is needed."),
    }
}

async fn test(settings: Settings, to: Email) -> anyhow::Result<()> {
    let Some(server) = &settings.mail else {
        bail!("No mail server is set. Name one with --smtp-url or RALEX_SMTP_URL.");
    };
    let mailer = Mailer::new(server).map_err(|why| anyhow!(why))?;
    let mail = Mail {
        to: vec![to.clone()],
        subject: "A test of the mail server".to_owned(),
        text: "This message shows that Ralex can send mail. Nothing needs to be done.\n".to_owned(),
        ..Mail::default()
    };
    let began = Instant::now();
    mailer.send(&mail).await?;
    let took = began.elapsed().as_millis();
    say::line(&format!("{} took the message to {to} in {took} ms.", server.host()));
    Ok(())
}
